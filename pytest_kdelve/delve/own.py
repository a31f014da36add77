"""Breakpoints of this package are known by their names, also to a process that comes later."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_kdelve.delve.client import Client

_PREFIX = "kdelve"


def name_at(pc: int) -> str:
    """Return the name of the breakpoint at an address; Delve allows letters and digits only."""
    return f"{_PREFIX}{pc:x}"


def clear(client: Client) -> None:
    """Clear all breakpoints with such a name; the target must stand still."""
    for each in client.list_breakpoints():
        if each.name.startswith(_PREFIX):
            client.clear_breakpoint(each.id)
