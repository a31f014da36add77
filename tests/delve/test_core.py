"""A dump of the stopped study program, which can be looked at, and nothing more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.delve import Session, Target, core, exec_
from pytest_kdelve.delve.stops import StopReason
from pytest_kdelve.errors import RPCError
from tests.delve.conftest import LONG, break_at
from tests.delve.study import CREATE, HERE, LOAD, PACKAGE, args, at, line_of, session_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.delve.conftest import BuildProgram, Keep, MakeHeadless


@pytest.fixture
def dumped(
    headless: MakeHeadless, keep: Keep, build_program: BuildProgram, tmp_path: Path
) -> Iterator[Session]:
    """A session with a core of the program, which stood in create when it was dumped."""
    program, dump = build_program("delve-study"), tmp_path / "core"
    target = Target(args=["create", "--name=gopher"])
    with session_with(keep(exec_(headless(), program, target=target))) as live:
        break_at(live.client, "cmd.create")
        live.continue_(timeout=LONG)
        live.dump(str(dump))
    with session_with(keep(core(headless(), program, dump))) as session:
        yield session


class TestCore:
    """A dump of the stopped program, which can be looked at, and nothing more."""

    def test_it_is_looked_at_as_the_program_was(self, dumped: Session) -> None:
        """Which thread is selected at first is Delve's choice, so the goroutine is looked up."""
        (number,) = (
            goroutine.id
            for goroutine in dumped.client.list_goroutines().goroutines or ()
            if goroutine.user_current_loc.file.endswith(CREATE)
        )
        stop = dumped.switch_goroutine(number)
        assert at(stop) == ("create", line_of("func create("))
        assert args(dumped) == {"name": "gopher", "copies": 1}
        frames = dumped.client.stacktrace(number, 2)
        assert [frame.function and frame.function.name for frame in frames[:2]] == [
            f"{PACKAGE}.create",
            f"{PACKAGE}.run",
        ]
        assert dumped.client.eval("longestName", HERE, LOAD).value == "12"

    @pytest.mark.parametrize(
        ("act", "why"),
        [
            (Session.continue_, "can not continue execution of core process"),
            (Session.next, "can not continue execution of core process"),
            (Session.restart, "can not continue execution of core process"),
            (lambda dumped: dumped.client.set(HERE, "a", "1"), "could not find symbol value"),
            (lambda dumped: break_at(dumped.client, "cmd.create"), "cannot write a breakpoint"),
            (lambda dumped: dumped.dump("core"), "core dumping not supported"),
        ],
        ids=["continue", "next", "restart", "set", "break", "dump"],
    )
    def test_it_cannot_be_moved_or_changed(
        self, dumped: Session, act: Callable[[Session], object], why: str
    ) -> None:
        with pytest.raises(RPCError, match=why):
            act(dumped)
        assert dumped.stop.reason is StopReason.UNKNOWN, "it can still be looked at"
