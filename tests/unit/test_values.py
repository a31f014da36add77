"""Delve's variables as Python values; tests/delve has the same with a real program."""

from __future__ import annotations

import copy
import math
import pickle
import pprint
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from pytest_kdelve.delve.api import Kind, Variable, VariableFlags
from pytest_kdelve.delve.completeness import DEEPEST, is_complete
from pytest_kdelve.delve.structs import Struct, Time
from pytest_kdelve.delve.values import (
    Constant,
    Incomplete,
    Shadowed,
    Unreadable,
    by_name,
    shadowed,
    to_python,
)

ADDRESS = 0xC000010000


def variable(kind: Kind, value: str = "", **fields: Any) -> Variable:
    return Variable(kind=kind, value=value, **{"addr": ADDRESS, **fields})


def integer(value: int, name: str = "") -> Variable:
    return variable(Kind.INT, str(value), type="int", name=name)


def text(value: str, name: str = "") -> Variable:
    return variable(Kind.STRING, value, type="string", name=name, len=len(value.encode()))


def container(kind: Kind, *children: Variable, length: int | None = None, **more: Any) -> Variable:
    # A map's keys and values are children alike.
    loaded = len(children) // 2 if kind == Kind.MAP else len(children)
    length = loaded if length is None else length
    more = {"base": ADDRESS, **more}
    return variable(kind, children=list(children) or None, len=length, **more)


def octets(*numbers: int, **more: Any) -> Variable:
    children = [variable(Kind.UINT8, str(number), type="uint8") for number in numbers]
    return container(Kind.SLICE, *children, **{"real_type": "[]uint8", **more})


def point(x: int, y: int, name: str = "") -> Variable:
    fields = (integer(x, "X"), integer(y, "Y"))
    return container(Kind.STRUCT, *fields, type="main.Point", name=name)


def pair(x: int, y: int) -> Variable:
    return container(Kind.ARRAY, integer(x), integer(y), real_type="[2]int")


