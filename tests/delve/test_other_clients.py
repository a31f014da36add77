"""Another client of the same Delve, an IDE or ``dlv connect``, beside the recorder's loop."""

from __future__ import annotations

import contextlib
import queue
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

import psutil
import pytest

from pytest_kdelve.delve import api
from pytest_kdelve.delve.locations import Location
from pytest_kdelve.errors import DelveConnectionError, DelveError, TargetExitedError
from pytest_kdelve.hits.breakpoints import Subscription
from pytest_kdelve.hits.collected import HitList
from pytest_kdelve.hits.recorder import Recorder
from pytest_kdelve.process import poll
from tests.dap import Dap, DapError
from tests.delve.conftest import LONG, ended
from tests.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_kdelve.delve import Server
    from pytest_kdelve.hits.model import Hit
    from tests.delve.conftest import Debug

OURS, THEIRS = "// ours", "// theirs"


class Turns:
    """The program "turns" while it runs, the recorder of its hits, and what is asked of it."""

    def __init__(self, server: Server, output: Path) -> None:
        self.server = server
        self.recorder = Recorder(server.connect)
        self.recorder.start()
        assert poll(lambda: output.exists() and "\n" in output.read_text(), timeout=LONG)
        host, _, port = output.read_text().strip().rpartition(":")
        self._address = (host, int(port))
        self.pid = self.recorder.client.state().pid
        self._pool = ThreadPoolExecutor(8)
        self.hits = HitList()
        #: What holds the target at the first hit.
        self.held_by: object = None
        self.ours = self.subscription(OURS)

    def close(self) -> None:
        self.recorder.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def subscription(self, at: str) -> Subscription:
        return Subscription(
            place=self.recorder.resolve(Location.parse("turns/main.go", at)),
            expressions={"turn": 1},
            load_frame=False,
            owner="",
            by_anyone=True,
            sink=self._take,
        )

    def _take(self, hit: Hit) -> None:
        if self.held_by is not None and not self.hits:
            self.recorder.loop.hold(self.held_by)
        self.hits.append(hit)

    def line(self, at: str) -> tuple[str, int]:
        place = self.recorder.resolve(Location.parse("turns/main.go", at))
        return place.file, place.line

    def turn(self) -> Future[str]:
        """Let the target go through both functions; the answer is in the future."""
        return self._pool.submit(self._turn)

    def _turn(self) -> str:
        with socket.create_connection(self._address, timeout=LONG) as connection:
            return connection.makefile().read()

    def wait_until_running(self) -> None:
        """Let the loop resume the target after what was asked last."""
        target = psutil.Process(self.pid)
        assert poll(lambda: target.status() != psutil.STATUS_TRACING_STOP, timeout=LONG)

    def attach(self, *breakpoints: tuple[str, int], stop_on_entry: bool = False) -> Dap:
        if self.held_by is None:
            self.wait_until_running()
        editor = Dap(self.server.address)
        found = editor.attach(breakpoints, stop_on_entry=stop_on_entry)
        assert all(each["verified"] for each in found)
        return editor

    def record(self) -> None:
        """Record one turn with nobody else there, as a proof that all is as it was."""
        known = len(self.hits)
        answer = self.turn()
        assert answer.result(LONG)
        self.recorder.settle()
        assert len(self.hits) == known + 1


@pytest.fixture
def turns(debug: Debug, tmp_path: Path) -> Iterator[Turns]:
    found = Turns(debug("turns"), tmp_path / "target.out")
    yield found
    found.close()


def stop_of(editor: Dap, function: str) -> dict[str, str]:
    """Wait for a stop there, and return the variables that the editor shows."""
    stopped = editor.event("stopped")
    [frame, *_] = editor.stack(stopped["threadId"])
    assert frame["name"] == function
    return editor.variables(frame["id"])


def go_on_to(editor: Dap, function: str) -> dict[str, str]:
    """Continue to a stop there, and return its variables.

    Where a halt for the tests came at the same moment as a stop, Delve stops there once more.
    """
    while True:
        editor.continue_()
        stopped = editor.event("stopped")
        [frame, *_] = editor.stack(stopped["threadId"])
        if frame["name"] == function:
            return editor.variables(frame["id"])


def read(hits: HitList) -> list[object]:
    return [hit.values["turn"] for hit in hits]


def test_an_editor_stops_at_both_breakpoints_and_leaves(turns: Turns) -> None:
    theirs = turns.line(THEIRS)
    with turns.recorder.recording([turns.ours]):
        turns.record()
        editor = turns.attach(theirs)
        answer = turns.turn()
        assert stop_of(editor, "main.ours")["turn"] == "1"
        turns.hits.wait(2, LONG)
        editor.continue_()
        assert stop_of(editor, "main.theirs")["doubled"] == "2"
        editor.continue_()
        assert answer.result(LONG)
        editor.disconnect()
        turns.record()
    assert read(turns.hits) == [0, 1, 2]


