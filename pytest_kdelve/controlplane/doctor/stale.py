"""What runs have left whose process and guardian are gone, and what is kept but of no use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_kdelve.controlplane import kept
from pytest_kdelve.controlplane.doctor.check import Check, State
from pytest_kdelve.controlplane.reaping import left_behind
from pytest_kdelve.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


def check_stale() -> Check:
    """Look for them."""
    try:
        found = tuple(_stale())
    except UsageError as error:
        return Check(name="stale", state=State.WARNING, seen=(str(error),), do=())
    if not found:
        return Check(name="stale", state=State.OK, seen=("no environment was left behind",))
    return Check(name="stale", state=State.WARNING, seen=found, do=("run `kdelve down`",))


def _stale() -> Iterator[str]:
    for file in left_behind():
        journal = file.read()
        if journal and journal.undos:
            undos = ", ".join(map(str, journal.undos))
            yield f"a run that was killed (process {journal.owner.pid}) has left: {undos}"
    for each in kept.find_all():
        if problem := each.problem():
            yield f"the environment {each.name!r} that is kept is of no use: {problem}"