NOTHING = Variable()
CASES = {
    "true": (variable(Kind.BOOL, "true"), True),
    "false": (variable(Kind.BOOL, "false"), False),
    "int": (integer(-5), -5),
    "int64": (variable(Kind.INT64, str(-(2**63))), -(2**63)),
    "uint64": (variable(Kind.UINT64, str(2**64 - 1)), 2**64 - 1),
    "uintptr": (variable(Kind.UINTPTR, "4096"), 4096),
    "float": (variable(Kind.FLOAT64, "0.1"), 0.1),
    "inf": (variable(Kind.FLOAT64, "+Inf"), math.inf),
    "-inf": (variable(Kind.FLOAT32, "-Inf"), -math.inf),
    "complex": (
        container(
            Kind.COMPLEX128, variable(Kind.FLOAT64, "1.5"), variable(Kind.FLOAT64, "-2"), length=2
        ),
        1.5 - 2j,
    ),
    "string": (text("naïve ☃"), "naïve ☃"),
    "empty string": (text(""), ""),
    "not UTF-8": (
        variable(Kind.STRING, "\ufffd!", string_value_bytes=b"\xff!", len=2),
        b"\xff!",
    ),
    "slice": (container(Kind.SLICE, integer(1), integer(2), real_type="[]int"), [1, 2]),
    "array": (pair(1, 2), [1, 2]),
    "empty slice": (container(Kind.SLICE, real_type="[]int"), []),
    "empty array": (container(Kind.ARRAY, real_type="[0]int", base=0), []),
    "bytes": (octets(0, 255), b"\0\xff"),
    "no bytes": (octets(), b""),
    "byte array": (
        container(Kind.ARRAY, variable(Kind.UINT8, "7", type="uint8"), real_type="[1]uint8"),
        b"\7",
    ),
    "named bytes": (octets(65, real_type="encoding/json.RawMessage"), b"A"),
    "no slices of bytes": (container(Kind.SLICE, real_type="[][]uint8"), []),
    "slices of bytes": (container(Kind.SLICE, octets(65), real_type="[][]uint8"), [b"A"]),
    "map": (container(Kind.MAP, text("one"), integer(1)), {"one": 1}),
    "empty map": (container(Kind.MAP), {}),
    "map by struct": (container(Kind.MAP, point(1, 2), text("a")), {(1, 2): "a"}),
    "map by array": (container(Kind.MAP, pair(3, 4), text("b")), {(3, 4): "b"}),
    "map by nested": (
        container(
            Kind.MAP,
            container(Kind.STRUCT, pair(3, 4), type="main.Key"),
            variable(Kind.BOOL, "true"),
        ),
        {((3, 4),): True},
    ),
    "struct": (point(1, 2), {"X": 1, "Y": 2}),
    "pointer": (container(Kind.POINTER, point(1, 2), length=0), {"X": 1, "Y": 2}),
    "pointer to pointer": (
        container(Kind.POINTER, container(Kind.POINTER, integer(3), length=0), length=0),
        3,
    ),
    "interface": (container(Kind.INTERFACE, integer(42), length=0), 42),
    "func": (variable(Kind.FUNC, "main.main.func1"), "main.main.func1"),
    "chan": (variable(Kind.CHAN, type="chan int", base=ADDRESS), "chan int"),
    "unsafe.Pointer": (variable(Kind.UNSAFE_POINTER, "4096"), 4096),
    "nil": (NOTHING, None),
    "nil pointer": (container(Kind.POINTER, variable(Kind.STRUCT, addr=0), length=0), None),
    "nil pointer without child": (variable(Kind.POINTER), None),
    "nil interface": (container(Kind.INTERFACE, NOTHING, length=0), None),
    "nil interface without child": (variable(Kind.INTERFACE), None),
    "nil slice": (container(Kind.SLICE, base=0), None),
    "nil map": (container(Kind.MAP, base=0), None),
    "nil func": (variable(Kind.FUNC), None),
    "nil chan": (variable(Kind.CHAN, type="chan int"), None),
    "nil unsafe.Pointer": (variable(Kind.UNSAFE_POINTER, "0"), None),
    "unsafe.Pointer of Delve 1.9": (
        container(Kind.UNSAFE_POINTER, variable(Kind.INVALID, addr=4096), length=0),
        4096,
    ),
    "nil unsafe.Pointer of Delve 1.9": (
        container(Kind.UNSAFE_POINTER, variable(Kind.INVALID, addr=0), length=0),
        None,
    ),
    "really U+FFFD": (
        variable(Kind.STRING, "\ufffd", string_value_bytes=None, len=3),
        "\ufffd",
    ),
    "loaded bytes": (
        container(Kind.SLICE, real_type="main.Bytes", length=2, string_value_bytes=b"\0\xff"),
        b"\0\xff",
    ),
    "conversion": (
        variable(Kind.STRING, "x" * 64, addr=0, string_value_bytes=None, len=64),
        "x" * 64,
    ),
    "shorter conversion": (variable(Kind.STRING, "x" * 63, addr=0, len=63), "x" * 63),
}


@pytest.mark.parametrize(("given", "expected"), CASES.values(), ids=CASES)
def test_each_kind_of_value_has_its_python_form(given: Variable, expected: object) -> None:
    found = to_python(given)
    assert found == expected
    assert isinstance(found, Struct) or type(found) is type(expected)


def test_nan_is_a_float_that_equals_nothing() -> None:
    found = to_python(variable(Kind.FLOAT64, "NaN"))
    assert isinstance(found, float)
    assert math.isnan(found)


def test_a_map_keeps_each_nan_among_its_keys() -> None:
    nan = variable(Kind.FLOAT64, "NaN")
    found = to_python(container(Kind.MAP, nan, integer(1), nan, integer(2)))
    assert isinstance(found, dict)
    assert sorted(found.values()) == [1, 2]


def test_keys_that_are_one_key_in_python_make_a_map_incomplete() -> None:
    """In Go, int(1) and true are two keys of a map[any]string."""
    true = variable(Kind.BOOL, "true")
    found = to_python(container(Kind.MAP, integer(1), text("int"), true, text("bool")))
    assert isinstance(found, Incomplete)
    assert found.length == 2


