"""Locks between processes."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import Timeout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filelock import FileLock

    from pytest_kdelve.errors import KdelveError


def acquired(lock: FileLock) -> bool:
    """Take a lock that was made with ``timeout=0``, unless another process holds it."""
    try:
        lock.acquire()
    except Timeout:
        return False
    return True


@contextmanager
def holding(lock: FileLock, otherwise: KdelveError) -> Iterator[None]:
    """Hold a lock that was made with ``timeout=0``; raises ``otherwise`` where another does."""
    if not acquired(lock):
        raise otherwise
    try:
        yield
    finally:
        lock.release()
