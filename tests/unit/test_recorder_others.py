"""The recorder beside other clients of the same Delve."""

from __future__ import annotations

import time

import pytest

from pytest_kdelve.delve import api
from pytest_kdelve.errors import DelveError, RPCError
from tests.unit.recording import Fake, Subscriber


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    return Fake(monkeypatch)


def switched_off(subscriber: Subscriber) -> str:
    return subscriber.subscription.coverage.switched_off


def test_hits_that_were_over_before_they_were_seen_are_told(fake: Fake) -> None:
    fake.loop.gave_way_at = time.monotonic()
    missing, whole = Subscriber(1), Subscriber(2)
    fake.add(missing, whole)
    fake.hit(1)
    fake.hit(2)
    for address, breakpoint_ in enumerate(fake.client.breakpoints.values(), start=1):
        breakpoint_.total_hit_count = 3 if address == 1 else 1
    fake.remove(missing, whole)
    assert switched_off(missing) == (
        "reached 2 times more than was seen, since another client of the debugger resumed the "
        "server meanwhile"
    )
    assert switched_off(whole) == ""


def test_a_breakpoint_that_is_set_again_counts_anew(fake: Fake) -> None:
    fake.loop.gave_way_at = time.monotonic()
    first, second = Subscriber(1), Subscriber(1)
    fake.add(first)
    fake.hit(1)
    fake.hit(1)
    fake.client.breakpoints.clear()
    fake.add(second)
    fake.breakpoint.total_hit_count = 1
    fake.remove(second)
    assert switched_off(second).startswith("reached 1 times more")


def test_where_nobody_else_was_nothing_is_counted(fake: Fake) -> None:
    subscriber = Subscriber(1)
    fake.add(subscriber)
    fake.breakpoint.total_hit_count = 3
    fake.remove(subscriber)
    assert switched_off(subscriber) == ""


def test_a_hit_that_was_over_before_all_was_read_is_told(fake: Fake) -> None:
    lost, later = Subscriber(1), Subscriber(2)
    fake.add(lost, later)
    fake.loop.has_lost_stop = True
    fake.hit(1)
    fake.loop.has_lost_stop = False
    fake.hit(2)
    assert switched_off(lost) == (
        "left before all was read of a hit, since another client of the debugger resumed the "
        "server meanwhile"
    )
    assert len(lost.hits) == 1
    assert switched_off(later) == ""


def test_what_was_told_first_stays(fake: Fake) -> None:
    subscriber = Subscriber(1)
    subscriber.subscription.coverage.switched_off = "switched off"
    fake.add(subscriber)
    fake.loop.has_lost_stop = True
    fake.hit(1)
    assert switched_off(subscriber) == "switched off"


def test_a_place_at_which_somebody_else_has_a_breakpoint(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_wanted: api.Breakpoint) -> api.Breakpoint:
        raise RPCError("CreateBreakpoint", text)

    monkeypatch.setattr(fake.client, "create_breakpoint", refuse)
    text = "Breakpoint exists at /src/get.go:74 at 1"
    with pytest.raises(DelveError, match=r"such as an IDE, or this test .* remove that") as caught:
        fake.add(Subscriber(1))
    assert str(caught.value).startswith("/src/get.go:74 cannot be watched: ")
    text = "could not set it"
    with pytest.raises(RPCError, match="could not set it"):
        fake.add(Subscriber(1))


def test_of_breakpoints_only_the_tests_own_are_cleared(fake: Fake) -> None:
    watched = Subscriber(1)
    fake.add(watched)
    fake.recorder.client.create_breakpoint(api.Breakpoint(addrs=[2]))
    anothers = fake.recorder.client.create_breakpoint(api.Breakpoint(addrs=[3]))
    fake.client.own_breakpoints.remove(anothers.id)
    fake.recorder.clear_others()
    assert [each.addrs for each in fake.client.breakpoints.values()] == [[1], [3]]


def test_what_is_said_of_others(fake: Fake) -> None:
    began = time.monotonic()
    assert fake.recorder.what_others_did(began) == []
    fake.loop.gives_way = True
    assert fake.recorder.what_others_did(began) == [
        "Another client of the debugger, such as an IDE, has the kube-apiserver now."
    ]
    fake.loop.gives_way, fake.loop.gave_way_at = False, time.monotonic()
    assert fake.recorder.what_others_did(began) == [
        "Another client of the debugger, such as an IDE, had the kube-apiserver meanwhile."
    ]
    assert fake.recorder.what_others_did(time.monotonic()) == []
