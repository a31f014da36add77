"""Judging: which hits fulfil an expectation, and which do not."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from pytest_kdelve.delve.structs import Struct
from pytest_kdelve.delve.values import Constant, Incomplete, Unreadable
from pytest_kdelve.hits.collected import Coverage
from pytest_kdelve.hits.expectations import Outcome, judge
from tests.unit.builders import PLACE, expect, make_hit

ALLOW = Constant(1, "DecisionAllow")
USER = Struct(
    "user.DefaultInfo",
    {
        "Name": "admin",
        "Groups": ["system:masters"],
        "Extra": Incomplete(None, 3),
        "Ref": Struct("v1.Ref", {"UID": "1", "Kind": "User"}),
    },
)


class Between:
    """An object that compares with numbers."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int) and self.low <= other <= self.high


class Unequalled:
    """An object that cannot be compared."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")


def judge_value(expected: object, actual: object) -> Outcome:
    hit = make_hit(values={"value": actual})
    return judge(expect(locals={"value": expected}), PLACE, [hit], others_count=0)


def judge_number(number: int, **changes: object) -> bool:
    return judge(expect(**changes), PLACE, [make_hit()] * number, others_count=9).is_fulfilled


@pytest.mark.parametrize(
    ("count", "fulfilled_by"),
    [
        (None, {1, 2, 3, 4}),
        (range(2, 3), {2}),
        (range(1, 4), {1, 2, 3}),
        (range(2), {0, 1}),
        (range(1), {0}),
    ],
    ids=["default", "count=2", "range(1, 4)", "range(2)", "count=0"],
)
def test_the_number_of_hits_decides(count: range | None, fulfilled_by: set[int]) -> None:
    """Hits of others are not among them."""
    assert {n for n in range(5) if judge_number(n, count=count)} == fulfilled_by


HOLDING = {
    "string": ("kubernetes", "kubernetes"),
    "int": (3, 3),
    "nil": (None, None),
    "bool": (False, False),
    "bytes": (b"\xff", b"\xff"),
    "list": ([1, 2], [1, 2]),
    "map": ({"a": "b"}, {"a": "b"}),
    "callable": (lambda value: value > 2, 3),
    "pattern in a string": (re.compile("allowed by"), "RBAC: allowed by rule"),
    "pattern of bytes": (re.compile(b"^k8s"), b"k8s\x00"),
    "object with __eq__": (Between(1, 5), 3),
    "constant by number": (1, ALLOW),
    "constant by name": ("DecisionAllow", ALLOW),
    "some fields": ({"Name": "admin"}, USER),
    "fields of fields": ({"Name": "admin", "Ref": {"Kind": "User"}}, USER),
    "fields in a list": ([{"Kind": "User"}], [USER["Ref"]]),
    "pattern for a field": ({"Ref": {"Kind": re.compile("^Us")}}, USER),
    "pattern in a map": ({"a": re.compile("b")}, {"a": "abc"}),
    "callable in a list": ([1, lambda value: value > 1], [1, 2]),
    "a field beside one that is incomplete": ({"Groups": ["system:masters"]}, USER),
}
DIFFERING = {
    "string": ("kubernetes", "other"),
    "int": (3, 4),
    "nil": (None, ""),
    "bool": (False, True),
    "bytes": (b"\xff", "\ufffd"),
    "list": ([1, 2], [1, 2, 3]),
    "map": ({"a": "b"}, {"a": "b", "c": "d"}),
    "callable": (lambda value: value > 2, 2),
    "pattern in a string": (re.compile("allowed by"), "no opinion"),
    "pattern of bytes": (re.compile(b"^k8s"), b"\x00k8s"),
    "pattern and a number": (re.compile("1"), 1),
    "object with __eq__": (Between(1, 5), 6),
    "constant by number": (0, ALLOW),
    "constant by name": ("DecisionDeny", ALLOW),
    "some fields": ({"Name": "somebody"}, USER),
    "fields of fields": ({"Name": "admin", "Ref": {"Kind": "Group"}}, USER),
    "fields in a list": ([{"Kind": "Group"}], [USER["Ref"]]),
    "pattern for a field": ({"Ref": {"Kind": re.compile("^Gr")}}, USER),
    "pattern in a map": ({"a": re.compile("b")}, {"a": "abc", "c": "d"}),
    "callable in a list": ([1, lambda value: value > 1], [1, 1]),
    "callable in a list that is longer": ([1, lambda value: value > 1], [1, 2, 3]),
    "a field that is not there": ({"Nmae": "admin"}, USER),
}


@pytest.mark.parametrize(("expected", "actual"), HOLDING.values(), ids=HOLDING)
def test_a_value_holds(expected: object, actual: object) -> None:
    outcome = judge_value(expected, actual)
    assert outcome.is_fulfilled
    assert len(outcome.matched) == 1
    assert outcome.rejected == []


@pytest.mark.parametrize(("expected", "actual"), DIFFERING.values(), ids=DIFFERING)
def test_a_value_differs(expected: object, actual: object) -> None:
    """Each is the twin of one that holds."""
    outcome = judge_value(expected, actual)
    assert not outcome.is_fulfilled
    [(_hit, [difference])] = outcome.rejected
    assert difference.expression == "value"
    assert difference.note == ""
    assert difference.expected is expected
    assert difference.actual is actual


UNKNOWN = {
    "unreadable": (lambda _value: True, Unreadable("could not find symbol"), "not be evaluated"),
    "incomplete": (lambda _value: True, Incomplete("abc", 900), "too large"),
    "a callable that raises": (lambda value: value > 1, None, "TypeError"),
    "an __eq__ that raises": (Unequalled(), 1, "no comparison"),
    "an incomplete field": ({"Extra": {}}, USER, "a part of it"),
    "an incomplete element": ([{"Extra": None}], [USER], "a part of it"),
}


@pytest.mark.parametrize(("expected", "actual", "note"), UNKNOWN.values(), ids=UNKNOWN)
def test_what_could_not_be_compared_neither_holds_nor_is_ruled_out(
    expected: object, actual: object, note: str
) -> None:
    """The twin is ``not_hits``, which must not pass by accident, either."""
    hit = make_hit(values={"value": actual})
    for count in (None, range(1), range(1, 2)):
        wanted = expect(locals={"value": expected}, count=count)
        outcome = judge(wanted, PLACE, [hit], others_count=0)
        assert not outcome.is_fulfilled
        assert note in outcome.rejected[0][1][0].note
        assert outcome.undecided == 1


def test_an_unknown_value_does_not_matter_where_it_could_not_change_the_outcome() -> None:
    known = make_hit(values={"value": 1})
    unknown = make_hit(values={"value": Unreadable("nil pointer")})

    def fulfilled(count: range | None) -> bool:
        wanted = expect(locals={"value": 1}, count=count)
        return judge(wanted, PLACE, [known, unknown], others_count=0).is_fulfilled

    assert fulfilled(None)
    assert fulfilled(range(1, 3))
    assert not fulfilled(range(1, 2)), "the second one might have been a hit, too"


def test_not_hits_is_fulfilled_where_another_value_rules_the_hit_out() -> None:
    values = {"name": "other", "obj.Name": Unreadable("nil pointer")}
    wanted = expect(locals={"name": "wanted", "obj.Name": "x"}, count=range(1))
    assert judge(wanted, PLACE, [make_hit(values=values)], others_count=0).is_fulfilled


def test_one_hit_must_satisfy_all_locals() -> None:
    wanted = expect(locals={"name": "a", "namespace": "b"})
    split = [make_hit(values={"name": "a", "namespace": "x"}),
             make_hit(values={"name": "y", "namespace": "b"})]  # fmt: skip
    assert not judge(wanted, PLACE, split, others_count=0).is_fulfilled
    whole = make_hit(values={"name": "a", "namespace": "b"})
    outcome = judge(wanted, PLACE, [*split, whole], others_count=0)
    assert outcome.is_fulfilled
    assert outcome.matched == [whole]


@pytest.mark.parametrize(
    ("held", "fulfilled", "never_fulfilled"),
    [
        (True, True, False),
        (False, False, True),
        (Unreadable("nil pointer"), False, False),
        (1, False, False),
        (3, False, False),
        (None, False, False),
    ],
    ids=["true", "false", "unreadable", "one", "three", "nil"],
)
def test_when_filters_hits(held: object, *, fulfilled: bool, never_fulfilled: bool) -> None:
    """A condition without a truth value fulfils neither ``hits`` nor ``not_hits``."""
    hit = make_hit(values={"x > 1": held, "x": 2})
    wanted = expect(when="x > 1", locals={"x": 2})
    assert judge(wanted, PLACE, [hit], others_count=0).is_fulfilled is fulfilled
    never = expect(when="x > 1", count=range(1))
    assert judge(never, PLACE, [hit], others_count=0).is_fulfilled is never_fulfilled


@pytest.mark.parametrize(
    ("count", "number", "fulfilled"),
    [(None, 1, True), (None, 0, False), (range(1), 0, False), (range(1, 2), 1, False)],
)
def test_what_was_not_recorded_to_the_end(
    count: range | None, number: int, *, fulfilled: bool
) -> None:
    """At least once stays true, whatever happened after the breakpoint was switched off."""
    hits = [make_hit()] * number
    wanted = expect(count=count)
    coverage = Coverage(switched_off="switched off")
    outcome = judge(wanted, PLACE, hits, others_count=500, coverage=coverage)
    assert outcome.is_fulfilled is fulfilled
    if count and number in count:
        assert judge(wanted, PLACE, hits, others_count=500).is_fulfilled


def test_hits_of_others_are_kept_apart() -> None:
    outcome = judge(expect(), PLACE, [], others_count=4)
    assert not outcome.is_fulfilled
    assert outcome.others_count == 4


@pytest.mark.parametrize(
    ("expected", "depth"),
    [
        ("text", 1),
        (re.compile("x"), 1),
        (len, 1),
        (SimpleNamespace(), 1),
        ({}, 1),
        ([], 1),
        ({"a": 1}, 2),
        ([1, (2, 3)], 3),
        ({"a": {"b": [1]}, "c": 1}, 4),
        (Struct("main.Keyed", {"values": [1]}), 3),
    ],
    ids=str,
)
def test_a_value_is_loaded_as_deep_as_the_expected_one_is(expected: object, depth: int) -> None:
    assert expect(locals={"value": expected}).expressions == {"value": depth}


def test_the_condition_is_evaluated_with_the_locals() -> None:
    assert expect(when="x > 1", locals={"x": {"a": 1}}).expressions == {"x > 1": 1, "x": 2}
    assert expect(locals={"x": 1}).expressions == {"x": 1}
