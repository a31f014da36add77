"""Who listens on TCP, as the kernel has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def ports_of(pid: int) -> set[int]:
    """Return where a process listens; nowhere where it has ended, or may not be looked at."""
    try:
        return {port for port, _ in _listening(psutil.Process(pid).net_connections("tcp"))}
    except psutil.Error:
        return set()


def listeners_at(port: int) -> set[int | None]:
    """Return who listens at a port; None is another user's process that we may not see."""
    return {pid for at, pid in _listening(psutil.net_connections("tcp")) if at == port}


def _listening(connections: Iterable[Any]) -> Iterator[tuple[int, int | None]]:
    """Yield port and pid of those that listen; psutil's own types have no pid for one process."""
    for each in connections:
        if each.status == psutil.CONN_LISTEN:
            yield each.laddr.port, getattr(each, "pid", None)
