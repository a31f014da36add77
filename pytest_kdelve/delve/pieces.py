"""Values that the compiler keeps in pieces, as it does with those of optimised functions.

Delve puts the pieces one after another. One that has no location is zeros there, whether it was
optimised away or is the padding between two fields; and where the compiler says nothing of the
padding, the fields after it get the bytes of others. See ``piece`` in ``pkg/dwarf/op/op.go`` and
``newCompositeMemory`` in ``pkg/proc/mem.go``, for the text of a location ``PrettyPrint``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_kdelve.delve.api import Kind, Variable, VariableFlags

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE = re.compile(r"(?P<location>.*?)DW_OP_piece 0x(?P<size>[0-9a-f]+) ")
#: Padding is shorter than this.
_WORD = 8
#: In words. With Go 1.21 and older, an interface in a type switch may have more pieces than that,
#: each several times, of which Delve takes the first ones.
_WORDS = {Kind.STRING: 2, Kind.INTERFACE: 2, Kind.SLICE: 3}


def has_lost_parts(variable: Variable) -> bool:
    """Whether Delve has parts of a variable not at all, or not where it reads them."""
    # What escaped has the location of the pointer to it.
    if not variable.flags & VariableFlags.FAKE_ADDRESS:
        return False
    starts, capacities = set(), set()
    for leaf in _leaves(variable):
        start = leaf.addr - variable.addr
        starts.add(start)
        if leaf.kind == Kind.COMPLEX64:
            starts.add(start + _WORD // 2)
        if leaf.kind == Kind.SLICE:
            capacities.add(start + 2 * _WORD)
    pieces = list(_pieces(variable.location_expr))
    words = _WORDS.get(Kind(variable.kind))
    if words and sum(size for _, size, _ in pieces) > words * _WORD:
        return True
    located = {start for start, _, has_location in pieces if has_location}
    # The capacity is often optimised away, and no value here depends on it.
    unneeded = located | capacities
    is_lost = any(size >= _WORD and start not in unneeded for start, size, _ in pieces)
    return is_lost or (bool(pieces) and not starts <= located)


def _pieces(location: str) -> Iterator[tuple[int, int, bool]]:
    """Yield of each piece where it starts, its size, and whether it has a location."""
    start = 0
    # Before it are the addresses for which the location holds, in brackets.
    for piece in _PIECE.finditer(location.partition("] ")[2]):
        size = int(piece["size"], 16)
        yield start, size, bool(piece["location"])
        start += size


def _leaves(variable: Variable) -> Iterator[Variable]:
    """Yield what a value consists of and is no struct or array itself."""
    waiting = [variable]
    while waiting:
        part = waiting.pop()
        if part.kind in {Kind.STRUCT, Kind.ARRAY}:
            waiting += part.children or ()
        else:
            yield part
