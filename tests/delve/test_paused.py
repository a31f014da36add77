"""What may be asked of a real target that is paused at a hit, and what it can be made to do."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.delve.locations import Location
from pytest_kdelve.delve.values import Unreadable
from pytest_kdelve.errors import (
    DelveError,
    KdelveError,
    RPCError,
    StepError,
    TargetExitedError,
    UsageError,
)
from pytest_kdelve.hits.breakpoints import Subscription
from pytest_kdelve.hits.clock import Clock
from pytest_kdelve.hits.pausing import Pause
from pytest_kdelve.hits.recorder import Recorder
from pytest_kdelve.process import poll
from tests.delve.conftest import DEBUGGABLE, LONG, Debug

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_kdelve.delve import Server
    from pytest_kdelve.hits.model import Hit
    from pytest_kdelve.hits.paused import Paused
    from tests.delve.toolchains import Toolchain

    MakePause = Callable[..., Pause]

STOPS = "stops/main.go"
VALUES = "values/main.go"
MISPLACED = "misplaced/main.go"


class Target:
    """A program under a recorder, which is started by ``go``."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.recorder = Recorder(server.connect)
        self.clock = Clock()

    def pause(self, at: str, file: str = STOPS) -> Pause:
        return Pause(
            self.recorder,
            self.clock,
            lambda sink: self.subscription(at, sink, file),
            text=f"pause({at!r})",
            owner=self,
            explain=list,
        )

    def waited(self) -> None:
        pass

    def resumed(self) -> None:
        pass

    def stay(self, _: BaseException) -> bool:
        return False

    def subscription(
        self, at: str, sink: Callable[[Hit], None], file: str = STOPS, expression: str = ""
    ) -> Subscription:
        return Subscription(
            place=self.recorder.resolve(Location.parse(file, at)),
            expressions={expression: 1} if expression else {},
            load_frame=False,
            owner="",
            by_anyone=True,
            sink=sink,
        )

    def go(self, pause: Pause) -> Paused:
        """Start the program, and return where the pause holds it."""
        self.recorder.start()
        return pause.wait(LONG)


@pytest.fixture
def target(debug: Debug) -> Iterator[Callable[..., Target]]:
    with contextlib.ExitStack() as stack:

        def start(
            *args: str, program: str = "stops", flags: tuple[str, ...] = DEBUGGABLE
        ) -> Target:
            made = Target(debug(program, *args, flags=flags))
            stack.callback(made.recorder.close)
            return made

        yield start


class TestOptimised:
    """Delve itself says 5 for total, which is 13 there, and would set what is not used again."""

    @pytest.fixture
    def paused(self, target: Callable[..., Target]) -> Iterator[Paused]:
        compiled = target(program="compiled", flags=())
        with compiled.pause("// within a loop", "compiled/main.go") as pause:
            yield compiled.go(pause)

    def test_what_may_be_wrong_is_not_read(self, paused: Paused) -> None:
        for value in (
            paused.eval("total"),
            paused.eval("total + 1"),
            paused.eval("runtime.frame(0).total"),
            paused.locals["total"],
        ):
            assert isinstance(value, Unreadable)
            assert "total gets a value more than once in main.add" in value.reason

    def test_what_gets_its_value_once_is(self, paused: Paused, toolchain: Toolchain) -> None:
        found = [paused.eval("sum"), paused.locals["sum"], paused.args["first"]]
        if toolchain.go >= (1, 20):
            assert found == [6, 6, 5]
        else:
            assert [type(each) for each in found] == [Unreadable] * 3

    def test_it_is_not_set(self, paused: Paused) -> None:
        with pytest.raises(KdelveError, match="total cannot be set: optimised: total gets"):
            paused.set("total", 7)

    def test_nor_is_what_may_be_in_several_places(
        self, paused: Paused, toolchain: Toolchain
    ) -> None:
        why = "may be in several places" if toolchain.go >= (1, 20) else "wrong places"
        with pytest.raises(KdelveError, match=f"sum cannot be set: optimised: .*{why}"):
            paused.set("sum", 7)
        if toolchain.go >= (1, 20):
            paused.set("pair.Right", 7)
            assert paused.eval("pair.Right") == 7

    def test_what_it_returned_is_not_guessed(self, paused: Paused) -> None:
        for value in paused.stepout().return_values:
            assert isinstance(value, Unreadable)
            assert value.reason.startswith("optimised: what the function returned")

    @pytest.mark.parametrize("variable", ["two.A", "two . B", "(number)", "number"])
    def test_parts_of_what_may_be_in_several_places_are_not_set(
        self, target: Callable[..., Target], variable: str
    ) -> None:
        """Delve would report success, and change nothing."""
        misplaced = target(program="misplaced", flags=())
        with misplaced.pause("// set", MISPLACED) as pause:
            paused = misplaced.go(pause)
            with pytest.raises(KdelveError, match="cannot be set: optimised: "):
                paused.set(variable, 7)

    def test_package_variables_are_set(self, target: Callable[..., Target]) -> None:
        misplaced = target(program="misplaced", flags=())
        with misplaced.pause("// set", MISPLACED) as pause:
            paused = misplaced.go(pause)
            for name, value in (("packaged", 7), ("main.packaged", 8)):
                paused.set(name, value)
                assert paused.eval("packaged") == value


