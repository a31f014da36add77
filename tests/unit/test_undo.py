"""Undoing what a run began: its processes and its folders."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from pytest_kdelve.controlplane import undo
from pytest_kdelve.controlplane.journal import MARK, Detach, KillMarked, RemoveFolder
from pytest_kdelve.controlplane.undo import kill_marked, marked, perform, remove_folder
from pytest_kdelve.errors import ProcessError, ProcessTimeoutError
from pytest_kdelve.process import poll
from pytest_kdelve.testing import FakeDelve
from tests.unit.runs import LONG, RUN, alive, marked_shell

if TYPE_CHECKING:
    from pathlib import Path

FOR_EVER = "echo up; while :; do sleep 60; done"


class TestKillMarked:
    """Whatever a process is called, and whoever its parent is, its mark tells whose it is."""

    @pytest.mark.parametrize(
        ("script", "count"),
        [
            (FOR_EVER, 2),
            (f"trap '' TERM INT HUP; {FOR_EVER}", 2),
            (f"setsid sh -c '{FOR_EVER}' & wait", 3),
            (f"sh -c 'sh -c \"{FOR_EVER}\" & exit 0'; exec sleep 60", 3),
            ("echo up; kill -STOP $$", 1),
        ],
        ids=["plain", "deaf", "in another session", "with an orphan", "stopped"],
    )
    def test_a_process(self, script: str, count: int) -> None:
        with marked_shell(script):
            assert poll(lambda: len(alive()) == count, timeout=LONG)
            kill_marked(RUN)
            assert alive() == []

    def test_what_starts_meanwhile(self) -> None:
        """Each of these starts others all the time."""
        starter = "sh -c 'while :; do sleep 60 & sleep 0.01; done' &"
        with marked_shell(f"{starter} {starter} {starter} echo up; wait"):
            assert poll(lambda: len(alive()) > 20, timeout=LONG)
            kill_marked(RUN)
            assert alive() == []

    def test_what_is_just_being_started(self) -> None:
        """It has its mark only when it has become what its parent wanted."""
        script = f"sleep 0.5; {MARK}={RUN} exec sleep 60"
        with subprocess.Popen(["/bin/sh", "-c", script]) as process:
            perform(KillMarked(), RUN)
            assert process.wait(LONG) == -signal.SIGKILL

    def test_others_are_left_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Also whoever kills, which may be marked itself."""
        monkeypatch.setenv(MARK, RUN)
        with marked_shell(FOR_EVER, run=f"{RUN}0") as other, marked_shell(FOR_EVER):
            kill_marked(RUN)
            assert alive() == []
            assert other.poll() is None

    def test_none_is_over_at_once(self) -> None:
        began = time.monotonic()
        kill_marked(RUN)
        assert time.monotonic() - began < 2

    def test_one_that_does_not_end_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(process: psutil.Process) -> None:
            raise psutil.AccessDenied(process.pid)

        monkeypatch.setattr(undo, "_TIMEOUT", 0.1)
        with marked_shell("echo up; exec sleep 60") as process, monkeypatch.context() as patched:
            patched.setattr(psutil.Process, "kill", refuse)
            name = psutil.Process().username()
            with pytest.raises(ProcessTimeoutError, match=rf": {process.pid} \(sleep of {name}\);"):
                kill_marked(RUN)

    def test_itself_is_no_process_of_the_run(self) -> None:
        """A process that was started with the mark, and looks for it."""
        script = f"from {marked.__module__} import marked; print(marked({RUN!r}))"
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, MARK: RUN},
            capture_output=True,
            text=True,
            timeout=LONG,
            check=True,
        )
        assert done.stdout == "[]\n"


class TestRemoveFolder:
    def test_with_all_that_is_in_it(self, tmp_path: Path) -> None:
        folder = tmp_path / "a b"
        (folder / "c/d").mkdir(parents=True)
        (folder / "c/link").symlink_to(tmp_path)
        (folder / "c/file").touch(mode=0)
        perform(RemoveFolder(str(folder)), RUN)
        assert list(tmp_path.iterdir()) == []

    def test_that_is_gone(self, tmp_path: Path) -> None:
        remove_folder(tmp_path / "none")

    def test_into_which_somebody_still_writes(self, tmp_path: Path) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        script = 'for i in $(seq 2000); do echo > "$i" || exit; done'
        with subprocess.Popen(["/bin/sh", "-c", script], cwd=folder, stderr=subprocess.DEVNULL):
            assert poll(lambda: len(list(folder.iterdir())) > 20, timeout=LONG)
            remove_folder(folder)
        assert not folder.exists()

    def test_into_which_somebody_writes_for_ever(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def never_empty(_path: Path) -> None:
            raise OSError(errno.ENOTEMPTY, "Directory not empty")

        monkeypatch.setattr(undo, "_TIMEOUT", 0.1)
        monkeypatch.setattr(shutil, "rmtree", never_empty)
        with pytest.raises(ProcessError, match="could not be removed: something writes into it"):
            remove_folder(tmp_path)

    def test_that_cannot_be_removed(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(ProcessError, match=r"file could not be removed: .*Not a directory"):
            remove_folder(tmp_path / "file")


def test_a_delve_that_is_not_the_runs_is_not_asked_to_detach() -> None:
    """The run's own is gone, and somebody else's has got its port."""
    with FakeDelve(lambda _call, _connection: None) as fake:
        perform(Detach(fake.host, fake.port), RUN)
        assert fake.calls == []
