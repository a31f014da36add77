"""One test's expectations: recorded while it runs, judged when it is over."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from pytest_kdelve.errors import DelveConnectionError, KdelveError, TargetExitedError
from pytest_kdelve.hits.expectations import judge
from pytest_kdelve.plugin.debugged import Watched, subscription
from pytest_kdelve.report.redact import redact
from pytest_kdelve.report.text import explain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_kdelve.hits.expectations import Expectation, Outcome
    from pytest_kdelve.hits.model import Hit
    from pytest_kdelve.hits.requests import RequestLog
    from pytest_kdelve.plugin.debugged import Debugged


class Expecting:
    """What a test expects, and what has been recorded for it."""

    def __init__(
        self,
        debugged: Debugged,
        expectations: Sequence[Expectation],
        log: RequestLog,
        *,
        timeout: float,
    ) -> None:
        """Resolve all locations; raises ``LocationError`` before anything is recorded."""
        self._debugged = debugged
        self._log = log
        self._timeout = timeout
        self._watched = [
            debugged.startup(expectation)
            if expectation.during == "startup"
            else debugged.watch(expectation)
            for expectation in expectations
        ]
        self._subscriptions = [
            subscription(watched, owner=log.prefix)
            for watched in self._watched
            if watched.expectation.during == "test"
        ]

    def start(self) -> None:
        """Set the breakpoints."""
        self._debugged.recorder.add(self._subscriptions)

    def stop(self) -> None:
        """Remove the breakpoints; they are gone with a target that is gone, which was said."""
        with suppress(TargetExitedError, DelveConnectionError):
            self._debugged.recorder.remove(self._subscriptions)

    def hits(self, location: str | None = None) -> Iterator[Hit]:
        """Yield the test's hits, all or those of markers with this location."""
        for watched in self._watched:
            if location in {None, watched.expectation.location.text}:
                yield from watched.collected.own

    def failure(self) -> str:
        """Return why the test fails, or an empty text where all expectations are fulfilled.

        Waits for hits that are still missing.
        """
        ended = self._why_ended()
        if not ended:
            self._await(time.monotonic())
            ended = self._why_ended()
        if ended:
            return redact("\n".join([ended, "", explain([], self._log.exchanges)]).rstrip("\n"))
        outcomes = map(_outcome, self._watched)
        unfulfilled = [outcome for outcome in outcomes if not outcome.is_fulfilled]
        return redact(explain(unfulfilled, self._log.exchanges)) if unfulfilled else ""

    def summary(self) -> str:
        """Return what was hit and requested, for a test that failed by itself.

        It is often the apiserver's end that made a request fail, so that is said, too.
        """
        ended = self._why_ended()
        lines = [*map(str, self.hits()), *map(str, self._log.exchanges), *filter(None, [ended])]
        return redact("\n".join(lines))

    def _why_ended(self) -> str:
        """Wait until what happened is recorded; return why recording is over, if it is."""
        try:
            self._debugged.recorder.settle()
        except KdelveError as error:
            return str(self._debugged.explain(error))
        return ""

    def _await(self, since: float) -> None:
        """Wait until each expectation is decided or its time is up.

        One of few hits or none is decided at once, unless its marker has a timeout.
        """
        for watched in self._watched:
            expectation = watched.expectation
            timeout = self._timeout if expectation.timeout is None else expectation.timeout
            known = len(watched.collected.own)
            while not _is_decided(_outcome(watched)) and watched.collected.own.grows_beyond(
                known, timeout=since + timeout - time.monotonic()
            ):
                known = len(watched.collected.own)


def _outcome(watched: Watched) -> Outcome:
    collected = watched.collected
    return judge(
        watched.expectation,
        watched.place,
        tuple(collected.own),
        others_count=collected.others_count,
        unattributed_count=collected.unattributed_count,
    )


def _is_decided(outcome: Outcome) -> bool:
    expectation, number = outcome.expectation, len(outcome.matched)
    if expectation.during == "startup":
        return True
    if expectation.count is not None and number >= expectation.count.stop:
        return True
    has_upper_bound = expectation.count is not None
    watches_on = has_upper_bound and expectation.timeout is not None
    return outcome.is_fulfilled and not watches_on