def test_the_caller_may_be_optimised(target: Callable[..., Target]) -> None:
    """As the runtime is, which calls main and begins each goroutine."""
    misplaced = target(program="misplaced")
    with misplaced.pause("// in main", MISPLACED) as pause:
        paused = misplaced.go(pause)
        assert (paused.eval("round"), paused.locals["round"]) == (1, 1)
        paused.set("round", 7)
        assert paused.eval("round") == 7


def why_ended(recorder: Recorder) -> str:
    try:
        recorder.check()
    except TargetExitedError as error:
        return str(error)
    return ""


class TestValues:
    @pytest.fixture
    def paused(self, target: Callable[..., Target]) -> Iterator[Paused]:
        values = target(program="values")
        with values.pause("// stop here", VALUES) as pause:
            yield values.go(pause)

    def test_where_it_stands(self, paused: Paused) -> None:
        assert paused.file.endswith("values/main.go")
        assert paused.source == "use(shadowed) // stop here"
        assert paused.function == "main.frame"
        assert paused.line == paused.hit.line == paused.stack[0].line
        assert [frame.function for frame in paused.stack][:2] == ["main.frame", "main.main"]
        assert paused.hit.goroutine in {each.id for each in paused.goroutines}

    def test_arguments_and_visible_locals(self, paused: Paused) -> None:
        assert paused.args == {"argument": "given", "count": 1, "result": {"text": "it failed"}}
        assert paused.locals["shadowed"] == 5
        assert paused.locals["long"] == f"{1:064d}and more"
        assert paused.locals["named"] == {"Name": "outer"}
        assert "argument" not in paused.locals

    def test_values_are_loaded_whole(self, paused: Paused) -> None:
        assert paused.eval("many") == [0] * 100
        assert paused.eval("named") == {"Name": "outer", "Next": {"Name": "inner"}}
        assert paused.eval("len(text) + 1") == 5
        with pytest.raises(RPCError, match="could not find symbol"):
            paused.eval("nothing_of_this_name")

    def test_package_variables(self, paused: Paused) -> None:
        found = paused.vars(r"^(runtime\.buildVersion|os\.Args)$")
        assert set(found) == {"runtime.buildVersion", "os.Args"}
        assert found["os.Args"] == [paused.eval("os.Args[0]")]
        assert re.match(r"go1\.\d+", str(found["runtime.buildVersion"]))
        assert paused.vars("^nowhere") == {}

    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            ("yes", False),
            ("no", True),
            ("small", -7),
            ("unsigned", 2**63 + 1),
            ("color", 0),
            ("half", 0.25),
            ("single", 0.3),
            ("numbers[1]", 20),
            ("named.Inner.X", 9),
            ("pointer.X", 8),
            ("pointer", None),
            ("anything", None),
            ("table", None),
        ],
    )
    def test_set(self, paused: Paused, variable: str, value: object) -> None:
        assert paused.eval(variable) != value
        paused.set(variable, value)
        found = paused.eval(variable)
        assert found == pytest.approx(value) if isinstance(value, float) else found == value

    @pytest.mark.parametrize(
        ("variable", "expression"),
        [("text", "accents"), ("nilPointer", "pointer"), ("point", "named.Inner"), ("color", "7")],
    )
    def test_set_to_what_an_expression_holds(
        self, paused: Paused, variable: str, expression: str
    ) -> None:
        wanted = paused.eval(expression)
        assert paused.eval(variable) != wanted
        paused.set(variable, expression=expression)
        assert paused.eval(variable) == wanted

    @pytest.mark.parametrize(
        ("variable", "value", "says"),
        [
            ("small", 300, "small was set to 300, but it is 44 now"),
            ("text", 1, "Delve sets numbers, bools and pointers"),
            ("yes", 1, "Delve sets numbers, bools and pointers"),
            ("nobody", 1, "could not find symbol"),
        ],
    )
    def test_what_cannot_be_set_is_said(
        self, paused: Paused, variable: str, value: object, says: str
    ) -> None:
        with pytest.raises(KdelveError, match=says):
            paused.set(variable, value)

    def test_a_new_string_cannot_be_made(self, paused: Paused) -> None:
        """Neither by its value nor by an expression, since it would have to be allocated."""
        with pytest.raises(UsageError, match="'new' cannot be set; Delve sets numbers"):
            paused.set("text", "new")
        with pytest.raises(RPCError, match="Delve sets numbers"):
            paused.set("text", expression='"new"')
        assert paused.eval("text") == "text"

    def test_what_was_set_is_what_the_program_goes_on_with(
        self, target: Callable[..., Target]
    ) -> None:
        values = target(program="values")
        with values.pause("return result", VALUES) as pause:
            paused = values.go(pause)
            paused.set("result", None)
            paused.stepout()
            assert list(paused.return_values) == [None]
            assert paused.function == "main.main"
        assert poll(lambda: "status 1" in why_ended(values.recorder), timeout=LONG)


