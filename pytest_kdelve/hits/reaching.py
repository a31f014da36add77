"""How far the requests of a test came that did not reach a place: which functions they entered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from pytest_kdelve.hits.collected import Coverage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_kdelve.delve.locations import Place
    from pytest_kdelve.hits.bodies import Bodies, Body, Exit
    from pytest_kdelve.hits.breakpoints import Subscription
    from pytest_kdelve.hits.model import Hit, Request

#: Calls of one function by the test that are kept; the next ones are not watched.
MOST_CALLS = 20
#: Stops of others in one function, each of which costs them some milliseconds.
MOST_OTHERS = 50


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a function; ``exit`` is None where it did not return while it was watched."""

    request: Request | None
    goroutine: int
    exit: Exit | None = None


@dataclass(frozen=True, slots=True)
class Visited:
    """A function, and its calls by the test's requests; there may be more with ``is_cut``."""

    body: Body
    calls: Sequence[Call]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """What is known of requests that did not reach a place.

    ``function`` is that of the place, and ``visited`` are those that were watched, innermost first:
    it and the ones that it is written inside of, but none whose entry is the place. ``last`` has
    for each request its last hit at another place of the test.
    """

    function: str
    visited: Sequence[Visited]
    last: Sequence[Hit]


class Surroundings:
    """The functions around the places that a test must reach, with their calls by its requests.

    Each function is watched once, however many of the places are in it.
    """

    def __init__(self, bodies: Bodies, places: Iterable[Place]) -> None:
        self._around = {place: bodies.around(place) for place in places}
        found = {body.entry: body for around in self._around.values() for body in around}
        self._calls = {entry: _Calls(body) for entry, body in found.items()}

    def subscriptions(self, like: Subscription) -> Iterator[Subscription]:
        """Yield what the recorder needs, for the owner of another subscription."""
        for calls in self._calls.values():
            plain = replace(like, expressions={}, load_frame=False, by_anyone=False)
            yield replace(
                plain,
                place=calls.body.entry,
                sink=calls.entered,
                coverage=Coverage(),
                wants_more=calls.wants_entries,
            )
            for exit_ in calls.body.exits:
                yield replace(
                    plain,
                    place=exit_.place,
                    sink=partial(calls.left, exit_),
                    coverage=Coverage(),
                    wants_more=calls.wants_exits,
                )

    def progress(self, place: Place, hits: Iterable[Hit]) -> Progress:
        """Return how far the test's requests came, of which ``hits`` are at any of its places."""
        last = {
            hit.request.audit_id: hit
            for hit in sorted(hits, key=lambda hit: hit.time)
            if hit.request
        }
        visited = [self._calls[body.entry].visited() for body in self._around.get(place, ())]
        return Progress(place.function, visited, list(last.values()))


class _Calls:
    """The calls of one function by the requests of one test, as they are recorded.

    The recorder's thread calls ``entered`` and ``left``, and removes their breakpoints once
    ``wants_entries`` and ``wants_exits`` say so: a function that is called often must not become
    a burden.
    """

    def __init__(self, body: Body) -> None:
        self.body = body
        self._calls: list[Call] = []
        self._open: dict[int, list[int]] = {}
        self._others = 0

    def entered(self, hit: Hit) -> None:
        """Take a hit at the function's entry."""
        if not hit.is_own:
            self._others += 1
        elif self.wants_entries():
            self._open.setdefault(hit.goroutine, []).append(len(self._calls))
            self._calls.append(Call(hit.request, hit.goroutine))

    def left(self, exit_: Exit, hit: Hit) -> None:
        """Take a hit where the function returns: of the last call by the same goroutine."""
        if calls := self._open.get(hit.goroutine):
            number = calls.pop()
            self._calls[number] = replace(self._calls[number], exit=exit_)
        elif not hit.is_own:
            self._others += 1

    def wants_entries(self) -> bool:
        """Whether more calls are to be recorded."""
        return len(self._calls) < MOST_CALLS and self._others < MOST_OTHERS

    def wants_exits(self) -> bool:
        """Whether there are calls that have not returned, or may be."""
        return self.wants_entries() or (self._others < MOST_OTHERS and any(self._open.values()))

    def visited(self) -> Visited:
        """Return the calls so far, in the order of their beginning."""
        return Visited(self.body, tuple(self._calls), is_cut=not self.wants_entries())
