"""Recording hits: breakpoints that are shared, stops that are read and continued at once."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pytest_kdelve.delve import api, completeness, loading, values, versions
from pytest_kdelve.delve.loading import Limits
from pytest_kdelve.delve.locations import Location, Place
from pytest_kdelve.delve.loop import Loop
from pytest_kdelve.delve.optimised import Optimised, is_optimised, reads_outer_frame
from pytest_kdelve.delve.resolver import Resolver
from pytest_kdelve.errors import DelveError, LocationError, RPCError
from pytest_kdelve.hits import frames
from pytest_kdelve.hits.attribution import Finding, RequestFinder
from pytest_kdelve.hits.breakpoints import Armed
from pytest_kdelve.hits.budget import Budget
from pytest_kdelve.hits.collected import Coverage
from pytest_kdelve.hits.goroutines import OwnGoroutines
from pytest_kdelve.hits.stopped import Stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_kdelve.delve.client import Client
    from pytest_kdelve.hits.breakpoints import Subscription
    from pytest_kdelve.hits.frames import Holder
    from pytest_kdelve.hits.model import Hit
    from pytest_kdelve.hits.stopped import ByName

#: Where a request has just come in, of whatever program: it is an argument there.
_GATE = Location.parse("net/http.serverHandler.ServeHTTP")
#: How Delve begins to say that a breakpoint is there.
_EXISTS = "Breakpoint exists at"
#: How Delve begins to say that there is no such variable.
_NO_SYMBOL = "could not find symbol value"


class Recorder:
    """Sets breakpoints in a running target and turns every stop into hits.

    One breakpoint serves all subscriptions at its address, since Delve refuses two.
    """

    def __init__(self, connect: Callable[[], Client]) -> None:
        self._loop = Loop(connect, self._on_stop)
        self._finder = RequestFinder()
        self._resolver: Resolver | None = None
        self._optimised: Optimised | None = None
        self._armed: dict[int, Armed] = {}
        self._holders: dict[int, Holder | None] = {}
        self._names: dict[int, str] = {}
        self._own = OwnGoroutines()
        #: Of each narrow breakpoint, by its address: what tells of its owner's requests.
        self._gates: dict[int, Subscription] = {}

    def start(self) -> None:
        """Let the target run; what subscribed before misses nothing."""
        self._loop.start()

    def close(self) -> None:
        """Stop recording; the target is left as it is at that moment."""
        self._loop.close()

    def resolve(self, location: Location) -> Place:
        """Return the place that a location means; raises ``LocationError``."""

        def resolve(client: Client) -> Place:
            return self._resolver_of(client).resolve(location)

        return self._loop.call(resolve)

    @contextmanager
    def recording(self, subscriptions: Sequence[Subscription]) -> Iterator[None]:
        """Record for as long as the context lasts; each hit before its end has been delivered."""
        self.add(subscriptions)
        try:
            yield
        except BaseException:
            # Where the target is gone, so are its breakpoints; the first error says why.
            with suppress(DelveError):
                self.remove(subscriptions)
            raise
        self.remove(subscriptions)

    def add(self, subscriptions: Sequence[Subscription]) -> None:
        """Set the breakpoints of all subscriptions, or none where one of them fails."""

        def add(client: Client) -> None:
            for subscription in subscriptions:
                self._add(client, subscription)

        try:
            self._loop.call(add)
        except BaseException:
            # Also when an interrupt ended the wait: the work may be done nevertheless.
            with suppress(DelveError):
                self.remove(subscriptions)
            raise

    def remove(self, subscriptions: Sequence[Subscription]) -> None:
        """Remove subscriptions, and the breakpoints that nobody needs any more."""
        self._loop.call(lambda client: self._remove(client, subscriptions))

    def clear_others(self) -> None:
        """Remove the breakpoints and watchpoints that were set with ``client``.

        Those of other clients of the same Delve, such as an IDE, stay.
        """
        self._loop.call(self._clear_others)

    def settle(self) -> None:
        """Wait until every hit that has happened has been delivered."""
        self._loop.call(lambda _client: None)

    def check(self) -> None:
        """Raise the reason why recording ended, if it has, such as ``TargetExitedError``."""
        self._loop.check()

    def what_others_did(self, since: float) -> list[str]:
        """Return a line where another client of the debugger kept the target from going on.

        ``since`` is a time of ``time.monotonic``.
        """
        another = "Another client of the debugger, such as an IDE,"
        if self._loop.gives_way:
            return [f"{another} has the kube-apiserver now."]
        if self._loop.gave_way_since(since):
            return [f"{another} had the kube-apiserver meanwhile."]
        return []

    @property
    def loop(self) -> Loop:
        """What keeps the target running; a sink may hold the target there."""
        return self._loop

    @property
    def client(self) -> Client:
        """The debugger's client; each call halts the target for its time."""
        return self._loop.client

    def _add(self, client: Client, subscription: Subscription) -> None:
        for pc in subscription.place.pcs:
            armed = self._armed.get(pc) or Armed(0, pc, self._holders.get(pc))
            armed.subscriptions.append(subscription)
            if armed.is_narrow:
                armed.budget, armed.is_narrow, armed.own_count = Budget(), False, 0
            if armed.id:
                try:
                    client.amend_breakpoint(self._wanted(client, armed))
                except RPCError:
                    # A test has cleared it itself, through the client.
                    armed.id = 0
            if not armed.id:
                armed.budget, armed.seen = Budget(), 0
                armed.id = self._create(client, armed)
                self._armed[pc] = armed

    def _create(self, client: Client, armed: Armed) -> int:
        try:
            return client.create_breakpoint(self._wanted(client, armed)).id
        except RPCError as error:
            if not error.text.startswith(_EXISTS):
                raise
            place = armed.subscriptions[0].place
            raise DelveError(
                f"{place} cannot be watched: another client of the debugger, such as an IDE, or "
                "this test through its client has a breakpoint there, and Delve takes one at an "
                f"address; remove that ({error.text})"
            ) from error

    def _remove(self, client: Client, subscriptions: Sequence[Subscription]) -> None:
        self._count_missed(client)
        for armed in list(self._armed.values()):
            kept = [each for each in armed.subscriptions if each not in subscriptions]
            if len(kept) == len(armed.subscriptions):
                continue
            armed.subscriptions = kept
            if not kept:
                del self._armed[armed.pc]
                if gate := self._gates.pop(armed.pc, None):
                    self._remove(client, [gate])
            # A test may have cleared the breakpoint itself, through the client.
            with suppress(RPCError):
                if armed.id and kept:
                    client.amend_breakpoint(self._wanted(client, armed))
                elif armed.id:
                    client.clear_breakpoint(armed.id)

    def _count_missed(self, client: Client) -> None:
        """Tell who is concerned of hits that were over before they could be seen."""
        if self._loop.gave_way_since():
            counts = {each.id: each.total_hit_count for each in client.list_breakpoints()}
            for armed in self._armed.values():
                armed.say_missed(counts.get(armed.id, 0))

    def _clear_others(self, client: Client) -> None:
        own = {armed.id for armed in self._armed.values()}
        for each in client.list_breakpoints():
            if each.id in client.own_breakpoints and each.id not in own:
                client.clear_breakpoint(each.id)

    def _on_stop(self, client: Client, state: api.DebuggerState) -> None:
        by_id = {armed.id: armed for armed in self._armed.values() if armed.id}
        at_breakpoints = [thread for thread in state.threads or () if thread.breakpoint]
        # All are taken apart first, since reading one may change what a breakpoint collects.
        stops = [
            Stopped(thread, by_id[thread.breakpoint.id], state.selected_goroutine)
            for thread in at_breakpoints
            if thread.breakpoint and thread.breakpoint.id in by_id
        ]
        for stop in stops:
            stop.armed.seen += 1
            self._deliver(client, stop)

    def _deliver(self, client: Client, stop: Stopped) -> None:
        if not stop.armed.subscriptions:
            return  # Another thread of the same stop was the last one that was wanted.
        began = time.monotonic()
        finding = self._whose(client, stop)
        audit_id = finding.request.audit_id if finding else ""
        is_anybodys = False
        hits = []
        for subscription in tuple(stop.armed.subscriptions):
            is_own = subscription.owns(audit_id)
            is_anybodys = is_anybodys or is_own
            is_wanted = is_own or subscription.by_anyone
            found = {
                expression: self._value(client, stop, expression, depth if is_wanted else 0)
                for expression, depth in subscription.expressions.items()
            }
            source = subscription.place.source
            by_name = self._by_name(client, stop) if subscription.load_frame else values.by_name
            hit = stop.hit(found, finding, source=source, is_own=is_own, by_name=by_name)
            hits.append(hit)
        if self._loop.has_lost_stop:
            stop.armed.say_lost()
        for subscription, hit in zip(tuple(stop.armed.subscriptions), hits, strict=True):
            subscription.sink(hit)
        if is_anybodys:
            self._note_own(client, stop)
        elif not stop.armed.budget.spend(time.monotonic() - began):
            self._switch_off(client, stop.armed)
        if over := [each for each in stop.armed.subscriptions if not each.wants_more()]:
            self._remove(client, over)

    def _switch_off(self, client: Client, armed: Armed) -> None:
        """Leave a place alone that others reach so often that the test would not come to its end.

        Where Delve can tell the goroutines of the test's requests, the breakpoint stays for them.
        """
        if not armed.id or armed.is_narrow:
            return  # By another thread of the same stop.
        armed.is_narrow = self._can_narrow(client, armed)
        # A test may have cleared it itself, through the client.
        with suppress(RPCError):
            if armed.is_narrow:
                client.amend_breakpoint(self._wanted(client, armed))
            else:
                number, armed.id = armed.id, 0
                client.clear_breakpoint(number)
        armed.say_switched_off()

    def _can_narrow(self, client: Client, armed: Armed) -> bool:
        """Find the goroutines of the owner's requests, now and from now on; whether one can."""
        if not client.is_at_least(versions.CATCH) or self._resolver is None:
            return False
        owners = {"" if each.by_anyone else each.owner for each in armed.subscriptions}
        if "" in owners or len(owners) > 1:
            return False
        if armed.pc in self._gates:
            return True
        try:
            place = self._resolver.resolve(_GATE)
        except LocationError:
            return False
        like = armed.subscriptions[0]
        gate = replace(like, place=place, expressions={}, load_frame=False, sink=_ignore)
        self._gates[armed.pc] = replace(gate, coverage=Coverage(), wants_more=lambda: True)
        self._add(client, self._gates[armed.pc])
        self._own.find(client, self._finder, like.owns)
        return True

    def _note_own(self, client: Client, stop: Stopped) -> None:
        """Let narrow breakpoints stop for a goroutine that works for a request of the test."""
        if self._own.note(stop.thread.goroutine_id):
            for armed in self._armed.values():
                if armed.is_narrow and armed.id:
                    client.amend_breakpoint(self._wanted(client, armed))
        armed = stop.armed
        if armed.is_narrow and armed.id and not armed.count_own():
            client.clear_breakpoint(armed.id)
            armed.id = 0
            armed.say_switched_off()

    def _wanted(self, client: Client, armed: Armed) -> api.Breakpoint:
        can_catch = client.is_at_least(versions.CATCH)
        return armed.wanted(can_catch=can_catch, goroutines=self._own.ids)

    def _whose(self, client: Client, stop: Stopped) -> Finding | None:
        """Return a hit's request, and how it was found.

        Once it is known where a place finds it, it comes with the stop. A request without an
        Audit-ID there is nobody's that is known here, so that needs no second look.
        """
        if stop.request and stop.holder:
            return Finding.in_frame(stop.request, stop.holder)
        finding = self._finder.find(client, stop.thread.goroutine_id, stop.frames)
        armed = stop.armed
        holder = finding.holder if finding else None
        if holder and holder.frame and not client.is_at_least(versions.FRAME):
            return finding
        if holder not in {None, armed.holder} and armed.id:
            armed.holder = holder
            self._holders[armed.pc] = holder
            client.amend_breakpoint(self._wanted(client, armed))
        return finding

    def _resolver_of(self, client: Client) -> Resolver:
        self._resolver = self._resolver or Resolver(client)
        return self._resolver

    def _judge(self, client: Client) -> Optimised:
        self._optimised = self._optimised or Optimised.of(client, self._resolver_of(client).sources)
        return self._optimised

    def _by_name(self, client: Client, stop: Stopped) -> ByName:
        if not stop.frames or not is_optimised(stop.frames[0]):
            return values.by_name
        by_name = self._judge(client).by_name
        return partial(
            by_name, client=client, goroutine=stop.thread.goroutine_id, frame=stop.frames[0]
        )

    def _value(self, client: Client, stop: Stopped, expression: str, depth: int) -> object:
        """Return an expression's value; of an optimised function, none that may be wrong."""
        innermost = stop.frames[:1]
        if not any(map(is_optimised, innermost)) and not reads_outer_frame(expression):
            return self._read(client, stop, expression, depth)
        judge, goroutine = self._judge(client), stop.thread.goroutine_id
        if doubt := judge.doubt(client, expression, goroutine, stop.frames):
            return values.Unreadable(doubt)
        value = self._read(client, stop, expression, depth)
        return judge.explain(expression, value, stop.frames)

    def _read(self, client: Client, stop: Stopped, expression: str, depth: int) -> object:
        variable = stop.variables[expression]
        is_anothers = reads_outer_frame(expression) and not stop.is_selected
        if is_anothers or (depth and not completeness.is_complete(variable, depth)):
            scope = api.EvalScope(goroutine_id=stop.thread.goroutine_id)
            try:
                if is_anothers:
                    client.switch_thread(stop.thread.id)
                variable = loading.evaluate(client, expression, scope, Limits(depth=max(depth, 1)))
            except RPCError as error:
                return values.Unreadable(error.text)
        value = values.to_python(variable)
        if depth and isinstance(value, values.Unreadable) and _NO_SYMBOL in value.reason:
            return values.Unreadable(f"{value.reason}; {self._visible(client, stop)}")
        return value

    def _visible(self, client: Client, stop: Stopped) -> str:
        """Say which names there are instead of one that is not."""
        pc = stop.armed.pc
        if pc not in self._names:
            scope = api.EvalScope(goroutine_id=stop.thread.goroutine_id)
            names = dict.fromkeys(each.name for each in frames.visible(client, scope))
            self._names[pc] = f"what is visible there: {', '.join(names) or 'nothing'}"
        return self._names[pc]


def _ignore(_hit: Hit) -> None:
    """Take a hit of which only its goroutine is of interest."""