class TestSteps:
    def test_the_story_of_a_step(self, target: Callable[..., Target]) -> None:
        steps = target("steps")
        hits: list[Hit] = []
        inside = steps.subscription("// inside of add", hits.append, expression="a")
        steps.recorder.add([inside])
        with steps.pause("// calls add") as pause:
            stop = steps.go(pause)
            assert stop.step().function == "main.add"
            assert (stop.args["a"], stop.args["b"]) == (1, 2)
            assert stop.next().source == "sum = a + b // inside of add"
            assert [hit.values for hit in hits] == [{"a": 1}], "a hit ends the step, and counts"
            stop.stepout()
            assert list(stop.return_values) == [3]
            assert stop.next().source == "second := first * 2"
            assert list(stop.return_values) == []
            assert stop.locals["first"] == 3
            assert stop.stack[0].line == stop.line != stop.hit.line

    def test_the_program_works_on_with_what_was_set(self, target: Callable[..., Target]) -> None:
        """After a call, that is: until then it may have the old value in a register."""
        beside = target("beside")
        with beside.pause("// main takes its time") as pause:
            stop = beside.go(pause)
            stop.set("before", 99)
            assert stop.next().source.startswith("after := before + 1")
            assert stop.next().locals["after"] == 100

    def test_the_pauses_own_line_does_not_hold_again(self, target: Callable[..., Target]) -> None:
        """Neither by another goroutine nor by this one."""
        beside = target("beside")
        with beside.pause("// passed by another goroutine") as pause:
            stop = beside.go(pause)
            for _ in range(6):
                stop.next()
            assert stop.function == "main.beside.func1"
            stop.resume()
            beside.recorder.settle()
            assert not beside.clock.is_standing

    def test_a_second_pause_that_is_reached_on_the_way(self, target: Callable[..., Target]) -> None:
        """Both hold; the server goes on when both have let go."""
        beside = target("beside")
        with beside.pause("// main takes its time") as first:
            main = beside.go(first)
            with beside.pause("// passed by another goroutine") as second:
                with pytest.raises(StepError, match="another hit on the way holds the target"):
                    main.next()
                other = second.wait(LONG)
                assert other.hit.goroutine != main.hit.goroutine
                assert other.next().function == "main.beside.func1"
                assert main.eval("runtime.curg.goid") == main.hit.goroutine
                main.resume()
                assert beside.clock.is_standing
                assert other.source.startswith("for ticks := 0")
            assert not beside.clock.is_standing

    def test_two_pauses_at_one_line_hold_different_hits(
        self, target: Callable[..., Target]
    ) -> None:
        """The second one is that of the next round."""
        beside = target("beside")
        with beside.pause("// main begins a step") as first:
            stop = beside.go(first)
            with beside.pause("// main begins a step") as second:
                before = stop.eval("round")
                stop.resume()
                assert second.wait(LONG).eval("round") == int(str(before)) + 1

    def test_a_goroutine_that_ends(self, target: Callable[..., Target]) -> None:
        """It can be stepped to its end; then it is said that there is nothing left to ask."""
        brief = target("brief")

        def step_for_ever() -> None:
            while True:
                stop.next(timeout=1)

        with brief.pause("// ends soon") as pause:
            stop = brief.go(pause)
            assert stop.next().source == "}()"
            with pytest.raises(StepError, match=r"was given up|has ended|cannot next"):
                step_for_ever()
        brief.recorder.settle()


class TestEnd:
    def test_the_program_goes_on_after_the_block(self, target: Callable[..., Target]) -> None:
        beside = target("beside")
        hits: list[Hit] = []
        beside.recorder.add([beside.subscription("// main begins a step", hits.append)])
        with beside.pause("// main ends a step") as pause:
            beside.go(pause)
            count = len(hits)
        assert poll(lambda: len(hits) > count + 1, timeout=LONG)

    @pytest.mark.parametrize("victim", ["dlv", "target"])
    def test_a_part_that_is_killed_meanwhile(
        self, target: Callable[..., Target], victim: str
    ) -> None:
        """Whatever is asked then fails, or is done; nothing hangs, and the clock goes on."""
        forever = target("forever")
        server = forever.server
        pause = forever.pause("// for ever")
        pause.__enter__()
        stop = forever.go(pause)
        os.kill({"dlv": server.process.pid, "target": server.target_pid}[victim], signal.SIGKILL)

        def step_for_ever() -> None:
            while True:
                stop.next()

        with pytest.raises(DelveError):
            step_for_ever()
        with contextlib.suppress(DelveError):
            pause.close()
        assert not forever.clock.is_standing
        assert not pause.is_holding

    def test_the_end_of_the_recorder(self, target: Callable[..., Target]) -> None:
        forever = target("forever")
        pause = forever.pause("// for ever")
        pause.__enter__()
        stop = forever.go(pause)
        waiting = threading.Thread(target=forever.recorder.close)
        waiting.start()
        waiting.join(LONG)
        assert not waiting.is_alive()
        with pytest.raises(DelveError, match="was closed"):
            stop.eval("1")
        with pytest.raises(DelveError, match="was closed"):
            pause.close()
        assert not forever.clock.is_standing