class TestConstant:
    constant = to_python(variable(Kind.INT, "Blue (2)", type="example.com/x/paint.Color"))
    combined: Any = to_python(variable(Kind.UINT8, "Read|Write (3)", type="main.Mode"))

    @pytest.mark.parametrize("same", [2, 2.0, "Blue", "paint.Blue", "example.com/x/paint.Blue"])
    def test_it_equals_its_number_and_its_name(self, same: object) -> None:
        assert self.constant == same
        assert same == self.constant
        differs = (self.constant != same, same != self.constant)
        assert differs == (False, False)

    @pytest.mark.parametrize("other", [3, "2", "Red", "blue", "main.Blue", "lue", "", None, [2]])
    def test_it_differs_from_everything_else(self, other: object) -> None:
        assert self.constant != other
        assert other != self.constant
        equals = (self.constant == other, other == self.constant)
        assert equals == (False, False)

    def test_a_combination_equals_all_of_its_names_only(self) -> None:
        same = ("Read|Write", "Write|Read", "main.Read|main.Write", 3)
        others = ("Write", "Write|Red", "Read", 2)
        assert [self.combined == each for each in (*same, *others)] == [True] * 4 + [False] * 4

    def test_it_is_a_number(self) -> None:
        assert isinstance(self.constant, Constant)
        assert self.constant + 1 == 3
        assert {2: "two"}[self.constant] == "two"
        assert repr(self.constant) == "2 (Blue)"

    def test_a_negative_one(self) -> None:
        assert to_python(variable(Kind.INT, "Unknown (-1)", type="main.Color")) == -1

    def test_a_number_without_a_name_is_a_plain_number(self) -> None:
        assert type(to_python(variable(Kind.INT, "7", type="main.Color"))) is int


class TestStruct:
    struct = to_python(
        container(
            Kind.STRUCT, text("a", "Name"), point(1, 2, "Place"), type="example.com/x/y.Named"
        )
    )

    @pytest.mark.parametrize(
        "same",
        [
            {},
            {"Name": "a"},
            {"Place": {"X": 1}},
            {"Name": "a", "Place": {"X": 1, "Y": 2}},
        ],
    )
    def test_it_equals_a_dict_of_some_of_its_fields(self, same: object) -> None:
        assert self.struct == same
        assert same == self.struct

    @pytest.mark.parametrize(
        "other", [{"Name": "b"}, {"Place": {"X": 2}}, {"name": "a"}, {"None": None}, "a", None]
    )
    def test_it_differs_from_everything_else(self, other: object) -> None:
        assert self.struct != other
        assert other != self.struct

    def test_its_fields_are_items_and_attributes(self) -> None:
        assert isinstance(self.struct, Struct)
        assert self.struct["Name"] == self.struct.Name == "a"
        assert list(self.struct) == ["Name", "Place"]
        assert repr(self.struct) == "y.Named{Name: 'a', Place: main.Point{X: 1, Y: 2}}"

    def test_a_field_that_is_not_there_is_an_error_that_lists_those_that_are(self) -> None:
        message = "example.com/x/y.Named has no field 'Nome'; it has Name, Place"
        with pytest.raises(AttributeError, match=message):
            _ = self.struct.Nome  # type: ignore[attr-defined]

    def test_it_can_be_copied(self) -> None:
        assert copy.deepcopy(self.struct) == self.struct
        assert pickle.loads(pickle.dumps(self.struct)) == self.struct  # noqa: S301 - its own

    def test_any_field_is_an_attribute_and_it_is_a_mapping_still(self) -> None:
        names = ["items", "keys", "values", "get", "utc", "_type", "_fields", "__reduce__"]
        fields = {name: number for number, name in enumerate(names)}
        struct: Any = Struct("main.Keyed", fields)
        assert [getattr(struct, name) for name in names[:-1]] == [0, 1, 2, 3, 4, 5, 6]
        assert struct["__reduce__"] == 7, "such a name is Python's own as an attribute"
        assert struct == fields == struct
        assert struct == Struct("main.Other", fields)
        assert struct != {**fields, "items": 7}
        assert repr(struct) == pprint.pformat(struct)
        assert repr(struct).startswith("main.Keyed{items: 0, keys: 1,")
        copies = (copy.copy(struct), copy.deepcopy(struct), pickle.loads(pickle.dumps(struct)))  # noqa: S301 - its own
        assert [(type(each), repr(each)) for each in copies] == [(Struct, repr(struct))] * 3

    def test_its_methods_are_those_of_a_mapping_where_no_field_hides_them(self) -> None:
        assert isinstance(self.struct, Struct)
        assert dict(self.struct.items()) == dict(self.struct) == self.struct
        assert self.struct.get("Nome", 1) == 1

    def test_any_field_can_be_in_a_key(self) -> None:
        key = container(Kind.STRUCT, integer(1, "keys"), integer(2, "values"), type="main.Key")
        assert to_python(container(Kind.MAP, key, integer(3))) == {(1, 2): 3}

    def test_it_is_no_key(self) -> None:
        with pytest.raises(TypeError, match="unhashable"):
            hash(self.struct)


