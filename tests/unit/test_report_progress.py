"""What is said of requests that did not reach a place, or places in another order."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent
from typing import TYPE_CHECKING

from pytest_kdelve.hits.bodies import Body, Exit
from pytest_kdelve.hits.collected import Coverage
from pytest_kdelve.hits.model import Request
from pytest_kdelve.hits.order import OrderExpectation, OrderOutcome
from pytest_kdelve.hits.reaching import Call, Progress, Visited
from pytest_kdelve.report.progress import lines_of_progress
from pytest_kdelve.report.text import explain
from tests.unit.builders import PLACE, expect, make_hit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_kdelve.delve.locations import Place

ENTRY = replace(PLACE, line=55, function="k8s.io/apiserver/handlers.get.func1", pcs=(1,))
OUTER = replace(ENTRY, line=50, function="k8s.io/apiserver/handlers.get", pcs=(2,))
LEFT = Exit(replace(ENTRY, line=76, pcs=(3,)), is_after=True)


def call(path: str, exit_: Exit | None = LEFT) -> Call:
    return Call(Request("GET", path, "kdelve-1"), 7, exit_)


def visited(entry: Place, *calls: Call, is_cut: bool = False) -> Visited:
    return Visited(Body(entry, ()), calls, is_cut)


def said(*functions: Visited, last: Sequence[object] = ()) -> str:
    """Say how far requests came that did not reach a place in ENTRY's function."""
    progress = Progress(ENTRY.function, functions, last)  # type: ignore[arg-type]
    return "\n".join(lines_of_progress(progress))


def test_a_function_that_was_entered(tmp_path: Path) -> None:
    """With the source around where it was left, once for all calls that left it there."""
    file = tmp_path / "get.go"
    file.write_text("\n".join(f"line {n}" for n in range(1, 100)))
    shown = replace(LEFT, place=replace(LEFT.place, source_file=str(file)))
    text = said(visited(ENTRY, call("/a", shown), call("/a", shown), call("/b", shown)))
    assert text == dedent("""\
        handlers.get.func1 (line 55) was entered, but
          left after line 76 by
            GET /a (2 times)
            GET /b
                74 | line 74
                75 | line 75
              > 76 | line 76
                77 | line 77
                78 | line 78""")


def test_the_ways_to_leave_a_function() -> None:
    plain = replace(LEFT, is_after=False, place=replace(LEFT.place, pcs=(4,)))
    ways = [
        plain,
        replace(LEFT, may_be_recovered=True),
        replace(plain, is_recovered=True),
        None,
    ]
    lines = said(visited(ENTRY, *(call("/a", way) for way in ways))).splitlines()
    assert lines[1::2] == [
        "  left at line 76 by",
        "  left after line 76 (or by a panic that was recovered) by",
        "  left by a panic that a deferred call recovered, by",
        "  not seen to be left, by",
    ]


def test_only_an_outer_function_was_entered() -> None:
    text = said(visited(ENTRY), visited(OUTER, call("/a")))
    assert text == dedent("""\
        No request of this test's entered handlers.get.func1.
        handlers.get (line 50) was entered, but
          left after line 76 by
            GET /a""")


def test_an_outer_function_may_well_not_be_entered_by_requests() -> None:
    """Where the place is the inner one's entry, that one is not watched itself."""
    assert said(visited(OUTER)) == ""


def test_no_function_was_entered() -> None:
    hit = make_hit()
    text = said(visited(ENTRY), visited(OUTER), last=[hit] * 6)
    assert text == dedent(f"""\
        No request of this test's entered handlers.get.func1.
        The last of this test's places that each request reached:
          GET /api (goroutine 7): {hit}
          GET /api (goroutine 7): {hit}
          GET /api (goroutine 7): {hit}
          GET /api (goroutine 7): {hit}
          GET /api (goroutine 7): {hit}
          … and 1 more""")


def test_a_function_that_was_no_longer_watched() -> None:
    """Nothing is said that is not known."""
    many = said(visited(ENTRY, *(call(f"/{n}") for n in range(7)), is_cut=True)).splitlines()
    assert many[-2:] == [
        "    … and 2 more",
        "  Watching it ended after 7 calls by this test's requests.",
    ]
    assert said(visited(ENTRY, is_cut=True)) == ""


def test_nothing_is_known() -> None:
    assert said() == ""


def test_a_call_of_no_known_request() -> None:
    [_, _, caller] = said(visited(ENTRY, Call(None, 9, LEFT))).splitlines()
    assert caller == "    goroutine 9"


def test_an_order_that_cannot_be_judged() -> None:
    outcome = OrderOutcome(
        expectation=OrderExpectation((expect(), expect())),
        places=[PLACE, PLACE],
        passages=[],
        coverage=Coverage(switched_off="switched off after 500 hits of others in 2 s"),
    )
    lines = explain([outcome], []).splitlines()
    assert lines[0] == (
        "Expected one request of this test's to reach these places in this order, but that cannot "
        "be judged:"
    )
    assert lines[-4:] == [
        "  A breakpoint was switched off after 500 hits of others in 2 s",
        "  No request of this test's reached any of them.",
        "",
        "This test made no request through `api` or `kube_client`.",
    ]
