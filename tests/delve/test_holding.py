"""A target that is held at a hit: jobs, steps of one goroutine, and every end."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psutil
import pytest

from pytest_kdelve.delve import api
from pytest_kdelve.delve.stepping import Step
from pytest_kdelve.delve.stops import StopReason
from pytest_kdelve.delve.values import to_python
from pytest_kdelve.errors import (
    ConditionError,
    DelveConnectionError,
    DelveError,
    RPCError,
    StepError,
    TargetExitedError,
)
from pytest_kdelve.process import poll
from tests.delve.conftest import LONG, Debug, break_at, ended, has_ended
from tests.delve.sessions import LOAD, MAIN, source

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_kdelve.delve import Client, Server
    from pytest_kdelve.delve.loop import Loop

    RunLoop = Callable[..., Loop]
    Holding = Callable[[Server], "Holders"]

#: Seconds in which a target that is not held would have gone on.
A_MOMENT = 0.3


class Holders:
    """An ``on_stop`` that holds the target at the first hit of each chosen breakpoint.

    ``goroutines`` has who was at it, ``hits`` counts all hits by their breakpoint.
    """

    def __init__(self) -> None:
        self.loop: Loop
        self.chosen: set[int] = set()
        self.goroutines: dict[int, int] = {}
        self.hits: Counter[int] = Counter()
        self._changed = threading.Condition()

    def __call__(self, _client: Client, state: api.DebuggerState) -> None:
        for thread in state.threads or ():
            if thread.breakpoint is None:
                continue
            number = thread.breakpoint.id
            with self._changed:
                self.hits[number] += 1
                if number in self.chosen and number not in self.goroutines:
                    self.goroutines[number] = thread.goroutine_id
                    self.loop.hold(number)
                self._changed.notify_all()

    def wait(self, number: int) -> int:
        """Wait until a breakpoint holds the target, and return the goroutine."""
        with self._changed:
            assert self._changed.wait_for(lambda: number in self.goroutines, LONG)
        return self.goroutines[number]

    def wait_for_hits(self, number: int, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.hits[number] >= count, LONG)

    def hold_at(self, text: str, file: str = MAIN) -> int:
        number = self.record(text, file)
        self.chosen.add(number)
        return number

    def record(self, text: str, file: str = MAIN) -> int:
        return self.loop.call(lambda client: break_at(client, file, text)).id


@pytest.fixture
def holding(run_loop: RunLoop) -> Holding:
    """Make a loop, not started, whose stops may hold the target."""

    def make(server: Server) -> Holders:
        holders = Holders()
        holders.loop = run_loop(server, holders)
        return holders

    return make


def value(loop: Loop, goroutine: int, expression: str) -> object:
    scope = api.EvalScope(goroutine_id=goroutine)
    return loop.call(lambda client: to_python(client.eval(expression, scope, LOAD)))


class TestHold:
    def test_the_target_stands_until_it_is_released(self, debug: Debug, holding: Holding) -> None:
        holders = holding(debug("behave", "tick"))
        line = holders.hold_at("// every millisecond", "behave/main.go")
        holders.loop.start()
        goroutine = holders.wait(line)
        ticks = value(holders.loop, goroutine, "ticks")
        assert not poll(lambda: value(holders.loop, goroutine, "ticks") != ticks, timeout=A_MOMENT)
        assert holders.hits[line] == 1
        holders.loop.release(line)
        holders.wait_for_hits(line, 20)

    def test_it_goes_on_when_nobody_holds_it_any_more(self, debug: Debug, holding: Holding) -> None:
        """Two may hold it at one stop; what was never held can be released, too."""
        holders = holding(debug("behave", "tick"))
        line = holders.hold_at("// every millisecond", "behave/main.go")
        holders.loop.start()
        goroutine = holders.wait(line)
        holders.loop.call(lambda _client: holders.loop.hold("another"))
        holders.loop.release("nobody")
        holders.loop.release(line)
        ticks = value(holders.loop, goroutine, "ticks")
        assert not poll(lambda: value(holders.loop, goroutine, "ticks") != ticks, timeout=A_MOMENT)
        holders.loop.release("another")
        holders.wait_for_hits(line, 20)

    def test_jobs_of_many_threads_are_done_at_once(self, debug: Debug, holding: Holding) -> None:
        """Breakpoints come and go as usual, and no halt is pending when the target goes on."""
        holders = holding(debug("behave", "tick"))
        line = holders.hold_at("// every millisecond", "behave/main.go")
        holders.loop.start()
        goroutine = holders.wait(line)
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: value(holders.loop, goroutine, "ticks"), range(40)))
        assert len(set(found)) == 1
        other = holders.record("time.Sleep(time.Millisecond)", "behave/main.go")
        holders.loop.client.clear_breakpoint(other)
        with pytest.raises(RPCError, match="could not find symbol"):
            value(holders.loop, goroutine, "nothing")
        holders.loop.release(line)
        holders.wait_for_hits(line, 20)
        assert holders.hits[other] == 0

    def test_each_hit_is_counted_once_over_many_holds(self, debug: Debug, holding: Holding) -> None:
        """Also where other threads ask for the target all the time."""
        goroutines, rounds = 20, 2
        holders = holding(debug("goroutines", str(goroutines), str(rounds)))
        line = holders.record("// one hit each", "goroutines/main.go")
        loop = holders.loop

        def ask() -> None:
            while True:
                loop.call(lambda client: client.state().pid)

        with ThreadPoolExecutor(2) as pool:
            asking = [pool.submit(ask) for _ in range(2)]
            for count in range(1, goroutines * rounds + 1, 7):
                holders.goroutines.clear()
                holders.chosen = {line}
                if count == 1:
                    loop.start()
                holders.wait(line)
                holders.chosen = set()
                loop.release(line)
                if has_ended(loop):
                    break
            assert ended(loop)
            for asked in asking:
                assert isinstance(asked.exception(LONG), TargetExitedError)
        assert holders.hits[line] == goroutines * rounds


class TestStep:
    def at_calls_add(self, holding: Holding, server: Server) -> Holders:
        holders = holding(server)
        line = holders.hold_at("// calls add")
        holders.loop.start()
        holders.wait(line)
        return holders

    def test_next_step_and_stepout(self, debug: Debug, holding: Holding) -> None:
        loop = self.at_calls_add(holding, debug("stops", "steps")).loop
        stop = loop.step(1, Step.STEP)
        assert stop.reason is StopReason.NEXT_FINISHED
        assert (stop.location.function or api.Function()).name == "main.add"
        assert source(loop.step(1, Step.NEXT)) == "sum = a + b // inside of add"
        stop = loop.step(1, Step.STEPOUT)
        assert source(stop) == "first := add(1, 2) // calls add"
        assert [to_python(each) for each in stop.return_values] == [3]
        assert source(loop.step(1, Step.NEXT)) == "second := first * 2"
        assert value(loop, 1, "first") == 3

    def test_a_hit_of_the_goroutine_itself_ends_the_step_and_is_recorded(
        self, debug: Debug, holding: Holding
    ) -> None:
        holders = self.at_calls_add(holding, debug("stops", "steps"))
        inside = holders.record("// inside of add")
        stop = holders.loop.step(1, Step.NEXT)
        assert source(stop) == "sum = a + b // inside of add"
        assert stop.reason is StopReason.BREAKPOINT
        assert holders.hits[inside] == 1

    def beside(self, debug: Debug, holding: Holding) -> tuple[Holders, int]:
        """Hold main at its line, with another goroutine that passes a line all the time."""
        holders = holding(debug("stops", "beside"))
        line = holders.hold_at("// main begins a step")
        holders.loop.start()
        return holders, holders.wait(line)

    def test_hits_of_others_on_the_way_are_recorded_and_passed(
        self, debug: Debug, holding: Holding
    ) -> None:
        """None is lost and none counted twice, while other threads want the target, too."""
        holders, goroutine = self.beside(debug, holding)
        loop = holders.loop
        other = holders.record("// passed by another goroutine")
        over = threading.Event()

        def ask() -> None:
            while not over.is_set():
                loop.call(lambda client: client.state().pid)

        with ThreadPoolExecutor(2) as pool:
            asking = [pool.submit(ask) for _ in range(2)]
            try:
                lines = [source(loop.step(goroutine, Step.NEXT)) for _ in range(3)]
            finally:
                over.set()
            for asked in asking:
                asked.result(LONG)
        assert [line.partition("// ")[2] for line in lines] == [
            "main takes its time",
            "main ends a step",
            "",
        ]
        counted = loop.call(lambda client: client.get_breakpoint(other).total_hit_count)
        assert holders.hits[other] == counted > 5

    def test_a_hit_that_holds_the_target_ends_the_step(
        self, debug: Debug, holding: Holding
    ) -> None:
        """The other's goroutine can be stepped then, and this one again."""
        holders, goroutine = self.beside(debug, holding)
        loop = holders.loop
        loop.step(goroutine, Step.NEXT)
        first = next(iter(holders.chosen))
        other = holders.hold_at("// passed by another goroutine")
        with pytest.raises(StepError, match="next of goroutine 1 was given up: another hit"):
            loop.step(goroutine, Step.NEXT)
        passer = holders.wait(other)
        assert passer != goroutine
        assert not loop.call(lambda client: client.state().next_in_progress)
        assert source(loop.step(passer, Step.NEXT)).startswith("for ticks := 0")
        loop.release(other)
        # It was given up in the midst of what main calls, so where that ends is not known.
        assert not loop.step(goroutine, Step.NEXT).next_in_progress
        loop.release(first)
        holders.wait_for_hits(first, 2)

    def test_a_step_that_takes_too_long_is_given_up(self, debug: Debug, holding: Holding) -> None:
        """The target stands still then, in the midst of it, and hits are not lost."""
        holders, goroutine = self.beside(debug, holding)
        loop = holders.loop
        other = holders.record("// passed by another goroutine")
        loop.step(goroutine, Step.NEXT)
        with pytest.raises(StepError, match=r"did not come to its end within 0\.02 s"):
            loop.step(goroutine, Step.NEXT, timeout=0.02)
        state = loop.call(lambda client: client.state())
        assert (state.running, state.next_in_progress) == (False, False)
        counted = loop.call(lambda client: client.get_breakpoint(other).total_hit_count)
        assert holders.hits[other] == counted
        assert not loop.step(goroutine, Step.NEXT).next_in_progress

    def test_a_condition_that_fails_on_the_way_ends_the_step(
        self, debug: Debug, holding: Holding
    ) -> None:
        """It is told, and does not stay in progress."""
        holders, goroutine = self.beside(debug, holding)
        loop = holders.loop
        loop.step(goroutine, Step.NEXT)
        other = loop.call(
            lambda client: break_at(
                client, MAIN, "// passed by another goroutine", cond="nothing == 1"
            )
        )
        with pytest.raises(ConditionError, match="has the condition nothing == 1"):
            loop.step(goroutine, Step.NEXT)
        loop.client.clear_breakpoint(other.id)
        assert not loop.step(goroutine, Step.NEXT).next_in_progress

    def test_an_interrupted_step_does_not_keep_the_target_from_others(
        self, debug: Debug, holding: Holding
    ) -> None:
        """Whoever pressed Ctrl-C wants to resume it at once, not when the step is over."""
        holders = holding(debug("stops", "patient"))
        line = holders.hold_at("// waits for ever")
        holders.loop.start()
        goroutine = holders.wait(line)

        def interrupt(_number: int, _frame: object) -> None:
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGUSR1, interrupt)
        timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1))
        try:
            timer.start()
            with pytest.raises(KeyboardInterrupt):
                holders.loop.step(goroutine, Step.NEXT)
        finally:
            timer.join(LONG)
            signal.signal(signal.SIGUSR1, before)
        holders.loop.call(lambda client: client.state().pid, timeout=10)
        holders.loop.release(line)

    def test_a_goroutine_that_does_not_exist(self, debug: Debug, holding: Holding) -> None:
        loop = self.at_calls_add(holding, debug("stops", "steps")).loop
        with pytest.raises(StepError, match="goroutine 12345 cannot step: it has ended"):
            loop.step(12345, Step.STEP)
        assert source(loop.step(1, Step.NEXT)) == "second := first * 2"

    def test_a_target_that_nobody_holds(self, debug: Debug, holding: Holding) -> None:
        loop = holding(debug("behave", "tick")).loop
        loop.start()
        with pytest.raises(StepError, match="nobody holds this one"):
            loop.step(1, Step.NEXT)


