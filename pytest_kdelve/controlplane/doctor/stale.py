"""Environments whose owner has ended, and which nobody has removed yet."""

from __future__ import annotations

from pytest_kdelve.controlplane.doctor.check import Check, State


def stale() -> list[str]:
    """Return a line for each."""
    return []


def check_stale() -> Check:
    """Look for them."""
    found = stale()
    if not found:
        return Check(name="stale", state=State.OK, seen=("no environment was left behind",))
    do = ("run `kdelve down`",)
    return Check(name="stale", state=State.WARNING, seen=tuple(found), do=do)
