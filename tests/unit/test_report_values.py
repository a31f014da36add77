"""What is said of a value that is not the expected one."""

from __future__ import annotations

import re
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.delve.structs import Struct
from pytest_kdelve.delve.values import Constant, Incomplete, Unreadable
from pytest_kdelve.hits.expectations import Difference
from pytest_kdelve.report.values import expected_text, lines_of_difference

if TYPE_CHECKING:
    from collections.abc import Sequence

LONG = "x" * 101
USER = Struct(
    "user.DefaultInfo",
    {"Name": "admin", "UID": "1", "Ref": Struct("v1.Ref", {"Kind": "User", "Name": "a"})},
)


class Wanted:
    """An object of a user's, which compares by itself."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return False

    def __repr__(self) -> str:
        return "<Wanted>"


def said(expected: object, actual: object, *, note: str = "", lines: Sequence[str] = ()) -> str:
    """Say a difference, where comparing the two says ``lines``."""
    difference = Difference("value", expected, actual, note)
    return "\n".join(lines_of_difference(difference, lambda *_: lines))


PAIRS = {
    "texts": ("a", "b", "'a'", "'b'"),
    "a number and its text": (1, "1", "1", "'1'"),
    "nil": ("a", None, "'a'", "None (nil)"),
    "nothing but nil": (None, "a", "None", "'a'"),
    "nil for a struct": ({"Name": "x" * 80}, None, f"{{'Name': '{'x' * 80}'}}", "None (nil)"),
    "constant by number": (1, Constant(2, "DecisionNoOpinion"), "1", "2 (DecisionNoOpinion)"),
    "constant by name": ("DecisionAllow", Constant(2, "No"), "'DecisionAllow'", "2 (No)"),
    "pattern": (re.compile("a"), LONG, "re.compile('a')", f"'{LONG}'"),
    "callable": (len, LONG, "accepted by len", f"'{LONG}'"),
    "some fields": ({"Name": "b"}, USER, "{'Name': 'b'}", "{'Name': 'admin'}"),
    "fields of fields": (
        {"Ref": {"Kind": "Group"}},
        USER,
        "{'Ref': {'Kind': 'Group'}}",
        "{'Ref': {'Kind': 'User'}}",
    ),
    "fields in a list": (
        [{"Name": "b"}],
        [USER, "more"],
        "[{'Name': 'b'}]",
        "[{'Name': 'admin'}, 'more']",
    ),
    "fields in a map": (
        {"a": {"Name": "b"}},
        {"a": USER, "c": "d"},
        "{'a': {'Name': 'b'}}",
        "{'a': {'Name': 'admin'}, 'c': 'd'}",
    ),
    "a map": ({"a": "b"}, {"a": "b", "c": "d"}, "{'a': 'b'}", "{'a': 'b', 'c': 'd'}"),
}


@pytest.mark.parametrize(("expected", "actual", "first", "second"), PAIRS.values(), ids=PAIRS)
def test_short_values_stand_below_each_other(
    expected: object, actual: object, first: str, second: str
) -> None:
    """Whatever there would be to say of their difference. Of a struct only what was asked for."""
    assert said(expected, actual, lines=["more"]) == (
        f"value\n  expected {first}\n  was      {second}"
    )


@pytest.mark.parametrize(
    ("expected", "actual"),
    [(LONG, "b"), ("a", LONG), ([LONG], ["b"]), ({"Name": LONG}, USER), (Wanted(), "a")],
    ids=["long text", "long value", "list", "struct", "a user's object"],
)
def test_others_are_compared(expected: object, actual: object) -> None:
    assert said(expected, actual, lines=["left == right", "", "  - right"]) == (
        "value, seen == expected:\n  left == right\n\n    - right"
    )


def test_what_a_pattern_matches_within_is_no_difference() -> None:
    compared: list[object] = []

    def compare(*both: object) -> list[str]:
        compared.extend(both)
        return ["left == right"]

    expected = {"Name": re.compile("^ad"), "UID": "2", "Ref": {"Kind": str.isupper, "Name": LONG}}
    list(lines_of_difference(Difference("value", expected, USER), compare))
    assert compared == [
        {"Name": "admin", "UID": "2", "Ref": {"Kind": str.isupper, "Name": LONG}},
        {"Name": "admin", "UID": "1", "Ref": {"Kind": "User", "Name": "a"}},
    ]


def test_where_there_is_nothing_to_say_of_their_difference() -> None:
    assert said(Wanted(), "a") == "value\n  expected <Wanted>\n  was      'a'"


@pytest.mark.parametrize("actual", [Unreadable("nil pointer"), Incomplete(LONG, 900)], ids=repr)
def test_what_is_not_known_is_not_compared(actual: object) -> None:
    assert said(LONG, actual, note="why", lines=["more"]) == (
        f"value: why\n  expected '{LONG}'\n  was      {actual!r}"
    )


def test_a_field_that_is_not_there_is_named() -> None:
    assert said({"Nmae": "a", "Ref": {"kind": "x"}}, USER) == dedent("""\
        value
          it has no field 'Nmae'; its fields are Name, UID, Ref
          it has no field 'kind'; its fields are Kind, Name
          expected {'Nmae': 'a', 'Ref': {'kind': 'x'}}
          was      {'Ref': {}}""")


def test_a_key_that_a_map_does_not_have_is_none_of_its_fields() -> None:
    assert said({"a": 1}, {}) == "value\n  expected {'a': 1}\n  was      {}"


def test_secrets_are_blotted_out_before_values_are_compared() -> None:
    """Who compares may cut them, and then nobody can tell them."""
    seen: list[object] = []

    def compare(expected: object, actual: object) -> list[str]:
        seen.extend((expected, actual))
        return ["Bearer aB1.cD2"]

    jwt = "eyJhbGciOiJSUzI1NiIsImtpZCI6IiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2ln"
    actual = {"Authorization": ["plain"], "token": jwt, "key": jwt.encode(), "n": (jwt, 3)}
    lines = list(lines_of_difference(Difference("value", {"a": LONG}, actual), compare))
    assert seen == [
        {"a": LONG},
        {
            "Authorization": "(redacted)",
            "token": "(redacted)",
            "key": b"(redacted)",
            "n": ("(redacted)", 3),
        },
    ]
    assert lines == ["value, seen == expected:", "  Bearer (redacted)"]


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        (re.compile("a|b", re.IGNORECASE), "re.compile('a|b', re.IGNORECASE)"),
        (len, "accepted by len"),
        ({"a": None}, "{'a': None}"),
    ],
)
def test_expected_values_are_said_as_they_were_written(expected: object, said: str) -> None:
    assert expected_text(expected) == said
