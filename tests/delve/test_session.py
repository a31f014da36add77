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
from pytest_kdelve.hits.recorder import Recorder, Subscription
from pytest_kdelve.process import poll
from tests.delve.conftest import LONG, Debug, Stops, break_at, ended, has_ended, place_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

    from pytest_kdelve.delve import Client, Server
    from pytest_kdelve.delve.session import Session
    from pytest_kdelve.hits.model import Hit

    RunSession = Callable[..., Session]

GOROUTINES = 100
#: A breakpoint of Delve's own.
UNRECOVERED_PANIC = -1


def set_hit_breakpoint(client: Client) -> api.Breakpoint:
    return break_at(client, "goroutines/main.go", "// one hit each", variables=["number"])


def held_at_a_stop(run_session: RunSession, server: Server) -> tuple[Session, threading.Event]:
    """Return a session whose loop stands in ``on_stop``, and the event that lets it go on."""
    stopped, go_on = threading.Event(), threading.Event()

    def hold(_client: Client, _state: api.DebuggerState) -> None:
        stopped.set()
        go_on.wait(LONG)

    session = run_session(server, hold)
    session.call(lambda client: break_at(client, "behave/main.go", "// every millisecond"))
    session.start()
    assert stopped.wait(LONG)
    return session, go_on


def tick_count(client: Client) -> int:
    """Return how often the target of "behave tick" went round; 0 before it began."""
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
        return client.command("halt", timeout=0.5).pid > 0
    except DelveTimeoutError:
        return False


def nothing(_client: Client) -> None:
    """Be a job that only wants the target to stand still."""


class TestHits:
    def test_100_goroutines_at_one_line_are_100_hits(
        self, debug: Debug, run_session: RunSession
    ) -> None:
        stops = Stops()
        session = run_session(debug("goroutines", str(GOROUTINES), "1"), stops)
        session.call(set_hit_breakpoint)
        session.start()
        assert ended(session)
        assert sorted(map(int, stops.found)) == list(range(GOROUTINES))

    def test_a_halt_that_comes_when_the_target_has_stopped_adds_none(
        self, debug: Debug, run_session: RunSession
    ) -> None:
        """Delve halts by a SIGTRAP, which would end the step over the breakpoint at the resume."""
        stops = Stops()

        def stop_and_halt(client: Client, state: api.DebuggerState) -> None:
            stops(client, state)
            os.kill(state.pid, signal.SIGTRAP)

        session = run_session(debug("goroutines", "20", "1"), stop_and_halt)
        session.call(set_hit_breakpoint)
        session.start()
        assert ended(session)
        assert sorted(map(int, stops.found)) == list(range(20))

    def test_none_is_lost_while_many_threads_stop_the_target(
        self, debug: Debug, run_session: RunSession
    ) -> None:
        rounds = 4
        stops = Stops()
        session = run_session(debug("goroutines", str(GOROUTINES), str(rounds)), stops)
        session.call(set_hit_breakpoint)

        def interrupt() -> int:
            calls = 0
            while not has_ended(session):
                try:
                    assert session.client.state().pid
                except TargetExitedError:
                    break
                calls += 1
            return calls

        with ThreadPoolExecutor(3) as pool:
            calling = [pool.submit(interrupt) for _ in range(3)]
            session.start()
            assert ended(session)
            assert sum(called.result(LONG) for called in calling) > 10
        assert sorted(map(int, stops.found)) == sorted([*range(GOROUTINES)] * rounds)

    def test_none_is_lost_while_other_breakpoints_come_and_go(
        self, debug: Debug, run_session: RunSession
    ) -> None:
        rounds = 3
        stops = Stops()
        session = run_session(debug("goroutines", str(GOROUTINES), str(rounds)), stops)
        number = session.call(set_hit_breakpoint).id

        def set_another(client: Client) -> api.Breakpoint:
            return break_at(client, "goroutines/main.go", "return square")

        def come_and_go() -> None:
            while True:
                other = session.call(set_another)
                session.client.clear_breakpoint(other.id)

        session.start()
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
                owns=lambda _: False,
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
    def test_it_works_before_the_start(self, debug: Debug, run_session: RunSession) -> None:
        session = run_session(debug("behave", "tick"), Stops())
        assert session.call(lambda client: client.state().running) is False
        with ThreadPoolExecutor(4) as pool:
            states = list(pool.map(lambda _: session.call(tick_count), range(20)))
        assert states == [0] * 20

    def test_it_stops_the_target_and_lets_it_go_on(
        self, debug: Debug, run_session: RunSession
    ) -> None:
        session = run_session(debug("behave", "tick"), Stops())
        session.start()
        counts = [0]
        assert poll(lambda: session.call(tick_count) > 0, timeout=LONG)
        for _ in range(5):
            assert poll(lambda: session.call(tick_count) > counts[-1], timeout=LONG)
            counts.append(session.call(tick_count))
        assert counts == sorted(set(counts))

    def test_what_a_job_raises_reaches_its_caller_only(
        self, debug: Debug, run_session: RunSession
    ) -> None:
        session = run_session(debug("behave", "tick"), Stops())
        session.start()

        def broken(_client: Client) -> None:
            raise LookupError("of the job")

        for _ in range(3):
            with pytest.raises(LookupError, match="of the job"):
                session.call(broken)
            with pytest.raises(RPCError, match="could not find symbol"):
                session.client.eval("nowhere", api.EvalScope(), api.LoadConfig())
        assert session.call(lambda client: client.state().pid)
        assert not has_ended(session)

    def test_a_job_that_came_too_late_is_never_done(
        self, debug: Debug, run_session: RunSession
    ) -> None:
        stopped, go_on = threading.Event(), threading.Event()

        def hold(_client: Client, _state: api.DebuggerState) -> None:
            stopped.set()
            go_on.wait(LONG)

        session = run_session(debug("behave", "tick"), hold)
        session.call(lambda client: break_at(client, "behave/main.go", "// every millisecond"))
        session.start()
        assert stopped.wait(LONG)
        done: list[str] = []
        with pytest.raises(DelveTimeoutError, match="did not stop in time"):
            session.call(lambda _client: done.append("late"), timeout=0.3)
        go_on.set()
        session.call(lambda _client: done.append("in time"))
        assert done == ["in time"]


