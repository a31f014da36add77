"""Free ports that two test processes on one machine do not both take."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock

from pytest_kdelve.controlplane.locks import acquired
from pytest_kdelve.errors import ProcessError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SPARE_ATTEMPTS = 64


@contextmanager
def reserve(count: int, *, locks: Path) -> Iterator[tuple[int, ...]]:
    """Hold ``count`` ports of 127.0.0.1 that were free, until the context ends.

    A port that the kernel calls free can be given to another process before a server listens on
    it, so each is guarded by a lock file in ``locks``, a folder that all processes share.
    """
    locks.mkdir(parents=True, exist_ok=True)
    held: dict[int, FileLock] = {}
    try:
        attempts = count + _SPARE_ATTEMPTS
        for _ in range(attempts):
            if len(held) == count:
                break
            port = _free_port()
            lock = FileLock(locks / f"{port}.lock", timeout=0)
            if port not in held and acquired(lock):
                held[port] = lock
        if len(held) < count:
            message = f"no {count} free ports on 127.0.0.1 after {attempts} attempts"
            raise ProcessError(f"{message}; `ss -ltn` shows what listens")
        yield tuple(held)
    finally:
        for lock in held.values():
            lock.release()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
