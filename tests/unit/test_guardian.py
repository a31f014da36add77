"""Whichever way a run's owner ends, its guardian undoes what it has begun."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from pytest_kdelve.controlplane import guardian as module
from pytest_kdelve.controlplane.guardian import Guardian
from pytest_kdelve.controlplane.journal import MARK, KillMarked, RemoveFolder, journals
from pytest_kdelve.controlplane.reaping import reap, undo_all
from pytest_kdelve.errors import ProcessError
from pytest_kdelve.process import poll
from tests.unit.runs import LONG, alive, marked_shell

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The issue's limit for what is left behind.
LIMIT = 10.0
#: A run that owns a folder and a process, and says its id; then it goes on as it is told.
OWNER = """
import os, signal, subprocess, sys, time
from pathlib import Path
from pytest_kdelve.controlplane.guardian import Guardian
from pytest_kdelve.controlplane.journal import KillMarked, RemoveFolder

guardian = Guardian()
guardian.start()
folder = Path(sys.argv[1])
with guardian.undoing(RemoveFolder(str(folder))), guardian.undoing(KillMarked()):
    folder.mkdir()
    env = {**os.environ, **guardian.environment}
    subprocess.Popen(["/bin/sleep", "600"], env=env, start_new_session=True)
    print(guardian.run, flush=True)
    sys.stdin.readline()
    exec(sys.argv[2])
"""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KDELVE_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def guardians(state: Path) -> list[psutil.Process]:
    """Return the guardians of this test's runs."""
    found = []
    for process in psutil.process_iter():
        argv = _argv(process)
        if module.__name__ in argv and argv[-1].startswith(str(state)):
            found.append(process)
    return found


def guardian_in(state: Path) -> psutil.Process:
    """Return the only one; that has just been started may have no command line yet."""
    assert poll(lambda: bool(guardians(state)), timeout=LONG)
    (guardian,) = guardians(state)
    return guardian


def _argv(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []  # It has ended.


@pytest.fixture(autouse=True)
def _no_guardian_is_left(state: Path) -> Iterator[None]:
    yield
    try:
        assert poll(lambda: guardians(state) == [], timeout=LIMIT)
    finally:
        for each in guardians(state):
            each.kill()


def is_clean(run: str, folder: Path, state: Path) -> bool:
    return not alive(run) and not folder.exists() and not list((state / "runs").iterdir())


class Owned:
    """A run whose owner is a process of its own."""

    def __init__(self, folder: Path, state: Path, then: str) -> None:
        self.folder = folder
        self._state = state
        self.process = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(folder), then],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        self.run = self.process.stdout.readline().strip()

    def go_on(self) -> None:
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def close(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=LONG)
        for process in alive(self.run):
            process.kill()

    def nothing_is_left(self) -> bool:
        return poll(lambda: is_clean(self.run, self.folder, self._state), timeout=LIMIT)


@pytest.fixture
def owned(tmp_path: Path, state: Path, request: pytest.FixtureRequest) -> Iterator[Owned]:
    run = Owned(tmp_path / "folder", state, getattr(request, "param", "signal.pause()"))
    try:
        assert poll(lambda: len(alive(run.run)) == 1, timeout=LONG)
        assert run.folder.is_dir()
        yield run
    finally:
        run.close()


def test_an_owner_that_is_killed(owned: Owned) -> None:
    owned.process.kill()
    assert owned.nothing_is_left()


@pytest.mark.parametrize("owned", ["os._exit(1)", "os.abort()", "sys.exit(1)"], indirect=True)
def test_an_owner_that_ends_in_another_way(owned: Owned) -> None:
    owned.go_on()
    owned.process.wait(LONG)
    assert owned.nothing_is_left()


@pytest.mark.parametrize("owned", ["os.fork() and os._exit(1); time.sleep(60)"], indirect=True)
def test_an_owner_whose_forked_child_lives_on(owned: Owned) -> None:
    """It has all that its parent had open."""
    folder = str(owned.folder)
    owned.go_on()
    owned.process.wait(LONG)
    child = next(each for each in psutil.process_iter() if folder in _argv(each))
    assert owned.nothing_is_left()
    assert child.is_running()
    child.kill()


def test_an_owner_that_nobody_asks_for_its_status(owned: Owned) -> None:
    os.kill(owned.process.pid, signal.SIGKILL)
    assert owned.nothing_is_left()
    assert owned.process.returncode is None


def test_a_guardian_is_deaf_to_what_ends_pytest(owned: Owned, state: Path) -> None:
    guardian = guardian_in(state)
    has_lock = state / "runs" / f"{owned.run}.lock"
    assert poll(has_lock.exists, timeout=LONG), "it has come so far"
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        guardian.send_signal(number)
    owned.process.kill()
    assert owned.nothing_is_left()


def test_when_both_are_killed_the_next_run_undoes_it(owned: Owned, state: Path) -> None:
    guardian = guardian_in(state)
    guardian.kill()
    assert reap() == [], "the owner lives"
    assert alive(owned.run)
    owned.process.kill()
    owned.process.wait(LONG)
    assert poll(lambda: guardians(state) == [], timeout=LONG)
    assert alive(owned.run)
    assert reap() == []
    assert owned.nothing_is_left()