class TestClient:
    def test_it_forwards_from_any_thread(self, debug: Debug, run_session: RunSession) -> None:
        session = run_session(debug("behave", "tick"), Stops())
        session.start()
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(session.client.list_functions, [r"^main\.tick$"] * 12))
        assert found == [["main.tick"]] * 12
        made = session.client.create_breakpoint(api.Breakpoint(function_name="main.main"))
        assert made.id in {each.id for each in session.client.list_breakpoints()}
        session.client.clear_breakpoint(made.id)
        assert made.id not in {each.id for each in session.client.list_breakpoints()}

    @pytest.mark.parametrize("name", ["command", "continue_", "halt", "detach", "close"])
    def test_it_refuses_what_would_take_the_target_away(
        self, debug: Debug, run_session: RunSession, name: str
    ) -> None:
        session = run_session(debug("behave", "tick"), Stops())
        session.start()
        with pytest.raises(DelveError, match=f"{name} is not for use here"):
            getattr(session.client, name)()
        session.call(nothing)


class TestEnd:
    @pytest.mark.parametrize("status", [0, 3])
    def test_everybody_learns_that_the_target_has_exited(
        self, debug: Debug, run_session: RunSession, status: int
    ) -> None:
        """Those who wait at that moment, and those who ask later."""
        session = run_session(debug("behave", "exit", str(status)), Stops())

        def ask_until_it_fails() -> int:
            while True:
                try:
                    session.call(nothing)
                except TargetExitedError as error:
                    return error.status

        with ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(ask_until_it_fails) for _ in range(4)]
            session.start()
            assert [asked.result(LONG) for asked in asking] == [status] * 4
        assert has_ended(session)
        for ask in (session.check, lambda: session.call(nothing), session.client.state):
            with pytest.raises(TargetExitedError, match=rf"exited with status {status}"):
                ask()

    def test_a_panic_stops_at_delves_own_breakpoint_and_ends_the_target(
        self, debug: Debug, run_session: RunSession, tmp_path: Path
    ) -> None:
        stops = Stops()
        session = run_session(debug("behave", "panic"), stops)
        session.start()
        assert ended(session)
        with pytest.raises(TargetExitedError) as caught:
            session.check()
        assert caught.value.status == 2
        assert UNRECOVERED_PANIC in stops.breakpoints
        log = (tmp_path / "target.log").read_text(encoding="utf-8")
        assert log.startswith("panic: on purpose")

    @pytest.mark.parametrize("victim", ["dlv", "target"])
    def test_a_killed_part_is_noticed_at_once(
        self, debug: Debug, run_session: RunSession, victim: str
    ) -> None:
        server = debug("behave", "tick")
        session = run_session(server, Stops())
        session.start()
        assert poll(lambda: session.call(tick_count) > 0, timeout=LONG)
        pid, error = {
            "dlv": (server.process.pid, DelveConnectionError),
            "target": (server.target_pid, TargetExitedError),
        }[victim]
        os.kill(pid, signal.SIGKILL)
        assert poll(lambda: has_ended(session), timeout=5)
        for ask in (session.check, lambda: session.call(nothing)):
            with pytest.raises(error):
                ask()

    def test_an_interrupted_call_is_not_done_later(
        self, debug: Debug, run_session: RunSession
    ) -> None:
        """Nobody would know of the breakpoint that it sets."""
        server = debug("behave", "tick")
        session, go_on = held_at_a_stop(run_session, server)
        done: list[str] = []

        def interrupt(_number: int, _frame: FrameType | None) -> None:
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGUSR1, interrupt)
        timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1))
        try:
            timer.start()
            with pytest.raises(KeyboardInterrupt):
                session.call(lambda _client: done.append("done"))
        finally:
            timer.join(LONG)
            signal.signal(signal.SIGUSR1, before)
        go_on.set()
        session.call(nothing)
        assert done == []

    def test_close_ends_the_thread_and_every_wait_and_leaves_the_target_running(
        self, debug: Debug, run_session: RunSession
    ) -> None:
        before = set(threading.enumerate())
        server = debug("behave", "tick")
        session, go_on = held_at_a_stop(run_session, server)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(session.call, nothing)
            closing = threading.Thread(target=session.close)
            closing.start()
            go_on.set()
            closing.join(LONG)
            # It was either served before the end, or told of it.
            error = waiting.exception(LONG)
        assert error is None or isinstance(error, DelveConnectionError)
        assert set(threading.enumerate()) <= before
        with pytest.raises(DelveConnectionError, match=r"the session with .* was closed"):
            session.call(nothing)
        assert psutil.Process(server.target_pid).is_running()

    def test_close_of_a_running_target_says_that_the_session_was_closed(
        self, debug: Debug, run_session: RunSession
    ) -> None:
        server = debug("behave", "tick")
        session = run_session(server, Stops())
        session.start()
        with server.connect() as client:
            assert poll(lambda: client.state(non_blocking=True).running, timeout=LONG)
        session.close()
        session.close()
        with pytest.raises(DelveConnectionError, match=r"the session with .* was closed"):
            session.check()
        with server.connect() as client:
            assert client.state(non_blocking=True).running

    def test_close_before_the_start(self, debug: Debug, run_session: RunSession) -> None:
        session = run_session(debug("behave", "tick"), Stops())
        session.close()
        assert has_ended(session)
        with pytest.raises(DelveConnectionError, match="was closed"):
            session.call(nothing)

    def test_an_error_while_a_stop_is_read_ends_the_session_with_that_reason(
        self, debug: Debug, run_session: RunSession
    ) -> None:
        def broken(_client: Client, _state: api.DebuggerState) -> None:
            raise LookupError("of the reader")

        session = run_session(debug("behave", "tick"), broken)
        session.call(lambda client: break_at(client, "behave/main.go", "// every millisecond"))
        session.start()
        assert ended(session)
        with pytest.raises(DelveError, match=r"reading a stop failed: .*of the reader") as caught:
            session.call(nothing)
        assert isinstance(caught.value.__cause__, LookupError)


