"""Whose hit is it: finding the request that a goroutine works on.

It is looked for in the goroutine's frames, then in their contexts, then in both of the goroutines
that it descends from. A hit for which nothing is found there is nobody's: nothing is guessed.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_kdelve.delve import api, values
from pytest_kdelve.errors import RPCError
from pytest_kdelve.hits import contexts
from pytest_kdelve.hits.frames import FrameVariables, Holder, function_of, serves_many
from pytest_kdelve.hits.model import Attribution, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pytest_kdelve.delve.client import Client

    Frames = Iterable[tuple[int, api.Stackframe]]
    Find = Callable[[Client, int, Frames], Iterator[Holder]]

_STRINGS = api.LoadConfig(max_string_len=1024)
#: The innermost request may be one that the apiserver sends itself, so more than one is read.
_INNERMOST_REQUESTS = 2
_INNERMOST_CONTEXTS = 1
#: How many goroutines back; the target keeps as many as ``GODEBUG=tracebackancestors=N`` says.
_MOST_ANCESTORS = 16
#: Of the runtime's g since Go 1.21: the first of them, also where the target keeps none.
_PARENT = "runtime.curg.parentGoid"
_ANCESTOR_DEPTH = 128
#: How many goroutines are remembered whose ancestors told nothing.
_MOST_NOBODYS = 4096


@dataclass(frozen=True, slots=True)
class Finding:
    """A hit's request, and how it was found; ``holder`` is None where no frame has it."""

    request: Request
    attribution: Attribution
    holder: Holder | None = None

    @classmethod
    def in_frame(cls, request: Request, holder: Holder) -> Finding:
        """Return what was found in a frame of the goroutine itself."""
        attribution = Attribution.OUTER_FRAME if holder.frame else Attribution.FRAME
        return cls(request, attribution, holder)


def expressions(holder: Holder, *, from_innermost: bool) -> list[str]:
    """Return the expressions that ``read_request`` wants, in its order."""
    outer = from_innermost and holder.frame
    base = f"runtime.frame({holder.frame}).{holder.expression}" if outer else holder.expression
    return [
        f'{base}.Header["Audit-Id"]',
        f"{base}.Method",
        f"{base}.URL.Path",
        f"{base}.RequestURI",
    ]


def read_request(variables: Sequence[api.Variable]) -> Request | None:
    """Return the request of a holder's values; None where there is no request.

    Raises nothing: what cannot be read is no request. Nor is one without the header that the
    apiserver sends itself, which has no ``RequestURI`` (net/http): it says nothing of the request
    on whose behalf it is sent. One without the header that came in has an empty ``audit_id``.
    """
    if not variables:
        return None
    audit_ids, method, path, uri = map(values.to_python, variables)
    if not isinstance(method, str) or not isinstance(path, str | values.Incomplete):
        return None
    found = audit_ids[0] if isinstance(audit_ids, list) and audit_ids else ""
    audit_id = found if isinstance(found, str) else ""
    if not audit_id and uri == "":
        return None
    return Request(method, path if isinstance(path, str) else f"{path.value}…", audit_id)


class RequestFinder:
    """Finds requests in goroutines of one target, and learns where its functions keep them."""

    def __init__(self) -> None:
        self._variables = FrameVariables()
        #: Goroutines whose ancestors told nothing, with the functions they were in.
        self._nobodys: dict[tuple[int, tuple[str, ...]], None] = {}

    def find(
        self, client: Client, goroutine: int, frames: Sequence[api.Stackframe]
    ) -> Finding | None:
        """Return the request that a stopped goroutine works on, and how that was found.

        ``frames`` are the goroutine's, innermost first.
        """
        # It is looked for again at each hit: what a frame holds changes from line to line, and
        # with the next piece of work of a goroutine that does one after another.
        if found := self._in_goroutine(client, goroutine, frames):
            return found
        key = goroutine, tuple(map(function_of, frames))
        if key in self._nobodys:
            return None
        found = self._in_ancestors(client, goroutine, frames)
        if found is None:
            if len(self._nobodys) == _MOST_NOBODYS:
                self._nobodys.clear()
            self._nobodys[key] = None
        return found

    def _in_goroutine(
        self, client: Client, goroutine: int, frames: Sequence[api.Stackframe]
    ) -> Finding | None:
        in_frames = self._in_frames(client, goroutine, frames)
        return in_frames or self._in_contexts(client, goroutine, frames)

    def _in_ancestors(
        self, client: Client, goroutine: int, frames: Sequence[api.Stackframe]
    ) -> Finding | None:
        if serves_many(frames):
            return None
        for ancestor in _ancestors(client, goroutine):
            if serves_many(ancestor.stack or ()):
                return None
            try:
                stack = client.stacktrace(ancestor.id, _ANCESTOR_DEPTH)
            except RPCError:
                continue  # It has ended.
            if serves_many(stack):
                return None
            if found := self._in_goroutine(client, ancestor.id, stack):
                return Finding(found.request, Attribution.ANCESTOR)
        return None

    def _in_frames(
        self, client: Client, goroutine: int, frames: Sequence[api.Stackframe]
    ) -> Finding | None:
        """Look at the innermost ones, then at the outermost, which came from the network."""
        holders = _ends(
            self._variables.requests, client, goroutine, frames, innermost=_INNERMOST_REQUESTS
        )
        for holder in holders:
            if request := _read(client, goroutine, holder):
                return Finding.in_frame(request, holder)
        return None

    def _in_contexts(
        self, client: Client, goroutine: int, frames: Sequence[api.Stackframe]
    ) -> Finding | None:
        holders = _ends(
            self._variables.contexts, client, goroutine, frames, innermost=_INNERMOST_CONTEXTS
        )
        for holder in holders:
            request = contexts.request_of(client, holder.expression, holder.scope(goroutine))
            if request:
                return Finding(request, Attribution.CONTEXT)
        return None


def _ends(
    find: Find,
    client: Client,
    goroutine: int,
    frames: Sequence[api.Stackframe],
    *,
    innermost: int,
) -> Iterator[Holder]:
    """Yield the innermost of what is found, and then the outermost."""
    numbered = list(enumerate(frames))
    seen = set()
    for holder in itertools.islice(find(client, goroutine, numbered), innermost):
        seen.add(holder.frame)
        yield holder
    outermost = next(find(client, goroutine, reversed(numbered)), None)
    if outermost and outermost.frame not in seen:
        yield outermost


def _ancestors(client: Client, goroutine: int) -> Iterator[api.Ancestor]:
    """Yield the goroutines from which one descends, the one that started it first."""
    try:
        yield from client.ancestors(goroutine, _MOST_ANCESTORS, _ANCESTOR_DEPTH)
    except RPCError:  # The target was not told to keep them.
        parent = values.to_python(_eval(client, _PARENT, api.EvalScope(goroutine_id=goroutine)))
        if isinstance(parent, int) and parent:
            yield api.Ancestor(id=parent)


def _read(client: Client, goroutine: int, holder: Holder) -> Request | None:
    scope = holder.scope(goroutine)
    wanted = expressions(holder, from_innermost=False)
    return read_request([_eval(client, expression, scope) for expression in wanted])


def _eval(client: Client, expression: str, scope: api.EvalScope) -> api.Variable:
    try:
        return client.eval(expression, scope, _STRINGS)
    except RPCError as error:
        return api.Variable(name=expression, unreadable=error.text)
