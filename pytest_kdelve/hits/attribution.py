"""Whose hit is it: finding the request that a goroutine works on.

The request is looked for in the frames of the goroutine, by type. Which variable of a function
holds it is learned once per function, since evaluating a name that is not there makes Delve
search every package (17 to 60 ms in a kube-apiserver).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_kdelve.delve import api, values
from pytest_kdelve.errors import RPCError
from pytest_kdelve.hits.model import Attribution, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_kdelve.delve.client import Client

#: Where a variable of these types has the ``*http.Request``.
_PATHS = {
    "*net/http.Request": "",
    "*github.com/emicklei/go-restful/v3.Request": ".Request",
    "*github.com/emicklei/go-restful.Request": ".Request",
}
_TYPES_ONLY = api.LoadConfig(
    follow_pointers=False,
    max_variable_recurse=0,
    max_string_len=0,
    max_array_values=0,
    max_struct_fields=0,
)
_STRINGS = api.LoadConfig(max_string_len=1024)
#: The innermost request may be one that the apiserver sends itself, so more than one is read.
_INNERMOST = 2
#: Since Go 1.21; the field of the runtime's g.
_PARENT = "runtime.curg.parentGoid"
_PARENT_DEPTH = 128
#: A goroutine with one of these frames goes on to the next request of its connection, so it may
#: work on another one than the one for which it started a goroutine.
_SERVES_MANY = frozenset({"net/http.(*conn).serve"})


@dataclass(frozen=True, slots=True)
class Holder:
    """A frame, counted from the innermost, and the expression of the request in it."""

    frame: int
    function: str
    expression: str

    def fits(self, functions: Sequence[str]) -> bool:
        """Whether a stack has the holder's function at the holder's frame."""
        return len(functions) > self.frame and functions[self.frame] == self.function

    @property
    def attribution(self) -> Attribution:
        """What a request that was found here says of its hit."""
        return Attribution.OUTER_FRAME if self.frame else Attribution.FRAME

    def expressions(self, *, from_innermost: bool) -> list[str]:
        """Return the expressions that ``read_request`` wants, in its order."""
        outer = from_innermost and self.frame
        base = f"runtime.frame({self.frame}).{self.expression}" if outer else self.expression
        return [f'{base}.Header["Audit-Id"]', f"{base}.Method", f"{base}.URL.Path"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A hit's request, and how it was found; ``holder`` is None in another goroutine."""

    request: Request
    attribution: Attribution
    holder: Holder | None


def read_request(variables: Sequence[api.Variable]) -> Request | None:
    """Return the request of a holder's three values; None where there is no request.

    Raises nothing: what cannot be read is no request. A request without the header has an empty
    ``audit_id``.
    """
    if not variables:
        return None
    audit_ids, method, path = map(values.to_python, variables)
    if not isinstance(method, str) or not isinstance(path, str | values.Incomplete):
        return None
    audit_id = audit_ids[0] if isinstance(audit_ids, list) and audit_ids else ""
    return Request(
        method,
        path if isinstance(path, str) else f"{path.value}…",
        audit_id if isinstance(audit_id, str) else "",
    )


class RequestFinder:
    """Finds requests in goroutines of one target, and learns where its functions keep them."""

    def __init__(self) -> None:
        self._expressions: dict[str, str | None] = {}

    def find(self, client: Client, goroutine: int, functions: Sequence[str]) -> Finding | None:
        """Return the request that a stopped goroutine works on, and where it is.

        ``functions`` are the goroutine's frames, innermost first. Where none of them has a
        request, those of the goroutine that started this one are looked at: for PUT, PATCH and
        DELETE the apiserver works in a goroutine that has no request itself.
        """
        found = self._in_frames(client, goroutine, functions)
        if found:
            holder, request = found
            return Finding(request, holder.attribution, holder)
        request_of_parent = self._in_parent(client, goroutine)
        if request_of_parent:
            return Finding(request_of_parent, Attribution.PARENT, None)
        return None

    def _in_parent(self, client: Client, goroutine: int) -> Request | None:
        parent = values.to_python(_eval(client, _PARENT, api.EvalScope(goroutine_id=goroutine)))
        if not isinstance(parent, int) or not parent:
            return None
        try:
            frames = client.stacktrace(parent, _PARENT_DEPTH)
        except RPCError:
            return None  # It has ended.
        functions = [frame.function.name if frame.function else "" for frame in frames]
        if _SERVES_MANY.intersection(functions):
            return None
        found = self._in_frames(client, parent, functions)
        return found[1] if found else None

    def _in_frames(
        self, client: Client, goroutine: int, functions: Sequence[str]
    ) -> tuple[Holder, Request] | None:
        """Return the first request with an Audit-ID, or the first one without.

        The innermost ones are looked at, then the outermost, which came from the network.
        """
        found: tuple[Holder, Request] | None = None
        for holder in self._candidates(client, goroutine, functions):
            request = self._read(client, goroutine, holder)
            if request and request.audit_id:
                return holder, request
            if request and found is None:
                found = holder, request
        return found

    def _candidates(
        self, client: Client, goroutine: int, functions: Sequence[str]
    ) -> Iterator[Holder]:
        frames = list(enumerate(functions))
        seen = set()
        inner = self._holders(client, goroutine, frames)
        for holder in itertools.islice(inner, _INNERMOST):
            seen.add(holder.frame)
            yield holder
        outermost = next(self._holders(client, goroutine, reversed(frames)), None)
        if outermost and outermost.frame not in seen:
            yield outermost

    def _holders(
        self, client: Client, goroutine: int, frames: Iterable[tuple[int, str]]
    ) -> Iterator[Holder]:
        for frame, function in frames:
            if not function or function.startswith("runtime."):
                continue
            if function not in self._expressions:
                self._expressions[function] = self._learn(client, goroutine, frame)
            expression = self._expressions[function]
            if expression:
                yield Holder(frame, function, expression)

    def _learn(self, client: Client, goroutine: int, frame: int) -> str | None:
        scope = api.EvalScope(goroutine_id=goroutine, frame=frame)
        try:
            variables = [
                *client.list_function_args(scope, _TYPES_ONLY),
                *client.list_local_vars(scope, _TYPES_ONLY),
            ]
        except RPCError:
            return None  # A frame without debug information, such as assembly, holds no request.
        for variable in variables:
            path = _PATHS.get(variable.type)
            if path is not None and variable.name.isidentifier():
                return f"{variable.name}{path}"
        return None

    def _read(self, client: Client, goroutine: int, holder: Holder) -> Request | None:
        scope = api.EvalScope(goroutine_id=goroutine, frame=holder.frame)
        read = [
            _eval(client, expression, scope)
            for expression in holder.expressions(from_innermost=False)
        ]
        return read_request(read)


def _eval(client: Client, expression: str, scope: api.EvalScope) -> api.Variable:
    try:
        return client.eval(expression, scope, _STRINGS)
    except RPCError as error:
        return api.Variable(name=expression, unreadable=error.text)
