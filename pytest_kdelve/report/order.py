"""Outcomes of an expected order as text."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_kdelve.report.phrases import MOST, conditions, more, place_lines, together
from pytest_kdelve.report.progress import lines_of_progress
from pytest_kdelve.report.values import lines_of_difference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kdelve.hits.order import OrderOutcome, Passage
    from pytest_kdelve.report.text import Moved
    from pytest_kdelve.report.values import Compare

_THEN = " → "


def explain(outcome: OrderOutcome, compare: Compare, moved: Moved) -> Iterator[str]:
    """Yield the expected order beside what each request did, and where it broke."""
    steps, places = outcome.expectation.steps, outcome.places
    verdict = "that cannot be judged" if outcome.coverage.switched_off else "none did"
    yield f"Expected one request of this test's to reach these places in this order, but {verdict}:"
    for number, (step, place) in enumerate(zip(steps, places, strict=True), start=1):
        yield f"  {number}. {step.location}"
        yield from (f"       {condition}" for condition in conditions(step))
        yield from place_lines(place, "     ")
        yield from (f"     {line}" for line in moved(step.location, place))
    if switched_off := outcome.coverage.switched_off:
        yield f"  A breakpoint was {switched_off}"
    passages = Counter(tuple(_passage(outcome, each, compare)) for each in outcome.passages)
    for (request, *lines), count in list(passages.items())[:MOST]:
        yield f"  {request}" if count == 1 else f"  {request} ({count} requests)"
        yield from (f"  {line}" for line in lines)
    yield from more(list(passages))
    if not outcome.passages:
        yield "  No request of this test's reached any of them."
    missing = outcome.missing
    if outcome.progress and missing is not None and not outcome.reached(missing):
        if outcome.passages:
            yield f"  No request reached {missing + 1}."
        yield from (f"  {line}" for line in lines_of_progress(outcome.progress))


def _passage(outcome: OrderOutcome, passage: Passage, compare: Compare) -> Iterator[str]:
    yield f"{passage.request}"
    yield f"  expected {_THEN.join(str(n + 1) for n in range(len(outcome.places)))}"
    yield f"  seen     {_THEN.join(_runs(passage))}"
    missing = len(passage.fulfilled)
    after = f" after {missing}" if missing else ""
    differing = [s.steps[missing] for s in passage.rest if missing in s.steps]
    if not differing:
        yield f"  It did not reach {missing + 1}{after}."
        return
    yield f"  It reached {missing + 1}{after} with other values:"
    for difference in differing[0]:
        yield from (f"    {line}" for line in lines_of_difference(difference, compare))


def _runs(passage: Passage) -> Iterator[str]:
    """Return the places in the order in which they were hit, repetitions counted."""
    return together(_name(passage, number) for number in range(len(passage.sightings)))


def _name(passage: Passage, number: int) -> str:
    if number in passage.fulfilled:
        return str(passage.fulfilled.index(number) + 1)
    sighting = passage.sightings[number]
    if sighting.matched:
        return str(sighting.matched[0] + 1)
    return f"{min(sighting.steps) + 1} with other values"
