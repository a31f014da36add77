"""A target that runs, and is stopped only for moments."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psutil
import pytest

from pytest_kdelve.delve import api
from pytest_kdelve.errors import (
    DelveConnectionError,
    DelveError,
    DelveTimeoutError,
    RPCError,
    TargetExitedError,
)
from pytest_kdelve.hits.breakpoints import Subscription
from pytest_kdelve.hits.recorder import Recorder
from pytest_kdelve.process import poll
from tests.delve.conftest import LONG, Debug, Stops, break_at, ended, has_ended, place_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

    from pytest_kdelve.delve import Client, Server
    from pytest_kdelve.delve.loop import Loop
    from pytest_kdelve.hits.model import Hit

    RunLoop = Callable[..., Loop]

GOROUTINES = 100
#: A breakpoint of Delve's own.
UNRECOVERED_PANIC = -1


def set_hit_breakpoint(client: Client) -> api.Breakpoint:
    return break_at(client, "goroutines/main.go", "// one hit each", variables=["number"])


def held_at_a_stop(run_loop: RunLoop, server: Server) -> tuple[Loop, threading.Event]:
    """Return a loop whose loop stands in ``on_stop``, and the event that lets it go on."""
    stopped, go_on = threading.Event(), threading.Event()

    def hold(_client: Client, _state: api.DebuggerState) -> None:
        stopped.set()
        go_on.wait(LONG)

    loop = run_loop(server, hold)
    loop.call(lambda client: break_at(client, "behave/main.go", "// every millisecond"))
    loop.start()
    assert stopped.wait(LONG)
    return loop, go_on


def tick_count(client: Client) -> int:
    """Return how often the target of "behave tick" went round.

    0 before it began, and where the halt met it between two stacks, so that Delve sees no frames.
    """
    try:
        frames = client.stacktrace(1, 20)
    except RPCError:  # The runtime has not made the main goroutine yet.
        return 0
    for frame, found in enumerate(frames):
        if found.function and found.function.name == "main.tick":
            scope = api.EvalScope(goroutine_id=1, frame=frame)
            return int(client.eval("ticks", scope, api.LoadConfig()).value)
    return 0


def halts(client: Client) -> bool:
    """Halt the target; False where the halt was lost, as one just before the resume is."""
    try:
        return client.command(api.CommandName.HALT, timeout=0.5).pid > 0
    except DelveTimeoutError:
        return False


def nothing(_client: Client) -> None:
    """Be a job that only wants the target to stand still."""


class TestHits:
    def test_100_goroutines_at_one_line_are_100_hits(self, debug: Debug, run_loop: RunLoop) -> None:
        stops = Stops()
        loop = run_loop(debug("goroutines", str(GOROUTINES), "1"), stops)
        loop.call(set_hit_breakpoint)
        loop.start()
        assert ended(loop)
        assert sorted(map(int, stops.found)) == list(range(GOROUTINES))

    def test_a_halt_that_comes_when_the_target_has_stopped_adds_none(
        self, debug: Debug, run_loop: RunLoop
    ) -> None:
        """Delve halts by a SIGTRAP, which would end the step over the breakpoint at the resume."""
        stops = Stops()

        def stop_and_halt(client: Client, state: api.DebuggerState) -> None:
            stops(client, state)
            os.kill(state.pid, signal.SIGTRAP)

        loop = run_loop(debug("goroutines", "20", "1"), stop_and_halt)
        loop.call(set_hit_breakpoint)
        loop.start()
        assert ended(loop)
        assert sorted(map(int, stops.found)) == list(range(20))

    def test_none_is_lost_while_many_threads_stop_the_target(
        self, debug: Debug, run_loop: RunLoop
    ) -> None:
        rounds = 4
        stops = Stops()
        loop = run_loop(debug("goroutines", str(GOROUTINES), str(rounds)), stops)
        loop.call(set_hit_breakpoint)

        def interrupt() -> int:
            calls = 0
            while not has_ended(loop):
                try:
                    assert loop.client.state().pid
                except TargetExitedError:
                    break
                calls += 1
            return calls

        with ThreadPoolExecutor(3) as pool:
            calling = [pool.submit(interrupt) for _ in range(3)]
            loop.start()
            assert ended(loop)
            assert sum(called.result(LONG) for called in calling) > 10
        assert sorted(map(int, stops.found)) == sorted([*range(GOROUTINES)] * rounds)

    def test_none_is_lost_while_other_breakpoints_come_and_go(
        self, debug: Debug, run_loop: RunLoop
    ) -> None:
        rounds = 3
        stops = Stops()
        loop = run_loop(debug("goroutines", str(GOROUTINES), str(rounds)), stops)
        number = loop.call(set_hit_breakpoint).id

        def set_another(client: Client) -> api.Breakpoint:
            return break_at(client, "goroutines/main.go", "return square")

        def come_and_go() -> None:
            while True:
                other = loop.call(set_another)
                loop.client.clear_breakpoint(other.id)

        loop.start()
        with pytest.raises(TargetExitedError):
            come_and_go()
        assert stops.breakpoints.count(number) == GOROUTINES * rounds
        assert sorted(map(int, stops.found)) == sorted([*range(GOROUTINES)] * rounds)

    def test_the_recorder_has_each_hit_for_each_subscriber(self, debug: Debug) -> None:
        """Two subscriptions share one breakpoint; another comes and goes all the time."""
        server = debug("goroutines", str(GOROUTINES), "2")
        with server.connect() as client:
            place = place_of(client, "goroutines/main.go", "// one hit each")
            after = place_of(client, "goroutines/main.go", "return square")
        first: list[Hit] = []
        second: list[Hit] = []

        def subscription(sink: list[Hit], *expressions: str, at: bool = True) -> Subscription:
            return Subscription(
                place=place if at else after,
                expressions=dict.fromkeys(expressions, 0),
                load_frame=False,
                owner="",
                by_anyone=True,
                sink=sink.append,
            )

        recorder = Recorder(server.connect)
        recorder.add([subscription(first, "number"), subscription(second, "number * 2")])

        def come_and_go() -> None:
            while True:
                with recorder.recording([subscription([], "square", at=False)]):
                    recorder.settle()
                recorder.check()

        recorder.start()
        with pytest.raises(TargetExitedError):
            come_and_go()
        recorder.close()
        both = [*range(GOROUTINES)] * 2
        assert sorted(hit.values["number"] for hit in first) == sorted(both)  # type: ignore[type-var]
        assert sorted(hit.values["number * 2"] for hit in second) == [  # type: ignore[type-var]
            2 * number for number in sorted(both)
        ]
        assert {hit.function for hit in first} == {"main.work"}
        assert all("main.main.func1" in hit.stack for hit in first)


class TestCall:
    def test_it_works_before_the_start(self, debug: Debug, run_loop: RunLoop) -> None:
        loop = run_loop(debug("behave", "tick"), Stops())
        assert loop.call(lambda client: client.state().running) is False
        with ThreadPoolExecutor(4) as pool:
            states = list(pool.map(lambda _: loop.call(tick_count), range(20)))
        assert states == [0] * 20

    def test_it_stops_the_target_and_lets_it_go_on(self, debug: Debug, run_loop: RunLoop) -> None:
        loop = run_loop(debug("behave", "tick"), Stops())
        loop.start()
        counts = [0]

        def has_more() -> bool:
            count = loop.call(tick_count)
            if count > counts[-1]:
                counts.append(count)
            return len(counts) > 5

        assert poll(has_more, timeout=LONG)

    def test_what_a_job_raises_reaches_its_caller_only(
        self, debug: Debug, run_loop: RunLoop
    ) -> None:
        loop = run_loop(debug("behave", "tick"), Stops())
        loop.start()

        def broken(_client: Client) -> None:
            raise LookupError("of the job")

        for _ in range(3):
            with pytest.raises(LookupError, match="of the job"):
                loop.call(broken)
            with pytest.raises(RPCError, match="could not find symbol"):
                loop.client.eval("nowhere", api.EvalScope(), api.LoadConfig())
        assert loop.call(lambda client: client.state().pid)
        assert not has_ended(loop)

    def test_a_job_that_came_too_late_is_never_done(self, debug: Debug, run_loop: RunLoop) -> None:
        stopped, go_on = threading.Event(), threading.Event()

        def hold(_client: Client, _state: api.DebuggerState) -> None:
            stopped.set()
            go_on.wait(LONG)

        loop = run_loop(debug("behave", "tick"), hold)
        loop.call(lambda client: break_at(client, "behave/main.go", "// every millisecond"))
        loop.start()
        assert stopped.wait(LONG)
        done: list[str] = []
        with pytest.raises(DelveTimeoutError, match="did not stop in time"):
            loop.call(lambda _client: done.append("late"), timeout=0.3)
        go_on.set()
        loop.call(lambda _client: done.append("in time"))
        assert done == ["in time"]


class TestClient:
    def test_it_forwards_from_any_thread(self, debug: Debug, run_loop: RunLoop) -> None:
        loop = run_loop(debug("behave", "tick"), Stops())
        loop.start()
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(loop.client.list_functions, [r"^main\.tick$"] * 12))
        assert found == [["main.tick"]] * 12
        made = loop.client.create_breakpoint(api.Breakpoint(function_name="main.main"))
        assert made.id in {each.id for each in loop.client.list_breakpoints()}
        loop.client.clear_breakpoint(made.id)
        assert made.id not in {each.id for each in loop.client.list_breakpoints()}

    @pytest.mark.parametrize("name", ["command", "continue_", "halt", "detach", "close"])
    def test_it_refuses_what_would_take_the_target_away(
        self, debug: Debug, run_loop: RunLoop, name: str
    ) -> None:
        loop = run_loop(debug("behave", "tick"), Stops())
        loop.start()
        with pytest.raises(DelveError, match=f"{name} is not for use here"):
            getattr(loop.client, name)()
        loop.call(nothing)


class TestEnd:
    @pytest.mark.parametrize("status", [0, 3])
    def test_everybody_learns_that_the_target_has_exited(
        self, debug: Debug, run_loop: RunLoop, status: int
    ) -> None:
        """Those who wait at that moment, and those who ask later."""
        loop = run_loop(debug("behave", "exit", str(status)), Stops())

        def ask_until_it_fails() -> int:
            while True:
                try:
                    loop.call(nothing)
                except TargetExitedError as error:
                    return error.status

        with ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(ask_until_it_fails) for _ in range(4)]
            loop.start()
            assert [asked.result(LONG) for asked in asking] == [status] * 4
        assert has_ended(loop)
        for ask in (loop.check, lambda: loop.call(nothing), loop.client.state):
            with pytest.raises(TargetExitedError, match=rf"exited with status {status}"):
                ask()

    def test_a_panic_stops_at_delves_own_breakpoint_and_ends_the_target(
        self, debug: Debug, run_loop: RunLoop, tmp_path: Path
    ) -> None:
        stops = Stops()
        loop = run_loop(debug("behave", "panic"), stops)
        loop.start()
        assert ended(loop)
        with pytest.raises(TargetExitedError) as caught:
            loop.check()
        assert caught.value.status == 2
        assert UNRECOVERED_PANIC in stops.breakpoints
        log = (tmp_path / "target.log").read_text(encoding="utf-8")
        assert log.startswith("panic: on purpose")

    @pytest.mark.parametrize("victim", ["dlv", "target"])
    def test_a_killed_part_is_noticed_at_once(
        self, debug: Debug, run_loop: RunLoop, victim: str
    ) -> None:
        server = debug("behave", "tick")
        loop = run_loop(server, Stops())
        loop.start()
        assert poll(lambda: loop.call(tick_count) > 0, timeout=LONG)
        pid, error = {
            "dlv": (server.process.pid, DelveConnectionError),
            "target": (server.target_pid, TargetExitedError),
        }[victim]
        os.kill(pid, signal.SIGKILL)
        assert poll(lambda: has_ended(loop), timeout=5)
        for ask in (loop.check, lambda: loop.call(nothing)):
            with pytest.raises(error):
                ask()

    def test_an_interrupted_call_is_not_done_later(self, debug: Debug, run_loop: RunLoop) -> None:
        """Nobody would know of the breakpoint that it sets."""
        server = debug("behave", "tick")
        loop, go_on = held_at_a_stop(run_loop, server)
        done: list[str] = []

        def interrupt(_number: int, _frame: FrameType | None) -> None:
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGUSR1, interrupt)
        timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1))
        try:
            timer.start()
            with pytest.raises(KeyboardInterrupt):
                loop.call(lambda _client: done.append("done"))
        finally:
            timer.join(LONG)
            signal.signal(signal.SIGUSR1, before)
        go_on.set()
        loop.call(nothing)
        assert done == []

    def test_close_ends_the_thread_and_every_wait_and_leaves_the_target_running(
        self, debug: Debug, run_loop: RunLoop
    ) -> None:
        before = set(threading.enumerate())
        server = debug("behave", "tick")
        loop, go_on = held_at_a_stop(run_loop, server)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(loop.call, nothing)
            closing = threading.Thread(target=loop.close)
            closing.start()
            go_on.set()
            closing.join(LONG)
            # It was either served before the end, or told of it.
            error = waiting.exception(LONG)
        assert error is None or isinstance(error, DelveConnectionError)
        assert set(threading.enumerate()) <= before
        with pytest.raises(DelveConnectionError, match=r"the session with .* was closed"):
            loop.call(nothing)
        assert psutil.Process(server.target_pid).is_running()

    def test_close_of_a_running_target_says_that_the_session_was_closed(
        self, debug: Debug, run_loop: RunLoop
    ) -> None:
        server = debug("behave", "tick")
        loop = run_loop(server, Stops())
        loop.start()
        with server.connect() as client:
            assert poll(lambda: client.state(non_blocking=True).running, timeout=LONG)
        loop.close()
        loop.close()
        with pytest.raises(DelveConnectionError, match=r"the session with .* was closed"):
            loop.check()
        with server.connect() as client:
            assert client.state(non_blocking=True).running

    def test_close_before_the_start(self, debug: Debug, run_loop: RunLoop) -> None:
        loop = run_loop(debug("behave", "tick"), Stops())
        loop.close()
        assert has_ended(loop)
        with pytest.raises(DelveConnectionError, match="was closed"):
            loop.call(nothing)

    def test_an_error_while_a_stop_is_read_ends_the_session_with_that_reason(
        self, debug: Debug, run_loop: RunLoop
    ) -> None:
        def broken(_client: Client, _state: api.DebuggerState) -> None:
            raise LookupError("of the reader")

        loop = run_loop(debug("behave", "tick"), broken)
        loop.call(lambda client: break_at(client, "behave/main.go", "// every millisecond"))
        loop.start()
        assert ended(loop)
        with pytest.raises(DelveError, match=r"reading a stop failed: .*of the reader") as caught:
            loop.call(nothing)
        assert isinstance(caught.value.__cause__, LookupError)


class TestOthers:
    """Other clients of the same Delve, such as an IDE's."""

    def test_what_they_have_halted_stands_until_they_are_gone(
        self, debug: Debug, run_loop: RunLoop
    ) -> None:
        server = debug("behave", "tick")
        loop = run_loop(server, Stops())
        loop.start()
        with server.connect() as other, server.connect() as third:
            assert poll(lambda: other.state(non_blocking=True).running, timeout=LONG)
            assert poll(lambda: halts(other), timeout=LONG)
            before = loop.call(tick_count)
            assert poll(lambda: halts(third), timeout=LONG)
            assert loop.call(tick_count) == before
        assert poll(lambda: loop.call(tick_count) > before, timeout=LONG), "they have gone"

    def test_their_breakpoints_are_passed_on_and_once_they_are_gone_passed_by(
        self, debug: Debug, run_loop: RunLoop
    ) -> None:
        server = debug("behave", "tick")
        with server.connect() as other:
            theirs = break_at(other, "behave/main.go", "// every millisecond").id
            stops = Stops()
            loop = run_loop(server, stops)
            loop.start()
            assert poll(lambda: stops.breakpoints.count(theirs) == 1, timeout=LONG)
        assert poll(lambda: stops.breakpoints.count(theirs) > 3, timeout=LONG)
        loop.client.clear_breakpoint(theirs)

    def test_a_second_session_takes_over_from_a_closed_one(
        self, debug: Debug, run_loop: RunLoop
    ) -> None:
        server = debug("goroutines", str(GOROUTINES), "1")
        first = run_loop(server, Stops())
        first.call(set_hit_breakpoint)
        first.close()
        stops = Stops()
        second = run_loop(server, stops)
        second.start()
        assert ended(second)
        assert sorted(map(int, stops.found)) == list(range(GOROUTINES))
