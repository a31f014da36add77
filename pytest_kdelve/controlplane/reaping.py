"""Undoing what a run has left: by its guardian, by the next run, or because somebody asks."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from pytest_kdelve.controlplane.journal import journals
from pytest_kdelve.controlplane.locks import acquired
from pytest_kdelve.controlplane.undo import perform
from pytest_kdelve.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kdelve.controlplane.journal import JournalFile


def reap() -> list[str]:
    """Undo what is left of runs of which neither the owner nor the guardian lives.

    Returns what could not be undone, in words; the next call tries it again.
    """
    problems: list[str] = []
    for file in journals():
        try:
            problems += _reap(file)
        except (UsageError, OSError) as error:
            problems.append(str(error))
    return problems


def left_behind() -> list[JournalFile]:
    """Return the journals that ``reap`` would undo; raises ``UsageError``."""
    found = []
    for file in journals():
        with _unguarded(file) as is_over:
            if is_over:
                found.append(file)
    return found


def _reap(file: JournalFile) -> list[str]:
    with _unguarded(file) as is_over:
        return undo_all(file) if is_over else []


@contextmanager
def _unguarded(file: JournalFile) -> Iterator[bool]:
    """Whether neither the owner nor the guardian of a run lives, which is not kept either."""
    lock = file.lock
    if not acquired(lock):
        yield False  # Its guardian lives, or another process reaps it.
        return
    try:
        journal = file.read()
        yield journal is None or not (journal.kept or journal.owner.is_running)
    finally:
        lock.release()


def undo_all(file: JournalFile) -> list[str]:
    """Undo all that a journal lists, the last first; who calls it holds the journal's lock.

    What could not be undone stays in the journal, and is returned in words. Without such the
    journal is removed.
    """
    journal = file.read()
    if journal is None:
        file.remove()  # The lock is left of it.
        return []
    problems = []
    left = list(journal.undos)
    for undo in reversed(journal.undos):
        try:
            perform(undo, file.run)
        except Exception as error:  # noqa: BLE001 - the others have to be undone all the same
            problems.append(f"{undo}: {type(error).__name__}: {error}")
        else:
            left.remove(undo)
            # At once, since whoever does this may be killed, too.
            file.write(msgspec.structs.replace(journal, undos=tuple(left)))
    if not left:
        file.remove()
    return problems
