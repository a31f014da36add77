"""Judging an order: which requests reached the places in it, and which did not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_kdelve.delve.values import Unreadable
from pytest_kdelve.hits.model import Request
from pytest_kdelve.hits.order import OrderExpectation, OrderOutcome, Sightings, judge_order
from tests.unit.builders import PLACE, expect, make_hit

A, B, C = (replace(PLACE, line=line, pcs=(line,)) for line in (1, 2, 3))
PLACES = {"a": A, "b": B, "c": C}


def judge(steps: str, hits: str, **locals_: object) -> OrderOutcome:
    """Judge hits such as ``a1 b2``: of place a by request 1, and of place b by request 2."""
    sightings = Sightings()
    for hit in hits.split():
        place, number = hit[0], hit[1:]
        request = Request("GET", f"/{number}", number)
        sightings.add(PLACES[place].pcs, make_hit(request=request, values={"n": number}))
    expectation = OrderExpectation(tuple(expect(locals=locals_) for _ in steps))
    return judge_order(expectation, [PLACES[step] for step in steps], sightings)


@pytest.mark.parametrize(
    ("steps", "hits"),
    [
        ("ab", "a1 b1"),
        ("ab", "a1 c1 b1"),
        ("ab", "b1 a1 b1"),
        ("ab", "b1 a2 a1 b1"),
        ("aba", "a1 b1 a1"),
        ("aa", "a1 a1"),
        ("abc", "a2 b2 a1 a1 b1 b1 c1"),
    ],
)
def test_reached_in_order(steps: str, hits: str) -> None:
    """By one request, whatever else it and others reached meanwhile."""
    outcome = judge(steps, hits)
    assert outcome.is_fulfilled
    assert outcome.missing is None


@pytest.mark.parametrize(
    ("steps", "hits", "missing"),
    [
        ("ab", "", 0),
        ("ab", "b1", 0),
        ("ab", "a1", 1),
        ("ab", "b1 a1", 1),
        ("ab", "a1 b2", 1),
        ("aba", "a1 b1", 2),
        ("aa", "a1", 1),
        ("abc", "a2 c2 b2 a1 b1 a1", 2),
    ],
)
def test_not_reached_in_order(steps: str, hits: str, missing: int) -> None:
    """Each is the twin of one above."""
    outcome = judge(steps, hits)
    assert not outcome.is_fulfilled
    assert outcome.missing == missing


def test_values_must_hold_for_the_hit_that_counts() -> None:
    assert judge("ab", "a1 b1", n="1").is_fulfilled
    outcome = judge("ab", "a1 b1", n="2")
    assert not outcome.is_fulfilled
    [passage] = outcome.passages
    assert passage.fulfilled == []
    assert passage.rest == passage.sightings
    assert passage.sightings[0].steps[0][0].actual == "1"


def test_a_value_that_is_not_known_fulfils_nothing() -> None:
    sightings = Sightings()
    sightings.add(A.pcs, make_hit(values={"n": Unreadable("nil pointer")}))
    sightings.add(B.pcs, make_hit(values={"n": 1}))
    expectation = OrderExpectation((expect(locals={"n": lambda _n: True}), expect()))
    assert not judge_order(expectation, [A, B], sightings).is_fulfilled


def test_hits_of_others_are_left_out() -> None:
    sightings = Sightings()
    sightings.add(A.pcs, make_hit(is_own=False))
    own = make_hit()
    sightings.add(B.pcs, own)
    assert list(sightings) == [(B.pcs, own)]
    assert sightings.own == [own]


def test_each_request_has_a_passage() -> None:
    """With what it reached, in its order, and how much of that counts."""
    outcome = judge("abc", "b1 a1 b2 b1 a1")
    first, second = outcome.passages
    assert str(first.request) == "GET /1"
    assert [sorted(sighting.steps) for sighting in first.sightings] == [[1], [0], [1], [0]]
    assert first.fulfilled == [1, 2]
    assert len(first.rest) == 1
    assert second.fulfilled == []
    assert outcome.reached(1)
    assert not outcome.reached(2)


def test_a_request_whose_path_is_rewritten_on_its_way_is_one() -> None:
    sightings = Sightings()
    for place, path in ((A, "/api/v1"), (B, "/v1")):
        sightings.add(place.pcs, make_hit(request=Request("GET", path, "1")))
    outcome = judge_order(OrderExpectation((expect(), expect())), [A, B], sightings)
    assert outcome.is_fulfilled
    assert [str(passage.request) for passage in outcome.passages] == ["GET /api/v1"]
