"""The environment that ``kdelve up`` keeps, as its clients need it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pytest_kdelve.controlplane import kept
from pytest_kdelve.delve import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A debugged kube-apiserver, and the dlv that has it.

    ``ca_file`` is PEM, ``version`` is such as ``v1.37.2``. ``folder`` is the environment's own,
    which goes when it ends. ``main_source`` is the path of cmd/kube-apiserver/apiserver.go as the
    compiler saw it, which tells where all other sources are.
    """

    url: str
    ca_file: Path
    token: str = field(repr=False)
    version: str
    dlv: Address
    folder: Path
    main_source: str


def running(name: str = "") -> Endpoint:
    """Return the environment that is kept, as ``kept.running``."""
    found = kept.running(name)
    credentials = found.credentials()
    return Endpoint(
        url=found.url,
        ca_file=credentials.ca_file,
        token=credentials.token,
        version=found.version,
        dlv=Address.parse(found.address),
        folder=Path(found.directory),
        main_source=found.main_source,
    )
