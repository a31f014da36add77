"""Pauses and what may be asked meanwhile, with a target that the test plays."""

from __future__ import annotations

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, cast

import pytest

from pytest_kdelve.delve import api
from pytest_kdelve.delve.api import Kind, VariableFlags
from pytest_kdelve.delve.locations import Place
from pytest_kdelve.delve.stops import Stop, StopReason
from pytest_kdelve.errors import (
    KdelveError,
    PausedError,
    RPCError,
    TargetExitedError,
    UsageError,
)
from pytest_kdelve.hits import recorder as module
from pytest_kdelve.hits.breakpoints import Subscription
from pytest_kdelve.hits.clock import Clock
from pytest_kdelve.hits.pausing import Pause
from pytest_kdelve.hits.recorder import Recorder
from tests.unit.fake_delve import (
    REQUEST_TYPE,
    FakeClient,
    FakeFrame,
    FakeLoop,
    number,
    request_values,
    string,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_kdelve.hits.model import Hit

LONG = 30.0


class Fake:
    """Pauses at the addresses 1 and 2; ``told`` is what the plugin was told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "Loop", FakeLoop)
        self.client = FakeClient()
        self.recorder = Recorder(lambda: self.client.as_client)
        self.loop = cast("FakeLoop", self.recorder.loop)
        self.clock = Clock()
        self.told: list[str] = []
        self.hits: list[Hit] = []

    def pause(self, address: int = 1) -> Pause:
        def subscribe(hold: Callable[[Hit], None]) -> Subscription:
            return Subscription(
                place=Place("/src/get.go", 74, "handlers.get", (address,)),
                expressions={},
                load_frame=False,
                owner="kdelve-1",
                by_anyone=False,
                sink=hold,
            )

        return Pause(
            self.recorder,
            self.clock,
            subscribe,
            text=f"kdelve.pause('get.go:{address}')",
            owner=self,
            explain=lambda: ["This test's requests:", "    GET /api -> 200 OK"],
        )

    def waited(self) -> None:
        self.told.append("waited")

    def resumed(self) -> None:
        self.told.append("resumed")

    def stay(self, error: BaseException) -> bool:
        return isinstance(error, AssertionError)

    def record(self, address: int = 1) -> Subscription:
        """Record all hits at an address, beside the pauses there."""
        place = Place("/src/get.go", 74, "handlers.get", (address,))
        return Subscription(
            place=place,
            expressions={},
            load_frame=False,
            owner="kdelve-1",
            by_anyone=True,
            sink=self.hits.append,
        )

    def reach(self, *addresses: int, **values: api.Variable) -> None:
        self.client.frames = [
            FakeFrame("registry.Get", {"name": "string"}, values),
            FakeFrame("handlers.get", {"req": REQUEST_TYPE}, request_values("req")),
        ]
        self.loop.stopped(*map(self.client.stop, addresses))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    return Fake(monkeypatch)


class TestHolding:
    def test_the_first_hit_holds_the_target_until_the_end_of_the_block(self, fake: Fake) -> None:
        with fake.pause() as pause:
            assert fake.loop.holders == set()
            fake.reach(1)
            assert fake.loop.holders == {pause}
            assert pause.is_holding
            assert fake.clock.is_standing
            stop = pause.wait()
            assert pause.wait() is stop
            assert stop.hit.function == "registry.Get"
        assert fake.loop.holders == set()
        assert not pause.is_holding
        assert not fake.clock.is_standing
        assert fake.client.breakpoints == {}
        assert fake.told == ["waited", "waited", "resumed"]

    def test_only_the_first_hit_does(self, fake: Fake) -> None:
        """The others of the same stop are recorded, as are those after the resume."""
        fake.recorder.add([fake.record()])
        with fake.pause() as pause:
            fake.reach(1, 1)
            pause.wait().resume()
            assert fake.loop.holders == set()
            assert not fake.clock.is_standing
            fake.reach(1)
            assert fake.loop.holders == set()
        assert len(fake.hits) == 3

    def test_no_hit_holds_after_the_block(self, fake: Fake) -> None:
        """Even where the breakpoint is kept for others, and where it was never reached."""
        fake.recorder.add([fake.record()])
        with fake.pause() as pause:
            pass
        fake.reach(1)
        assert not pause.is_holding
        assert fake.loop.holders == set()
        assert fake.told == []

    def test_two_pauses_each_hold(self, fake: Fake) -> None:
        with fake.pause(1) as first, fake.pause(2) as second:
            fake.reach(1)
            fake.reach(2)
            first.wait().resume()
            assert fake.loop.holders == {second}
            assert fake.clock.is_standing
            second.wait().resume()
            assert not fake.clock.is_standing

    def test_a_block_that_raises_resumes(self, fake: Fake) -> None:
        def fail() -> None:
            with fake.pause():
                fake.reach(1)
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fail()
        assert fake.loop.holders == set()
        assert not fake.clock.is_standing

    def test_a_block_that_fails_may_be_left_open(self, fake: Fake) -> None:
        """By an owner that closes it."""
        pause = fake.pause()

        def fail() -> None:
            with pause:
                fake.reach(1)
                raise AssertionError

        with pytest.raises(AssertionError):
            fail()
        assert pause.is_holding
        assert not pause.is_forgotten
        assert pause.standing() == (
            "kdelve.pause('get.go:1') holds the kube-apiserver at /src/get.go:74 registry.Get"
        )
        assert fake.loop.holders == {pause}
        pause.close()
        assert fake.loop.holders == set()

    def test_an_interrupted_end_can_be_done_again(
        self, fake: Fake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Else the target would stand for ever: the pause must not think that it is over."""

        def interrupt(_holder: object) -> None:
            raise KeyboardInterrupt

        pause = fake.pause()
        pause.__enter__()
        fake.reach(1)
        with monkeypatch.context() as patch:
            patch.setattr(fake.loop, "release", interrupt)
            with pytest.raises(KeyboardInterrupt):
                pause.close()
        assert pause.is_holding
        pause.close()
        assert not pause.is_holding
        assert fake.loop.holders == set()

    def test_no_hit_holds_once_the_end_has_begun(
        self, fake: Fake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Even if the breakpoint could not be removed."""

        def interrupt(_subscriptions: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(fake.recorder, "remove", interrupt)
        with pytest.raises(KeyboardInterrupt), fake.pause():
            pass
        fake.reach(1)
        assert fake.loop.holders == set()

    def test_the_end_of_the_target(self, fake: Fake) -> None:
        """Whoever waits learns of it; the clock goes on, so that requests end."""
        pause = fake.pause()
        pause.__enter__()
        fake.reach(1)
        stop = pause.wait()
        fake.loop.ended = TargetExitedError("the debugged process is gone", status=2)
        asks: list[Callable[[], object]] = [lambda: stop.eval("a"), stop.next, pause.close]
        for ask in asks:
            with pytest.raises(TargetExitedError, match="is gone"):
                ask()
        assert not pause.is_holding
        assert not fake.clock.is_standing

    def test_the_end_of_the_target_while_it_is_awaited(self, fake: Fake) -> None:
        pause = fake.pause()
        pause.__enter__()
        fake.loop.ended = TargetExitedError("the debugged process is gone", status=2)
        with pytest.raises(TargetExitedError):
            pause.wait()
        with pytest.raises(TargetExitedError):
            pause.close()
        pause.close()


class TestWait:
    def test_it_waits_for_the_hit(self, fake: Fake) -> None:
        with fake.pause() as pause, ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(pause.wait)
            fake.reach(1)
            assert waiting.result(LONG).hit.line == 74

    def test_a_place_that_is_not_reached(self, fake: Fake) -> None:
        with (
            pytest.raises(KdelveError) as caught,
            fake.pause() as pause,
        ):
            pause.wait(timeout=0.1)
        assert str(caught.value) == (
            "kdelve.pause('get.go:1') was awaited for 0.1 s, but /src/get.go:74 in handlers.get "
            "was not reached by a request of this test's, or not as described.\n"
            "This test's requests:\n"
            "    GET /api -> 200 OK"
        )
        assert fake.client.breakpoints == {}

    def test_another_client_that_had_the_server_since_is_named(self, fake: Fake) -> None:
        fake.loop.gave_way_at = time.monotonic()
        with pytest.raises(KdelveError) as caught, fake.pause() as pause:
            pause.wait(timeout=0.1)
        assert "such as an IDE" not in str(caught.value)
        with fake.pause() as pause:
            fake.loop.gave_way_at = time.monotonic()
            with pytest.raises(KdelveError, match="such as an IDE, had"):
                pause.wait(timeout=0.1)

    def test_another_client_has_resumed_the_server(self, fake: Fake) -> None:
        with fake.pause() as pause:
            fake.reach(1)
            stop = pause.wait()
            fake.loop.holders.clear()
            with pytest.raises(KdelveError, match="such as an IDE, has resumed"):
                stop.eval("name")
            with pytest.raises(KdelveError, match="such as an IDE, has resumed"):
                pause.wait()

    def test_a_place_that_cannot_be_reached_before_the_server_goes_on(self, fake: Fake) -> None:
        with fake.pause(1) as first, fake.pause(2) as second:
            fake.reach(1)
            with pytest.raises(
                PausedError,
                match=r"the hit of kdelve\.pause\('get\.go:2'\) would wait for ever: "
                r"kdelve\.pause\('get\.go:1'\) holds .*; call resume\(\), or step on to the place",
            ):
                second.wait()
            first.wait().resume()
            fake.reach(2)
            second.wait()

    def test_a_pause_that_was_not_entered(self, fake: Fake) -> None:
        pause = fake.pause()
        with pytest.raises(UsageError, match=r"write: with kdelve\.pause\('get\.go:1'\) as pause:"):
            pause.wait()
        pause.close()

    def test_a_pause_that_is_over(self, fake: Fake) -> None:
        with fake.pause() as pause:
            fake.reach(1)
            stop = pause.wait()
            stop.resume()
            asks: list[Callable[[], object]] = [
                pause.wait,
                stop.resume,
                stop.next,
                stop.step,
                stop.stepout,
                lambda: stop.eval("a"),
                lambda: stop.set("a", 1),
                lambda: stop.vars("a"),
                lambda: stop.args,
                lambda: stop.locals,
                lambda: stop.stack,
                lambda: stop.goroutines,
                lambda: stop.line,
                lambda: stop.source,
            ]
            for ask in asks:
                with pytest.raises(KdelveError, match=r"'get\.go:1'\) is over: .* was resumed"):
                    ask()
        with pytest.raises(UsageError, match="was entered before"), pause:
            pytest.fail("the block must not be entered")

    def test_the_thread_that_waits_has_to_resume(self, fake: Fake) -> None:
        """Until somebody waits, it is the one that entered the block."""
        with fake.pause() as pause, ThreadPoolExecutor(1) as pool:
            fake.reach(1)
            with pytest.raises(PausedError, match=r"kdelve\.pause\('get\.go:1'\) holds"):
                fake.clock.check("an answer", "wait")
            pool.submit(pause.wait).result(LONG)
            fake.clock.check("an answer", "wait")
            with pytest.raises(PausedError):
                pool.submit(fake.clock.check, "an answer", "wait").result(LONG)

    def test_what_is_said_of_one_that_was_forgotten(self, fake: Fake) -> None:
        with fake.pause() as pause:
            fake.reach(1)
            unseen = pause.forgotten()
            pause.wait()
            seen = pause.forgotten()
        assert re.sub(r"\d\d:\d\d:\d\d, for \d+\.\d", "TIME, for N", unseen).splitlines() == [
            f"{pause} still held the kube-apiserver when the test was over; it was resumed.",
            "  It stood at /src/get.go:74 registry.Get",
            "  in GET /api (goroutine 7)",
            "  since TIME, for N s.",
            "  Nobody waited for it: wait() returns what is to be resumed.",
            "Call resume() on what wait() returns, or leave the block of the pause:",
            "  with kdelve.pause(...) as pause:",
        ]
        assert "Nobody waited" not in seen


class Frame(FakeClient):
    """A client with the variables of one frame, which can be set."""

    def __init__(self) -> None:
        super().__init__()
        self.args: list[api.Variable] = []
        self.locals: list[api.Variable] = []
        self.set_calls: list[tuple[str, str]] = []
        self.takes_effect = True

    def list_function_args(self, scope: api.EvalScope, load: api.LoadConfig) -> list[api.Variable]:
        return self.args or super().list_function_args(scope, load)

    def list_local_vars(self, scope: api.EvalScope, load: api.LoadConfig) -> list[api.Variable]:
        return self.locals or super().list_local_vars(scope, load)

    def set(self, scope: api.EvalScope, symbol: str, value: str) -> None:
        assert scope.goroutine_id == 7
        if value == '"a"':
            raise RPCError("Set", "literal string can not be allocated")
        self.set_calls.append((symbol, value))
        if self.takes_effect:
            values = self.frames[0].values
            found = values.get(value) or _variable(value)
            self.frames[0].values = {**values, symbol: found}


def _variable(literal: str) -> api.Variable:
    if literal in {"true", "false"}:
        return api.Variable(kind=Kind.BOOL, value=literal, addr=1)
    if literal == "nil":
        nil = api.Variable(kind=Kind.INVALID, addr=0)
        return api.Variable(kind=Kind.POINTER, addr=1, children=[nil])
    kind = Kind.FLOAT32 if "." in literal else Kind.INT
    return api.Variable(kind=kind, value=literal, addr=1)


class TestAsking:
    @pytest.fixture
    def frame(self, fake: Fake) -> Frame:
        fake.client = Frame()
        fake.loop.client = fake.client.as_client
        return fake.client

    def test_eval(self, fake: Fake) -> None:
        with fake.pause() as pause:
            fake.reach(1, name=string("etcd"))
            stop = pause.wait()
            fake.client.calls.clear()
            assert stop.eval("name") == "etcd"
            # runtime.frame() is that of the selected goroutine, whatever the scope.
            assert fake.client.calls == [
                ("switch_goroutine", "7"),
                ("stacktrace", "7"),
                ("eval", "0: name"),
            ]
            with pytest.raises(RPCError, match="could not find symbol value for nothing"):
                stop.eval("nothing")

    @pytest.mark.parametrize(
        ("value", "literal"),
        [(0, "0"), (-3, "-3"), (True, "true"), (False, "false"), (None, "nil"), (0.5, "0.5")],
    )
    def test_set(self, fake: Fake, frame: Frame, value: object, literal: str) -> None:
        with fake.pause() as pause:
            fake.reach(1, x=_variable(literal))
            pause.wait().set("x", value)
            assert frame.set_calls == [("x", literal)]

    def test_set_to_what_an_expression_holds(self, fake: Fake, frame: Frame) -> None:
        with fake.pause() as pause:
            fake.reach(1, name=string("a"), other=string("b"))
            stop = pause.wait()
            stop.set("name", expression="other")
            assert frame.set_calls == [("name", "other")]
            assert stop.eval("name") == "b"

    @pytest.mark.parametrize("value", ["a", b"a", [1], {}, float("nan"), float("inf"), 1j])
    def test_what_cannot_be_set_is_refused_before_anything_is_sent(
        self, fake: Fake, frame: Frame, value: object
    ) -> None:
        with fake.pause() as pause:
            fake.reach(1)
            with pytest.raises(
                UsageError, match=r"Delve sets numbers, bools and pointers .*copies"
            ):
                pause.wait().set("x", value)
            assert frame.set_calls == []

    def test_set_takes_either_a_value_or_an_expression(self, fake: Fake, frame: Frame) -> None:
        with fake.pause() as pause:
            fake.reach(1)
            stop = pause.wait()
            with pytest.raises(UsageError, match="a value, or expression="):
                stop.set("x")
            with pytest.raises(UsageError, match="a value, or expression="):
                stop.set("x", 1, expression="y")
            assert frame.set_calls == []

    def test_what_delve_refuses_comes_with_what_it_takes(self, fake: Fake, frame: Frame) -> None:
        with fake.pause() as pause:
            fake.reach(1, x=string("b"), **{'"a"': string("a")})
            with pytest.raises(RPCError, match=r"can not be allocated; Delve sets numbers"):
                pause.wait().set("x", expression='"a"')
            assert frame.set_calls == []

    def test_a_value_that_was_not_taken(self, fake: Fake, frame: Frame) -> None:
        """As 300 in a uint8."""
        frame.takes_effect = False
        with fake.pause() as pause:
            fake.reach(1, x=number(44))
            with pytest.raises(KdelveError, match="x was set to 300, but it is 44 now"):
                pause.wait().set("x", 300)

    def test_a_float_has_fewer_digits_in_the_target(self, fake: Fake, frame: Frame) -> None:
        frame.takes_effect = False
        with fake.pause() as pause:
            fake.reach(1, x=_variable("0.10000000149011612"))
            stop = pause.wait()
            stop.set("x", 0.1)
            with pytest.raises(KdelveError, match="but it is"):
                stop.set("x", 0.2)

    def test_arguments_and_locals_are_the_visible_ones(self, fake: Fake, frame: Frame) -> None:
        """An argument that escaped is among the locals; its copy is a shadowed one."""

        def variable(name: str, value: int, line: int, flags: int = 0) -> api.Variable:
            found = number(value)
            found.name, found.decl_line = name, line
            found.flags = VariableFlags(flags)
            return found

        shadowed, escaped = VariableFlags.SHADOWED, VariableFlags.ESCAPED
        with fake.pause() as pause:
            fake.reach(1)
            stop = pause.wait()
            frame.args = [
                variable("plain", 1, 3, VariableFlags.ARGUMENT),
                variable("moved", 0, 3, VariableFlags.ARGUMENT | shadowed),
                variable("hidden", 2, 3, VariableFlags.ARGUMENT | shadowed),
            ]
            frame.locals = [
                variable("moved", 4, 3, escaped),
                variable("hidden", 5, 8),
                variable("err", 6, 4, shadowed),
                variable("err", 7, 9),
            ]
            assert stop.args == {"plain": 1, "moved": 4}
            assert stop.locals == {"hidden": 5, "err": 7}

    def test_a_step_moves_the_goroutine_of_the_hit(self, fake: Fake) -> None:
        """What a function returned is known until the next one."""
        threads = [
            api.Thread(goroutine_id=8, return_values=[number(4)]),
            api.Thread(goroutine_id=7, return_values=[number(3)]),
        ]
        state = api.DebuggerState(threads=threads, current_thread=threads[0])
        with fake.pause() as pause:
            fake.reach(1)
            stop = pause.wait()
            fake.loop.next_stop = Stop(StopReason.NEXT_FINISHED, state)
            assert stop.stepout() is stop
            assert list(stop.return_values) == [3]
            fake.loop.next_stop = Stop(StopReason.NEXT_FINISHED, api.DebuggerState())
            stop.next()
            assert list(stop.return_values) == []
            stop.step()
        assert fake.loop.steps == [(7, "stepout"), (7, "next"), (7, "step")]

    def test_a_goroutine_that_has_ended(self, fake: Fake) -> None:
        with fake.pause() as pause:
            fake.reach(1)
            stop = pause.wait()
            with pytest.raises(KdelveError, match=r"goroutine 7, .* has no frames any more"):
                _ = stop.line

    def test_another_thread_may_resume_it_meanwhile(self, fake: Fake) -> None:
        with fake.pause() as pause:
            fake.reach(1)
            stop = pause.wait()
            resuming = threading.Thread(target=stop.resume)
            resuming.start()
            resuming.join(LONG)
            with pytest.raises(KdelveError, match="is over"):
                stop.eval("name")
