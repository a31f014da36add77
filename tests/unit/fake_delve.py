"""A client that answers from tables, and a continue loop around it that needs no thread."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar, cast

from pytest_kdelve.delve import api, versions
from pytest_kdelve.delve.stops import Stop, StopReason
from pytest_kdelve.errors import RPCError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_kdelve.delve.client import Client

T = TypeVar("T")
REQUEST_TYPE = "*net/http.Request"


def string(text: str, *, length: int | None = None) -> api.Variable:
    """Return a string; ``length`` is its real one where only a part was loaded."""
    real = len(text.encode()) if length is None else length
    return api.Variable(kind=api.Kind.STRING, type="string", value=text, len=real, addr=1)


def number(value: int) -> api.Variable:
    return api.Variable(kind=api.Kind.INT, type="int", value=str(value), addr=1)


def strings(*texts: str) -> api.Variable:
    children = [string(text) for text in texts]
    return api.Variable(kind=api.Kind.SLICE, len=len(texts), base=1, addr=1, children=children)


def request_values(
    expression: str,
    *,
    audit_id: str | None = "kdelve-1",
    path: str = "/api",
    is_outgoing: bool = False,
) -> dict[str, api.Variable]:
    """Return what the expressions of a request in a variable give."""
    values = {
        f"{expression}.Method": string("GET"),
        f"{expression}.URL.Path": string(path),
        f"{expression}.RequestURI": string("" if is_outgoing else path),
    }
    if audit_id is not None:
        values[f'{expression}.Header["Audit-Id"]'] = strings(audit_id)
    return values


@dataclass
class FakeFrame:
    """A frame of a goroutine: the types of its variables, and the values of expressions.

    ``variables`` is None where there is no debug information.
    """

    function: str
    variables: Mapping[str, str] | None = field(default_factory=dict)
    values: Mapping[str, api.Variable] = field(default_factory=dict)


#: The goroutine that started the one that is stopped.
PARENT = 6


def _stack(frames: Sequence[FakeFrame]) -> list[api.Stackframe]:
    return [
        api.Stackframe(function=api.Function(name=frame.function), file="/src/get.go", line=number)
        for number, frame in enumerate(frames)
    ]


class FakeClient:
    """Delve as far as hits need it, with ``calls`` as (method, what) in their order."""

    def __init__(self) -> None:
        self.frames: Sequence[FakeFrame] = ()
        #: Those of the goroutine that started this one, None where it has ended.
        self.parent_frames: Sequence[FakeFrame] | None = None
        self.breakpoints: dict[int, api.Breakpoint] = {}
        self.refused: set[int] = set()
        self.calls: list[tuple[str, str]] = []
        self.own_breakpoints: set[int] = set()
        self.loads: list[api.LoadConfig] = []
        self.can_catch = True
        self.has_outer_frames = True
        #: What ``GODEBUG=tracebackancestors`` keeps, None where it is not set.
        self.ancestor_ids: Sequence[int] | None = None

    @property
    def as_client(self) -> Client:
        return cast("Client", self)

    @property
    def stack(self) -> list[api.Stackframe]:
        return _stack(self.frames)

    def is_at_least(self, version: str) -> bool:
        return self.can_catch if version == versions.CATCH else self.has_outer_frames

    def count(self) -> Counter[str]:
        """Return how often each method was called since this was asked last."""
        counted = Counter(method for method, _ in self.calls)
        self.calls.clear()
        return counted

    def create_breakpoint(self, wanted: api.Breakpoint) -> api.Breakpoint:
        [address] = wanted.addrs or [0]
        self.calls.append(("create_breakpoint", hex(address)))
        if address in self.refused:
            raise RPCError("CreateBreakpoint", f"could not set a breakpoint at {address:#x}")
        wanted.id = max(self.breakpoints, default=0) + 1
        self.breakpoints[wanted.id] = wanted
        self.own_breakpoints.add(wanted.id)
        return wanted

    def amend_breakpoint(self, wanted: api.Breakpoint) -> None:
        self.calls.append(("amend_breakpoint", str(wanted.id)))
        if wanted.id not in self.breakpoints:
            raise RPCError("AmendBreakpoint", f"no breakpoint with ID {wanted.id}")
        self.breakpoints[wanted.id] = wanted

    def clear_breakpoint(self, breakpoint_id: int) -> None:
        self.calls.append(("clear_breakpoint", str(breakpoint_id)))
        if self.breakpoints.pop(breakpoint_id, None) is None:
            raise RPCError("ClearBreakpoint", f"no breakpoint with id {breakpoint_id}")

    def list_breakpoints(self) -> list[api.Breakpoint]:
        own = [api.Breakpoint(id=-1), api.Breakpoint(id=-2)]
        return [*own, *self.breakpoints.values()]

    def list_function_args(self, scope: api.EvalScope, _load: api.LoadConfig) -> list[api.Variable]:
        frame = self._frame(scope)
        self.calls.append(("list_function_args", frame.function))
        if frame.variables is None:
            raise RPCError("ListFunctionArgs", "no debug information")
        return [api.Variable(name=name, type=type_) for name, type_ in frame.variables.items()]

    def list_local_vars(self, scope: api.EvalScope, _load: api.LoadConfig) -> list[api.Variable]:
        self.calls.append(("list_local_vars", self._frame(scope).function))
        return []

    def stacktrace(self, goroutine: int, _depth: int) -> list[api.Stackframe]:
        self.calls.append(("stacktrace", str(goroutine)))
        if goroutine != PARENT or self.parent_frames is None:
            raise RPCError("Stacktrace", f"unknown goroutine {goroutine}")
        return _stack(self.parent_frames)

    def ancestors(self, goroutine: int, _count: int, _depth: int) -> list[api.Ancestor]:
        self.calls.append(("ancestors", str(goroutine)))
        if self.ancestor_ids is None:
            raise RPCError("Ancestors", "tracebackancestors is disabled")
        return [api.Ancestor(id=number) for number in self.ancestor_ids]

    def switch_goroutine(self, goroutine: int) -> None:
        self.calls.append(("switch_goroutine", str(goroutine)))

    def _frame(self, scope: api.EvalScope) -> FakeFrame:
        frames = self.parent_frames or () if scope.goroutine_id == PARENT else self.frames
        return frames[scope.frame]

    def eval(self, expr: str, scope: api.EvalScope, load: api.LoadConfig) -> api.Variable:
        self.calls.append(("eval", f"{scope.frame}: {expr}"))
        self.loads.append(load)
        if expr == "runtime.curg.parentGoid":
            return number(PARENT)
        try:
            return self._frame(scope).values[expr]
        except KeyError:
            raise RPCError("Eval", f"could not find symbol value for {expr}") from None

    def stop(
        self, address: int, *, goroutine: int = 7, info: api.BreakpointInfo | None = None
    ) -> api.Thread:
        """Return a thread at a breakpoint, with what that one collects in the frames."""
        breakpoint_ = next(b for b in self.breakpoints.values() if b.addrs == [address])
        return api.Thread(
            goroutine_id=goroutine,
            file="/src/get.go",
            line=74,
            function=api.Function(name=self.frames[0].function) if self.frames else None,
            breakpoint=breakpoint_,
            breakpoint_info=info or self._collect(breakpoint_),
        )

    def _collect(self, breakpoint_: api.Breakpoint) -> api.BreakpointInfo:
        frames = self.stack
        variables = [self._collected(expr) for expr in breakpoint_.variables or ()]
        local = [api.Variable(name="local", kind=api.Kind.BOOL, value="true", addr=1)]
        loaded = local if breakpoint_.load_locals else None
        return api.BreakpointInfo(stacktrace=frames, variables=variables, locals=loaded)

    def _collected(self, expr: str) -> api.Variable:
        """Return a value under the name that Delve gives it, which is not what was asked for."""
        frame = 0
        if expr.startswith("runtime.frame("):
            number, _, expr = expr.removeprefix("runtime.frame(").partition(").")
            frame = int(number)
        found = self.frames[frame].values.get(expr)
        return found or api.Variable(name="data.x", unreadable=f"eval error: {expr}")


class FakeLoop:
    """A target that stands still unless a test says that it stopped."""

    def __init__(
        self,
        connect: Callable[[], Client],
        on_stop: Callable[[Client, api.DebuggerState], None],
    ) -> None:
        self.client = connect()
        self._on_stop = on_stop
        self.ended: Exception | None = None
        self.holders: set[object] = set()
        #: When another client last moved the target.
        self.gave_way_at = -1.0
        self.has_lost_stop = False
        self.gives_way = False
        #: The goroutine and the name of each step, and what comes of the next one.
        self.steps: list[tuple[int, str]] = []
        self.next_stop = Stop(StopReason.NEXT_FINISHED, api.DebuggerState())

    def call(self, work: Callable[[Client], T]) -> T:
        self.check()
        return work(self.client)

    def hold(self, holder: object) -> None:
        self.holders.add(holder)

    def gave_way_since(self, moment: float = 0.0) -> bool:
        return self.gave_way_at >= moment

    def is_held_by(self, holder: object) -> bool:
        return holder in self.holders

    def release(self, holder: object) -> None:
        self.check()
        self.holders.discard(holder)

    def step(self, goroutine: int, step: str, *, timeout: float) -> Stop:
        assert timeout > 0
        self.check()
        self.steps.append((goroutine, str(step)))
        return self.next_stop

    def stopped(self, *threads: api.Thread) -> None:
        """Let the target stop; the first thread's goroutine is the selected one."""
        selected = api.Goroutine(id=threads[0].goroutine_id) if threads else None
        state = api.DebuggerState(threads=list(threads), selected_goroutine=selected)
        self._on_stop(self.client, state)

    @property
    def has_ended(self) -> bool:
        return self.ended is not None

    def check(self) -> None:
        if self.ended is not None:
            raise self.ended