class TestEnd:
    def test_a_step_in_which_the_target_exits(self, debug: Debug, holding: Holding) -> None:
        """Everybody learns of it, whoever holds it."""
        holders = holding(debug("behave", "exit", "3"))
        line = holders.hold_at("// exits here", "behave/main.go")
        loop = holders.loop
        loop.start()
        goroutine = holders.wait(line)
        with pytest.raises(TargetExitedError, match="status 3"):
            loop.step(goroutine, Step.NEXT)
        assert ended(loop)
        for ask in (loop.check, lambda: loop.release(line), lambda: loop.step(1, Step.NEXT)):
            with pytest.raises(TargetExitedError, match="status 3"):
                ask()

    @pytest.mark.parametrize("victim", ["dlv", "target"])
    def test_a_part_that_is_killed_meanwhile(
        self, debug: Debug, holding: Holding, victim: str
    ) -> None:
        """Nothing hangs: a job fails, or the resume does, and then everything."""
        server = debug("behave", "tick")
        holders = holding(server)
        line = holders.hold_at("// every millisecond", "behave/main.go")
        loop = holders.loop
        loop.start()
        goroutine = holders.wait(line)
        pid, error = {
            "dlv": (server.process.pid, DelveConnectionError),
            "target": (server.target_pid, DelveError),
        }[victim]
        os.kill(pid, signal.SIGKILL)
        assert poll(lambda: not is_alive(pid), timeout=LONG)
        with pytest.raises(error):
            loop.step(goroutine, Step.NEXT)
        with contextlib.suppress(error):
            loop.release(line)
        assert ended(loop)
        with pytest.raises(error):
            loop.call(lambda client: client.state())

    def test_close(self, debug: Debug, holding: Holding) -> None:
        """Its thread ends at once; the target stays as it is."""
        before = set(threading.enumerate())
        server = debug("behave", "tick")
        holders = holding(server)
        line = holders.hold_at("// every millisecond", "behave/main.go")
        holders.loop.start()
        holders.wait(line)
        holders.loop.close()
        assert set(threading.enumerate()) <= before
        with pytest.raises(DelveConnectionError, match="was closed"):
            holders.loop.release(line)
        assert psutil.Process(server.target_pid).is_running()


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
