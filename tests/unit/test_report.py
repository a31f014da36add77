"""What a failed expectation says, compared as whole text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from pytest_kdelve.delve.locations import Location, Place
from pytest_kdelve.delve.values import Constant, Unreadable
from pytest_kdelve.hits.collected import Coverage
from pytest_kdelve.hits.expectations import judge
from pytest_kdelve.hits.model import Hit, Request
from pytest_kdelve.hits.requests import Exchange
from pytest_kdelve.report.text import explain
from tests.unit.builders import expect, make_hit

EXCHANGES = [Exchange("GET", "/api", "200 OK"), Exchange("POST", "/apis", "ReadTimeout")]
Explain = Callable[..., str]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    file = tmp_path / "get.go"
    file.write_text("package handlers\n\nfunc get() {\n\tgetter(ctx, name, req)\n}\n")
    return Place(str(file), 4, "handlers.get", (1,), str(file))


@pytest.fixture
def explained(place: Place) -> Explain:
    """Judge hits and explain the outcome, with the temporary folder cut out."""

    def explained(
        hits: Sequence[Hit] = (),
        *,
        others: int = 0,
        coverage: Coverage | None = None,
        exchanges: Sequence[Exchange] = EXCHANGES,
        **changes: object,
    ) -> str:
        location = Location.parse("handlers/get.go", "getter(ctx")
        wanted = expect(location=location, **changes)
        outcome = judge(
            wanted,
            place,
            hits,
            others_count=others,
            coverage=coverage,
        )
        assert not outcome.is_fulfilled
        text = explain([outcome], exchanges)
        return text.replace(f"{Path(place.file).parent}/", "")

    return explained


def text(indented: str) -> str:
    return dedent(indented).strip("\n")


def test_never_reached(explained: Explain) -> None:
    assert explained() == text("""
        Expected at least 1 hit by this test's requests, but there was none:
          handlers/get.go at 'getter(ctx'
          is get.go:4 in handlers.get
              2 |
              3 | func get() {
            > 4 |     getter(ctx, name, req)
              5 | }
          Nothing reached it.

        This test's requests:
            GET /api -> 200 OK
            POST /apis -> ReadTimeout
    """)


def test_reached_with_other_values(explained: Explain) -> None:
    hits = [
        make_hit(
            values={"name": "etcd", "verdict": Constant(2, "DecisionNoOpinion"), "reason": ""}
        ),
        make_hit(
            values={"name": "kubernetes", "verdict": 1, "reason": Unreadable("nil pointer")},
            goroutine=9,
            request=None,
        ),
    ]
    wanted = {
        "name": "kubernetes",
        "verdict": lambda value: value == 1,
        "reason": re.compile("RBAC"),
    }
    assert explained(hits, locals=wanted) == text("""
        Expected at least 1 hit by this test's requests, but 1 hit could not be compared:
          handlers/get.go at 'getter(ctx'
            with name == 'kubernetes'
            with verdict accepted by <lambda>
            with reason matching re.compile('RBAC')
          is get.go:4 in handlers.get
              2 |
              3 | func get() {
            > 4 |     getter(ctx, name, req)
              5 | }
          2 hits with other values:
            GET /api (goroutine 7)
              name
                expected 'kubernetes'
                was      'etcd'
              verdict
                expected accepted by <lambda>
                was      2 (DecisionNoOpinion)
              reason
                expected re.compile('RBAC')
                was      ''
            goroutine 9
              reason: it could not be evaluated
                expected re.compile('RBAC')
                was      (unreadable: nil pointer)

        This test's requests:
            GET /api -> 200 OK
            POST /apis -> ReadTimeout
    """)


def test_only_hits_of_others(explained: Explain) -> None:
    assert explained(others=12, exchanges=EXCHANGES[:1]) == text("""
        Expected at least 1 hit by this test's requests, but there was none:
          handlers/get.go at 'getter(ctx'
          is get.go:4 in handlers.get
              2 |
              3 | func get() {
            > 4 |     getter(ctx, name, req)
              5 | }
          Only others reached it: 12 hits by other requests or goroutines.

        This test's requests:
            GET /api -> 200 OK
    """)


def test_too_many(explained: Explain) -> None:
    hits = [make_hit(request=Request("GET", f"/api/{n}", "")) for n in range(7)]
    assert explained(hits, count=range(1, 3), exchanges=EXCHANGES[:1]) == text("""
        Expected 1 to 2 hits by this test's requests, but there were 7 hits:
          handlers/get.go at 'getter(ctx'
          is get.go:4 in handlers.get
              2 |
              3 | func get() {
            > 4 |     getter(ctx, name, req)
              5 | }
          7 hits as described:
            GET /api/0 (goroutine 7)
            GET /api/1 (goroutine 7)
            GET /api/2 (goroutine 7)
            GET /api/3 (goroutine 7)
            GET /api/4 (goroutine 7)
            … and 2 more

        This test's requests:
            GET /api -> 200 OK
    """)


def test_too_few(explained: Explain) -> None:
    said = explained([make_hit()], count=range(2, 3))
    assert said.startswith(
        "Expected exactly 2 hits by this test's requests, but there was 1 hit:\n"
    )
    assert "\n  1 hit as described:\n    GET /api (goroutine 7)\n\n" in said


def test_hits_of_others_beside_own_ones(explained: Explain) -> None:
    said = explained([make_hit()], others=1, count=range(2, 3))
    assert "(goroutine 7)\n  Not counted: 1 hit by other requests or goroutines.\n" in said


def test_a_hit_where_none_was_expected(explained: Explain) -> None:
    said = explained([make_hit()], count=range(1))
    assert said.startswith("Expected no hit by this test's requests, but there was 1 hit:\n")


def test_a_condition(explained: Explain) -> None:
    hit = make_hit(values={'name == "a"': False, "name": "b"})
    assert explained([hit], when='name == "a"', locals={"name": "b"}, exchanges=[]) == text("""
        Expected at least 1 hit by this test's requests, but there was none:
          handlers/get.go at 'getter(ctx'
            when name == "a"
            with name == 'b'
          is get.go:4 in handlers.get
              2 |
              3 | func get() {
            > 4 |     getter(ctx, name, req)
              5 | }
          1 hit with other values:
            GET /api (goroutine 7)
              when name == "a" was false

        This test made no request through `api` or `kube_client`.
    """)


@pytest.mark.parametrize(
    ("changes", "whose"),
    [({"during": "startup"}, "during start-up"), ({"by": "anyone"}, "by anyone")],
)
def test_where_requests_do_not_matter_none_are_missed(
    explained: Explain, changes: dict[str, str], whose: str
) -> None:
    said = explained(exchanges=[], **changes)
    assert said.startswith(f"Expected at least 1 hit {whose}, but there was none:\n")
    assert said.endswith("\n  Nothing reached it.")


def test_others_that_are_passed_over_may_have_reached_it(explained: Explain) -> None:
    said = explained(coverage=Coverage(passes_others=True))
    assert "\n  Nothing reached it" not in said
    assert (
        "\n  Nothing of this test's reached it (requests of others are passed over in the server, "
        "and not counted).\n\n"
    ) in said


HOT = Coverage(switched_off="switched off after 500 hits of others in 2 s; name another line")


def test_a_breakpoint_that_was_switched_off(explained: Explain) -> None:
    """What happened afterwards is not known."""
    assert explained(others=500, coverage=replace(HOT, is_over=True), exchanges=[]) == text("""
        Expected at least 1 hit by this test's requests, but that cannot be judged:
          handlers/get.go at 'getter(ctx'
          is get.go:4 in handlers.get
              2 |
              3 | func get() {
            > 4 |     getter(ctx, name, req)
              5 | }
          Its breakpoint was switched off after 500 hits of others in 2 s; name another line
          Only others reached it until then: 500 hits by other requests or goroutines.

        This test made no request through `api` or `kube_client`.
    """)
    said = explained(coverage=replace(HOT, is_over=True))
    assert "\n  Nothing reached it until then.\n" in said


def test_a_breakpoint_that_was_switched_off_for_others(explained: Explain) -> None:
    assert "\n  Nothing reached it.\n" in explained(coverage=HOT)


@pytest.mark.parametrize(
    ("count", "number", "found"),
    [
        (range(1), 1, "there was 1 hit"),
        (range(2), 3, "there were 3 hits"),
        (range(1, 2), 1, "that cannot be judged"),
        (range(2, 5), 1, "that cannot be judged"),
    ],
)
def test_too_many_are_too_many_whatever_was_not_recorded(
    explained: Explain, count: range, number: int, found: str
) -> None:
    said = explained([make_hit()] * number, count=count, coverage=HOT)
    assert said.splitlines()[0].endswith(f", but {found}:")


def test_what_a_hit_held_that_must_not_be(explained: Explain) -> None:
    """A value that the expectation says itself is not repeated."""
    hit = make_hit(values={"name": "kubernetes", "namespace": "default", "ok": None})
    wanted = {"name": re.compile("kube"), "namespace": "default", "ok": lambda value: not value}
    said = explained([hit], locals=wanted, count=range(1))
    assert said.startswith("Expected no hit by this test's requests, but there was 1 hit:\n")
    assert text("""
          1 hit as described:
            GET /api (goroutine 7)
              name was 'kubernetes'
              ok was None (nil)

        This test's requests:
    """) in text(said)


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (
            Unreadable("nil pointer"),
            """
            when x > 1: it could not be evaluated
              was      (unreadable: nil pointer)
            """,
        ),
        (
            3,
            """
            when x > 1: it is neither true nor false
              was      3
            """,
        ),
    ],
)
def test_a_condition_without_a_truth_value(explained: Explain, held: object, said: str) -> None:
    lines = dedent(said).strip().splitlines()
    expected = "\n".join(f"      {line}" for line in lines)
    assert f"(goroutine 7)\n{expected}\n\n" in explained(
        [make_hit(values={"x > 1": held})], when="x > 1"
    )


def test_requests_that_are_alike_are_counted(explained: Explain) -> None:
    """Those in a row, so that the order is kept."""
    first, second = EXCHANGES
    said = explained(exchanges=[first, first, second, first])
    assert said.endswith(
        "\n    GET /api -> 200 OK (2 times)\n    POST /apis -> ReadTimeout\n    GET /api -> 200 OK"
    )


def test_several_expectations(place: Place) -> None:
    outcomes = [judge(expect(), place, [], others_count=0) for _ in range(2)]
    said = explain(outcomes, EXCHANGES)
    assert said.count("Expected at least 1 hit") == 2
    assert said.count("This test's requests:") == 1


def test_long_values_are_shortened(explained: Explain) -> None:
    hits = [make_hit(values={"name": "y" * 5000}) for _ in range(6)]
    said = explained(hits, locals={"name": "x" * 5000})
    assert f"\n    with name == '{'x' * 298}…\n" in said
    assert f"\n        was      '{'y' * 298}…\n" in said
    assert "\n    … and 1 more\n" in said
    assert len(said) < 5000


def test_a_secret_is_blotted_out_before_it_is_cut(explained: Explain) -> None:
    """Half a key has no end to tell it by, so all that follows would go with it."""
    key = f"-----BEGIN PRIVATE KEY-----{'k' * 500}-----END PRIVATE KEY-----"
    said = explained([make_hit(values={"name": key})], locals={"name": "x"})
    assert "was      '(redacted)'\n" in said
    assert said.endswith("POST /apis -> ReadTimeout")