NOT_WHOLE = {
    "string": variable(Kind.STRING, "abc", len=5),
    "string by its bytes": variable(Kind.STRING, "☃☃", len=7),
    "string cut within a character": variable(
        Kind.STRING, "ab\ufffd", string_value_bytes=b"ab\xe2", len=5
    ),
    "slice": container(Kind.SLICE, integer(1), length=2),
    "array": container(Kind.ARRAY, integer(1), length=2),
    "bytes": octets(1, 2, length=3),
    "map": container(Kind.MAP, integer(1), integer(2), length=2),
    "map beyond the depth": container(Kind.MAP, length=1, base=0),
    "struct": container(Kind.STRUCT, integer(1, "X"), type="main.Point", length=2),
    "pointer": container(Kind.POINTER, variable(Kind.STRUCT, only_addr=True), length=0),
    "interface": container(Kind.INTERFACE, variable(Kind.STRUCT, only_addr=True), length=0),
    "channel": variable(Kind.CHAN, only_addr=True, type="chan int", base=ADDRESS),
    "loaded bytes": container(Kind.SLICE, length=3, string_value_bytes=b"ab"),
    "cut, and bytes lost": variable(Kind.STRING, "\ufffd", len=4),
    "conversion by Delve before 1.22": variable(Kind.STRING, "x" * 64, addr=0, len=64),
}


@pytest.mark.parametrize("given", NOT_WHOLE.values(), ids=NOT_WHOLE)
def test_what_was_not_loaded_whole_equals_nothing_but_itself(given: Variable) -> None:
    found = to_python(given)
    assert isinstance(found, Incomplete)
    assert found != found.value
    assert found != to_python(given)
    assert "not loaded whole" in repr(found)
    assert not is_complete(given, 0)


UNREADABLE = {
    "refused": variable(Kind.INT, unreadable="eval error"),
    "no number": variable(Kind.INT, "?", type="int"),
    "no float": variable(Kind.FLOAT64, "", type="float64"),
    "no complex": container(
        Kind.COMPLEX64, variable(Kind.FLOAT32, "nil"), variable(Kind.FLOAT32, "nil"), length=2
    ),
    "complex without parts": variable(Kind.COMPLEX64, "(1 + 2i)"),
    "infinite complex": container(
        Kind.COMPLEX64,
        variable(Kind.FLOAT32, "0"),
        variable(Kind.FLOAT32, "0"),
        length=2,
        value="unknown",
    ),
    "no bool": variable(Kind.BOOL, "", type="bool"),
    "interface of Delve 1.9": container(
        Kind.INTERFACE, variable(Kind.STRUCT, addr=0, type="main.T"), length=0
    ),
    "no address": variable(Kind.UNSAFE_POINTER, "?"),
    "pointer of Delve 1.9": container(
        Kind.POINTER, variable(Kind.STRUCT, addr=0, unreadable="input/output error"), length=0
    ),
    "bytes lost": variable(Kind.STRING, "bad \ufffd\ufffd", len=6),
    # 66 of its 68 bytes came, two of them as three bytes each: as many as the whole has.
    "bytes lost and cut": variable(Kind.STRING, "a" * 62 + "\ufffd\ufffd", len=68),
}


