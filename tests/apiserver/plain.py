"""A kube-apiserver as somebody else runs it: without Delve, with an administrator's kubeconfig."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_kdelve.controlplane import apiserver, certificates, etcd, kubeconfig, ports
from pytest_kdelve.controlplane.access import Access
from pytest_kdelve.controlplane.environment import answers_ok
from pytest_kdelve.process import ChildProcess

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_kdelve.controlplane.build import Binaries

READY = 60.0


@dataclass(frozen=True)
class Plain:
    """``kubeconfig`` is the administrator's."""

    access: Access
    etcd: ChildProcess
    process: ChildProcess
    kubeconfig: Path


@contextmanager
def running(
    binaries: Binaries, folder: Path, *extra: str, dlv: Sequence[str] = ()
) -> Iterator[Plain]:
    """Run an etcd and a kube-apiserver, and wait until that is ready.

    ``dlv`` is what stands before the program, such as a debugger's command line.
    """
    files = certificates.create(folder)
    with ports.reserve(3, locks=folder / "locks") as (client, peer, secure):
        store = etcd.start(
            binaries.etcd,
            files,
            data=folder / "etcd",
            log=folder / "etcd.log",
            client_port=client,
            peer_port=peer,
        )
        try:
            servers = f"https://127.0.0.1:{client}"
            arguments = apiserver.arguments(files, etcd_servers=servers, port=secure, extra=extra)
            argv = [*dlv, str(binaries.kube_apiserver), *(["--"] if dlv else []), *arguments]
            process = ChildProcess("kube-apiserver", argv, log=folder / "kube-apiserver.log")
            try:
                access = Access.by_certificate(f"https://127.0.0.1:{secure}", files)
                admin = {
                    "client-certificate": str(files.admin_cert),
                    "client-key": str(files.admin_key),
                }
                config = folder / "admin.kubeconfig"
                kubeconfig.write(config, url=access.url, ca=files.ca, user=admin)
                with access.session() as session:
                    url = f"{access.url}/readyz"
                    process.wait_until(
                        lambda: answers_ok(session, url), what=f"GET {url}", timeout=READY
                    )
                yield Plain(access, store, process, config)
            finally:
                process.stop()
        finally:
            store.stop()
