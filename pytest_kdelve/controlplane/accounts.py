"""Removing what tests needed in a cluster that is not ours, by whoever comes to it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from urllib3.exceptions import HTTPError

from pytest_kdelve.controlplane.access import Access
from pytest_kdelve.controlplane.credentials import ServiceAccountMaker
from pytest_kdelve.errors import CredentialsError
from pytest_kdelve.process import poll

#: Seconds until the apiserver answers, which may have just been started again.
_TIMEOUT = 60.0


def remove(kubeconfig: str, name: str) -> None:
    """Remove the ServiceAccount ``name``, its Secret and its binding, as far as they are there.

    Raises ``CredentialsError``, also where the apiserver does not answer in time, and
    ``UsageError`` for a kubeconfig that cannot be read any more.
    """
    last: list[CredentialsError] = []

    def removed() -> bool:
        try:
            maker.remove()
        except CredentialsError as error:
            if not isinstance(error.__cause__, HTTPError):
                raise
            last[:] = [error]
            return False
        return True

    with tempfile.TemporaryDirectory() as files:
        access = Access.by_kubeconfig(kubeconfig, files=Path(files))
        with ServiceAccountMaker(access, name=name) as maker:
            if not poll(removed, timeout=_TIMEOUT):
                raise CredentialsError(
                    f"{last[0]}; remove what is left by `kubectl --namespace=default delete "
                    f"clusterrolebinding/{name} serviceaccount/{name} secret/{name}`"
                )
