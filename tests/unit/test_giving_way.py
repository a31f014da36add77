"""When other clients are followed, and until when."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.delve import Session, api, giving_way
from pytest_kdelve.delve.giving_way import GivingWay
from pytest_kdelve.delve.stops import Stop, StopReason
from pytest_kdelve.process import poll
from tests.unit.fake_target import LONG, FakeTarget, at

if TYPE_CHECKING:
    from collections.abc import Iterator

OURS, THEIRS = 5, 6
#: Seconds in which what must not happen would have happened.
WHILE = 0.3
HALTED = Stop(StopReason.MANUAL, api.DebuggerState())
OUR_HIT = Stop(StopReason.BREAKPOINT, api.DebuggerState(threads=[at(OURS)]))
THEIR_HIT = Stop(StopReason.BREAKPOINT, api.DebuggerState(threads=[at(THEIRS)]))


class Beside:
    """A session beside other clients; ``looks`` are the times it was asked to look around."""

    def __init__(self, target: FakeTarget) -> None:
        self.target = target
        client = target.connect()
        client.own_breakpoints.add(OURS)  # type: ignore[attr-defined] # the seam
        self.session = Session(client)
        self.looks = 0
        self.giving_way = GivingWay(
            client,
            self.session,
            target.connect,
            is_asked=lambda: False,
            look_around=self._look_around,
        )

    def _look_around(self) -> None:
        self.looks += 1
        self.giving_way.look_around()

    @property
    def follows(self) -> bool:
        return self.giving_way.follower is not None

    def close(self) -> None:
        self.giving_way.stop_following()
        self.session.close()


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> Iterator[Beside]:
    monkeypatch.setattr(giving_way, "_NEWCOMER_INTERVAL", 0.01)
    with FakeTarget() as target:
        found = Beside(target)
        yield found
        found.close()


def test_its_own_stops_are_nobody_elses(beside: Beside) -> None:
    with beside.target.connect():
        beside.giving_way.note(OUR_HIT)
        assert not beside.follows


def test_at_the_stop_of_another_it_gives_way_until_that_has_gone(beside: Beside) -> None:
    began = time.monotonic()
    with beside.target.connect():
        beside.giving_way.note(THEIR_HIT)
        follower = beside.giving_way.follower
        assert follower is not None
        assert not follower.has_turn
        beside.giving_way.note(OUR_HIT)
        assert beside.giving_way.follower is follower
        assert follower.has_turn, "the session itself had resumed it"
        beside.giving_way.note(HALTED)
        assert not follower.has_turn
    assert beside.giving_way.gave_way_since(time.monotonic())
    beside.giving_way.stop_following()
    assert not beside.follows
    assert beside.giving_way.gave_way_since(began)
    assert not beside.giving_way.gave_way_since(time.monotonic())


def test_a_breakpoint_that_was_left_behind_is_passed_by(beside: Beside) -> None:
    beside.giving_way.note(THEIR_HIT)
    assert not beside.follows
    assert not beside.giving_way.gave_way_since(0.0)


def test_one_that_had_resumed_the_target_before_goes_on_after_a_halt(
    beside: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or does not, as dlv connect, whose command ends with that halt."""
    monkeypatch.setattr(giving_way, "PATIENCE", 0.0)
    monkeypatch.setattr(Session, "was_halted", True)
    with beside.target.connect():
        beside.giving_way.note_first(HALTED)
        assert beside.giving_way.follower is not None
        assert beside.giving_way.follower.has_turn
        beside.giving_way.stop_following()
        beside.giving_way.note_first(OUR_HIT)
        assert not beside.giving_way.follower.has_turn
        beside.giving_way.stop_following()
        monkeypatch.setattr(Session, "was_halted", False)
        beside.giving_way.note_first(HALTED)
        assert not beside.giving_way.follower.has_turn
    beside.giving_way.stop_following()
    beside.giving_way.note_first(HALTED)
    assert not beside.follows


def test_what_one_has_asked_for_that_has_gone_may_be_still_to_be_done(beside: Beside) -> None:
    beside.giving_way.note(HALTED)
    follower = beside.giving_way.follower
    assert follower is not None
    assert not follower.is_alone
    assert poll(lambda: follower.is_alone, timeout=LONG)


def test_a_newcomer_is_noticed_that_halts_nothing(beside: Beside) -> None:
    beside.giving_way.start()
    assert not poll(lambda: beside.looks > 0, timeout=WHILE)
    with beside.target.connect():
        assert poll(lambda: beside.follows, timeout=LONG)
        assert beside.giving_way.follower is not None
        assert not beside.giving_way.follower.has_turn, "it may believe that the target stands"
        looks = beside.looks
        assert not poll(lambda: beside.looks > looks, timeout=WHILE)
        beside.giving_way.close()


def test_where_nobody_has_come_nobody_is_followed(beside: Beside) -> None:
    beside.giving_way.look_around()
    assert not beside.follows


def test_a_target_that_should_stand_is_halted(beside: Beside) -> None:
    began = time.monotonic()
    beside.target.run()
    beside.giving_way.rescue()
    assert beside.target.halts == 1
    assert not beside.target.runs
    assert beside.giving_way.gave_way_since(began)


def test_one_that_stands_is_not(beside: Beside) -> None:
    beside.giving_way.rescue()
    assert beside.target.halts == 0
    assert not beside.giving_way.gave_way_since(0.0)


def test_one_that_is_followed_is_the_followers(beside: Beside) -> None:
    beside.giving_way.follow()
    beside.target.run()
    beside.giving_way.rescue()
    assert beside.target.halts == 0
