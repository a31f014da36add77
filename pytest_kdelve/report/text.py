"""Outcomes of expectations as text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_kdelve.delve.sources import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_kdelve.hits.expectations import Difference, Expectation, Outcome
    from pytest_kdelve.hits.model import Hit
    from pytest_kdelve.hits.requests import Exchange

_MOST_HITS = 5
_MOST_CHARACTERS = 300


def explain(outcomes: Sequence[Outcome], exchanges: Sequence[Exchange]) -> str:
    """Return why a test's expectations are not fulfilled, as lines for the terminal."""
    lines: list[str] = []
    for outcome in outcomes:
        lines += [*_explain_one(outcome), ""]
    lines.append("This test's requests:" if exchanges else "This test made no request.")
    lines += [f"    {exchange}" for exchange in exchanges]
    return "\n".join(lines)


def _explain_one(outcome: Outcome) -> Iterable[str]:
    expectation, place = outcome.expectation, outcome.place
    yield f"Expected {_number_expected(expectation)} {_whose(expectation)} at"
    yield f"  {expectation.location}{_conditions(expectation)}"
    yield f"which is {place} in {place.function}"
    yield from (f"    {line}" for line in excerpt(place.file, place.line))
    yield from _seen(outcome)


def _number_expected(expectation: Expectation) -> str:
    count = expectation.count
    if count is None:
        return "a hit"
    if len(count) == 1:
        return f"exactly {_number(count[0])}" if count[0] else "no hit"
    return f"{count[0]} to {count[-1]} hits"


def _whose(expectation: Expectation) -> str:
    if expectation.during == "startup":
        return "during start-up"
    return "of anyone" if expectation.by == "anyone" else "of this test's requests"


def _conditions(expectation: Expectation) -> str:
    wanted = [f"{name} == {expected_text(value)}" for name, value in expectation.locals.items()]
    when = f" when {expectation.when}" if expectation.when else ""
    return when + (" with " + ", ".join(wanted) if wanted else "")


def _seen(outcome: Outcome) -> Iterable[str]:
    matched, rejected = outcome.matched, outcome.rejected
    if matched:
        yield f"  {_number(len(matched))} as described:"
        yield from (f"    {_who(hit)}" for hit in matched[:_MOST_HITS])
    if rejected:
        yield f"  {_number(len(rejected))} with other values:"
        for hit, differences in rejected[:_MOST_HITS]:
            yield f"    {_who(hit)}"
            yield from (f"      {line}" for d in differences for line in _difference(d))
    if not matched and not rejected:
        yield "  The place was never reached by them."
    if outcome.others_count:
        yield f"  {_number(outcome.others_count)} of others, which do not count."


def _difference(difference: Difference) -> Iterable[str]:
    note = f" ({difference.note})" if difference.note else ""
    yield f"{difference.expression}{note}"
    yield f"  expected {expected_text(difference.expected)}"
    yield f"  was      {_shorten(repr(difference.actual))}"


def _who(hit: Hit) -> str:
    goroutine = f"[goroutine {hit.goroutine}]"
    return f"{hit.request} {goroutine}" if hit.request else goroutine


def _number(count: int) -> str:
    return "1 hit" if count == 1 else f"{count} hits"


def expected_text(expected: object) -> str:
    """Return an expected value as the test's author wrote it, as far as that can be known."""
    if isinstance(expected, re.Pattern):
        return f"re.compile({expected.pattern!r})"
    if callable(expected):
        return f"accepted by {getattr(expected, '__name__', repr(expected))}"
    return _shorten(repr(expected))


def _shorten(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"
