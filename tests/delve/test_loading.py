"""More of a value than Delve sent at first, from real programs and at both ends of the range."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from pytest_kdelve.delve import api
from pytest_kdelve.delve.completeness import is_complete
from pytest_kdelve.delve.loading import Limits, evaluate, load_whole
from pytest_kdelve.delve.values import (
    Incomplete,
    Shadowed,
    Unreadable,
    by_name,
    shadowed,
    to_python,
)
from tests.delve.conftest import BuildProgram, break_at, debugging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from pytest_kdelve.delve import Client
    from tests.delve.toolchains import Toolchain

    Start = Callable[[str], Client]

HERE = api.EvalScope()
LOAD = api.LoadConfig()
LIMITS = Limits(depth=4, string_bytes=200_000)

LINES = [f"line {number}" for number in range(300)]
PAIRS = [{"Key": f"key {number}", "Value": number} for number in range(300)]
HELD = {"Lines": LINES, "Text": "long" * 50, "Inner": {"lines": LINES, "pairs": PAIRS}}

#: What Delve does not send whole of what stands in ``parts``.
CUT = {
    "snow": "☃" * 50_000,
    "broken": b"\xff\xfe" * 2500,
    "alike": b"a" * 62 + b"\xff\xff" + b"bbbb",
    "lines": LINES,
    "pairs": PAIRS,
    "byName": {
        f"name {number}": {"Key": "key", "Value": [number, number + 1]} for number in range(300)
    },
    "byPair": {(number, number % 2 == 0): f"line {number}" for number in range(300)},
    "held": HELD,
    "dynamic": HELD,
    "behind": HELD,
    "array": [0] * 199 + [7],
    "scoped": {"X": [0] * 100},
    "nameless": {"X": [0] * 100, "Y": LINES},
    "matrix": [[0] * 100] * 99 + [[0] * 99 + [5]],
}


@pytest.fixture(scope="module")
def start(
    dlv: Path, build_program: BuildProgram, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Start]:
    """Let the program go to "stop in" one of its functions."""
    folder = tmp_path_factory.mktemp("loading")
    with debugging(dlv, build_program, folder) as debug, contextlib.ExitStack() as stack:

        def start(function: str) -> Client:
            client = stack.enter_context(debug("huge", function).connect())
            break_at(client, "huge/main.go", f"// stop in {function}")
            client.continue_()
            return client

        yield start


@pytest.fixture(scope="module")
def parts(start: Start) -> Client:
    return start("parts")


@pytest.fixture(scope="module")
def cycles(start: Start) -> Client:
    return start("cycles")


@pytest.fixture(scope="module")
def kinds(start: Start) -> Client:
    return start("kinds")


@pytest.fixture(scope="module")
def escapes(start: Start) -> Client:
    return start("escapes")


@pytest.fixture(scope="module")
def far(start: Start) -> Client:
    return start("far")


def variables(client: Client) -> Sequence[api.Variable]:
    return client.list_local_vars(HERE, LOAD)


def variable(client: Client, name: str) -> api.Variable:
    [found] = [variable for variable in variables(client) if variable.name == name]
    return found


@pytest.mark.parametrize("name", CUT)
def test_what_was_cut_is_loaded_whole(parts: Client, name: str) -> None:
    given = variable(parts, name)
    assert not is_complete(given, 4)
    assert to_python(given) != CUT[name]
    found = load_whole(parts, given, HERE, LIMITS)
    assert is_complete(found, 4)
    assert to_python(found) == CUT[name]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("lines[3:290]", LINES[3:290]),
        ("snow[1:]", ("☃" * 50_000).encode()[1:]),
        ("dynamic.(*main.holder).Inner", HELD["Inner"]),
        ("len(snow)", 150_000),
        ("string(embedded.secret)", "secret"),
    ],
)
def test_an_expression_is_loaded_whole(parts: Client, expression: str, expected: object) -> None:
    assert to_python(evaluate(parts, expression, HERE, LIMITS)) == expected


def test_a_value_without_an_address_is_not_said_to_be_whole(
    parts: Client, toolchain: Toolchain
) -> None:
    """Delve before 1.22.0 says that its length is what it cut it to."""
    found = to_python(evaluate(parts, "[]byte(broken)", HERE, Limits(string_bytes=64)))
    assert isinstance(found, Incomplete)
    assert found.value == b"\xff\xfe" * 32
    assert found.length == (64 if toolchain.delve < (1, 22) else 5000)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nested", {"spec": {"replicas": 3, "ready": True}}),
        ("byAny", {"keys": {2: 1, True: 2, 1.5: 3}}),
        ("behind", [[3], [True], [[2.5, 1 + 2j]]]),
    ],
)
def test_numbers_behind_pointers_and_in_interfaces_are_loaded(
    far: Client, name: str, expected: object
) -> None:
    assert not is_complete(variable(far, name), 8)
    found = load_whole(far, variable(far, name), HERE, Limits(depth=8))
    assert is_complete(found, 8)
    assert to_python(found) == expected


@pytest.mark.parametrize(("expression", "expected"), [("&replicas", 3), ("&ready", True)])
def test_the_address_of_a_number_is_followed(
    far: Client, expression: str, expected: object
) -> None:
    assert to_python(evaluate(far, expression, HERE)) == expected


def test_what_exceeds_the_limits_stays_incomplete(parts: Client) -> None:
    limits = Limits(depth=1, string_bytes=70, values=70)
    for name, length in {"snow": 150_000, "lines": 300, "byPair": 300, "array": 200}.items():
        found = to_python(load_whole(parts, variable(parts, name), HERE, limits))
        assert isinstance(found, Incomplete), name
        assert found.length == length
        assert isinstance(found.value, str | list | dict)
        assert 24 <= len(found.value) <= 70, "a snowman has three bytes"


def test_embedded_and_unexported_fields_are_fields(parts: Client) -> None:
    found: Any = to_python(variable(parts, "embedded"))
    assert found.base == {"id": 1, "Label": "label"}
    assert found.Node == {"Name": "node", "Next": None}
    assert found.secret == b"secret"


def test_a_replacement_character_that_is_really_there_is_text(parts: Client) -> None:
    found = load_whole(parts, variable(parts, "replaced"), HERE)
    assert to_python(found) == "really \ufffd"


@pytest.mark.parametrize("name", ["badText", "badSlice", "badPointer"])
def test_unreadable_memory_stays_unreadable(parts: Client, name: str) -> None:
    found: Any = to_python(load_whole(parts, variable(parts, name), HERE, LIMITS))
    if name == "badSlice":
        unreadable = found.value
    else:
        unreadable = list(found.Next.values()) if name == "badPointer" else [found]
    assert unreadable
    assert all(isinstance(part, Unreadable) for part in unreadable)
    assert all("input/output error" in part.reason for part in unreadable)


def test_what_is_beside_unreadable_memory_is_read(parts: Client) -> None:
    assert by_name(variables(parts))["badPointer"] == {"Name": "good"}


def test_nil_of_any_kind_in_an_interface_is_none(parts: Client) -> None:
    found = load_whole(parts, variable(parts, "empties"), HERE)
    assert to_python(found) == [None, None, None, None, "", 0]


@pytest.mark.parametrize("name", ["ring", "slice", "table", "empty"])
def test_a_cycle_ends_in_an_incomplete_value(cycles: Client, name: str) -> None:
    found = load_whole(cycles, variable(cycles, name), HERE, Limits(depth=10_000))
    assert not is_complete(found, 10_000)
    text = repr(to_python(found))
    assert text.count("not loaded whole") == 1
    assert len(text) < 200


def test_what_is_nested_deeply_but_ends_is_loaded_as_far_as_python_values_go(
    cycles: Client,
) -> None:
    found = load_whole(cycles, variable(cycles, "nested"), HERE, Limits(depth=10_000))
    depth, value = 0, to_python(found)
    while isinstance(value, list):
        [value] = value
        depth += 1
    assert depth == 50, "as many interfaces are between them"
    assert isinstance(value, Incomplete)


def test_of_variables_with_one_name_the_shadowed_ones_are_listed(kinds: Client) -> None:
    here = variables(kinds)
    assert by_name(here)["value"] is True
    outer, inner = shadowed(here)
    assert (outer, inner) == (
        Shadowed("value", "outer", outer.line),
        Shadowed("value", 2, inner.line),
    )
    assert 0 < outer.line < inner.line


def test_what_escaped_is_not_shadowed_by_itself(escapes: Client) -> None:
    """It is among the locals, and a copy of it that Delve hides among the arguments."""
    outer = [*escapes.list_function_args(HERE, LOAD), *variables(escapes)]
    assert by_name(outer) == {"argument": 2, "result": {"s": "result"}}
    assert shadowed(outer) == ()
    break_at(escapes, "huge/main.go", "// stop in its block")
    escapes.continue_()
    inner = [*escapes.list_function_args(HERE, LOAD), *variables(escapes)]
    assert by_name(inner) == {"argument": 2, "result": 7}
    [hidden] = shadowed(inner)
    assert (hidden.name, hidden.value) == ("result", {"s": "result"})


def test_a_time_is_its_instant(kinds: Client) -> None:
    found: dict[str, Any] = by_name(variables(kinds))
    leap_day = datetime(2024, 2, 29, 12, 30, 45, 123456, tzinfo=UTC)
    assert [found[name] == leap_day for name in ("utc", "zoned", "local")] == [True] * 3
    assert found["zoned"] == leap_day.astimezone(timezone(timedelta(hours=-5)))
    assert found["utc"] != leap_day + timedelta(microseconds=1)
    assert found["never"] == datetime(1, 1, 1, tzinfo=UTC)
    assert found["late"].utc is None


def test_a_time_with_a_monotonic_clock_is_its_instant(kinds: Client) -> None:
    found: dict[str, Any] = by_name(variables(kinds))
    stamp = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=found["stamp"] // 1000)
    assert found["now"].wall >> 63, "or it has none"
    assert found["now"] == stamp


def test_a_wrapped_error_is_the_errors_that_it_is_made_of(kinds: Client) -> None:
    found: Any = by_name(variables(kinds))["wrapped"]
    assert found == {"msg": "outer: inner", "err": {"s": "inner"}}


def test_channels_constants_and_functions_are_what_they_are_called(
    kinds: Client, toolchain: Toolchain
) -> None:
    found: dict[str, Any] = by_name(variables(kinds))
    channels = {name: found[name] for name in ("nilChan", "full", "closed")}
    assert channels == {"nilChan": None, "full": "chan string", "closed": "chan int"}
    assert found["low"] == "Low" == found["low"] == -1
    assert found["high"] == "main.High"
    assert found["method"] == "main.(*holder).bare-fm"
    instance = "main.keep[main.Pair[int,string]]"
    assert found["generic"] == (instance if toolchain.go >= (1, 21) else "main.kinds.func1")


@pytest.mark.parametrize("name", ["full", "closed", "generic", "method"])
def test_what_delve_tells_of_a_channel_or_function_is_no_part_to_load(
    kinds: Client, name: str
) -> None:
    assert is_complete(variable(kinds, name), 9)
