"""Values in pieces, with the texts of locations as Delve sends them."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_kdelve.delve.api import Kind, Variable, VariableFlags
from pytest_kdelve.delve.completeness import depth_of_parts, is_complete
from pytest_kdelve.delve.values import Incomplete, Unreadable, to_python

#: Where Delve keeps what it put together from pieces.
FAKE = 0xBEEF_0000_0000_0100
HERE = "[0x48f0:0x4a1e19] "
WORD = "DW_OP_piece 0x8 "
STACK, REGISTER = "DW_OP_fbreg -0x58 ", "DW_OP_reg17(XMM0) "
CONSTANT = "DW_OP_implicit_value 8 [0000000000000000] "


def part(kind: Kind, offset: int, name: str = "", **fields: Any) -> Variable:
    fields = {"value": "0", "type": "?", **fields}
    return Variable(kind=kind, addr=FAKE + offset, name=name, **fields)


def in_pieces(kind: Kind, location: str, *children: Variable, **fields: Any) -> Variable:
    return Variable(
        kind=kind,
        addr=FAKE,
        type="main.T",
        flags=VariableFlags.FAKE_ADDRESS | VariableFlags.ARGUMENT,
        location_expr=location,
        children=list(children),
        **{"len": len(children), "string_value_bytes": None, **fields},
    )


def struct(location: str, *kinds: Kind) -> Variable:
    """Return a struct of numbers, each of which begins a word."""
    fields = [part(kind, place * 8, f"F{place}") for place, kind in enumerate(kinds)]
    return in_pieces(Kind.STRUCT, HERE + location, *fields)


def text(location: str) -> Variable:
    return in_pieces(Kind.STRING, HERE + location, value="")


def numbers(location: str) -> Variable:
    return in_pieces(Kind.SLICE, HERE + location, part(Kind.INT, 0), base=1, real_type="[]int")


def sliced(location: str) -> Variable:
    inner = part(Kind.SLICE, 8, "S", real_type="[]int", base=1)
    return in_pieces(Kind.STRUCT, HERE + location, part(Kind.INT8, 0, "F"), inner)


# Delve gives the parts of a complex number no addresses.
NARROW = (part(Kind.FLOAT32, -FAKE), part(Kind.FLOAT32, -FAKE))
WIDE = (part(Kind.FLOAT64, -FAKE), part(Kind.FLOAT64, -FAKE))
EMPTY = part(Kind.STRUCT, 1, "E", value="")
LOST = {
    "second field": struct(f"{STACK}{WORD}DW_OP_piece 0x4 ", Kind.FLOAT64, Kind.FLOAT32),
    "first field": struct(f"DW_OP_piece 0x1 {STACK}{WORD}", Kind.BOOL, Kind.INT),
    "field and padding": struct(
        f"DW_OP_piece 0x1 DW_OP_piece 0x7 {STACK}{WORD}", Kind.BOOL, Kind.INT
    ),
    "padding that is not said": struct(
        f"{REGISTER}DW_OP_piece 0x1 {STACK}{WORD}", Kind.INT8, Kind.INT
    ),
    "padding that is not there": struct(
        f"{REGISTER}{WORD}DW_OP_piece 0x7 {STACK}{WORD}", Kind.INT, Kind.INT
    ),
    "all of a block": in_pieces(Kind.STRUCT, f"[block] {WORD}", part(Kind.INT, 0, "F")),
    "all of small fields": struct("DW_OP_piece 0x4 DW_OP_piece 0x4 ", Kind.INT32),
    "imaginary part": in_pieces(Kind.COMPLEX128, f"{HERE}{STACK}{WORD}{WORD}", *WIDE),
    "narrow imaginary part": in_pieces(
        Kind.COMPLEX64, f"{HERE}{STACK}DW_OP_piece 0x4 DW_OP_piece 0x4 ", *NARROW
    ),
    "address of a string": text(f"{WORD}{REGISTER}{WORD}"),
    "length of a string": text(f"{STACK}{WORD}{WORD}"),
    "data of an interface": in_pieces(
        Kind.INTERFACE, f"{HERE}{STACK}{WORD}{WORD}", part(Kind.STRUCT, -FAKE, value=""), len=0
    ),
    "address of a slice": numbers(f"{WORD}{STACK}{WORD}{WORD}"),
    "length of a slice": numbers(f"{STACK}{WORD}{WORD}{STACK}{WORD}"),
    "slice in a struct": sliced(
        f"{STACK}DW_OP_piece 0x1 DW_OP_piece 0x7 {WORD}{STACK}{WORD}{STACK}{WORD}"
    ),
}


@pytest.mark.parametrize("given", LOST.values(), ids=LOST)
def test_what_was_optimised_away_in_part_is_unreadable(given: Variable) -> None:
    found = to_python(given)
    assert isinstance(found, Unreadable)
    assert "optimised away" in found.reason
    assert is_complete(given, 9), "more is not to be had"
    assert depth_of_parts(given, 9) is None


WHOLE = {
    "all pieces": struct(f"{STACK}{WORD}{REGISTER}DW_OP_piece 0x4 ", Kind.FLOAT64, Kind.FLOAT32),
    "constant": struct(f"{STACK}{WORD}{CONSTANT}{WORD}", Kind.INT, Kind.INT),
    # Of struct { F0 bool; F1 int } at the entry of a function, also without optimisation.
    "padding": struct(
        f"{REGISTER}DW_OP_piece 0x1 DW_OP_piece 0x7 {STACK}{WORD}", Kind.INT8, Kind.INT
    ),
    "padding where an empty struct is": in_pieces(
        Kind.STRUCT,
        f"{HERE}{STACK}DW_OP_piece 0x1 DW_OP_piece 0x7 {STACK}{WORD}",
        part(Kind.INT8, 0, "A"),
        EMPTY,
        part(Kind.INT, 8, "B"),
    ),
    "capacity": numbers(f"{STACK}{WORD}{STACK}{WORD}{WORD}"),
    "narrow complex": in_pieces(
        Kind.COMPLEX64, f"{HERE}{STACK}DW_OP_piece 0x4 {REGISTER}DW_OP_piece 0x4 ", *NARROW
    ),
    "capacity in a struct": sliced(
        f"{STACK}DW_OP_piece 0x1 DW_OP_piece 0x7 {STACK}{WORD}{STACK}{WORD}{WORD}"
    ),
    "register": in_pieces(Kind.INT, f"{HERE}{REGISTER}", value="0"),
}


@pytest.mark.parametrize("given", WHOLE.values(), ids=WHOLE)
def test_what_is_there_is_read(given: Variable) -> None:
    assert not isinstance(to_python(given), Unreadable)


def test_what_was_not_loaded_of_a_struct_in_pieces_is_incomplete() -> None:
    """Where its fields are is not known, then."""
    inner = part(Kind.STRUCT, 8, "Inner", len=1)
    location = f"{HERE}{STACK}{WORD}DW_OP_piece 0x4 "
    found: Any = to_python(in_pieces(Kind.STRUCT, location, part(Kind.INT, 0, "F"), inner))
    assert isinstance(found.Inner, Incomplete)


def test_only_what_delve_put_together_is_in_pieces() -> None:
    """What escaped has the location of the pointer to it."""
    given = LOST["second field"]
    given = struct(given.location_expr, Kind.FLOAT64, Kind.FLOAT32)
    given.flags = VariableFlags.ESCAPED
    assert to_python(given) == {"F0": 0, "F1": 0}
