"""One etcd for one apiserver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_kdelve.controlplane.access import Access
from pytest_kdelve.controlplane.environment import answers_ok
from pytest_kdelve.process import ChildProcess

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_kdelve.controlplane.certificates import Certificates

READY_TIMEOUT = 60.0


def start(
    binary: Path,
    certificates: Certificates,
    *,
    data: Path,
    log: Path,
    client_port: int,
    peer_port: int,
    env: Mapping[str, str] | None = None,
) -> ChildProcess:
    """Start an etcd on loopback and wait until it is healthy.

    It wants a certificate of our CA from everybody, since every user of the machine reaches
    loopback, and the token is in it. It does not sync to disk, since its data is thrown away.
    ``env`` is its environment, by default that of this process. Raises ``ProcessError``; nothing is
    left running then.
    """
    client, peer = (f"https://127.0.0.1:{port}" for port in (client_port, peer_port))
    argv = [
        str(binary),
        f"--data-dir={data}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        *_tls("", certificates),
        *_tls("peer-", certificates),
    ]
    process = ChildProcess("etcd", argv, log=log, env=env)
    try:
        with Access.by_certificate(client, certificates).session() as session:
            url = f"{client}/health"
            process.wait_until(
                lambda: answers_ok(session, url), what=f"GET {url}", timeout=READY_TIMEOUT
            )
    except BaseException:
        process.stop()
        raise
    return process


def _tls(prefix: str, certificates: Certificates) -> list[str]:
    return [
        f"--{prefix}client-cert-auth",
        f"--{prefix}trusted-ca-file={certificates.ca}",
        f"--{prefix}cert-file={certificates.server_cert}",
        f"--{prefix}key-file={certificates.server_key}",
    ]