def test_an_editor_that_is_killed_at_its_stop_lets_go(turns: Turns) -> None:
    theirs = turns.line(THEIRS)
    with turns.recorder.recording([turns.ours]):
        editor = turns.attach(theirs)
        answer = turns.turn()
        stop_of(editor, "main.ours")
        turns.hits.wait(1, LONG)
        editor.continue_()
        stop_of(editor, "main.theirs")
        editor.kill()
        assert answer.result(LONG)
        turns.record()
    assert read(turns.hits) == [0, 1]


def test_an_editor_that_is_killed_at_the_stop_of_a_test_lets_go(turns: Turns) -> None:
    with turns.recorder.recording([turns.ours]):
        editor = turns.attach()
        answer = turns.turn()
        stop_of(editor, "main.ours")
        editor.kill()
        assert answer.result(LONG)
        turns.record()
    assert read(turns.hits) == [0, 1]


def test_an_editor_that_is_killed_while_the_target_runs(turns: Turns) -> None:
    """Delve goes on with its command, and tells nobody of the stop at its end."""
    with turns.recorder.recording([turns.ours]):
        editor = turns.attach()
        editor.kill()
        turns.record()
        turns.record()
    assert read(turns.hits) == [0, 1]


def test_an_editor_that_has_stopped_the_target_keeps_it(turns: Turns) -> None:
    began = time.monotonic()
    assert turns.recorder.what_others_did(began) == []
    with turns.recorder.recording([turns.ours]):
        editor = turns.attach(stop_on_entry=True)
        answer = turns.turn()
        # What is asked for meanwhile is done at once, and resumes nothing.
        turns.recorder.settle()
        assert poll(lambda: "now" in str(turns.recorder.what_others_did(began)), timeout=LONG)
        with pytest.raises(TimeoutError):
            answer.result(1.5)
        editor.continue_()
        stop_of(editor, "main.ours")
        turns.hits.wait(1, LONG)
        editor.continue_()
        assert answer.result(LONG)
        editor.disconnect()
        turns.record()
    assert read(turns.hits) == [0, 1]
    assert "had the kube-apiserver meanwhile" in str(turns.recorder.what_others_did(began))
    assert turns.recorder.what_others_did(time.monotonic()) == []


def test_breakpoints_are_set_and_cleared_while_an_editor_runs_the_target(turns: Turns) -> None:
    """Each halt for that ends the adapter's command, which it gives again.

    Each hit is recorded once, also where Delve counts one twice for that.
    """
    theirs = turns.line(THEIRS)
    editor = turns.attach(theirs)
    for number in range(3):
        with turns.recorder.recording([turns.ours]):
            answer = turns.turn()
            assert stop_of(editor, "main.ours")["turn"] == str(number)
            turns.hits.wait(number + 1, LONG)
            go_on_to(editor, "main.theirs")
            editor.continue_()
            assert answer.result(LONG)
    answer = turns.turn()
    stop_of(editor, "main.theirs")
    editor.continue_()
    assert answer.result(LONG)
    editor.disconnect()
    assert read(turns.hits) == [0, 1, 2]


def test_an_editor_that_goes_on_at_once_makes_what_cannot_be_judged(turns: Turns) -> None:
    """Each hit is recorded, or it is said that some are missing."""
    subscription = turns.ours
    with turns.recorder.recording([subscription]):
        turns.record()
        editor = turns.attach()
        for _ in range(20):
            answer = turns.turn()
            while not answer.done():
                with contextlib.suppress(queue.Empty):
                    editor.event("stopped", timeout=0.05)
                # The adapter refuses while Delve carries out a halt that came at the same moment,
                # and tells of no other stop then: who wants to go on has to say so again.
                with contextlib.suppress(DapError):
                    editor.ask("continue", threadId=1)
        editor.disconnect()
    assert read(turns.hits) == [*range(21)] or subscription.coverage.switched_off


def test_breakpoints_of_an_editor_stay(turns: Turns) -> None:
    theirs = turns.line(THEIRS)
    place = turns.recorder.resolve(Location.parse("turns/main.go", OURS))
    editor = turns.attach(theirs)
    turns.recorder.client.create_breakpoint(api.Breakpoint(addrs=list(place.pcs)))
    turns.recorder.clear_others()
    [left] = [each for each in turns.recorder.client.list_breakpoints() if each.id > 0]
    assert (left.file, left.line) == theirs
    editor.disconnect()


def test_a_place_at_which_an_editor_has_a_breakpoint_is_refused(turns: Turns) -> None:
    editor = turns.attach(turns.line(OURS))
    with pytest.raises(DelveError, match="another client of the debugger, such as an IDE, or "):
        turns.recorder.add([turns.ours])
    editor.disconnect()
    turns.turn().result(LONG)


