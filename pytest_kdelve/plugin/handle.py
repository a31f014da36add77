"""The ``kdelve`` fixture's object: the debugger in a test's hands."""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_kdelve.delve.locations import Location
from pytest_kdelve.delve.values import Unreadable
from pytest_kdelve.errors import KdelveError
from pytest_kdelve.hits.breakpoints import Subscription
from pytest_kdelve.hits.collected import HitList
from pytest_kdelve.hits.expectations import check_by
from pytest_kdelve.hits.model import Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_kdelve.delve import Client
    from pytest_kdelve.hits.expectations import By
    from pytest_kdelve.hits.model import Hit
    from pytest_kdelve.hits.requests import RequestLog
    from pytest_kdelve.plugin.debugged import Debugged


class Kdelve:
    """Watches places, gives a test's hits, and lends the debugger's client."""

    def __init__(
        self,
        debugged: Debugged,
        log: RequestLog,
        marked_hits: Callable[[str | None], Iterator[Hit]],
    ) -> None:
        self._debugged = debugged
        self._log = log
        self._marked_hits = marked_hits

    @property
    def client(self) -> Client:
        """Delve's RPCs; each call halts the apiserver, and resumes it afterwards."""
        return self._debugged.recorder.client

    def hits(self, location: str | None = None) -> Sequence[Hit]:
        """Return the hits of this test's markers so far, all or of one location as written.

        Waits until what has happened is recorded.
        """
        self._debugged.recorder.settle()
        return sorted(self._marked_hits(location), key=lambda hit: hit.time)

    @contextmanager
    def watch(
        self,
        location: str,
        *,
        at: str | None = None,
        locals: Sequence[str] | None = None,  # noqa: A002 - the interface's name
        when: str | None = None,
        by: By = "test",
        stack: bool = True,
    ) -> Iterator[HitList]:
        """Record hits at a place; the list is complete when the block ends.

        ``locals`` are Delve expressions; without them all arguments and local variables are
        loaded. Values are loaded one level deep; name an expression for what lies deeper.
        ``when`` is a condition in the same language. ``stack=False`` leaves the stacks out.
        Raises ``LocationError``, ``UsageError`` for another ``by``, and ``KdelveError`` at the end
        where the condition could not be evaluated, or others reached the place so often that it
        was no longer watched.
        """
        check_by(by)
        place = self._debugged.recorder.resolve(Location.parse(location, at))
        chosen = _Chosen(when=when, by=by, stack=stack)
        subscription = Subscription(
            place=place,
            expressions=dict.fromkeys([*(locals or ()), *filter(None, [when])], 1),
            load_frame=locals is None,
            owner=self._log.prefix,
            by_anyone=by == "anyone",
            sink=chosen.take,
        )
        with self._debugged.recorder.recording([subscription]):
            yield chosen.hits
        chosen.check()
        if switched_off := subscription.coverage.switched_off:
            raise KdelveError(
                f"{place}: the breakpoint was {switched_off}, so hits may be missing; "
                "watch a line that others reach less often"
            )


class _Chosen:
    """The hits that a watch is for."""

    def __init__(self, *, when: str | None, by: By, stack: bool) -> None:
        self.hits = HitList()
        self._when = when
        self._by = by
        self._stack = stack
        self._problems: list[Unreadable] = []

    def take(self, hit: Hit) -> None:
        if self._by == "test" and not hit.is_own:
            return
        if self._when is not None:
            held = hit.values[self._when]
            if isinstance(held, Unreadable):
                self._problems.append(held)
            if held is not True:
                return
        self.hits.append(hit if self._stack else dataclasses.replace(hit, stack=Stack()))

    def check(self) -> None:
        if self._problems:
            count, reason = len(self._problems), self._problems[0].reason
            message = f"when={self._when!r} could not be evaluated in {count} hits"
            raise KdelveError(f"{message}: {reason}")
