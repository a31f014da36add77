"""kdelve doctor: what is left of runs and environments that are over."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec
import pytest

from pytest_kdelve.controlplane.doctor.check import State
from pytest_kdelve.controlplane.doctor.stale import check_stale
from pytest_kdelve.controlplane.journal import (
    Journal,
    JournalFile,
    Owner,
    RemoveFolder,
    runs_folder,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDELVE_STATE", str(tmp_path))


def leave(*, is_over: bool, kept: bool = False) -> None:
    owner = Owner.of(os.getpid())
    assert owner
    if is_over:
        owner = msgspec.structs.replace(owner, started=owner.started - 1)
    journal = Journal(owner, (RemoveFolder("/tmp/kdelve-1"),), kept=kept)  # noqa: S108 - no file
    JournalFile(runs_folder(), "1").write(journal)


def test_nothing() -> None:
    check = check_stale()
    assert (check.state, check.seen) == (State.OK, ("no environment was left behind",))


def test_a_run_that_was_killed() -> None:
    leave(is_over=True)
    check = check_stale()
    assert check.state is State.WARNING
    assert check.seen == (
        (
            f"a run that was killed (process {os.getpid()}) has left: "
            "RemoveFolder(path='/tmp/kdelve-1')"
        ),
    )
    assert check.do == ("run `kdelve down`",)


@pytest.mark.parametrize(("is_over", "kept"), [(False, False), (True, True)])
def test_what_is_in_use_is_not_stale(*, is_over: bool, kept: bool) -> None:
    leave(is_over=is_over, kept=kept)
    assert check_stale().state is State.OK


def test_a_journal_that_cannot_be_read() -> None:
    (runs_folder() / "1.json").write_text("{")
    check = check_stale()
    assert check.state is State.WARNING
    assert "1.json cannot be read" in check.seen[0]
