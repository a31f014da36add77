"""Locks between processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filelock import Timeout

if TYPE_CHECKING:
    from filelock import FileLock


def acquired(lock: FileLock) -> bool:
    """Take a lock that was made with ``timeout=0``, unless another process holds it."""
    try:
        lock.acquire()
    except Timeout:
        return False
    return True
