"""What is left of runs is undone by the next one, and by nobody twice."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import msgspec
import pytest

from pytest_kdelve.controlplane import reaping, running
from pytest_kdelve.controlplane.journal import KillMarked, Owner, RemoveFolder, StartAgain, Undo
from pytest_kdelve.controlplane.reaping import reap, undo_all
from pytest_kdelve.errors import ProcessError
from tests.unit.runs import LONG, RUN, alive, marked_shell, write_journal

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_kdelve.controlplane.journal import JournalFile

FIRST, SECOND, THIRD = (RemoveFolder(f"/{name}") for name in ("first", "second", "third"))


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KDELVE_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


class Undone(list[Undo]):
    """What was undone, in its order; nothing is done for it."""

    def note(self, undo: Undo, run: str) -> None:
        assert run == RUN
        self.append(undo)


@pytest.fixture
def undone(monkeypatch: pytest.MonkeyPatch) -> Undone:
    noted = Undone()
    monkeypatch.setattr(reaping, "perform", noted.note)
    return noted


def files_of(file: JournalFile) -> set[str]:
    """What there is besides the lock, which others may have made."""
    return {path.suffix for path in file.path.parent.iterdir()} - {".lock"}


def test_what_a_run_has_left_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    file = write_journal(RemoveFolder(str(folder)), KillMarked())
    with marked_shell("echo up; cd /; exec sleep 60"):
        assert reap() == []
        assert alive() == []
    assert not folder.exists()
    assert list(file.path.parent.iterdir()) == []


def test_the_last_is_undone_first(undone: Undone) -> None:
    write_journal(FIRST, SECOND, THIRD)
    assert reap() == []
    assert undone == [THIRD, SECOND, FIRST]


def test_nothing_is_left_is_nothing_to_do() -> None:
    assert reap() == []


def test_a_run_whose_owner_lives_is_left_alone(undone: Undone) -> None:
    file = write_journal(FIRST, owner=Owner.of(os.getpid()))
    assert reap() == []
    assert (undone, files_of(file)) == ([], {".json"})


def test_a_run_whose_guardian_lives_is_left_alone(undone: Undone) -> None:
    """It holds the lock."""
    file = write_journal(FIRST)
    with file.lock:
        assert reap() == []
    assert (undone, files_of(file)) == ([], {".json"})
    assert reap() == []
    assert (undone, files_of(file)) == ([FIRST], set())


def test_what_is_kept_is_undone_only_if_somebody_asks(undone: Undone) -> None:
    file = write_journal(FIRST, kept=True)
    assert reap() == []
    assert (undone, files_of(file)) == ([], {".json"})
    with file.lock:
        assert undo_all(file) == []
    assert (undone, files_of(file)) == ([FIRST], set())


def test_two_that_reap_at_the_same_time_undo_it_once(
    undone: Undone, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_journal(FIRST, SECOND)
    begun, over = threading.Event(), threading.Event()

    def slowly(undo: Undo, run: str) -> None:
        begun.set()
        assert over.wait(LONG)
        undone.note(undo, run)

    monkeypatch.setattr(reaping, "perform", slowly)
    first = threading.Thread(target=reap)
    first.start()
    assert begun.wait(LONG)
    assert reap() == [], "it does not wait for the other one"
    over.set()
    first.join(LONG)
    assert undone == [SECOND, FIRST]


def test_what_cannot_be_undone_is_said_and_tried_again(
    undone: Undone, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_journal(FIRST, SECOND, THIRD)

    def fail_once(undo: Undo, run: str) -> None:
        if undo == SECOND:
            raise ProcessError("it is stuck")
        undone.note(undo, run)

    with monkeypatch.context() as patched:
        patched.setattr(reaping, "perform", fail_once)
        assert reap() == ["RemoveFolder(path='/second'): ProcessError: it is stuck"]
    assert undone == [THIRD, FIRST]
    journal = file.read()
    assert journal
    assert journal.undos == (SECOND,)
    assert reap() == []
    assert undone == [THIRD, FIRST, SECOND]
    assert files_of(file) == set()


def test_what_could_not_be_started_again_is_said_without_its_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_undo: Undo, _run: str) -> None:
        raise ProcessError("it is stuck")

    monkeypatch.setattr(reaping, "perform", fail)
    spec = msgspec.structs.replace(running.read(os.getpid()), environ=(b"TOKEN=hunter2",))
    write_journal(StartAgain(spec))
    [problem] = reap()
    assert "hunter2" not in problem
    assert spec.command in problem


def test_what_was_undone_is_not_undone_again_when_the_reaper_is_killed(
    undone: Undone, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_journal(FIRST, SECOND, THIRD)

    def die(undo: Undo, run: str) -> None:
        if undo == SECOND:
            raise SystemExit
        undone.note(undo, run)

    with monkeypatch.context() as patched:
        patched.setattr(reaping, "perform", die)
        with pytest.raises(SystemExit):
            reap()
    assert reap() == []
    assert undone == [THIRD, SECOND, FIRST]


def test_a_broken_journal_is_said_and_keeps_no_other_from_being_undone(undone: Undone) -> None:
    write_journal(run="00").path.write_text("{")
    write_journal(run="01").path.with_suffix(".lock").mkdir()
    write_journal(FIRST)
    broken, unlockable = reap()
    assert "the journal " in broken
    assert "01.lock" in unlockable
    assert undone == [FIRST]
