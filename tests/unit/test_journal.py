"""What a run's journal says, who can read it, and whose run it is."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import msgspec
import pytest

from pytest_kdelve.controlplane.journal import (
    Detach,
    Journal,
    JournalFile,
    KillMarked,
    Owner,
    RemoveFolder,
    journals,
    runs_folder,
)
from pytest_kdelve.errors import ProcessError, UsageError
from pytest_kdelve.process import poll
from tests.unit.runs import LONG, RUN, ended_owner, write_journal

if TYPE_CHECKING:
    from pathlib import Path

UNDOS = (RemoveFolder("/srv/a b"), KillMarked(), Detach("::1", 4711))


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KDELVE_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def myself() -> Owner:
    owner = Owner.of(os.getpid())
    assert owner
    return owner


def test_it_says_what_was_written() -> None:
    file = write_journal(*UNDOS, owner=myself(), kept=True)
    assert file.read() == Journal(myself(), UNDOS, kept=True)
    assert JournalFile.at(file.path).run == file.run == RUN


def test_nobody_else_reads_it(state: Path) -> None:
    (state / "runs").mkdir(parents=True, mode=0o755)
    file = write_journal(*UNDOS)
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.path.parent == state / "runs"
    assert file.path.parent.stat().st_mode & 0o777 == 0o700


def test_it_is_replaced_as_a_whole() -> None:
    """Whoever has the old one open reads on in that."""
    file = write_journal(*UNDOS)
    with file.path.open("rb") as old:
        write_journal()
        assert msgspec.json.decode(old.read(), type=Journal).undos == UNDOS
    after = file.read()
    assert after
    assert after.undos == ()
    assert [path.name for path in file.path.parent.iterdir()] == [file.path.name]


def test_one_that_was_removed_says_nothing() -> None:
    file, other = write_journal(*UNDOS), write_journal(run="other")
    file.log.touch()
    with file.lock:
        file.remove()
    file.remove()
    assert file.read() is None
    assert [each.run for each in journals()] == ["other"]
    assert list(other.path.parent.iterdir()) == [other.path]


@pytest.mark.parametrize("text", [b"", b"{}", b'{"owner": {"pid": 1, "started": 2, "boot": ""}'])
def test_one_that_is_broken(text: bytes) -> None:
    file = write_journal()
    file.path.write_bytes(text)
    with pytest.raises(UsageError, match=rf"the journal .*/runs/{RUN}\.json cannot be"):
        file.read()


def test_one_that_cannot_be_written(state: Path) -> None:
    file = write_journal()
    shutil.rmtree(state)
    with pytest.raises(ProcessError, match=r"the journal .* cannot be written: .*No such file"):
        file.write(Journal(myself()))


def test_one_of_a_version_that_can_undo_more() -> None:
    file = write_journal(KillMarked())
    file.path.write_bytes(file.path.read_bytes().replace(b"KillMarked", b"MeltIce"))
    with pytest.raises(UsageError, match=rf"Invalid value 'MeltIce'.*KDELVE_RUN={RUN}"):
        file.read()


def test_a_folder_that_cannot_be_made(state: Path) -> None:
    state.write_text("no folder")
    with pytest.raises(UsageError, match=r"state/runs cannot be made .*; give another one in KDEL"):
        runs_folder()


def test_without_a_choice_it_is_in_the_users_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KDELVE_STATE")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert runs_folder() == tmp_path / "pytest-kdelve/runs"


class TestOwner:
    """It is known by more than its pid, which another process may get."""

    def test_that_runs(self) -> None:
        assert myself().is_running

    def test_that_has_ended(self) -> None:
        owner = ended_owner()
        assert not owner.is_running
        assert Owner.of(owner.pid) is None

    def test_that_is_a_zombie(self) -> None:
        with subprocess.Popen(["/bin/sleep", "60"]) as process:
            owner = Owner.of(process.pid)
            assert owner
            assert owner.is_running
            process.kill()
            assert poll(lambda: not owner.is_running, timeout=LONG)
            assert process.returncode is None, "nobody has asked for its status"

    @pytest.mark.parametrize("change", [{"started": 1}, {"boot": "another"}])
    def test_whose_pid_is_another_processs(self, change: dict[str, object]) -> None:
        assert not msgspec.structs.replace(myself(), **change).is_running

    def test_with_a_difficult_name(self, tmp_path: Path) -> None:
        program = tmp_path / "a) Z 1 (b\n"
        shutil.copy("/bin/sleep", program)
        with subprocess.Popen([program, "60"]) as process:
            owner = Owner.of(process.pid)
            assert owner
            assert owner.is_running
            assert abs(owner.started - myself().started) < LONG * os.sysconf("SC_CLK_TCK") * 60
            process.kill()
