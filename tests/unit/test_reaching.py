"""How far requests came: the calls of the functions around a place."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, cast

import pytest

from pytest_kdelve.hits.bodies import Bodies, Body, Exit
from pytest_kdelve.hits.breakpoints import Subscription
from pytest_kdelve.hits.model import Request
from pytest_kdelve.hits.reaching import MOST_CALLS, MOST_OTHERS, Surroundings, Visited
from tests.unit.builders import PLACE, make_hit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_kdelve.delve.locations import Place

ENTRY = replace(PLACE, line=55, pcs=(1,))
EXITS = tuple(Exit(replace(PLACE, line=line, pcs=(line,))) for line in (69, 83))
OUTER = Body(replace(ENTRY, function="handlers.GetResource", pcs=(2,)), ())
NEAR = replace(PLACE, line=80, pcs=(80,))
LIKE = Subscription(
    place=PLACE,
    expressions={"name": 1},
    load_frame=True,
    owner="kdelve-1",
    by_anyone=True,
    sink=lambda _hit: None,
)


class FakeBodies:
    """Both places are in one function, which is inside of another one."""

    def around(self, place: Place) -> Sequence[Body]:
        return [Body(ENTRY, EXITS), OUTER] if place in {PLACE, NEAR} else []


class Function:
    """A function that the test's goroutines enter and leave."""

    def __init__(self) -> None:
        bodies = cast("Bodies", FakeBodies())
        self.surroundings = Surroundings(bodies, [PLACE, NEAR, ENTRY])
        self.subscriptions = list(self.surroundings.subscriptions(LIKE))
        self.entry, *self.exits, self.outer = self.subscriptions

    def visited(self) -> Visited:
        inner, outer = self.surroundings.progress(PLACE, []).visited
        assert outer.calls == ()
        return inner


@pytest.fixture
def function() -> Function:
    return Function()


def test_a_function_is_watched_once_whatever_is_in_it(function: Function) -> None:
    """With no values, on behalf of the one who has the other subscription."""
    pcs = [subscription.place.pcs for subscription in function.subscriptions]
    assert pcs == [(1,), (69,), (83,), (2,)]
    for subscription in function.subscriptions:
        assert subscription.owner == LIKE.owner
        assert subscription.coverage is not LIKE.coverage
        assert (subscription.expressions, subscription.load_frame) == ({}, False)
        assert not subscription.by_anyone


def test_calls_and_where_they_returned(function: Function) -> None:
    """Goroutines are told apart, and calls within each other."""
    first, second = make_hit(goroutine=1), make_hit(goroutine=2, request=None)
    function.exits[0].sink(first)  # of a call before the test
    for hit in (first, second, first):
        function.entry.sink(hit)
    function.exits[0].sink(first)
    function.exits[1].sink(first)
    called = [(call.goroutine, call.request, call.exit) for call in function.visited().calls]
    assert called == [
        (1, first.request, EXITS[1]),
        (2, None, None),
        (1, first.request, EXITS[0]),
    ]


def test_a_return_is_of_the_goroutines_call_whoever_it_is_attributed_to(
    function: Function,
) -> None:
    """Its frame is no longer whole there."""
    function.entry.sink(make_hit(goroutine=1))
    function.exits[1].sink(make_hit(goroutine=1, is_own=False, request=None))
    [call] = function.visited().calls
    assert call.exit == EXITS[1]


def test_others_are_left_out(function: Function) -> None:
    function.entry.sink(make_hit(is_own=False))
    function.exits[0].sink(make_hit(is_own=False))
    visited = function.visited()
    assert visited.calls == ()
    assert not visited.is_cut


def test_many_calls_are_no_longer_watched(function: Function) -> None:
    """Returns are for as long as a call that was seen has not returned."""
    for number in range(MOST_CALLS):
        assert function.entry.wants_more()
        function.entry.sink(make_hit(goroutine=number))
    assert not function.entry.wants_more()
    assert function.exits[0].wants_more()
    function.entry.sink(make_hit(goroutine=99))
    for number in range(MOST_CALLS):
        assert function.exits[1].wants_more()
        function.exits[0].sink(make_hit(goroutine=number))
    assert not function.exits[0].wants_more()
    assert len(function.visited().calls) == MOST_CALLS
    assert function.visited().is_cut


def test_a_function_that_others_call_often_is_no_longer_watched(function: Function) -> None:
    function.entry.sink(make_hit())
    for _ in range(MOST_OTHERS // 2):
        assert function.exits[0].wants_more()
        function.entry.sink(make_hit(is_own=False))
        function.exits[0].sink(make_hit(is_own=False, goroutine=8))
    assert not any(s.wants_more() for s in (function.entry, *function.exits))
    assert function.outer.wants_more()
    assert function.visited().is_cut


def test_the_last_place_of_each_request(function: Function) -> None:
    first = make_hit(line=1)
    other = Request("GET", "/apis", "kdelve-2")
    hits = [
        replace(first, line=3, time=first.time + timedelta(seconds=2)),
        replace(first, line=2, time=first.time + timedelta(seconds=1)),
        first,
        make_hit(line=4, request=other),
        make_hit(line=5, request=None),
    ]
    progress = function.surroundings.progress(PLACE, hits)
    assert [hit.line for hit in progress.last] == [3, 4]
    assert progress.function == PLACE.function


def test_a_place_of_which_nothing_is_known(function: Function) -> None:
    elsewhere = replace(PLACE, line=7, pcs=(7,))
    assert function.surroundings.progress(elsewhere, []).visited == []
