"""Several processes build, and an interrupted build leaves nothing half-made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
import pytest

from pytest_kdelve.controlplane import build, releases
from pytest_kdelve.errors import BuildError
from pytest_kdelve.process import poll
from tests.unit.builds import ALL_FOUR, TIMEOUT, Recorder

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.builds import World


class InterruptOnceItWorks(Recorder):
    """A progress during which the user presses Ctrl-C."""

    def __init__(self, working: Path) -> None:
        super().__init__()
        self.working = working

    def tick(self) -> None:
        if self.working.exists():
            raise KeyboardInterrupt


class SeesProcesses(Recorder):
    """A progress that looks which processes of builds there are meanwhile."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.seen: set[psutil.Process] = set()

    def tick(self) -> None:
        self.seen.update(self.world.processes())


def wait_for(path: Path) -> None:
    assert poll(path.exists, timeout=TIMEOUT), f"{path} did not appear"


def test_two_processes_build_once(world: World) -> None:
    world.set(FAKE_GO_BUILD="wait")
    first = world.start("first")
    assert poll(lambda: bool(world.built()), timeout=TIMEOUT)
    second = world.start("second")
    waiting = "waiting for another process that builds kube-apiserver 1.37.2"
    assert poll(lambda: waiting in world.stderr("second"), timeout=TIMEOUT)
    (world.folder / "gate").touch()
    assert (first.wait(TIMEOUT), second.wait(TIMEOUT)) == (0, 0)
    assert sorted(world.built()) == sorted(ALL_FOUR)
    assert "kube-apiserver 1.37.2 is ready" in world.stderr("second")


def test_ctrl_c_leaves_nothing_half_made_and_no_process(world: World) -> None:
    world.set(FAKE_GO_BUILD="hang")
    progress = InterruptOnceItWorks(world.folder / "working")
    with pytest.raises(KeyboardInterrupt):
        build.ensure(releases.choose(), cache=world.cache, progress=progress)
    assert progress.events[-1] == ("failed", "kube-apiserver 1.37.2")
    assert world.kept() == []
    assert world.processes() == []
    world.set(FAKE_GO_BUILD="succeed")
    world.ensure()
    assert world.kept() == sorted(ALL_FOUR)


def test_a_go_that_never_ends_is_ended(world: World) -> None:
    world.set(FAKE_GO_BUILD="hang")
    world.monkeypatch.setattr("pytest_kdelve.controlplane.golang.BUILD_TIMEOUT", 2.0)
    with pytest.raises(BuildError, match=r"go did not build \S+/kube-apiserver in 2 s"):
        world.ensure()
    assert world.kept() == []
    assert world.processes() == []


def test_a_killed_build_ends_with_all_of_its_processes(world: World) -> None:
    world.set(FAKE_GO_BUILD="hang")
    killed = world.start("killed")
    wait_for(world.folder / "working")
    assert len(world.processes()) == 2, "go and its compiler"
    killed.kill()
    killed.wait(TIMEOUT)
    assert poll(lambda: world.processes() == [], timeout=TIMEOUT)
    assert poll(lambda: list((world.folder / "state/runs").iterdir()) == [], timeout=TIMEOUT)


def test_what_a_killed_build_left_is_cleared_by_the_next_one(world: World) -> None:
    """Its guardian was killed, too."""
    world.set(FAKE_GO_BUILD="hang")
    killed = world.start("killed")
    wait_for(world.folder / "working")
    (guardian,) = set(psutil.Process(killed.pid).children()) - set(world.processes())
    guardian.kill()
    killed.kill()
    killed.wait(TIMEOUT)
    assert world.kept() == [".partial-kube-apiserver"], "it was interrupted in the middle"
    orphans = world.processes()
    assert len(orphans) == 2, "go and its compiler go on"
    world.set(FAKE_GO_BUILD="succeed")
    progress = SeesProcesses(world)
    build.ensure(releases.choose(), cache=world.cache, progress=progress)
    assert progress.seen, "the fake go itself is seen"
    assert not progress.seen & set(orphans), "they were ended before a new go was started"
    assert world.kept() == sorted(ALL_FOUR)
    assert world.processes() == []
