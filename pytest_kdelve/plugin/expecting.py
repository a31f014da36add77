"""One test's expectations: recorded while it runs, judged when it is over."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from pytest_kdelve.errors import (
    DelveConnectionError,
    DelveError,
    KdelveError,
    LocationError,
    TargetExitedError,
)
from pytest_kdelve.hits.order import OrderExpectation
from pytest_kdelve.hits.reaching import Surroundings
from pytest_kdelve.plugin.watching import WatchingOrder, WatchingPlace, must_be_reached
from pytest_kdelve.report.redact import redact
from pytest_kdelve.report.text import explain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_kdelve.delve.locations import Location, Place
    from pytest_kdelve.hits.breakpoints import Subscription
    from pytest_kdelve.hits.expectations import Expectation, Outcome
    from pytest_kdelve.hits.model import Hit
    from pytest_kdelve.hits.order import OrderOutcome
    from pytest_kdelve.hits.requests import RequestLog
    from pytest_kdelve.plugin.debugged import Debugged, Watched
    from pytest_kdelve.plugin.remembered import Remembered
    from pytest_kdelve.plugin.watching import Watching
    from pytest_kdelve.report.values import Compare


class Expecting:
    """What a test expects, and what has been recorded for it."""

    def __init__(
        self,
        debugged: Debugged,
        expectations: Sequence[Expectation | OrderExpectation],
        log: RequestLog,
        *,
        timeout: float,
        remembered: Remembered,
    ) -> None:
        """Resolve all locations; raises ``LocationError`` before anything is recorded."""
        self._debugged = debugged
        self._log = log
        self._timeout = timeout
        self._remembered = remembered
        self._watching = [self._watch(expectation) for expectation in expectations]
        self._surroundings = Surroundings(
            debugged.bodies,
            [
                place
                for watching in self._watching
                for expectation, place in watching.places
                if must_be_reached(expectation)
            ],
        )
        self._around: list[Subscription] = []
        self._started_at = time.monotonic()
        self._subscriptions = [
            subscription
            for watching in self._watching
            for subscription in watching.subscriptions(log.prefix)
        ]

    def _watch(self, expectation: Expectation | OrderExpectation) -> Watching:
        if isinstance(expectation, OrderExpectation):
            return WatchingOrder(expectation, [self._resolve(step) for step in expectation.steps])
        return WatchingPlace(self._resolve(expectation))

    def _resolve(self, expectation: Expectation) -> Watched:
        find = self._debugged.startup if expectation.during == "startup" else self._debugged.watch
        try:
            return find(expectation)
        except LocationError as error:
            raise self._remembered.explain(error, expectation.location) from error

    def start(self) -> None:
        """Set the breakpoints."""
        recorder = self._debugged.recorder
        recorder.add(self._subscriptions)
        around = [
            subscription
            for like in self._subscriptions[:1]
            for subscription in self._surroundings.subscriptions(like)
        ]
        try:
            recorder.add(around)
        except DelveError:
            # They only say more where a test fails, so it goes on without them.
            self._surroundings = Surroundings(self._debugged.bodies, ())
        else:
            self._around = around

    def leave_surroundings(self) -> None:
        """Watch the test's own places only: at any other breakpoint, a step would end early."""
        self._debugged.recorder.remove(self._around)
        self._around = []
        self._surroundings = Surroundings(self._debugged.bodies, ())

    def stop(self) -> None:
        """Remove the breakpoints; they are gone with a target that is gone, which was said."""
        with suppress(TargetExitedError, DelveConnectionError):
            self._debugged.recorder.remove([*self._subscriptions, *self._around])

    def hits(self, location: str | None = None) -> Iterator[Hit]:
        """Yield the test's hits, all or those of markers with this location."""
        for watching in self._watching:
            yield from watching.hits(location)

    def outcomes(self) -> Sequence[Outcome | OrderOutcome]:
        """Judge each marker by what was recorded until now."""
        return [watching.outcome() for watching in self._watching]

    def failure(self, compare: Compare) -> str:
        """Return why the test fails, or an empty text where all expectations are fulfilled.

        Waits for hits that are still missing. ``compare`` says how two values differ. The lines of
        a test that passes are remembered.
        """
        ended = self._why_ended()
        if not ended:
            self._await(time.monotonic())
            ended = self._why_ended()
        if ended:
            return redact("\n".join([ended, "", explain([], self._log.exchanges)]).rstrip("\n"))
        unfulfilled = [w for w in self._watching if not w.outcome().is_fulfilled]
        if not unfulfilled:
            self._remembered.keep(self._places())
            return ""
        hits = list(self.hits())
        text = explain(
            [watching.explained(self._surroundings, hits) for watching in unfulfilled],
            self._log.exchanges,
            compare=compare,
            moved=self._remembered.moved,
        )
        others = self._debugged.recorder.what_others_did(self._started_at)
        return redact("\n\n".join([text, *others]))

    def _places(self) -> Iterator[tuple[Location, Place]]:
        for watching in self._watching:
            yield from ((expectation.location, place) for expectation, place in watching.places)

    def summary(self) -> str:
        """Return what was hit and requested, for a test that failed by itself.

        It is often the apiserver's end that made a request fail, so that is said, too.
        """
        ended = self._why_ended()
        lines = [*map(str, self.hits()), *map(str, self._log.exchanges), *filter(None, [ended])]
        lines += [
            f"The breakpoint at {each.place} was {each.coverage.switched_off}."
            for each in self._subscriptions
            if each.coverage.switched_off
        ]
        lines += self._debugged.recorder.what_others_did(self._started_at)
        return redact("\n".join(lines))

    def _why_ended(self) -> str:
        """Wait until what happened is recorded; return why recording is over, if it is."""
        try:
            self._debugged.recorder.settle()
        except KdelveError as error:
            return str(self._debugged.explain(error))
        return ""

    def _await(self, since: float) -> None:
        """Wait until each expectation is decided or its time is up."""
        for watching in self._watching:
            timeout = self._timeout if watching.timeout is None else watching.timeout
            known = len(watching.own)
            while not watching.is_decided() and watching.own.grows_beyond(
                known, timeout=since + timeout - time.monotonic()
            ):
                known = len(watching.own)
