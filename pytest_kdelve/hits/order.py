"""Places that one request must reach in their order: from hits to an outcome, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_kdelve.hits.collected import Coverage, HitList
from pytest_kdelve.hits.expectations import Difference, differences

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_kdelve.delve.locations import Place
    from pytest_kdelve.hits.expectations import Expectation
    from pytest_kdelve.hits.model import Hit, Request
    from pytest_kdelve.hits.reaching import Progress


@dataclass(frozen=True, slots=True)
class OrderExpectation:
    """What ``hits_in_order`` says; each step has a place and the values there, and no count."""

    steps: tuple[Expectation, ...]


@dataclass(frozen=True, slots=True)
class Sighting:
    """A hit, and the steps that have its place, counted from 0, with what differed for each."""

    hit: Hit
    steps: Mapping[int, Sequence[Difference]]

    @property
    def matched(self) -> Sequence[int]:
        """The steps that it fulfils, whatever came before."""
        return [step for step, found in self.steps.items() if not found]


@dataclass(frozen=True, slots=True)
class Passage:
    """One request's hits in the order of their recording.

    ``fulfilled`` has for each step, as far as the request came, the number of the hit for it.
    """

    request: Request
    sightings: Sequence[Sighting]
    fulfilled: Sequence[int]

    @property
    def rest(self) -> Sequence[Sighting]:
        """The hits after the last one that fulfilled a step."""
        return self.sightings[self.fulfilled[-1] + 1 if self.fulfilled else 0 :]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderOutcome:
    """How an expectation of an order ended; ``passages`` are those of the test's requests.

    The rest is as in ``Outcome``; ``progress`` is that of the step that was not reached.
    """

    expectation: OrderExpectation
    places: Sequence[Place]
    passages: Sequence[Passage]
    progress: Progress | None = None
    coverage: Coverage = field(default_factory=Coverage)

    @property
    def is_fulfilled(self) -> bool:
        """Whether one request reached all places in their order."""
        return any(len(passage.fulfilled) == len(self.places) for passage in self.passages)

    @property
    def missing(self) -> int | None:
        """The step, counted from 0, at which the request that came farthest broke the order."""
        if self.is_fulfilled:
            return None
        return max((len(passage.fulfilled) for passage in self.passages), default=0)

    def reached(self, step: int) -> bool:
        """Whether any of the test's requests was at a step's place, in whatever order."""
        return any(step in s.steps for passage in self.passages for s in passage.sightings)


class Sightings:
    """The hits of the test at all places of one order, as they were recorded.

    ``coverage`` is for who records to set.
    """

    def __init__(self) -> None:
        self.coverage = Coverage()
        self.own = HitList()
        self._places: list[tuple[int, ...]] = []

    def add(self, pcs: tuple[int, ...], hit: Hit) -> None:
        """Take one hit at these addresses; called by the recorder, in its one thread."""
        if hit.is_own:
            self._places.append(pcs)
            self.own.append(hit)

    def __iter__(self) -> Iterator[tuple[tuple[int, ...], Hit]]:
        """Yield the hits so far, each with the addresses of its place."""
        return zip(self._places, tuple(self.own), strict=False)


def judge_order(
    expectation: OrderExpectation, places: Sequence[Place], sightings: Sightings
) -> OrderOutcome:
    """Compare the order of the test's hits, request by request, with what was expected."""
    by_request: dict[str, list[Sighting]] = {}
    for pcs, hit in sightings:
        steps = {
            number: differences(step, hit)
            for number, (step, place) in enumerate(zip(expectation.steps, places, strict=True))
            if place.pcs == pcs
        }
        if hit.request:
            by_request.setdefault(hit.request.audit_id, []).append(Sighting(hit, steps))
    passages = [_passage(each) for each in by_request.values()]
    return OrderOutcome(
        expectation=expectation,
        places=places,
        passages=passages,
        coverage=replace(sightings.coverage),
    )


def _passage(sightings: Sequence[Sighting]) -> Passage:
    fulfilled: list[int] = []
    for number, sighting in enumerate(sightings):
        # One hit is one step, also where the next step is the same place.
        if len(fulfilled) in sighting.matched:
            fulfilled.append(number)
    # A filter may rewrite a path on the way; the first one is nearest to what the client sent.
    request = next(sighting.hit.request for sighting in sightings if sighting.hit.request)
    return Passage(request, sightings, fulfilled)
