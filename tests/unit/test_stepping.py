"""Steps that do not come to their end, with a session that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from pytest_kdelve.delve import api
from pytest_kdelve.delve.stepping import Step, move
from pytest_kdelve.delve.stops import Stop, StopReason
from pytest_kdelve.errors import DelveTimeoutError, StepError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_kdelve.delve import Session


class FakeSession:
    """A target that stops as it is told; ``calls`` are what it was asked for."""

    def __init__(self, status: Stop, error: Exception | None = None) -> None:
        self.status = status
        self.calls: list[str] = []
        self._error = error

    @property
    def as_session(self) -> Session:
        return cast("Session", self)

    def switch_goroutine(self, goroutine: int) -> None:
        self.calls.append(f"goroutine {goroutine}")

    def stepout(self, *, on_hit: Callable[[Stop], None], timeout: float) -> Stop:  # noqa: ARG002
        self.calls.append(f"next {timeout:g}")
        if self._error:
            raise self._error
        return self.status

    next = step = stepout

    def halt(self) -> Stop:
        self.calls.append("halt")
        return self.status

    def cancel_next(self) -> None:
        self.calls.append("cancel_next")


def stop(reason: StopReason, *, hits: int, in_progress: bool) -> Stop:
    threads = [api.Thread(breakpoint=api.Breakpoint(id=1)) for _ in range(hits)]
    return Stop(reason, api.DebuggerState(threads=threads, next_in_progress=in_progress))


def go(session: FakeSession, delivered: list[Stop]) -> Stop:
    def deliver(stop: Stop) -> bool:
        delivered.append(stop)
        return True

    return move(session.as_session, 7, Step.NEXT, deliver, 3)


@pytest.mark.parametrize(("in_progress", "cancels"), [(True, ["cancel_next"]), (False, [])])
def test_a_hit_that_comes_with_the_halt_is_delivered(
    *, in_progress: bool, cancels: list[str]
) -> None:
    halted = stop(StopReason.BREAKPOINT, hits=1, in_progress=in_progress)
    session, delivered = FakeSession(halted, DelveTimeoutError("no reply")), list[Stop]()
    with pytest.raises(StepError, match=r"next of goroutine 7 was given up: .* within 3 s"):
        go(session, delivered)
    assert delivered == [halted]
    assert session.calls == ["goroutine 7", "next 3", "halt", *cancels]


def test_somebody_elses_halt_is_no_end() -> None:
    session = FakeSession(stop(StopReason.MANUAL, hits=0, in_progress=False))
    with pytest.raises(StepError, match="the target was halted on the way"):
        go(session, [])


def test_a_panic_on_the_way_is_no_step_in_progress() -> None:
    panic = stop(StopReason.UNRECOVERED_PANIC, hits=0, in_progress=True)
    session = FakeSession(panic)
    assert go(session, []) is panic
    assert session.calls[-1] == "cancel_next"
