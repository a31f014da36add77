"""Loading more of a value than Delve sent at first: on demand, and bounded.

The target must be stopped, and where it was when the value was read: addresses are those of that
stop. Delve's ``Documentation/api/ClientHowto.md`` has the expressions, ``pkg/proc/variables.go``
what they cost: a map is gone through from its start for each page, slices within slices know no
depth, and from 1.26.0 on the time for a reply grows with the square of its depth. So a value is
asked for a few levels at a time, in pages.
"""

from __future__ import annotations

import copy
import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from pytest_kdelve.delve import api, completeness
from pytest_kdelve.delve.api import Kind
from pytest_kdelve.delve.completeness import DEEPEST, NIL_ADDRESS
from pytest_kdelve.errors import RPCError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kdelve.delve.client import Client

#: Elements of one page where each is a number, a bool or a string, and where it may be anything.
_LONG_PAGE = 4096
_SHORT_PAGE = 64
#: Bytes of each string in a page; the rest of a longer one is read from memory.
_STRING_BYTES = 1024
_LEVELS = 2
_MOST_LEVELS = 16
#: ``ExamineMemoryLengthLimit`` in ``service/rpc2/server.go``; before 1.24.0 it was 1000.
_MEMORY_BYTES = 64 * 1024
_MEMORY_REFUSED = re.compile(r"len must be less than or equal to (?P<limit>\d+)")
_PLAIN = frozenset(range(Kind.BOOL, Kind.COMPLEX128 + 1))
#: What depends on a value's own place, and not on what is there.
_OWN = frozenset({"name", "flags", "decl_line"})
#: Delve keeps values that are in registers at addresses from 0xbeed000000000000 on
#: (``fakeAddressUnresolv``); no process has memory in that half.
_FIRST_FAKE_ADDRESS = 1 << 63


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is loaded at most; what exceeds it stays incomplete.

    ``depth`` is that of containers within each other, as in ``is_complete``; ``string_bytes`` are
    those of each string or slice of bytes, ``values`` the elements of any other slice, array and
    map; ``calls`` are all calls to Delve together, each of which takes about a millisecond.
    """

    depth: int = 3
    string_bytes: int = 64 * 1024
    values: int = 1024
    calls: int = 256


DEFAULT = Limits()


def evaluate(
    client: Client, expr: str, scope: api.EvalScope, limits: Limits = DEFAULT
) -> api.Variable:
    """Evaluate an expression and load the whole of its value.

    It reaches more than ``load_whole``: values without an address, such as that of ``a + b``.
    Raises ``RPCError`` where the expression itself is refused.
    """
    load = api.LoadConfig(
        max_variable_recurse=min(limits.depth, _MOST_LEVELS),
        max_string_len=limits.string_bytes,
        max_array_values=min(limits.values, _SHORT_PAGE),
    )
    return _Loading(client, scope, limits, expr).load(client.eval(expr, scope, load))


def load_whole(
    client: Client, variable: api.Variable, scope: api.EvalScope, limits: Limits = DEFAULT
) -> api.Variable:
    """Return the value with what was missing of it, the outer parts first.

    These stay as they came, so ``to_python`` makes them ``Incomplete``: what exceeds the limits, a
    part that is around itself, and what has no address or Delve refuses to read.
    """
    return _Loading(client, scope, limits).load(variable)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """A value within the one that is loaded; ``depth`` containers may be within it."""

    variable: api.Variable
    depth: int
    level: int = 0
    around: _Part | None = None

    def is_around_itself(self) -> bool:
        place = (self.variable.addr, self.variable.type)
        outer = self.around
        while outer and (outer.variable.addr, outer.variable.type) != place:
            outer = outer.around
        return outer is not None

    def parts(self) -> Iterator[_Part]:
        """Yield those within it that may not be whole, as copies that may be changed."""
        depth = completeness.depth_of_parts(self.variable, self.depth)
        children = self.variable.children
        if depth is None or self.level == DEEPEST or not children:
            return
        self.variable.children = list(map(copy.copy, children))
        for child in self.variable.children:
            if child.kind not in _PLAIN or completeness.is_address_only(child):
                yield _Part(child, depth, self.level + 1, self)


class _Loading:
    """The loading of one value, with what is left of its budget."""

    def __init__(
        self, client: Client, scope: api.EvalScope, limits: Limits, expr: str = ""
    ) -> None:
        self._client = client
        self._scope = scope
        self._limits = limits
        self._expr = expr
        self._calls = limits.calls
        self._memory_bytes = _MEMORY_BYTES

    def load(self, variable: api.Variable) -> api.Variable:
        whole = copy.copy(variable)
        waiting = deque([_Part(whole, self._limits.depth)])
        while waiting:
            part = waiting.popleft()
            if not completeness.is_whole(part.variable) and not part.is_around_itself():
                self._complete(part)
            waiting.extend(part.parts())
        return whole

    def _complete(self, part: _Part) -> None:
        variable = part.variable
        if completeness.is_address_only(variable) or variable.kind == Kind.STRUCT:
            self._reload(part)
        if completeness.is_whole(variable):
            return
        is_sequence = variable.kind in {Kind.ARRAY, Kind.SLICE}
        if variable.kind == Kind.STRING or (is_sequence and completeness.is_of_bytes(variable)):
            self._load_bytes(variable)
        elif is_sequence or variable.kind == Kind.MAP:
            self._load_elements(part)

    def _reload(self, part: _Part) -> None:
        found = self._eval(part, "", _SHORT_PAGE)
        if found:
            for field in set(found.__struct_fields__) - _OWN:
                setattr(part.variable, field, getattr(found, field))

    def _load_elements(self, part: _Part) -> None:
        variable = part.variable
        is_map = variable.kind == Kind.MAP
        children = list(variable.children or ())
        is_plain = children and all(c.kind in {*_PLAIN, Kind.STRING} for c in children)
        page = _LONG_PAGE if is_plain else _SHORT_PAGE
        wanted = min(variable.len, self._limits.values)
        for low in range(completeness.loaded(variable), wanted, page):
            high = min(low + page, wanted)
            # Delve takes no end where it slices a map; the load config ends it in any case.
            bounds = f"[{low}:]" if is_map else f"[{low}:{high}]"
            found = self._eval(part, bounds, high - low)
            children += (found and found.children) or ()
            if len(children) != high * (1 + is_map):
                break
        variable.children = children

    def _load_bytes(self, variable: api.Variable) -> None:
        data = self._memory(variable.base, min(variable.len, self._limits.string_bytes))
        is_more = len(data) > completeness.loaded(variable)
        if data and (is_more or completeness.has_lost_bytes(variable)):
            variable.string_value_bytes = data

    def _memory(self, address: int, length: int) -> bytes:
        """Return memory, less of it where reading ends for any reason."""
        data = bytearray()
        while len(data) < length and _is_real(address) and self._may_call():
            count = min(self._memory_bytes, length - len(data))
            try:
                data += self._client.examine_memory(address + len(data), count)
            except RPCError as error:
                refused = _MEMORY_REFUSED.search(error.text)
                if not refused or int(refused["limit"]) >= count:
                    break
                self._memory_bytes = int(refused["limit"])
        return bytes(data)

    def _eval(self, part: _Part, bounds: str, values: int) -> api.Variable | None:
        expression = _expression(part.variable) or (self._expr if part.around is None else "")
        if not expression or not self._may_call():
            return None
        load = api.LoadConfig(
            max_variable_recurse=min(part.depth, _LEVELS),
            max_string_len=min(self._limits.string_bytes, _STRING_BYTES),
            max_array_values=min(self._limits.values, values),
        )
        try:
            return self._client.eval(f"({expression}){bounds}", self._scope, load)
        except RPCError:
            return None

    def _may_call(self) -> bool:
        self._calls -= 1
        return self._calls >= 0


def _expression(variable: api.Variable) -> str:
    """Return an expression for the value at its address, nothing where it has none."""
    if _is_real(variable.addr):
        return f"*(*{_quoted(variable.type)})({variable.addr:#x})"
    if _is_real(variable.base) and variable.real_type.startswith("[]"):
        # A slice of a slice, such as lines[1:], has no header in memory.
        array = f"[{variable.len}]{variable.real_type.removeprefix('[]')}"
        return f"*(*{_quoted(array)})({variable.base:#x})"
    return ""


def _is_real(address: int) -> bool:
    return NIL_ADDRESS < address < _FIRST_FAKE_ADDRESS


def _quoted(type_: str) -> str:
    """Return a type's name as Go's string literal: it has quotes where a field has a tag."""
    return msgspec.json.encode(type_).decode()