class TestOthers:
    """Other clients of the same Delve, such as an IDE's."""

    def test_they_see_the_target_and_may_halt_it(
        self, debug: Debug, run_session: RunSession
    ) -> None:
        server = debug("behave", "tick")
        session = run_session(server, Stops())
        session.start()
        with server.connect() as other, server.connect() as third:
            assert poll(lambda: other.state(non_blocking=True).running, timeout=LONG)
            assert poll(lambda: halts(other), timeout=LONG)
            before = session.call(tick_count)
            assert poll(lambda: halts(third), timeout=LONG)
            assert poll(lambda: session.call(tick_count) > before, timeout=LONG)
        assert poll(lambda: session.call(tick_count) > before, timeout=LONG), "they have gone"

    def test_their_breakpoints_are_passed_on_and_passed_by(
        self, debug: Debug, run_session: RunSession
    ) -> None:
        server = debug("behave", "tick")
        with server.connect() as other:
            theirs = break_at(other, "behave/main.go", "// every millisecond").id
            stops = Stops()
            session = run_session(server, stops)
            session.start()
            assert poll(lambda: stops.breakpoints.count(theirs) > 3, timeout=LONG)
        session.client.clear_breakpoint(theirs)

    def test_a_second_session_takes_over_from_a_closed_one(
        self, debug: Debug, run_session: RunSession
    ) -> None:
        server = debug("goroutines", str(GOROUTINES), "1")
        first = run_session(server, Stops())
        first.call(set_hit_breakpoint)
        first.close()
        stops = Stops()
        second = run_session(server, stops)
        second.start()
        assert ended(second)
        assert sorted(map(int, stops.found)) == list(range(GOROUTINES))


class TestConditions:
    """What ClientHowto.md and a look at service/debugger say of conditions that fail."""

    HERE = ("values/main.go", "// stop here")

    def stop(self, server: Server, condition: str) -> tuple[Client, int]:
        client = server.connect()
        return client, break_at(client, *self.HERE, cond=condition).id

    def test_a_true_one_stops(self, debug: Debug) -> None:
        client, number = self.stop(debug("values"), 'argument == "given" && color == Blue')
        with client:
            threads = client.continue_().threads or []
            assert number in {thread.breakpoint.id for thread in threads if thread.breakpoint}

    def test_a_false_one_does_not(self, debug: Debug) -> None:
        client, _ = self.stop(debug("values"), 'argument == "other"')
        with client:
            assert client.continue_().exited

    def test_a_failing_one_is_an_error_with_the_target_stopped_there(self, debug: Debug) -> None:
        client, _ = self.stop(debug("values"), "nilPointer.X == 1")
        with client:
            with pytest.raises(RPCError, match="error evaluating expression"):
                client.continue_()
            assert not client.state().running
            assert client.eval("text", api.EvalScope(), api.LoadConfig()).value == "text"

    def test_a_failing_one_can_be_taken_for_false(self, debug: Debug) -> None:
        client, _ = self.stop(debug("values"), "delve.catch(nilPointer.X == 1)")
        with client:
            assert client.continue_().exited
