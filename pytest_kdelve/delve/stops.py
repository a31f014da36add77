"""Why and where a target stopped."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from pytest_kdelve.delve import api, values
from pytest_kdelve.errors import DelveError

if TYPE_CHECKING:
    from pytest_kdelve.delve.client import Client

_UNRECOVERED_PANIC = -1
_FATAL_THROW = -2
#: The server knows it as -3, but sends it as 0, with this name (``ConvertThreadBreakpoint``).
_HARDCODED = "hardcoded-breakpoint"
#: Frames of the stack of a panic, and bytes of its text.
_STACK_DEPTH = 128
_TEXT = api.LoadConfig(max_string_len=4096)


class StopReason(enum.Enum):
    """Why the target stopped; where several are true, the first of them in this list."""

    UNRECOVERED_PANIC = "unrecovered panic"
    FATAL_THROW = "fatal error of the runtime"
    HARDCODED_BREAKPOINT = "hardcoded breakpoint"
    BREAKPOINT = "breakpoint"
    WATCHPOINT = "watchpoint"
    WATCHPOINT_OUT_OF_SCOPE = "watchpoint out of scope"
    NEXT_FINISHED = "next finished"
    MANUAL = "manual"
    #: It stood still already when it was asked for the first time: launched, attached, a core.
    UNKNOWN = "unknown"


#: What Delve says itself since 1.26.1.
_TOLD = {"manual": StopReason.MANUAL, "next finished": StopReason.NEXT_FINISHED}


@dataclass(frozen=True, slots=True)
class Panic:
    """What ends the target if it goes on: the panic's value or the runtime's words, and the stack.

    ``value`` is None where Delve cannot tell.
    """

    value: object
    stack: tuple[api.Stackframe, ...]

    def __str__(self) -> str:
        lines = [f"panic: {self.value}"]
        for frame in self.stack:
            name = frame.function.name if frame.function else "?"
            lines.append(f"  {name}\n    {frame.file}:{frame.line}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Stop:
    """A target that stands still."""

    reason: StopReason
    state: api.DebuggerState
    panic: Panic | None = None

    @property
    def hits(self) -> tuple[api.Thread, ...]:
        """The threads that stand at a breakpoint or watchpoint: several may stop at once."""
        return tuple(thread for thread in self.state.threads or () if _breakpoint_id(thread) > 0)

    @property
    def goroutine_id(self) -> int:
        """The selected goroutine, which next, step and stepout move; 0 where there is none."""
        selected = self.state.selected_goroutine
        return selected.id if selected else 0

    @property
    def location(self) -> api.Location:
        """Where the selected goroutine is; the current thread, where none is selected."""
        if self.state.selected_goroutine:
            return self.state.selected_goroutine.current_loc
        thread = self.state.current_thread or api.Thread()
        return api.Location(
            pc=thread.pc, file=thread.file, line=thread.line, function=thread.function
        )

    @property
    def return_values(self) -> tuple[api.Variable, ...]:
        """What the function returned that a step has just left."""
        thread = self.state.current_thread
        return tuple((thread and thread.return_values) or ())

    @property
    def next_in_progress(self) -> bool:
        """Whether a next, step or stepout was interrupted by this stop."""
        return self.state.next_in_progress

    def __str__(self) -> str:
        place = self.location
        name = place.function.name if place.function else "?"
        text = f"stopped ({self.reason.value}) in {name} at {place.file}:{place.line}"
        return f"{text}\n{self.panic}" if self.panic else text


def is_same_stop(state: api.DebuggerState, before: api.DebuggerState) -> bool:
    """Whether all threads stand where they stood before, and at the same hits.

    A breakpoint may have been removed meanwhile.
    """
    threads, known = _by_id(state), _by_id(before)
    return threads.keys() == known.keys() and all(
        _is_unmoved(thread, known[number]) for number, thread in threads.items()
    )


def without_hits_of(stop: Stop, before: Stop, *, are_recounted: bool = False) -> api.DebuggerState:
    """Return a stop's state without the threads that stood at the same hit before.

    With ``are_recounted`` Delve may have counted those hits once more, since a halt came late.
    """
    known = _by_id(before.state)
    is_old = _is_recounted if are_recounted else _is_unmoved
    fresh = [
        thread
        for number, thread in _by_id(stop.state).items()
        if not (thread.breakpoint and number in known and is_old(thread, known[number]))
    ]
    return msgspec.structs.replace(stop.state, threads=fresh)


def _by_id(state: api.DebuggerState) -> dict[int, api.Thread]:
    return {thread.id: thread for thread in state.threads or ()}


def _is_unmoved(thread: api.Thread, before: api.Thread) -> bool:
    hit, known = thread.breakpoint, before.breakpoint
    is_new_hit = hit and (known is None or hit.total_hit_count != known.total_hit_count)
    return thread.pc == before.pc and not is_new_hit


def _is_recounted(thread: api.Thread, before: api.Thread) -> bool:
    """Whether it stands where it did, at a hit that was counted once more at most."""
    hit, known = thread.breakpoint, before.breakpoint
    if not hit or not known or thread.goroutine_id != before.goroutine_id:
        return False
    counted = hit.total_hit_count - known.total_hit_count
    return thread.pc == before.pc and 0 <= counted <= 1


def read_stop(client: Client, state: api.DebuggerState, otherwise: StopReason) -> Stop:
    """Return what a state says; a panic's stack is asked for.

    ``otherwise`` is the reason where no breakpoint is.
    """
    reason = _reason(state, otherwise)
    if reason not in {StopReason.UNRECOVERED_PANIC, StopReason.FATAL_THROW}:
        return Stop(reason, state)
    return Stop(reason, state, Panic(_panic_value(client, state), _stack(client, state)))


def _reason(state: api.DebuggerState, otherwise: StopReason) -> StopReason:
    threads = state.threads or []
    reasons = {_at_breakpoint(thread.breakpoint) for thread in threads if thread.breakpoint}
    if state.watch_out_of_scope:
        reasons.add(StopReason.WATCHPOINT_OUT_OF_SCOPE)
    if not reasons and state.next_in_progress:
        return StopReason.MANUAL
    told = _TOLD.get(state.stop_reason, otherwise)
    return next((reason for reason in StopReason if reason in reasons), told)


def _at_breakpoint(breakpoint_: api.Breakpoint) -> StopReason:
    if breakpoint_.id == _UNRECOVERED_PANIC:
        return StopReason.UNRECOVERED_PANIC
    if breakpoint_.id == _FATAL_THROW:
        return StopReason.FATAL_THROW
    if breakpoint_.name == _HARDCODED:
        return StopReason.HARDCODED_BREAKPOINT
    return StopReason.WATCHPOINT if breakpoint_.watch_expr else StopReason.BREAKPOINT


def _breakpoint_id(thread: api.Thread) -> int:
    return thread.breakpoint.id if thread.breakpoint else 0


def _panic_value(client: Client, state: api.DebuggerState) -> object:
    """Return what Delve collects for a panic; for a throw, the first argument."""
    for thread in state.threads or ():
        if _breakpoint_id(thread) in {_UNRECOVERED_PANIC, _FATAL_THROW}:
            info = thread.breakpoint_info
            if info and info.variables:
                return values.to_python(info.variables[0])
            try:
                args = client.list_function_args(api.EvalScope(), _TEXT)
            except DelveError:  # As on the system stack. The stop is known in any case.
                return None
            return values.to_python(args[0]) if args else None
    return None


def _stack(client: Client, state: api.DebuggerState) -> tuple[api.Stackframe, ...]:
    goroutine = state.selected_goroutine
    try:
        return tuple(client.stacktrace(goroutine.id if goroutine else -1, _STACK_DEPTH))
    except DelveError:
        return ()