def test_a_guardian_that_is_just_starting(owned: Owned, state: Path) -> None:
    """What kills the owner at once, before the guardian has seen anything of it."""
    guardian = guardian_in(state)
    guardian.suspend()
    owned.process.kill()
    owned.process.wait(LONG)
    guardian.resume()
    assert owned.nothing_is_left()


class TestInThisProcess:
    """The owner's side."""

    @pytest.fixture
    def guardian(self, state: Path) -> Iterator[Guardian]:
        guardian = Guardian()
        guardian.start()
        yield guardian
        guardian.stop()
        assert list((state / "runs").iterdir()) == []

    def test_what_the_owner_undoes_is_not_undone_again(
        self, guardian: Guardian, tmp_path: Path
    ) -> None:
        with guardian.undoing(RemoveFolder(str(tmp_path / "folder"))):
            pass
        (tmp_path / "folder").mkdir()
        guardian.stop()
        assert (tmp_path / "folder").exists()

    def test_what_the_owner_failed_to_undo_is_undone(
        self, guardian: Guardian, tmp_path: Path
    ) -> None:
        (tmp_path / "folder").mkdir()
        with (
            pytest.raises(KeyError, match="failed"),
            guardian.undoing(RemoveFolder(str(tmp_path / "folder"))),
        ):
            raise KeyError("failed")
        guardian.stop()
        assert not (tmp_path / "folder").exists()

    def test_what_is_entrusted_to_it_is_undone_at_the_end(
        self, guardian: Guardian, tmp_path: Path
    ) -> None:
        (tmp_path / "folder").mkdir()
        guardian.entrust(RemoveFolder(str(tmp_path / "folder")))
        guardian.entrust(KillMarked())
        with marked_shell("echo up; exec sleep 60", run=guardian.run) as process:
            guardian.stop()
            assert process.wait(LONG) == -signal.SIGKILL
        assert not (tmp_path / "folder").exists()

    def test_what_cannot_be_undone_is_said_and_left_to_the_next_run(
        self, guardian: Guardian, tmp_path: Path
    ) -> None:
        (tmp_path / "file").touch()
        guardian.entrust(RemoveFolder(str(tmp_path / "file")))
        with pytest.raises(ProcessError, match=r"(?s)not all could be undone.*Not a directory"):
            guardian.stop()
        (file,) = journals()
        assert file.run == guardian.run
        assert "Not a directory" in file.log.read_text()
        (tmp_path / "file").unlink()
        with file.lock:
            assert undo_all(file) == []

    def test_one_that_was_killed_is_replaced(
        self, guardian: Guardian, tmp_path: Path, state: Path
    ) -> None:
        (tmp_path / "folder").mkdir()
        guardian.entrust(RemoveFolder(str(tmp_path / "folder")))
        process = guardian_in(state)
        process.kill()
        guardian.stop()
        assert not (tmp_path / "folder").exists()

    def test_one_that_does_not_answer_is_given_up(
        self, guardian: Guardian, state: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_END_TIMEOUT", 0.2)
        guardian.entrust(KillMarked())
        process = guardian_in(state)
        process.suspend()
        with pytest.raises(ProcessError, match=r"did not do so in 0\.2 s; the next"):
            guardian.stop()
        # This process is still its owner.
        (file,) = journals()
        with file.lock:
            undo_all(file)

    def test_what_is_released_stays(self, guardian: Guardian, tmp_path: Path) -> None:
        (tmp_path / "folder").mkdir()
        undoing = guardian.undoing(RemoveFolder(str(tmp_path / "folder")))
        undoing.__enter__()
        guardian.release()
        guardian.stop()
        del undoing
        assert reap() == []
        assert (tmp_path / "folder").exists()
        (file,) = journals()
        with file.lock:
            assert undo_all(file) == []
        assert not (tmp_path / "folder").exists()

    def test_it_is_none_of_the_runs_processes(
        self, guardian: Guardian, state: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A run may be in a run, too."""
        monkeypatch.setenv(MARK, "outer")
        with Guardian() as inner:
            assert guardian.environment == {MARK: guardian.run}
            assert inner.run != guardian.run
            assert poll(lambda: len(guardians(state)) == 2, timeout=LONG)
            for process in guardians(state):
                assert process.environ()
                assert MARK not in process.environ()

    def test_it_holds_nothing_of_its_owners(self, guardian: Guardian, state: Path) -> None:
        """Who reads the owner's output would wait for the guardian's end, too."""
        process = guardian_in(state)
        runs = f"{state}/runs/{guardian.run}"

        def open_files() -> set[str]:
            links = set()
            for fd in Path(f"/proc/{process.pid}/fd").iterdir():
                with suppress(FileNotFoundError):  # A file that it has read by now.
                    links.add(str(fd.readlink()))
            return {link for link in links if not link.startswith("socket:")}

        assert poll(lambda: f"{runs}.lock" in open_files(), timeout=LONG), "it has come so far"
        assert open_files() == {os.devnull, f"{runs}.log", f"{runs}.lock"}
        assert os.getsid(process.pid) == process.pid
        assert process.memory_info().rss < 60 * 1024 * 1024


def test_one_that_cannot_be_started(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ProcessError, match=r"the guardian could not be started: .*/nowhere/python"):
        Guardian().start()
    assert list((state / "runs").iterdir()) == []
