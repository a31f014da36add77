"""One Go frame with a variable of each kind, read in one stop."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from pytest_kdelve.delve import api
from pytest_kdelve.delve.loading import evaluate
from pytest_kdelve.delve.structs import Struct
from pytest_kdelve.delve.values import Incomplete, Unreadable, by_name, to_python
from pytest_kdelve.errors import RPCError
from tests.delve.conftest import BuildProgram, break_at, debugging

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_kdelve.delve import Client
    from tests.delve.toolchains import Toolchain

HERE = api.EvalScope()
LOAD = api.LoadConfig(max_variable_recurse=3)

EXPECTED: dict[str, Any] = {
    "yes": True,
    "no": False,
    "small": -128,
    "large": -(2**63),
    "unsigned": 2**64 - 1,
    "letter": ord("é"),
    "address": 4096,
    "half": 0.5,
    "single": 0.1,
    "inf": math.inf,
    "negInf": -math.inf,
    "twist": 1.5 - 2j,
    "narrow": 0.25 + 4j,
    "color": 2,
    "unnamed": 7,
    "mode": "Write",
    "modes": "Read|Write",
    "text": "text",
    "empty": "",
    "accents": "naïve ☃",
    "data": b"raw\x00\xff",
    "noData": b"",
    "array": b"\1\2\3",
    "odd": b"odd",
    "noLists": [],
    "noTables": [],
    "numbers": [1, 2, 3],
    "nothing": [],
    "matrix": [[1, 2], [3, 4]],
    "table": {"one": 1, "two": 2},
    "noTable": {},
    "byPoint": {(1, 2): "a point"},
    "byPair": {(3, 4): "a pair"},
    "byColor": {1: True},
    "point": {"X": 3, "Y": 4},
    "pointer": {"X": 5, "Y": 6},
    "named": {"Name": "outer", "Next": {"Name": "inner", "Next": None}, "hidden": False},
    "ring": {"Name": "ring", "Next": {"Name": "ring", "Next": {"Name": "ring"}}},
    "lock": {},
    "keyed": {"items": [1], "keys": 2, "values": "v", "get": True, "_type": "t", "_fields": "f"},
    "emptyBoxed": {},
    "twice": {"X": 5, "Y": 6},
    "shape": {"X": 3, "Y": 4},
    "anything": 42,
    "boxed": {"X": 5, "Y": 6},
    "nilPointer": None,
    "nilSlice": None,
    "nilMap": None,
    "nilChan": None,
    "nilFunc": None,
    "nilInterface": None,
    "nilError": None,
    "nilUnsafe": None,
    "typedNil": None,
    "openChan": "chan int",
    "closure": "main.frame.func1",
    "plain": "main.double",
    "shadowed": 5,
    "argument": "given",
    "count": 1,
    "result": {"text": "it failed"},
}


@pytest.fixture(scope="module")
def client(
    dlv: Path, build_program: BuildProgram, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    """A client of a target that stands at "stop here"."""
    with debugging(dlv, build_program, tmp_path_factory.mktemp("values")) as debug:
        server = debug("values")
        with server.connect() as client:
            break_at(client, "values/main.go", "// stop here")
            client.continue_()
            yield client


@pytest.fixture(scope="module")
def frame(client: Client) -> Mapping[str, Any]:
    return by_name([*client.list_local_vars(HERE, LOAD), *client.list_function_args(HERE, LOAD)])


def parts(value: object) -> Iterator[object]:
    """Yield a value, and what it consists of."""
    yield value
    inner = [value[key] for key in value] if isinstance(value, Mapping) else value
    if isinstance(inner, Iterable) and not isinstance(inner, str | bytes):
        for part in inner:
            yield from parts(part)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_variable_has_its_python_value(frame: Mapping[str, Any], name: str) -> None:
    assert frame[name] == EXPECTED[name]
    is_named = name in {"mode", "modes", "color"}
    assert is_named or isinstance(frame[name], Struct | type(EXPECTED[name]))


@pytest.mark.parametrize("name", ["long", "cut", "many", "manyKeys", "deep", "mixed", "ring"])
def test_what_is_longer_or_deeper_than_loaded_is_incomplete(
    frame: Mapping[str, Any], name: str
) -> None:
    incomplete = [part for part in parts(frame[name]) if isinstance(part, Incomplete)]
    assert incomplete
    assert all(part != part.value for part in incomplete)


def test_what_was_incomplete_is_whole_with_larger_limits(client: Client) -> None:
    load = api.LoadConfig(max_variable_recurse=9, max_string_len=4096, max_array_values=1024)
    found = {
        name: to_python(client.eval(name, HERE, load))
        for name in ("long", "cut", "many", "manyKeys", "deep")
    }
    assert found == {
        "long": f"{1:064d}and more",
        "cut": f"{1:063d}☃!",
        "many": [0] * 100,
        "manyKeys": {number: number**2 for number in range(100)},
        "deep": {"Children": [{"Children": [{"Children": None}]}]},
    }


def test_a_string_that_is_not_utf8_is_its_bytes(
    client: Client, frame: Mapping[str, Any], toolchain: Toolchain
) -> None:
    """Delve before 1.26.0 sends other bytes, so these have to be loaded."""
    if toolchain.delve >= (1, 26):
        assert frame["broken"] == b"bad \xff\xfe"
    else:
        assert isinstance(frame["broken"], Unreadable)
    assert to_python(evaluate(client, "broken", HERE)) == b"bad \xff\xfe"


def test_nan_is_a_float_also_as_a_key(frame: Mapping[str, Any]) -> None:
    assert math.isnan(frame["nan"])
    finite = {key: value for key, value in frame["byNaN"].items() if not math.isnan(key)}
    assert (len(frame["byNaN"]), finite) == (2, {-math.inf: 2})


@pytest.mark.parametrize("name", ["color", "Blue"])
def test_a_constant_equals_its_number_and_its_names(client: Client, name: str) -> None:
    """A variable of the constant's type; the constant itself is a number only."""
    found: Any = to_python(client.eval(name, HERE, LOAD))
    is_named = name == "color"
    assert [found == same for same in (2, "Blue", "main.Blue")] == [True, is_named, is_named]
    assert [found != same for same in (2, "Blue")] == [False, not is_named]


