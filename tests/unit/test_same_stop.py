"""Whether a target stands where it stood before."""

from __future__ import annotations

import msgspec
import pytest

from pytest_kdelve.delve import api
from pytest_kdelve.delve.stops import Stop, StopReason, is_same_stop, without_hits_of
from tests.unit.fake_target import at

ELSEWHERE = api.Thread(id=2, pc=9)
BEFORE = (at(5, count=3), ELSEWHERE)


def state(*threads: api.Thread) -> api.DebuggerState:
    return api.DebuggerState(threads=list(threads))


def stop(*threads: api.Thread) -> Stop:
    return Stop(StopReason.UNKNOWN, state(*threads))


@pytest.mark.parametrize(
    "now",
    [
        BEFORE,
        BEFORE[::-1],
        # Its breakpoint was cleared meanwhile.
        (api.Thread(id=1, pc=1), ELSEWHERE),
    ],
)
def test_the_same_stop(now: tuple[api.Thread, ...]) -> None:
    assert is_same_stop(state(*now), state(*BEFORE))
    assert not any(
        thread.breakpoint for thread in without_hits_of(stop(*now), stop(*BEFORE)).threads or ()
    )


@pytest.mark.parametrize(
    "now",
    [
        # The next hit of the same thread at the same place.
        (at(5, count=4), ELSEWHERE),
        (at(5, count=3, pc=2), ELSEWHERE),
        (at(5, count=3), api.Thread(id=2, pc=8)),
        (at(5, count=3), at(5, thread=2, pc=9)),
        (at(5, count=3),),
        (*BEFORE, api.Thread(id=3, pc=9)),
        (),
    ],
)
def test_another_stop(now: tuple[api.Thread, ...]) -> None:
    assert not is_same_stop(state(*now), state(*BEFORE))


def test_without_the_hits_of_the_stop_before() -> None:
    """A thread that had arrived there before is reported once, though another one moved."""
    again, arrived = at(5, thread=1, count=4), at(5, thread=3, count=4)
    unmoved = at(6, thread=2, count=1)
    before = stop(at(5, thread=1, count=3), unmoved, api.Thread(id=3, pc=8))
    assert without_hits_of(stop(again, unmoved, arrived), before).threads == [again, arrived]


def test_without_the_hits_that_were_counted_once_more() -> None:
    """Not so one of another goroutine, or the next but one."""
    before = stop(at(5, thread=1, count=3), at(6, thread=2, count=1), at(7, thread=3, count=1))
    other = msgspec.structs.replace(at(6, thread=2, count=2), goroutine_id=99)
    second = at(7, thread=3, count=3)
    now = stop(at(5, thread=1, count=4), other, second)
    assert without_hits_of(now, before, are_recounted=True).threads == [other, second]


def test_threads_at_no_breakpoint_stay() -> None:
    assert without_hits_of(stop(ELSEWHERE), stop(ELSEWHERE)).threads == [ELSEWHERE]


def test_a_state_without_threads() -> None:
    nothing = api.DebuggerState(threads=None)
    assert is_same_stop(nothing, nothing)
    assert not is_same_stop(nothing, state(ELSEWHERE))
