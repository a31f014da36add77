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
_COMPOSED = frozenset({Kind.STRUCT, Kind.ARRAY})
_SEVERAL_WORDS = frozenset({*_COMPOSED, *_WORDS, Kind.COMPLEX64, Kind.COMPLEX128})


def has_lost_parts(variable: Variable, *, has_capacity: bool = False) -> bool:
    """Whether Delve has parts of a variable not at all, or not where it reads them.

    The capacity of a slice, which is often optimised away, counts only where it is asked for
    (``has_capacity``). Of what was not loaded, nothing is said.
    """
    # What escaped has the location of the pointer to it.
    if not variable.flags & VariableFlags.FAKE_ADDRESS:
        return False
    pieces = list(_pieces(variable.location_expr))
    starts, capacities = set(), set()
    for leaf in _leaves(variable):
        if leaf.kind in _COMPOSED:
            continue
        start = leaf.addr - variable.addr
        starts.add(start)
        if leaf.kind == Kind.COMPLEX64:
            starts.add(start + _WORD // 2)
        if leaf.kind == Kind.SLICE:
            capacities.add(start + 2 * _WORD)
    words = _WORDS.get(Kind(variable.kind))
    if words and sum(size for _, size, _ in pieces) > words * _WORD:
        return True
    located = {start for start, _, has_location in pieces if has_location}
    needed = starts | capacities if has_capacity else starts
    unneeded = located | capacities - needed
    is_lost = any(size >= _WORD and start not in unneeded for start, size, _ in pieces)
    return is_lost or (bool(pieces) and not needed <= located)


def is_word(variable: Variable) -> bool:
    """Whether a variable has one part, which fits into a register, so that one place has it all."""
    leaves = list(_leaves(variable))
    return len(leaves) == 1 and leaves[0].kind not in _SEVERAL_WORDS


def _pieces(location: str) -> Iterator[tuple[int, int, bool]]:
    """Yield of each piece where it starts, its size, and whether it has a location."""
    start = 0
    # Before it are the addresses for which the location holds, in brackets.
    for piece in _PIECE.finditer(location.partition("] ")[2]):
        size = int(piece["size"], 16)
        yield start, size, bool(piece["location"])
        start += size


def _leaves(variable: Variable) -> Iterator[Variable]:
    """Yield what a value consists of: no struct or array itself, unless it was not loaded whole."""
    waiting = [variable]
    while waiting:
        part = waiting.pop()
        children = part.children or []
        if part.kind in _COMPOSED and len(children) == part.len:
            waiting += children
        else:
            yield part
