"""Outcomes of expectations as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from pytest_kdelve.hits.expectations import Outcome
from pytest_kdelve.report import order
from pytest_kdelve.report.phrases import (
    MOST,
    conditions,
    is_of_test,
    more,
    number,
    place_lines,
    together,
    who,
)
from pytest_kdelve.report.progress import lines_of_progress
from pytest_kdelve.report.values import Compare, actual_text, expected_text, lines_of_difference

if TYPE_CHECKING:
    from pytest_kdelve.delve.locations import Location, Place
    from pytest_kdelve.hits.expectations import Difference, Expectation
    from pytest_kdelve.hits.model import Hit
    from pytest_kdelve.hits.order import OrderOutcome
    from pytest_kdelve.hits.requests import Exchange

#: Gives the lines that say where the text of a numbered location is now, if it is elsewhere.
Moved = Callable[["Location", "Place"], Sequence[str]]


def explain(
    outcomes: Sequence[Outcome | OrderOutcome],
    exchanges: Sequence[Exchange],
    *,
    compare: Compare = lambda _expected, _actual: (),
    moved: Moved = lambda _location, _place: (),
) -> str:
    """Return why a test's expectations are not fulfilled, as lines for the terminal."""
    lines: list[str] = []
    for outcome in outcomes:
        if isinstance(outcome, Outcome):
            lines += [*_explain(outcome, compare, moved), ""]
        else:
            lines += [*order.explain(outcome, compare, moved), ""]
    if exchanges:
        lines += ["This test's requests:", *(f"    {each}" for each in together(exchanges))]
    elif any(map(_needs_requests, outcomes)):
        lines.append("This test made no request through `api` or `kube_client`.")
    return "\n".join(line.rstrip() for line in lines).rstrip("\n")


def _needs_requests(outcome: Outcome | OrderOutcome) -> bool:
    return not isinstance(outcome, Outcome) or is_of_test(outcome.expectation)


def _explain(outcome: Outcome, compare: Compare, moved: Moved) -> Iterator[str]:
    expectation, place = outcome.expectation, outcome.place
    yield f"Expected {_expected(expectation)}, but {_found(outcome)}:"
    yield f"  {expectation.location}"
    yield from (f"    {condition}" for condition in conditions(expectation))
    yield from place_lines(place, "  ")
    yield from (f"  {line}" for line in _seen(outcome, compare))
    yield from (f"  {line}" for line in moved(expectation.location, place))


def _found(outcome: Outcome) -> str:
    if not outcome.can_be_judged:
        return "that cannot be judged"
    if outcome.undecided:
        return f"{number(outcome.undecided)} could not be compared"
    found = number(len(outcome.matched)) if outcome.matched else "none"
    return f"there was {found}" if len(outcome.matched) <= 1 else f"there were {found}"


def _expected(expectation: Expectation) -> str:
    count = expectation.count
    if count is None:
        wanted = "at least 1 hit"
    elif len(count) > 1:
        wanted = f"{count[0]} to {number(count[-1])}"
    else:
        wanted = f"exactly {number(count[0])}" if count[0] else "no hit"
    return f"{wanted} {_whose(expectation)}"


def _whose(expectation: Expectation) -> str:
    if expectation.during == "startup":
        return "during start-up"
    return "by this test's requests" if is_of_test(expectation) else "by anyone"


def _seen(outcome: Outcome, compare: Compare) -> Iterator[str]:
    matched, rejected = outcome.matched, outcome.rejected
    if switched_off := outcome.coverage.switched_off:
        yield f"Its breakpoint was {switched_off}"
    if matched:
        yield f"{number(len(matched))} as described:"
        for hit in matched[:MOST]:
            yield f"  {who(hit)}"
            yield from (f"    {line}" for line in _values(outcome.expectation, hit))
        yield from more(matched)
    if rejected:
        what = "unreadable" if outcome.undecided == len(rejected) else "other"
        yield f"{number(len(rejected))} with {what} values:"
        for hit, differences in rejected[:MOST]:
            yield f"  {who(hit)}"
            yield from (f"    {line}" for line in _differences(outcome, differences, compare))
        yield from more(rejected)
    yield from _others(outcome)
    if outcome.progress and not matched and not rejected:
        yield from lines_of_progress(outcome.progress)


def _others(outcome: Outcome) -> Iterable[str]:
    others = f"{number(outcome.others_count)} by other requests or goroutines"
    if outcome.unattributed_count:
        others += f", {outcome.unattributed_count} of which could not be attributed to a request"
    if outcome.matched or outcome.rejected:
        return [f"Not counted: {others}."] if outcome.others_count else ()
    when = " until then" if outcome.coverage.is_over else ""
    if outcome.others_count:
        return [f"Only others reached it{when}: {others}."]
    if outcome.coverage.passes_others:
        passed_over = "requests of others are passed over in the server, and not counted"
        return [f"Nothing of this test's reached it{when} ({passed_over})."]
    return [f"Nothing reached it{when}."]


def _values(expectation: Expectation, hit: Hit) -> Iterator[str]:
    """Yield the values that the expectation does not say by itself."""
    for expression, expected in expectation.locals.items():
        if actual_text(hit.values[expression]) != expected_text(expected):
            yield f"{expression} was {actual_text(hit.values[expression])}"


def _differences(
    outcome: Outcome, differences: Sequence[Difference], compare: Compare
) -> Iterator[str]:
    for difference in differences:
        if difference.expression != outcome.expectation.when or difference.expected is not True:
            yield from lines_of_difference(difference, compare)
        elif difference.note:
            yield f"when {difference.expression}: {difference.note}"
            yield f"  was      {actual_text(difference.actual)}"
        else:
            yield f"when {difference.expression} was false"
