"""What breakpoints collect, for a stop that was another client's to be told of."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from pytest_kdelve.delve import api
from pytest_kdelve.errors import RPCError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_kdelve.delve.client import Client

T = TypeVar("T")

#: What Delve itself loads for the expressions of a breakpoint (``LoadFullValue`` in its proc).
_FULL = api.LoadConfig()


def collect(client: Client, state: api.DebuggerState) -> api.DebuggerState:
    """Return a state with what the client's own breakpoints collect in the threads at them.

    Only the reply of the command that moved the target has it, so it is asked for one by one. The
    target must stand; for it to be read in one piece, nobody may resume it.
    """
    threads = [
        msgspec.structs.replace(thread, breakpoint_info=_info(client, thread, thread.breakpoint))
        if thread.breakpoint and thread.breakpoint.id in client.own_breakpoints
        else thread
        for thread in state.threads or ()
    ]
    return msgspec.structs.replace(state, threads=threads)


def _info(client: Client, thread: api.Thread, wanted: api.Breakpoint) -> api.BreakpointInfo:
    scope = api.EvalScope(goroutine_id=thread.goroutine_id)
    return api.BreakpointInfo(
        stacktrace=_list(lambda: client.stacktrace(thread.goroutine_id, wanted.stacktrace))
        if wanted.stacktrace
        else None,
        variables=[_eval(client, expression, scope) for expression in wanted.variables or ()],
        arguments=_load(client.list_function_args, scope, wanted.load_args),
        locals=_load(client.list_local_vars, scope, wanted.load_locals),
    )


def _eval(client: Client, expression: str, scope: api.EvalScope) -> api.Variable:
    try:
        return client.eval(expression, scope, _FULL)
    except RPCError as error:
        return api.Variable(name=expression, unreadable=f"eval error: {error.text}")


def _load(
    load: Callable[[api.EvalScope, api.LoadConfig], Sequence[api.Variable]],
    scope: api.EvalScope,
    how: api.LoadConfig | None,
) -> list[api.Variable] | None:
    return None if how is None else _list(lambda: load(scope, how))


def _list(ask: Callable[[], Sequence[T]]) -> list[T] | None:
    """Return nothing where it fails, as Delve does."""
    try:
        return list(ask())
    except RPCError:
        return None
