"""What the tests of one run found in one version of Kubernetes, in a form that outlives the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pytest_kdelve.delve.sources import declaration_around, short_path
from pytest_kdelve.errors import LocationError
from pytest_kdelve.hits.expectations import Outcome
from pytest_kdelve.report.forms import form
from pytest_kdelve.report.redact import redact
from pytest_kdelve.report.values import actual_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_kdelve.delve.locations import Location, Place
    from pytest_kdelve.hits.expectations import Expectation
    from pytest_kdelve.hits.model import Hit
    from pytest_kdelve.hits.order import OrderOutcome

#: Hits at one place that are kept, of those that count and of the others.
_MOST_HITS = 100


class Value(msgspec.Struct, frozen=True):
    """A value as it is shown, and the form of it that is compared."""

    text: str
    form: str


class RecordedHit(msgspec.Struct, frozen=True):
    """A hit of the test's; ``request`` is empty where none is known.

    ``is_expected`` says that it counts for its marker: its values are as the marker says.
    """

    request: str
    is_expected: bool
    values: dict[str, Value]


class Source(msgspec.Struct, frozen=True):
    """A place's line in a file that is named alike in each release, and the code around it.

    ``lines`` is the declaration that the line is in, such as a whole function, from the line
    ``first`` on; it is empty where the source is not on the machine.
    """

    file: str
    line: int
    function: str
    first: int
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def text(self) -> str:
        """The line itself; empty where the source is not on the machine."""
        return self.lines[self.line - self.first] if self.lines else ""


class RecordedPlace(msgspec.Struct, frozen=True, kw_only=True):
    """A location of a test: what it means, or why it means nothing, and the hits there.

    ``asked_by`` is the marker or the call that has the location. ``count`` is the number of hits
    that count, None where the marker does not ask for it, or asks for those of others, too.
    ``hits`` is None where they are not known.
    """

    asked_by: str
    location: str
    source: Source | None = None
    error: str = ""
    count: int | None = None
    hits: tuple[RecordedHit, ...] | None = None


class RecordedTest(msgspec.Struct, frozen=True, kw_only=True):
    """How a test ended; ``outcome`` is pytest's word, ``text`` the failure or the reason."""

    test: str
    outcome: str
    text: str
    places: tuple[RecordedPlace, ...] = ()


class RecordedRun(msgspec.Struct, frozen=True, kw_only=True):
    """All tests of a run, in their order, and what they debugged.

    ``versions`` are those of Kubernetes, such as "1.37.2"; ``problem`` says why there was nothing
    to debug.
    """

    tests: tuple[RecordedTest, ...]
    versions: tuple[str, ...] = ()
    problem: str = ""


def places(outcomes: Iterable[Outcome | OrderOutcome]) -> Iterator[RecordedPlace]:
    """Yield the places of a test's markers with their hits."""
    for outcome in outcomes:
        if isinstance(outcome, Outcome):
            hits = [(hit, True) for hit in outcome.matched]
            hits += [(hit, False) for hit, _ in outcome.rejected]
            yield _judged(marker(outcome.expectation), outcome.expectation, outcome.place, hits)
        else:
            yield from _steps(outcome)


def _steps(outcome: OrderOutcome) -> Iterator[RecordedPlace]:
    sightings = [each for passage in outcome.passages for each in passage.sightings]
    for number, step in enumerate(outcome.expectation.steps):
        hits = [(s.hit, not s.steps[number]) for s in sightings if number in s.steps]
        yield _judged(step_name(number), step, outcome.places[number], hits)


def marker(expectation: Expectation) -> str:
    """Return the name of an expectation's marker."""
    return "not_hits" if expectation.count == range(1) else "hits"


def step_name(number: int) -> str:
    """Return what a step of an order is called; they count from 0 here."""
    return f"hits_in_order, step {number + 1}"


def _judged(
    asked_by: str, expectation: Expectation, place: Place, hits: list[tuple[Hit, bool]]
) -> RecordedPlace:
    # How often others come varies.
    is_counted = expectation.count is not None and expectation.by == "test"
    expected = [hit for hit, is_expected in hits if is_expected]
    others = [hit for hit, is_expected in hits if not is_expected]
    return RecordedPlace(
        asked_by=asked_by,
        location=str(expectation.location),
        source=_source(place),
        count=len(expected) if is_counted else None,
        hits=(
            *(_hit(expectation, hit, is_expected=True) for hit in expected[:_MOST_HITS]),
            *(_hit(expectation, hit, is_expected=False) for hit in others[:_MOST_HITS]),
        ),
    )


def found(asked_by: str, location: Location, meaning: Place | LocationError) -> RecordedPlace:
    """Return a place of which no hits are known."""
    if isinstance(meaning, LocationError):
        return RecordedPlace(asked_by=asked_by, location=str(location), error=redact(str(meaning)))
    return RecordedPlace(asked_by=asked_by, location=str(location), source=_source(meaning))


def _hit(expectation: Expectation, hit: Hit, *, is_expected: bool) -> RecordedHit:
    return RecordedHit(
        request=redact(str(hit.request or "")),
        is_expected=is_expected,
        values={
            expression: Value(
                actual_text(hit.values[expression]),
                form(expression, expected, hit.values[expression]),
            )
            for expression, expected in expectation.locals.items()
        },
    )


def _source(place: Place) -> Source:
    here = place.source_file
    first, lines = declaration_around(here, place.line) if here else (place.line, ())
    return Source(
        file=short_path(place.file),
        line=place.line,
        function=place.function,
        first=first,
        lines=lines,
    )
