"""The frames of a goroutine, and which of their variables hold a request or a context."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_kdelve.delve import api
from pytest_kdelve.errors import RPCError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_kdelve.delve.client import Client

#: Where a variable of these types has the ``*http.Request``.
_REQUESTS = {
    "*net/http.Request": "",
    "*github.com/emicklei/go-restful/v3.Request": ".Request",
    "*github.com/emicklei/go-restful.Request": ".Request",
}
_CONTEXTS = {"context.Context": ""}
_TYPES_ONLY = api.LoadConfig(
    follow_pointers=False,
    max_variable_recurse=0,
    max_string_len=0,
    max_array_values=0,
    max_struct_fields=0,
)
#: Where goroutines begin that work for many requests: the main one, and those of connections, on
#: either side. Such a goroutine may by now work for another request than the one for which it was
#: started, or for which it started a goroutine.
_SERVES_MANY = re.compile(
    r"main\.main$"
    r"|net/http\.\(\*(conn\)\.serve|persistConn\)|Transport\))"
    r"|(net/http|golang\.org/x/net).*http2.*\)\.(?!runHandler)"
    r"|google\.golang\.org/grpc"
)


@dataclass(frozen=True, slots=True)
class Holder:
    """A variable that holds what is looked for, in a frame that is counted from the innermost."""

    frame: int
    function: str
    expression: str

    def fits(self, functions: Sequence[str]) -> bool:
        """Whether a stack has the holder's function at the holder's frame."""
        return len(functions) > self.frame and functions[self.frame] == self.function

    def scope(self, goroutine: int) -> api.EvalScope:
        """Return the scope in which the expression has its value."""
        return api.EvalScope(goroutine_id=goroutine, frame=self.frame)


@dataclass(frozen=True, slots=True)
class _Variables:
    """What there is in a frame; empty where there is none."""

    request: str = ""
    context: str = ""


class FrameVariables:
    """Knows which variables hold what in the functions of one target.

    That is learned once for each line, by the variables' types, since evaluating a name that is
    not there makes Delve search every package (17 to 60 ms in a kube-apiserver).
    """

    def __init__(self) -> None:
        self._learned: dict[tuple[str, int], _Variables] = {}

    def requests(
        self, client: Client, goroutine: int, frames: Iterable[tuple[int, api.Stackframe]]
    ) -> Iterator[Holder]:
        """Yield the variables that hold a request, in the order of ``frames``."""
        for number, frame, variables in self._variables(client, goroutine, frames):
            if variables.request:
                yield Holder(number, function_of(frame), variables.request)

    def contexts(
        self, client: Client, goroutine: int, frames: Iterable[tuple[int, api.Stackframe]]
    ) -> Iterator[Holder]:
        """Yield the variables that hold a context, in the order of ``frames``."""
        for number, frame, variables in self._variables(client, goroutine, frames):
            if variables.context:
                yield Holder(number, function_of(frame), variables.context)

    def _variables(
        self, client: Client, goroutine: int, frames: Iterable[tuple[int, api.Stackframe]]
    ) -> Iterator[tuple[int, api.Stackframe, _Variables]]:
        for number, frame in frames:
            function = function_of(frame)
            if not function or function.startswith("runtime."):
                continue
            known = self._learned.get((function, frame.line))
            if known is None:
                scope = api.EvalScope(goroutine_id=goroutine, frame=number)
                known = self._learned[function, frame.line] = _learn(client, scope)
            yield number, frame, known


def function_of(frame: api.Stackframe) -> str:
    """Return the name of a frame's function; empty where Delve knows none."""
    return frame.function.name if frame.function else ""


def serves_many(frames: Sequence[api.Stackframe]) -> bool:
    """Whether a goroutine, given by its stack, works for more than one request in its life."""
    functions = filter(None, map(function_of, reversed(frames)))
    entry = next((name for name in functions if not name.startswith("runtime.")), "")
    return bool(_SERVES_MANY.match(entry))


def visible(client: Client, scope: api.EvalScope) -> Sequence[api.Variable]:
    """Return the arguments and local variables of a frame, without their values."""
    try:
        return [
            *client.list_function_args(scope, _TYPES_ONLY),
            *client.list_local_vars(scope, _TYPES_ONLY),
        ]
    except RPCError:
        return ()  # A frame without debug information, such as assembly, has none.


def _learn(client: Client, scope: api.EvalScope) -> _Variables:
    variables = visible(client, scope)
    return _Variables(_first(variables, _REQUESTS), _first(variables, _CONTEXTS))


def _first(variables: Iterable[api.Variable], paths: dict[str, str]) -> str:
    for variable in variables:
        path = paths.get(variable.type)
        if path is not None and variable.name.isidentifier():
            return f"{variable.name}{path}"
    return ""
