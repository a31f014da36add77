"""One etcd for one apiserver."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests

from pytest_kdelve.process import ChildProcess

if TYPE_CHECKING:
    from pathlib import Path

READY_TIMEOUT = 60.0


def start(binary: Path, *, data: Path, log: Path, client_port: int, peer_port: int) -> ChildProcess:
    """Start an etcd on loopback and wait until it is healthy.

    It does not sync to disk, since its data is thrown away. Raises ``ProcessError``; nothing is
    left running then.
    """
    client, peer = (f"http://127.0.0.1:{port}" for port in (client_port, peer_port))
    argv = [
        str(binary),
        f"--data-dir={data}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
    ]
    process = ChildProcess("etcd", argv, log=log)
    try:
        with requests.Session() as session:
            session.trust_env = False
            url = f"{client}/health"
            process.wait_until(
                lambda: answers_ok(session, url), what=f"GET {url}", timeout=READY_TIMEOUT
            )
    except BaseException:
        process.stop()
        raise
    return process


def answers_ok(session: requests.Session, url: str) -> bool:
    """Whether a GET is answered with 200 within two seconds."""
    try:
        return bool(session.get(url, timeout=2).status_code == requests.codes.ok)
    except requests.RequestException:
        return False
