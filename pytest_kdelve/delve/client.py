"""Delve's RPCs, one short method each, named as in ``service/rpc2/server.go``."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - msgspec looks it up
from typing import TYPE_CHECKING, Any, Self, TypeVar

import msgspec

from pytest_kdelve.delve import api
from pytest_kdelve.delve.rpc import Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")

#: Seconds for a call that reads or changes a stopped target.
DEFAULT_TIMEOUT = 30.0


class _LastModifiedOut(msgspec.Struct):
    time: dt.datetime = msgspec.field(name="Time")


class _StateOut(msgspec.Struct):
    state: api.DebuggerState = msgspec.field(name="State")


class _BreakpointOut(msgspec.Struct):
    breakpoint: api.Breakpoint = msgspec.field(name="Breakpoint")


class _BreakpointsOut(msgspec.Struct):
    breakpoints: list[api.Breakpoint] | None = msgspec.field(default=None, name="Breakpoints")


class _VariableOut(msgspec.Struct):
    variable: api.Variable = msgspec.field(name="Variable")


class _VariablesOut(msgspec.Struct):
    variables: list[api.Variable] | None = msgspec.field(default=None, name="Variables")


class _ArgsOut(msgspec.Struct):
    args: list[api.Variable] | None = msgspec.field(default=None, name="Args")


class _SourcesOut(msgspec.Struct):
    sources: list[str] | None = msgspec.field(default=None, name="Sources")


class _FuncsOut(msgspec.Struct):
    funcs: list[str] | None = msgspec.field(default=None, name="Funcs")


class _LocationsOut(msgspec.Struct):
    locations: list[api.Location] | None = msgspec.field(default=None, name="Locations")


class _StackOut(msgspec.Struct):
    locations: list[api.Stackframe] | None = msgspec.field(default=None, name="Locations")


class _DisassembleOut(msgspec.Struct):
    disassemble: list[api.AsmInstruction] | None = msgspec.field(default=None, name="Disassemble")


class Client:
    """One connection to a headless Delve with API version 2.

    All calls but ``command`` and ``state`` need a stopped target: sent while it runs, they wedge
    this connection on the server's side until the target stops by itself. ``request_halt`` ends a
    ``continue_`` of this connection; to ``halt`` takes a second one. Every method raises
    ``DelveError`` in one of its forms.
    """

    def __init__(self, host: str, port: int, *, timeout: float = DEFAULT_TIMEOUT) -> None:
        self._timeout = timeout
        self._connection = Connection(host, port, timeout=timeout)

    @property
    def address(self) -> str:
        """``HOST:PORT`` of the server."""
        return self._connection.address

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the server and its target go on if it accepts many clients."""
        self._connection.close()

    def _call(
        self, method: str, result: type[T], params: Mapping[str, Any], timeout: float | None = None
    ) -> T:
        return self._connection.call(method, params, result, timeout=timeout or self._timeout)

    def get_version(self) -> api.GetVersionOut:
        """Return Delve's version and the target's Go version; waits until symbols are loaded."""
        return self._call("GetVersion", api.GetVersionOut, {})

    def last_modified(self) -> dt.datetime:
        """Return when the target's binary was modified; the year is 1 if that is not known."""
        return self._call("LastModified", _LastModifiedOut, {}).time

    def state(self, *, non_blocking: bool = False) -> api.DebuggerState:
        """Return the target's state; ``non_blocking`` answers while it runs, too."""
        return self._call("State", _StateOut, {"NonBlocking": non_blocking}).state

    def command(self, name: str, *, timeout: float | None = None) -> api.DebuggerState:
        """Run one of Delve's commands and return the state in which the target stopped.

        Without ``timeout`` (seconds) it waits until the target stops or ``close`` is called.
        """
        out = self._connection.call("Command", {"name": name}, _StateOut, timeout=timeout)
        return out.state

    def continue_(self, *, sent: Callable[[], None] | None = None) -> api.DebuggerState:
        """Resume the target until it stops; no deadline, since a target may run for ever.

        ``sent`` is called as soon as ``request_halt`` may be used.
        """
        call = self._connection.call
        return call("Command", {"name": "continue"}, _StateOut, timeout=None, sent=sent).state

    def request_halt(self) -> None:
        """Stop the target for which ``continue_`` waits in another thread, and return at once.

        Delve reads it once the target has been resumed, so it does not come too early, as a
        ``halt`` on another connection may.
        """
        self._connection.post("Command", {"name": "halt"})

    def halt(self) -> api.DebuggerState:
        """Stop the target; send it on another connection than the one that waits."""
        return self.command("halt", timeout=self._timeout)

    def switch_thread(self, thread_id: int) -> None:
        """Select a thread, and its goroutine, for the commands that move only one."""
        params = {"name": "switchThread", "threadID": thread_id}
        self._call("Command", _StateOut, params)

    def detach(self, *, kill: bool) -> None:
        """End the debug session; Delve kills a process that it started in either case."""
        self._call("Detach", msgspec.Raw, {"Kill": kill})

    def create_breakpoint(self, breakpoint_: api.Breakpoint) -> api.Breakpoint:
        """Set a breakpoint at ``addrs``, or ``file`` and ``line``, or ``function_name``."""
        params = {"Breakpoint": breakpoint_}
        return self._call("CreateBreakpoint", _BreakpointOut, params).breakpoint

    def amend_breakpoint(self, breakpoint_: api.Breakpoint) -> None:
        """Replace all the settings of the breakpoint with this ``id``."""
        self._call("AmendBreakpoint", msgspec.Raw, {"Breakpoint": breakpoint_})

    def clear_breakpoint(self, breakpoint_id: int) -> None:
        """Remove a breakpoint."""
        self._call("ClearBreakpoint", msgspec.Raw, {"Id": breakpoint_id})

    def list_breakpoints(self) -> Sequence[api.Breakpoint]:
        """Return all breakpoints; those with an id below 1 are Delve's own."""
        return self._call("ListBreakpoints", _BreakpointsOut, {}).breakpoints or ()

    def eval(
        self, expr: str, scope: api.EvalScope, load: api.LoadConfig, *, timeout: float | None = None
    ) -> api.Variable:
        """Evaluate a Go expression, without calling functions of the target."""
        params = {"Scope": scope, "Expr": expr, "Cfg": load}
        return self._call("Eval", _VariableOut, params, timeout).variable

    def list_local_vars(self, scope: api.EvalScope, load: api.LoadConfig) -> Sequence[api.Variable]:
        """Return the local variables of a frame, shadowed ones included."""
        params = {"Scope": scope, "Cfg": load}
        return self._call("ListLocalVars", _VariablesOut, params).variables or ()

    def list_function_args(
        self, scope: api.EvalScope, load: api.LoadConfig
    ) -> Sequence[api.Variable]:
        """Return the arguments and named results of a frame's function."""
        params = {"Scope": scope, "Cfg": load}
        return self._call("ListFunctionArgs", _ArgsOut, params).args or ()

    def stacktrace(self, goroutine_id: int, depth: int) -> Sequence[api.Stackframe]:
        """Return up to ``depth`` frames, innermost first, without their variables."""
        params = {"Id": goroutine_id, "Depth": depth}
        return self._call("Stacktrace", _StackOut, params).locations or ()

    def list_sources(self, filter_: str = "") -> Sequence[str]:
        """Return the source paths in the binary's debug information that match a regexp."""
        return self._call("ListSources", _SourcesOut, {"Filter": filter_}).sources or ()

    def list_functions(self, filter_: str = "") -> Sequence[str]:
        """Return the full names of the target's functions that match a regexp."""
        return self._call("ListFunctions", _FuncsOut, {"Filter": filter_}).funcs or ()

    def find_location(
        self, loc: str, *, substitute_path: Sequence[tuple[str, str]] = ()
    ) -> Sequence[api.Location]:
        """Resolve one of Delve's location expressions to logical locations.

        ``substitute_path`` are pairs (as compiled, as in ``loc``) of files or directories.
        """
        params = {"Scope": api.EvalScope(), "Loc": loc, "SubstitutePathRules": substitute_path}
        return self._call("FindLocation", _LocationsOut, params).locations or ()

    def disassemble(self, start_pc: int) -> Sequence[api.AsmInstruction]:
        """Return the instructions of the function that contains an address."""
        params = {"Scope": api.EvalScope(), "StartPC": start_pc, "EndPC": 0, "Flavour": 1}
        return self._call("Disassemble", _DisassembleOut, params).disassemble or ()
