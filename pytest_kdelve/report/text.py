"""Outcomes of expectations as text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_kdelve.report.redact import redact

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
    if exchanges:
        lines += ["This test's requests:", *(f"    {exchange}" for exchange in exchanges)]
    elif any(_is_of_test(outcome.expectation) for outcome in outcomes):
        lines.append("This test made no request through `api` or `kube_client`.")
    return "\n".join(lines).rstrip("\n")


def _explain_one(outcome: Outcome) -> Iterable[str]:
    expectation, place = outcome.expectation, outcome.place
    yield f"Expected {_expected(expectation)}, but {_found(outcome)}:"
    yield f"  {expectation.location}"
    yield from (f"    {condition}" for condition in _conditions(expectation))
    yield f"  is {place} in {place.function}"
    yield from (f"    {line}" for line in place.excerpt())
    yield from _seen(outcome)


def _found(outcome: Outcome) -> str:
    if outcome.undecided:
        return f"{_number(outcome.undecided)} could not be compared"
    number = _number(len(outcome.matched)) if outcome.matched else "none"
    return f"there was {number}" if len(outcome.matched) <= 1 else f"there were {number}"


def _expected(expectation: Expectation) -> str:
    count = expectation.count
    if count is None:
        number = "at least 1 hit"
    elif len(count) > 1:
        number = f"{count[0]} to {_number(count[-1])}"
    else:
        number = f"exactly {_number(count[0])}" if count[0] else "no hit"
    return f"{number} {_whose(expectation)}"


def _whose(expectation: Expectation) -> str:
    if expectation.during == "startup":
        return "during start-up"
    return "by this test's requests" if _is_of_test(expectation) else "by anyone"


def _is_of_test(expectation: Expectation) -> bool:
    return expectation.by == "test" and expectation.during == "test"


def _conditions(expectation: Expectation) -> Iterable[str]:
    if expectation.when:
        yield f"when {expectation.when}"
    for name, value in expectation.locals.items():
        yield f"with {name} {_relation(value)}"


def _relation(expected: object) -> str:
    if isinstance(expected, re.Pattern):
        return f"matching {expected_text(expected)}"
    return expected_text(expected) if callable(expected) else f"== {expected_text(expected)}"


def _seen(outcome: Outcome) -> Iterable[str]:
    matched, rejected = outcome.matched, outcome.rejected
    if matched:
        yield f"  {_number(len(matched))} as described:"
        yield from (f"    {_who(hit)}" for hit in matched[:_MOST_HITS])
        yield from _more(matched)
    if rejected:
        yield f"  {_number(len(rejected))} with other values:"
        for hit, differences in rejected[:_MOST_HITS]:
            yield f"    {_who(hit)}"
            yield from (f"      {line}" for d in differences for line in _difference(d))
        yield from _more(rejected)
    others = f"{_number(outcome.others_count)} by other requests or goroutines"
    if outcome.unattributed_count:
        others += f", {outcome.unattributed_count} of which could not be attributed to a request"
    if matched or rejected:
        yield from [f"  Not counted: {others}."] if outcome.others_count else ()
    else:
        yield (
            f"  Only others reached it: {others}."
            if outcome.others_count
            else "  Nothing reached it."
        )


def _more(hits: Sequence[object]) -> Iterable[str]:
    if len(hits) > _MOST_HITS:
        yield f"    … and {len(hits) - _MOST_HITS} more"


def _difference(difference: Difference) -> Iterable[str]:
    note = f": {difference.note}" if difference.note else ""
    yield f"{difference.expression}{note}"
    yield f"  expected {expected_text(difference.expected)}"
    yield f"  was      {_shorten(repr(_compared(difference)))}"


def _compared(difference: Difference) -> object:
    """Return of a struct or a map what a dict was compared with, since the whole may be long."""
    expected, actual = difference.expected, difference.actual
    if not isinstance(expected, Mapping) or not isinstance(actual, Mapping):
        return actual
    shown = {key: actual[key] for key in expected if key in actual}
    return shown or actual


def _who(hit: Hit) -> str:
    goroutine = f"goroutine {hit.goroutine}"
    return f"{hit.request} ({goroutine})" if hit.request else goroutine


def _number(count: int) -> str:
    return "1 hit" if count == 1 else f"{count} hits"


def expected_text(expected: object) -> str:
    """Return an expected value as the test's author wrote it, as far as that can be known."""
    if callable(expected):
        return f"accepted by {getattr(expected, '__name__', repr(expected))}"
    return _shorten(repr(expected))


def _shorten(text: str) -> str:
    # What is cut in its middle can no longer be told to be a secret.
    text = redact(text)
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"