@pytest.mark.parametrize("given", UNREADABLE.values(), ids=UNREADABLE)
def test_what_could_not_be_read_equals_nothing(given: Variable) -> None:
    found = to_python(given)
    assert isinstance(found, Unreadable)
    assert found.reason in repr(found)
    assert all(found != other for other in (found.reason, to_python(given), None, 0, ""))


def test_a_part_that_is_not_whole_does_not_equal_either() -> None:
    found = to_python(container(Kind.SLICE, NOT_WHOLE["string"], real_type="[]string"))
    assert isinstance(found, list)
    assert found != ["abc"]


def test_is_complete_looks_as_deep_as_it_is_told() -> None:
    inner = container(Kind.SLICE, integer(1), length=2)
    middle = container(Kind.STRUCT, container(Kind.POINTER, inner, length=0), type="main.T")
    outer = container(Kind.INTERFACE, middle, length=0)
    assert is_complete(outer, 0)
    assert not is_complete(outer, 1), "pointers and interfaces do not count"
    assert is_complete(point(1, 2), 9)
    by_key = container(Kind.MAP, text("a"), inner)
    assert is_complete(by_key, 0)
    assert not is_complete(by_key, 1)
    assert is_complete(UNREADABLE["refused"], 0), "more is not to be had"
    assert is_complete(container(Kind.POINTER, variable(Kind.STRUCT, addr=0), length=0), 5)


def test_by_name_has_the_variables_that_the_source_can_name() -> None:
    outer = variable(Kind.INT, "1", name="x", flags=VariableFlags.SHADOWED)
    inner = variable(Kind.INT, "2", name="x", flags=VariableFlags.ESCAPED)
    hidden = [integer(3, "~r0"), integer(4, ".closureptr")]
    assert by_name([inner, outer, *hidden]) == {"x": 2}
    assert by_name([outer, inner]) == {"x": 2}
    assert by_name(None) == {}


def test_shadowed_has_the_variables_that_another_one_hides() -> None:
    outer = variable(Kind.INT, "1", name="x", flags=VariableFlags.SHADOWED, decl_line=3)
    middle = variable(Kind.INT, "2", name="x", flags=VariableFlags.SHADOWED, decl_line=5)
    inner = variable(Kind.INT, "3", name="x", decl_line=7)
    hidden = variable(Kind.INT, "4", name="~r0", flags=VariableFlags.SHADOWED)
    expected = (Shadowed("x", 1, 3), Shadowed("x", 2, 5))
    assert shadowed([outer, middle, inner, hidden]) == expected
    assert shadowed([inner]) == shadowed(None) == ()


def test_an_argument_that_escaped_is_not_shadowed_by_itself() -> None:
    hidden = VariableFlags.RETURN_ARGUMENT | VariableFlags.SHADOWED
    copied = variable(Kind.INT, "0", name="x", flags=hidden, decl_line=3)
    moved = variable(Kind.INT, "1", name="x", flags=VariableFlags.ESCAPED, decl_line=3)
    assert shadowed([copied, moved]) == shadowed([moved, copied]) == ()
    inner = variable(Kind.INT, "2", name="x", flags=VariableFlags.ESCAPED, decl_line=5)
    assert shadowed([copied, inner]) == (Shadowed("x", 0, 3),)
    moved.flags |= VariableFlags.SHADOWED
    assert shadowed([copied, moved, inner]) == (Shadowed("x", 1, 3),)


