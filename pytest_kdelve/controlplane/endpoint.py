"""The environment that ``kdelve up`` keeps, as its clients need it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_kdelve.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

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


def running() -> Endpoint:
    """Return the environment that is kept; raises ``UsageError`` where there is none."""
    raise UsageError("no environment is kept; start one by `kdelve up`")