def test_an_editor_that_ends_the_target(turns: Turns) -> None:
    editor = turns.attach()
    editor.disconnect(terminate=True)
    assert ended(turns.recorder.loop)
    with pytest.raises((TargetExitedError, DelveConnectionError)):
        turns.recorder.settle()


def connect(turns: Turns, dlv: Path, tmp_path: Path) -> Terminal:
    turns.wait_until_running()
    terminal = Terminal.dlv_connect(dlv, turns.server.address, tmp_path)
    terminal.read()
    return terminal


def test_dlv_connect_looks_sets_a_breakpoint_and_quits(
    turns: Turns, dlv: Path, tmp_path: Path
) -> None:
    path, line = turns.line(THEIRS)
    with turns.recorder.recording([turns.ours]), connect(turns, dlv, tmp_path) as terminal:
        answer = turns.turn()
        assert "Breakpoint" in terminal.ask(f"break {path}:{line}")
        assert "main.ours" in terminal.ask("continue")
        turns.hits.wait(1, LONG)
        assert "main.theirs" in terminal.ask("continue")
        assert "doubled = 0" in terminal.ask("locals")
        assert "main.theirs" in terminal.ask("stack")
        terminal.ask("quit", "Would you like to kill the headless instance? [Y/n] ")
        terminal.ask("n", "\n")
        assert terminal.wait() == 0
        assert answer.result(LONG)
        turns.record()
    assert read(turns.hits) == [0, 1]
    assert not turns.ours.coverage.switched_off


def test_dlv_connect_that_is_killed_lets_go(turns: Turns, dlv: Path, tmp_path: Path) -> None:
    with turns.recorder.recording([turns.ours]), connect(turns, dlv, tmp_path) as terminal:
        answer = turns.turn()
        turns.recorder.settle()
        with pytest.raises(TimeoutError):
            answer.result(1.5)
        terminal.kill()
        assert answer.result(LONG)
        turns.record()
    assert read(turns.hits) == [0, 1]


def let_run(turns: Turns, terminal: Terminal) -> None:
    """Continue in ``dlv connect`` until the target answers.

    Its own halt, when it came, may have come late, and then ends the first command at once; whoever
    types sees the prompt again.
    """
    answer = turns.turn()
    while not answer.done():
        terminal.type("continue")
        wait([answer], timeout=LONG / 2)


def test_what_dlv_connect_runs_goes_on_after_a_halt_for_a_test(
    turns: Turns, dlv: Path, tmp_path: Path
) -> None:
    """Its command ends with that halt, unlike an editor's, so nobody else would resume."""
    with connect(turns, dlv, tmp_path) as terminal:
        let_run(turns, terminal)
        with turns.recorder.recording([turns.ours]):
            turns.record()
            turns.record()
        terminal.read()
        terminal.kill()
    assert turns.turn().result(LONG)
    assert read(turns.hits) == [1, 2]


def test_a_loop_that_begins_while_dlv_connect_runs_the_target(
    turns: Turns, dlv: Path, tmp_path: Path
) -> None:
    """As beside an environment that is kept: nobody resumes after the first halt, else."""
    with connect(turns, dlv, tmp_path) as terminal:
        terminal.type("continue")
        turns.wait_until_running()
        turns.recorder.close()
        turns.recorder = Recorder(turns.server.connect)
        turns.recorder.start()
        with turns.recorder.recording([turns.ours]):
            turns.record()
        terminal.kill()
    assert turns.turn().result(LONG)
    assert read(turns.hits) == [0]


def test_a_pause_that_an_editor_looks_at(turns: Turns) -> None:
    holder = object()
    turns.held_by = holder
    with turns.recorder.recording([turns.ours]):
        answer = turns.turn()
        turns.hits.wait(1, LONG)
        editor = turns.attach(turns.line(THEIRS), stop_on_entry=True)
        [frame, *_] = editor.stack(1)
        assert frame["name"] == "main.ours"
        assert editor.variables(frame["id"])["turn"] == "0"
        editor.disconnect()
        turns.recorder.settle()
        assert turns.recorder.loop.is_held_by(holder)
        assert not answer.done()
        turns.held_by = None
        turns.recorder.loop.release(holder)
        assert answer.result(LONG)
        turns.record()


def test_a_pause_that_an_editor_resumes_is_over(turns: Turns) -> None:
    holder = object()
    turns.held_by = holder
    with turns.recorder.recording([turns.ours]):
        answer = turns.turn()
        turns.hits.wait(1, LONG)
        editor = turns.attach()
        assert answer.result(LONG)
        assert poll(lambda: not turns.recorder.loop.is_held_by(holder), timeout=LONG)
        turns.held_by = None
        editor.disconnect()
        turns.record()