class TestTime:
    @staticmethod
    def time(wall: int, ext: int) -> Time:
        fields = (variable(Kind.UINT64, str(wall), name="wall"), integer(ext, "ext"))
        found = to_python(container(Kind.STRUCT, *fields, type="time.Time"))
        assert isinstance(found, Time)
        return found

    LEAP_DAY = datetime(2024, 2, 29, 12, 30, 45, 123456, tzinfo=UTC)
    SINCE_1885 = int((LEAP_DAY - datetime(1885, 1, 1, tzinfo=UTC)).total_seconds())

    @pytest.mark.parametrize(
        ("wall", "ext"),
        [(123456789, 63844806645), (1 << 63 | SINCE_1885 << 30 | 123456789, 7)],
        ids=["wall clock", "monotonic clock, too"],
    )
    def test_it_equals_its_instant_in_any_zone(self, wall: int, ext: int) -> None:
        found = self.time(wall, ext)
        assert found == self.LEAP_DAY == found.utc
        assert found == self.LEAP_DAY.astimezone(timezone(timedelta(hours=-5)))
        assert found != self.LEAP_DAY + timedelta(microseconds=1)
        assert found != self.LEAP_DAY.replace(tzinfo=None), "what is that in UTC?"
        assert repr(found) == "time.Time(2024-02-29T12:30:45.123456+00:00)"

    def test_it_is_a_struct(self) -> None:
        found = self.time(0, 0)
        assert found == {"wall": 0}
        assert found != {"wall": 1}
        assert found.utc == datetime(1, 1, 1, tzinfo=UTC), "Go's zero value"

    @pytest.mark.parametrize("year", [-292277022399, 12024])
    def test_a_year_that_python_has_not_is_none(self, year: int) -> None:
        found = self.time(0, year * 31556952)
        assert found.utc is None
        assert found != datetime(1, 1, 1, tzinfo=UTC)
        assert "wall: 0" in repr(found)

    def test_one_that_is_not_known_is_none(self) -> None:
        fields = (variable(Kind.UINT64, unreadable="eval error", name="wall"), integer(1, "ext"))
        found: Any = to_python(container(Kind.STRUCT, *fields, type="time.Time"))
        assert found.utc is None


def linked(count: int) -> Variable:
    """Return a linked list, made from its end."""
    node = variable(Kind.STRUCT, type="main.Node", len=0)
    for address in range(1, count):
        next_ = container(Kind.POINTER, node, length=1, name="Next", addr=address)
        node = container(Kind.STRUCT, next_, type="main.Node", addr=address)
    return node


def test_what_is_nested_too_deep_for_python_is_incomplete() -> None:
    deep = linked(100_000)
    assert "not loaded whole" in repr(to_python(deep))
    assert "not loaded whole" not in repr(to_python(linked(DEEPEST // 2)))
    assert is_complete(deep, 100_000), "all of it was loaded"


def test_a_variable_is_decoded_from_what_delve_sends() -> None:
    """One field of each odd spelling, as service/api/types.go has them."""
    data = b"""{"name": "s", "addr": 1, "onlyAddr": false, "type": "string", "realType": "string",
        "flags": 3, "kind": 24, "value": "\\ufffd", "StringValueBytes": "/w==", "len": 1, "cap": 0,
        "children": null, "base": 2, "unreadable": "", "LocationExpr": "", "DeclLine": 5}"""
    found = msgspec.json.decode(data, type=Variable)
    assert to_python(found) == b"\xff"
    assert found.flags == VariableFlags.ESCAPED | VariableFlags.SHADOWED
    assert found.decl_line == 5


def test_a_string_of_delve_before_1_26_is_decoded_without_its_bytes() -> None:
    found = msgspec.json.decode(b'{"kind": 24, "value": "\\ufffd", "len": 3}', type=Variable)
    assert isinstance(to_python(found), Unreadable)
    newer = b'{"kind": 24, "value": "\\ufffd", "StringValueBytes": null, "len": 3}'
    assert to_python(msgspec.json.decode(newer, type=Variable)) == "\ufffd"


def test_a_key_that_holds_a_map_is_a_tuple() -> None:
    """Of a map[*T]V, say, where T has a map; a dict cannot be in a key."""
    inner = variable(Kind.MAP, name="labels", base=1, len=0)
    key = variable(Kind.STRUCT, type="main.T", len=1, children=[inner])
    number = variable(Kind.INT, "7")
    assert to_python(variable(Kind.MAP, base=1, len=1, children=[key, number])) == {((),): 7}