def test_what_cannot_be_read_is_unreadable(frame: Mapping[str, Any]) -> None:
    assert isinstance(frame["wild"], Unreadable), "an infinite complex number is not (0+0j)"
    assert isinstance(frame["wrong"].X, Unreadable)
    assert frame["wrong"] != {"X": frame["argument"]}


def test_a_field_is_an_attribute_whatever_its_name(frame: Mapping[str, Any]) -> None:
    keyed = frame["keyed"]
    assert {name: getattr(keyed, name) for name in keyed} == EXPECTED["keyed"]


def test_a_combination_of_constants_equals_its_names_in_any_order(
    frame: Mapping[str, Any],
) -> None:
    assert frame["modes"] == "Write|Read" == frame["modes"] == "Read|Write"


def test_a_time_is_a_struct(frame: Mapping[str, Any]) -> None:
    assert frame["moment"].loc is None


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("color == Blue", True),
        ("len(many)", 100),
        ("pointer.X + 1", 6),
        ("shape.(main.Point).Y", 4),
        ("result.(data).text", "it failed"),
        ("numbers[1:]", [2, 3]),
        ("string(data[:3])", "raw"),
        ('table["two"]', 2),
        ("nilPointer == nil", True),
        ("nil", None),
        ('"a" + "b"', "ab"),
        ("1.5 * 2", 3),
    ],
)
def test_an_expression_has_its_python_value(client: Client, expression: str, value: object) -> None:
    assert to_python(client.eval(expression, HERE, LOAD)) == value


@pytest.mark.parametrize("expression", ["none", "nilPointer.X", "numbers[9]", "1 +", "double(2)"])
def test_an_expression_that_has_no_value_is_refused(client: Client, expression: str) -> None:
    with pytest.raises(RPCError, match=r"Delve refused Eval: .+"):
        client.eval(expression, HERE, LOAD)
    assert to_python(client.eval("count", HERE, LOAD)) == 1, "and the connection goes on"
