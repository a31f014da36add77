"""The ``kdelve`` fixture's object: the debugger in a test's hands."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_kdelve.delve.locations import Location
from pytest_kdelve.delve.values import Unreadable
from pytest_kdelve.errors import KdelveError, LocationError, UsageError
from pytest_kdelve.hits.breakpoints import Subscription
from pytest_kdelve.hits.collected import Coverage, HitList
from pytest_kdelve.hits.expectations import NO_TRUTH, check_by, check_text
from pytest_kdelve.hits.model import Stack
from pytest_kdelve.hits.pausing import Pause
from pytest_kdelve.report.values import actual_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_kdelve.delve import Client
    from pytest_kdelve.delve.locations import Place
    from pytest_kdelve.hits.expectations import By
    from pytest_kdelve.hits.model import Hit
    from pytest_kdelve.hits.requests import RequestLog
    from pytest_kdelve.plugin.debugged import Debugged
    from pytest_kdelve.plugin.expecting import Expecting
    from pytest_kdelve.plugin.pausing import Pauses


@dataclasses.dataclass(frozen=True, slots=True)
class Looked:
    """A location that a test gave to ``call``, and the place that it means, or why it has none."""

    call: str
    location: Location
    found: Place | LocationError


class Kdelve:
    """Watches places, gives a test's hits, and lends the debugger's client."""

    def __init__(
        self,
        debugged: Debugged,
        log: RequestLog,
        pauses: Pauses,
        expecting: Expecting | None,
    ) -> None:
        self._debugged = debugged
        self._log = log
        self._pauses = pauses
        self._expecting = expecting
        self._has_lent_client = False
        #: Where ``watch`` and ``pause`` have looked.
        self.looked: list[Looked] = []

    @property
    def client(self) -> Client:
        """Delve's RPCs; each call halts the apiserver, and resumes it afterwards.

        Breakpoints and watchpoints that are set with it are removed when the test is over.
        """
        self._has_lent_client = True
        return self._debugged.recorder.client

    def close(self) -> None:
        """Remove what the test has set with ``client``."""
        if self._has_lent_client:
            self._debugged.recorder.clear_others()

    def hits(self, location: str | None = None) -> Sequence[Hit]:
        """Return the hits of this test's markers so far, all or of one location as written.

        Waits until what has happened is recorded.
        """
        self._debugged.recorder.settle()
        marked = self._expecting.hits(location) if self._expecting else ()
        return sorted(marked, key=lambda hit: hit.time)

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
        _check(location, at=at, when=when, by=by)
        _check_expressions(locals)
        place = self._find("kdelve.watch", Location.parse(location, at))
        chosen = _Chosen(place, when=when, by=by, stack=stack)
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
                f"hits at {place} may be missing, since its breakpoint was {switched_off}"
            )

    def pause(
        self,
        location: str,
        *,
        at: str | None = None,
        when: str | None = None,
        by: By = "test",
    ) -> Pause:
        """Pause the apiserver at the first hit at a place; a context manager.

        ``wait()`` of what it yields returns the paused apiserver; the end of the block resumes it.
        The arguments are those of ``watch``. Raises ``LocationError``, and ``UsageError`` for
        another ``by``.
        """
        _check(location, at=at, when=when, by=by)
        place = self._find("kdelve.pause", Location.parse(location, at))
        chosen = _Chosen(place, when=when, by=by, stack=True)
        coverage = Coverage()
        if self._expecting:
            self._expecting.leave_surroundings()

        def subscribe(hold: Callable[[Hit], None]) -> Subscription:
            return Subscription(
                place=place,
                expressions=dict.fromkeys(filter(None, [when]), 1),
                load_frame=False,
                owner=self._log.prefix,
                by_anyone=by == "anyone",
                sink=lambda hit: hold(hit) if chosen.wants(hit) else None,
                coverage=coverage,
            )

        given = {"at": at, "when": when, "by": None if by == "test" else by}
        options = [f"{name}={value!r}" for name, value in given.items() if value is not None]
        return self._pauses.add(
            Pause(
                self._debugged.recorder,
                self._debugged.clock,
                subscribe,
                text=f"kdelve.pause({', '.join([repr(location), *options])})",
                owner=self._pauses,
                check_hits=chosen.check,
                explain=lambda: [*chosen.problems(), *_covered(coverage), *_requests(self._log)],
            )
        )

    def _find(self, call: str, location: Location) -> Place:
        try:
            place = self._debugged.recorder.resolve(location)
        except LocationError as error:
            self.looked.append(Looked(call, location, error))
            raise
        self.looked.append(Looked(call, location, place))
        return place


def _check(location: object, *, at: object, when: object, by: object) -> None:
    check_text("location", location)
    for name, value in (("at", at), ("when", when)):
        if value is not None:
            check_text(name, value)
    check_by(by)


def _check_expressions(wanted: object) -> None:
    if wanted is None:
        return
    if isinstance(wanted, str | Mapping) or not isinstance(wanted, Iterable):
        raise UsageError(
            f"locals={wanted!r}; for a watch it is a list of Delve expressions, whose values the "
            "test compares itself"
        )
    for expression in wanted:
        check_text("an expression in locals", expression)


def _covered(coverage: Coverage) -> Iterator[str]:
    if coverage.switched_off:
        yield f"Its breakpoint was {coverage.switched_off}."


def _requests(log: RequestLog) -> Iterator[str]:
    exchanges = [*log.exchanges, *log.unanswered]
    if exchanges:
        yield "This test's requests:"
        yield from (f"    {exchange}" for exchange in exchanges)
    else:
        yield (
            "This test made no request through `api` or `kube_client`; send one before wait(), "
            "through api.background."
        )


class _Chosen:
    """The hits that a watch or a pause is for."""

    def __init__(self, place: Place, *, when: str | None, by: By, stack: bool) -> None:
        self.hits = HitList(str(place))
        self._when = when
        self._by = by
        self._stack = stack
        self._problems: list[str] = []

    def wants(self, hit: Hit) -> bool:
        if self._by == "test" and not hit.is_own:
            return False
        if self._when is None:
            return True
        held = hit.values[self._when]
        if isinstance(held, Unreadable):
            self._problems.append(held.reason)
        elif not isinstance(held, bool):
            self._problems.append(f"{NO_TRUTH}, but {actual_text(held)}")
        return held is True

    def take(self, hit: Hit) -> None:
        if self.wants(hit):
            self.hits.append(hit if self._stack else dataclasses.replace(hit, stack=Stack()))

    def check(self) -> None:
        for problem in self.problems():
            raise KdelveError(problem)

    def problems(self) -> Iterator[str]:
        if self._problems:
            count, reason = len(self._problems), self._problems[0]
            hits = "1 hit" if count == 1 else f"{count} hits"
            yield f"when={self._when!r} could not be evaluated in {hits}: {reason}"
