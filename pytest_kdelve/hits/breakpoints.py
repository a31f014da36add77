"""A breakpoint that several subscriptions share: what it collects, and when it stops."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_kdelve.delve import api, own
from pytest_kdelve.hits.attribution import expressions
from pytest_kdelve.hits.budget import Budget
from pytest_kdelve.hits.collected import Coverage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_kdelve.delve.locations import Place
    from pytest_kdelve.hits.frames import Holder
    from pytest_kdelve.hits.model import Hit

#: Frames of a hit; a handler of a kube-apiserver has about 65.
_STACK_DEPTH = 128
_FRAME_VARIABLES = api.LoadConfig()
#: How far back a narrow breakpoint looks; a kube-apiserver's work is at most three goroutines away
#: from that of its connection.
_GENERATIONS = 4
_ANOTHER = "another client of the debugger resumed the server"
#: Hits of the test itself at a place that others hit too often: one request may have thousands.
MOST_OWN = 200


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subscription:
    """Who wants to know of hits at a place.

    ``expressions`` are evaluated in the frame of each hit. Where the hit is the subscriber's
    (caused by a request whose Audit-ID begins with ``owner``, or any with ``by_anyone``), each
    value is loaded down to the depth that ``expressions`` gives, as in
    ``completeness.is_complete``. ``sink`` gets each hit, own or not, in the loop's thread, which
    notes in ``coverage`` which hits do not come. A subscription is removed at the first hit after
    which ``wants_more`` says no.
    """

    place: Place
    expressions: Mapping[str, int]
    load_frame: bool
    owner: str
    by_anyone: bool
    sink: Callable[[Hit], None]
    coverage: Coverage = field(default_factory=Coverage)
    wants_more: Callable[[], bool] = lambda: True

    def owns(self, audit_id: str) -> bool:
        """Whether a request is the subscriber's."""
        return bool(self.owner) and audit_id.startswith(self.owner)


@dataclass(slots=True)
class Armed:
    """A breakpoint at one address; ``id`` is 0 where it is not set.

    ``holder`` is the variable in which the request was found at the last hit. A narrow one is for
    the goroutines of the subscribers' requests only; ``own_count`` are its hits in them. ``seen``
    are all its hits that came here.
    """

    id: int
    pc: int
    holder: Holder | None
    subscriptions: list[Subscription] = field(default_factory=list)
    expressions: list[str] = field(default_factory=list)
    budget: Budget = field(default_factory=Budget)
    is_narrow: bool = False
    own_count: int = 0
    seen: int = 0

    def wanted(self, *, can_catch: bool, goroutines: Sequence[int] = ()) -> api.Breakpoint:
        """Return what Delve is to collect in each hit; remembers the order asked for.

        ``can_catch``: whether this Delve knows ``delve.catch``. ``goroutines`` are those of the
        subscribers' requests; a narrow one stops for them and their descendants only.
        """
        every = (expr for subscription in self.subscriptions for expr in subscription.expressions)
        self.expressions = list(dict.fromkeys(every))
        request = expressions(self.holder, from_innermost=True) if self.holder else []
        load = _FRAME_VARIABLES if any(s.load_frame for s in self.subscriptions) else None
        condition = self._condition() if can_catch else ""
        if self.is_narrow:
            condition = _descends_from(goroutines)
        for subscription in self.subscriptions if condition else ():
            subscription.coverage.passes_others = True
        return api.Breakpoint(
            id=self.id,
            name=own.name_at(self.pc),
            addrs=[self.pc],
            cond=condition,
            stacktrace=_STACK_DEPTH,
            variables=[*request, *self.expressions],
            load_args=load,
            load_locals=load,
        )

    def count_own(self) -> bool:
        """Count a hit of the subscribers in a narrow one; False once that was the last."""
        self.own_count += 1
        return self.own_count < MOST_OWN

    def say_switched_off(self) -> None:
        """Tell the subscribers which hits are not recorded any more, and why."""
        count, took = self.budget.count, f"{self.budget.seconds:.1f} s"
        if self.is_narrow:
            text = f"switched off for others after {count} of their hits in {took}"
        else:
            text = f"switched off after {count} hits of others in {took}"
        if not self.id and self.own_count:
            text += f", and for all after {self.own_count} hits of the test's own"
        advice = "name a line that they reach less often, such as one of a caller"
        for subscription in self.subscriptions:
            subscription.coverage.switched_off = f"{text}; {advice}"
            subscription.coverage.is_over = not self.id

    def say_missed(self, count: int) -> None:
        """Tell the subscribers of hits that did not come here, of ``count`` that Delve counted."""
        if missed := max(0, count - self.seen):
            self._say(f"reached {missed} times more than was seen, since {_ANOTHER} meanwhile")

    def say_lost(self) -> None:
        """Tell the subscribers that a hit was over before all was read of it."""
        self._say(f"left before all was read of a hit, since {_ANOTHER} meanwhile")

    def _say(self, text: str) -> None:
        for subscription in self.subscriptions:
            subscription.coverage.switched_off = subscription.coverage.switched_off or text

    def _condition(self) -> str:
        """Return the condition that passes over the requests of others, where it can be told.

        It can where the request is in the frame itself, as it was at the last hit. (In an outer
        frame Delve would evaluate it for the selected goroutine, be it another one.) A request
        that did not come in is none of anybody's, so it stops, as does nil. Delve evaluates to
        the end what is true and has a value: where the header is missing or too short, it is
        another's, and ``delve.catch`` makes that false.
        """
        holder = self.holder
        if holder is None or holder.frame or any(s.by_anyone for s in self.subscriptions):
            return ""
        request = holder.expression
        owners = dict.fromkeys(s.owner for s in self.subscriptions)
        theirs = [
            f'{request}.Header["Audit-Id"][0][:{len(owner)}] == "{owner}"' for owner in owners
        ]
        # Delve looks for nil in every package, which takes 25 ms.
        alternatives = [f"uintptr({request}) == 0", f'{request}.RequestURI == ""', *theirs]
        return f"delve.catch({' || '.join(alternatives)})"


def _descends_from(goroutines: Sequence[int]) -> str:
    """Return the condition that holds in some goroutines, and in those that descend from them.

    Only where the target keeps the ancestors (``GODEBUG=tracebackancestors``). The nearest are
    asked for first: where there are no more, Delve gives up, and ``delve.catch`` makes that false.
    """
    places = ["runtime.curg.goid"]
    places += [f"(*runtime.curg.ancestors)[{number}].goid" for number in range(_GENERATIONS)]
    tests = [f"{place} == {goroutine}" for place in places for goroutine in goroutines]
    return f"delve.catch({' || '.join(tests)})" if tests else "1 == 2"
