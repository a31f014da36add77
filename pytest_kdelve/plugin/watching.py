"""What one marker of a test expects, and what is recorded for it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from pytest_kdelve.hits.expectations import judge
from pytest_kdelve.hits.order import Sightings, judge_order
from pytest_kdelve.plugin.debugged import subscription

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_kdelve.delve.locations import Place
    from pytest_kdelve.hits.breakpoints import Subscription
    from pytest_kdelve.hits.collected import HitList
    from pytest_kdelve.hits.expectations import Expectation, Outcome
    from pytest_kdelve.hits.model import Hit
    from pytest_kdelve.hits.order import OrderExpectation, OrderOutcome
    from pytest_kdelve.hits.reaching import Surroundings
    from pytest_kdelve.plugin.debugged import Watched


class Watching(Protocol):
    """One marker's places while a test runs.

    ``places`` are those of its expectations, in their order; ``own`` has the hits that may count.
    """

    own: HitList
    places: Sequence[tuple[Expectation, Place]]

    @property
    def timeout(self) -> float | None:
        """Seconds to wait for what is missing; None for the session's."""

    def hits(self, location: str | None) -> Iterator[Hit]:
        """Yield the hits that may count, all or those at the places of one location."""

    def subscriptions(self, owner: str) -> Iterator[Subscription]:
        """Yield what the recorder needs; nothing for what happened before the test."""

    def outcome(self) -> Outcome | OrderOutcome:
        """Judge what was recorded until now."""

    def is_decided(self) -> bool:
        """Whether nothing that could still come would change the outcome, or is waited for."""

    def explained(self, surroundings: Surroundings, hits: Sequence[Hit]) -> Outcome | OrderOutcome:
        """Return the outcome, with how far the requests came that did not reach its place."""


class WatchingPlace:
    """A marker ``hits`` or ``not_hits``."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self.own = watched.collected.own
        self.places: Sequence[tuple[Expectation, Place]] = [(watched.expectation, watched.place)]

    @property
    def timeout(self) -> float | None:
        """Seconds that the marker gives, None for the session's."""
        return self._watched.expectation.timeout

    def hits(self, location: str | None) -> Iterator[Hit]:
        """Yield the hits that may count, where the location is that one."""
        if location in {None, self._watched.expectation.location.text}:
            yield from self.own

    def subscriptions(self, owner: str) -> Iterator[Subscription]:
        """Yield one, unless it is all about what happened before the test."""
        if self._watched.expectation.during == "test":
            yield subscription(self._watched, owner=owner)

    def outcome(self) -> Outcome:
        """Judge what was recorded until now."""
        collected = self._watched.collected
        return judge(
            self._watched.expectation,
            self._watched.place,
            tuple(self.own),
            others_count=collected.others_count,
            unattributed_count=collected.unattributed_count,
            coverage=collected.coverage,
        )

    def is_decided(self) -> bool:
        """One of few hits or none is decided at once, unless its marker has a timeout."""
        outcome = self.outcome()
        expectation = outcome.expectation
        if expectation.during == "startup" or outcome.coverage.is_over or outcome.is_exceeded:
            return True
        has_upper_bound = expectation.count is not None
        if has_upper_bound and outcome.coverage.switched_off:
            return True
        watches_on = has_upper_bound and expectation.timeout is not None
        return outcome.is_fulfilled and not watches_on

    def explained(self, surroundings: Surroundings, hits: Sequence[Hit]) -> Outcome:
        """Return the outcome, with how far requests came if they had to reach the place."""
        outcome = self.outcome()
        if not must_be_reached(outcome.expectation):
            return outcome
        return replace(outcome, progress=surroundings.progress(outcome.place, hits))


class WatchingOrder:
    """A marker ``hits_in_order``."""

    timeout = None

    def __init__(self, expectation: OrderExpectation, watched: Sequence[Watched]) -> None:
        self._expectation = expectation
        self._watched = watched
        self._sightings = Sightings()
        self.own = self._sightings.own
        self.places: Sequence[tuple[Expectation, Place]] = [
            (one.expectation, one.place) for one in watched
        ]

    def hits(self, location: str | None) -> Iterator[Hit]:
        """Yield the hits that may count, all or those at the places of one location."""
        at = {place.pcs for step, place in self.places if location in {None, step.location.text}}
        return (hit for pcs, hit in self._sightings if pcs in at)

    def subscriptions(self, owner: str) -> Iterator[Subscription]:
        """Yield one for all steps at a place, so that each hit is recorded once."""
        by_pcs: dict[tuple[int, ...], Subscription] = {}
        for watched in self._watched:
            pcs = watched.place.pcs
            wanted = subscription(watched, owner=owner)
            known = by_pcs.get(pcs, wanted).expressions
            expressions = {
                name: max(depth, known.get(name, 0)) for name, depth in wanted.expressions.items()
            }
            by_pcs[pcs] = replace(
                wanted,
                expressions={**known, **expressions},
                sink=partial(self._sightings.add, pcs),
                coverage=self._sightings.coverage,
            )
        yield from by_pcs.values()

    def outcome(self) -> OrderOutcome:
        """Judge what was recorded until now."""
        places = [place for _, place in self.places]
        return judge_order(self._expectation, places, self._sightings)

    def is_decided(self) -> bool:
        """Whether one request has reached all the places, or none can any more."""
        outcome = self.outcome()
        return outcome.is_fulfilled or outcome.coverage.is_over

    def explained(self, surroundings: Surroundings, hits: Sequence[Hit]) -> OrderOutcome:
        """Return the outcome, with how far requests came that had to reach the next place."""
        outcome = self.outcome()
        if outcome.missing is None:
            return outcome
        # Where a request reached some of the places, these are shown.
        progress = surroundings.progress(
            outcome.places[outcome.missing], () if outcome.passages else hits
        )
        return replace(outcome, progress=progress)


def must_be_reached(expectation: Expectation) -> bool:
    """Whether a test's own requests must reach the place, so that it matters how far they came."""
    is_of_test = expectation.by == "test" and expectation.during == "test"
    return is_of_test and not expectation.allows(0)
