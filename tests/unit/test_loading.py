"""Loading more of a value, from a client that answers from tables; tests/delve has real ones."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_kdelve.delve import api
from pytest_kdelve.delve.api import Kind, Variable
from pytest_kdelve.delve.completeness import DEEPEST, is_complete
from pytest_kdelve.delve.loading import Limits, evaluate, load_whole
from pytest_kdelve.delve.values import Incomplete, Unreadable, to_python
from pytest_kdelve.errors import DelveConnectionError, RPCError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_kdelve.delve.client import Client

HERE = api.EvalScope(goroutine_id=7, frame=2)
KIB = 1024
#: Where Delve keeps what is in registers, and where the tests' values and their content are.
FAKE, ADDRESS, BASE = 0xBEED_0000_0000_0008, 0x1000, 0x2000
STRING, SLICE = '(*(*"string")(0x1000))', '(*(*"[]int")(0x1000))'


class FakeClient:
    """Memory from ``BASE`` on, and a table of expressions."""

    def __init__(
        self,
        memory: bytes = b"",
        values: Mapping[str, Variable] | None = None,
        limit: int = 64 * KIB,
    ) -> None:
        self.memory = memory
        self.values = values or {}
        self.limit = limit
        self.reads: list[tuple[int, int]] = []
        self.evals: list[str] = []
        self.loads: list[api.LoadConfig] = []

    def examine_memory(self, address: int, length: int) -> bytes:
        self.reads.append((address, length))
        if length > self.limit:
            raise RPCError("ExamineMemory", f"len must be less than or equal to {self.limit}")
        data = self.memory[address - BASE :][:length]
        if len(data) < length:
            raise RPCError("ExamineMemory", "input/output error")
        return data

    def eval(self, expr: str, scope: api.EvalScope, load: api.LoadConfig) -> Variable:
        assert scope == HERE
        self.evals.append(expr)
        self.loads.append(load)
        if expr not in self.values:
            raise RPCError("Eval", "no type entry found, use 'types' for a list of valid types")
        return self.values[expr]

    def load(self, variable: Variable, **limits: int) -> Variable:
        return load_whole(cast("Client", self), variable, HERE, Limits(**limits))

    def evaluate(self, expr: str, **limits: int) -> Variable:
        return evaluate(cast("Client", self), expr, HERE, Limits(**limits))

    @property
    def calls(self) -> int:
        return len(self.reads) + len(self.evals)


def variable(kind: Kind, type_: str, **fields: Any) -> Variable:
    fields = {"addr": ADDRESS, "base": BASE, "real_type": type_, **fields}
    return Variable(kind=kind, type=type_, **fields)


def string(value: str, length: int, **fields: Any) -> Variable:
    fields = {"string_value_bytes": None, **fields}
    return variable(Kind.STRING, "string", value=value, len=length, **fields)


def number(value: int) -> Variable:
    return variable(Kind.INT, "int", value=str(value))


def numbers(low: int, high: int, length: int, **fields: Any) -> Variable:
    children = list(map(number, range(low, high)))
    return variable(Kind.SLICE, "[]int", children=children, len=length, **fields)


def pointer(target: Variable, **fields: Any) -> Variable:
    return variable(Kind.POINTER, f"*{target.type}", children=[target], len=1, **fields)


def struct(type_: str, *fields: Variable, **more: Any) -> Variable:
    return variable(Kind.STRUCT, type_, children=list(fields), len=len(fields), **more)


def missing(type_: str, **fields: Any) -> Variable:
    """Return a struct of which Delve said only where it is."""
    return variable(Kind.STRUCT, type_, **{"only_addr": True, **fields})


def test_a_string_is_read_from_memory_in_the_largest_pieces() -> None:
    text = "☃" * 60_000
    client = FakeClient(text.encode())
    given = string(text[:21], 180_000, name="snow")
    found = client.load(given, string_bytes=200_000)
    assert to_python(found) == text
    assert found.name == "snow"
    assert client.reads == [
        (BASE + start, min(64 * KIB, 180_000 - start)) for start in (0, 65536, 131072)
    ]


def test_a_delve_that_refuses_so_much_memory_is_asked_for_less() -> None:
    """Before 1.24.0 it gives 1000 bytes at once."""
    client = FakeClient(b"x" * 2500, limit=1000)
    assert to_python(client.load(string("x", 2500))) == "x" * 2500
    assert [length for _, length in client.reads] == [2500, 1000, 1000, 500]


def test_a_string_beyond_the_limit_stays_incomplete() -> None:
    client = FakeClient(b"x" * 100)
    found = to_python(client.load(string("x", 100), string_bytes=40))
    assert isinstance(found, Incomplete)
    assert (found.value, found.length) == ("x" * 40, 100)


class TestBytesThatAreNotUTF8:
    """Of a Delve before 1.26.0, which sends U+FFFD for each."""

    @pytest.mark.parametrize(
        ("data", "expected"),
        [(b"bad \xff\xfe", b"bad \xff\xfe"), ("\ufffd".encode(), "\ufffd")],
        ids=["lost", "really U+FFFD"],
    )
    def test_they_are_read_from_memory(self, data: bytes, expected: object) -> None:
        given = Variable(
            kind=Kind.STRING, value=data.decode(errors="replace"), len=len(data), base=BASE, addr=1
        )
        assert isinstance(to_python(given), Unreadable)
        assert to_python(FakeClient(data).load(given)) == expected

    def test_where_memory_cannot_be_read_they_stay_unreadable(self) -> None:
        given = Variable(kind=Kind.STRING, value="\ufffd", len=3, base=BASE, addr=1)
        assert isinstance(to_python(FakeClient().load(given)), Unreadable)

    def test_a_newer_delve_is_not_asked(self) -> None:
        client = FakeClient()
        assert to_python(client.load(string("\ufffd", 3))) == "\ufffd"
        assert client.calls == 0


@pytest.mark.parametrize("kind", [Kind.SLICE, Kind.ARRAY])
def test_bytes_are_read_from_memory_as_well(kind: Kind) -> None:
    client = FakeClient(bytes(range(200)))
    child = variable(Kind.UINT8, "uint8", value="0")
    given = variable(kind, "main.Bytes", children=[child], len=200)
    assert to_python(client.load(given)) == bytes(range(200))
    assert client.evals == []


def test_elements_are_asked_for_in_long_pages_where_they_are_plain() -> None:
    values = {
        f"{SLICE}[64:4160]": numbers(64, 4160, 4096),
        f"{SLICE}[4160:5000]": numbers(4160, 5000, 840),
    }
    client = FakeClient(values=values)
    assert to_python(client.load(numbers(0, 64, 5000), values=5000)) == list(range(5000))
    assert [load.max_array_values for load in client.loads] == [4096, 840]


def test_elements_are_asked_for_in_short_pages_where_they_may_hold_anything() -> None:
    """A page of slices has as many elements in each of them as it has itself."""
    rows = [numbers(row, row + 1, 1, addr=ADDRESS + row) for row in range(1, 101)]
    values = {
        '(*(*"[][]int")(0x1000))[1:65]': variable(
            Kind.SLICE, "[][]int", children=rows[1:65], len=64
        ),
        '(*(*"[][]int")(0x1000))[65:100]': variable(
            Kind.SLICE, "[][]int", children=rows[65:], len=35
        ),
    }
    client = FakeClient(values=values)
    given = variable(Kind.SLICE, "[][]int", children=rows[:1], len=100)
    assert to_python(client.load(given)) == [[row] for row in range(1, 101)]
    assert max(load.max_array_values for load in client.loads) == 64


def test_elements_beyond_the_limit_stay_out() -> None:
    client = FakeClient(values={f"{SLICE}[2:3]": numbers(2, 3, 1)})
    found = to_python(client.load(numbers(0, 2, 9), values=3))
    assert isinstance(found, Incomplete)
    assert (found.value, found.length) == ([0, 1, 2], 9)


def test_a_page_that_comes_short_is_the_last_one() -> None:
    """Delve stops at the fourth element that it cannot read."""
    client = FakeClient(values={f"{SLICE}[2:66]": numbers(2, 6, 64)})
    given = numbers(0, 2, 900)
    given.children = [missing("main.T", unreadable="input/output error") for _ in range(2)]
    found = to_python(client.load(given))
    assert isinstance(found, Incomplete)
    assert client.calls == 1


def test_more_of_a_map_is_asked_for_from_a_start_only() -> None:
    pairs = [number(n) for pair in range(1, 4) for n in (pair, -pair)]
    map_type = "map[int]int"
    rest = variable(Kind.MAP, map_type, children=pairs[2:], len=3)
    client = FakeClient(values={f'(*(*"{map_type}")(0x1000))[1:]': rest})
    given = variable(Kind.MAP, map_type, children=pairs[:2], len=3)
    assert to_python(client.load(given)) == {1: -1, 2: -2, 3: -3}
    assert client.loads[0].max_array_values == 2


def test_a_value_is_loaded_within_others_of_any_kind() -> None:
    """A string in a struct behind a pointer in an interface in a map."""
    behind = pointer(missing("main.Named", addr=0x3000, name="*"))
    dynamic = variable(Kind.INTERFACE, "interface {}", children=[behind])
    given = variable(Kind.MAP, "map[string]interface {}", children=[string("k", 1), dynamic], len=1)
    named = struct("main.Named", string("te", 4, name="Text"), addr=0x3000)
    client = FakeClient(b"text", {'(*(*"main.Named")(0x3000))': named})
    before = copy.deepcopy(given)
    found = client.load(given)
    assert to_python(found) == {"k": {"Text": "text"}}
    assert is_complete(found, 3)
    assert given == before, "what was given is as it was"


def test_numbers_of_which_delve_said_only_where_they_are_are_loaded() -> None:
    """As it does below its depth, within interfaces and behind pointers, keys of a map too."""
    far = {"only_addr": True, "value": ""}
    key = variable(Kind.INTERFACE, "any", children=[variable(Kind.INT, "int", addr=0x3000, **far)])
    value = pointer(variable(Kind.BOOL, "bool", addr=0x4000, **far))
    given = variable(Kind.MAP, "map[any]*bool", children=[key, value], len=1)
    values = {
        '(*(*"int")(0x3000))': number(5),
        '(*(*"bool")(0x4000))': variable(Kind.BOOL, "bool", value="true"),
    }
    found = FakeClient(values=values).load(given, depth=1)
    assert to_python(found) == {5: True}
    assert is_complete(found, 1)


@pytest.mark.parametrize(
    ("type_", "quoted"),
    [
        ("main.Pair[int,string]", r'"main.Pair[int,string]"'),
        ("k8s.io/api/core/v1.Pod", r'"k8s.io/api/core/v1.Pod"'),
        ('struct { X int "json:\\"x\\"" }', r'"struct { X int \"json:\\\"x\\\"\" }"'),
        ("main.local·1", '"main.local·1"'),
    ],
)
def test_any_name_of_a_type_is_quoted_as_go_does(type_: str, quoted: str) -> None:
    client = FakeClient(values={f"(*(*{quoted})(0x1000))": struct(type_, number(1))})
    assert is_complete(client.load(missing(type_)), 1)
    assert client.calls == 1


@pytest.mark.parametrize("only_addr", [False, True])
def test_a_struct_without_its_fields_is_loaded_and_keeps_its_name(*, only_addr: bool) -> None:
    """Delve sends it so below its depth, and leaves a name out where it reads by address."""
    given = missing("main.T", only_addr=only_addr, len=1, name="Inner", flags=1, decl_line=5)
    client = FakeClient(values={'(*(*"main.T")(0x1000))': struct("main.T", number(1))})
    found = client.load(given)
    assert is_complete(found, 1)
    assert (found.name, found.flags, found.decl_line) == ("Inner", 1, 5)


def test_no_more_containers_are_loaded_than_the_depth() -> None:
    inner = struct("main.Inner", missing("main.Deeper", addr=0x5000, name="Deeper"), addr=0x3000)
    given = struct("main.Outer", missing("main.Inner", addr=0x3000, name="Inner"))
    client = FakeClient(values={'(*(*"main.Inner")(0x3000))': inner})
    found = client.load(given, depth=1)
    assert is_complete(found, 1)
    assert not is_complete(found, 2)
    assert client.calls == 1
    client.load(given, depth=2)
    assert client.evals[-1] == '(*(*"main.Deeper")(0x5000))', "and with more depth, more"


def test_no_more_calls_are_made_than_the_limit() -> None:
    """The outer values come first."""
    rows = [numbers(0, 1, 2, addr=0x3000 + row) for row in range(9)]
    values = {f'(*(*"[]int")({row.addr:#x}))[1:2]': numbers(1, 2, 1) for row in rows}
    given = variable(Kind.SLICE, "[][]int", children=rows, len=9)
    client = FakeClient(values=values)
    found: Any = to_python(client.load(given, calls=2))
    assert client.calls == 2
    assert found[:2] == [[0, 1], [0, 1]]
    assert [type(row) for row in found[2:]] == [Incomplete] * 7


def ring(outer: str, inner: str) -> Variable:
    """Return a struct around a missing one at the same address."""
    return struct(outer, pointer(missing(inner, name="*"), name="Next", addr=0x3000))


def test_a_part_that_is_around_itself_is_not_loaded_again() -> None:
    client = FakeClient(values={'(*(*"main.Node")(0x1000))': ring("main.Node", "main.Node")})
    found: Any = to_python(client.load(ring("main.Node", "main.Node"), depth=50))
    assert isinstance(found.Next, Incomplete)
    assert client.calls == 0


def test_another_value_at_the_same_address_is_loaded() -> None:
    """Such as a struct's first field."""
    client = FakeClient(values={'(*(*"main.First")(0x1000))': struct("main.First", number(1))})
    found: Any = to_python(client.load(ring("main.Node", "main.First")))
    assert not isinstance(found.Next, Incomplete)


def grow(client: FakeClient, limit: int) -> None:
    """Let each node lead to another one that is not loaded."""
    values = {}
    for place in range(1, limit):
        next_ = missing("main.Node", addr=place + 1)
        node = struct("main.Node", pointer(next_, name="Next", addr=FAKE), addr=place)
        values[f'(*(*"main.Node")({place:#x}))'] = node
    client.values = values


def test_a_list_without_end_is_loaded_as_deep_as_python_values_go() -> None:
    client = FakeClient()
    grow(client, 1000)
    found = client.load(missing("main.Node", addr=1), depth=10**6, calls=10**6)
    assert client.calls == DEEPEST // 2 + 1, "pointers and structs by turns"
    assert "not loaded whole" in repr(to_python(found))


class TestWithoutAddress:
    """What is in registers, and what an expression made."""

    given = variable(Kind.SLICE, "[]int", children=[number(0)], len=2, addr=FAKE, base=0)

    @pytest.mark.parametrize(
        "given",
        [
            given,
            string("x", 9, addr=FAKE, base=0),
            string("x", 9, addr=0, base=FAKE),
            missing("main.T", addr=FAKE),
            variable(Kind.MAP, "map[int]int", children=[], len=3, addr=0),
        ],
        ids=["slice", "string", "bytes of a string", "struct", "map"],
    )
    def test_it_stays_incomplete(self, given: Variable) -> None:
        client = FakeClient(b"x" * 9)
        assert isinstance(to_python(client.load(given)), Incomplete)
        assert client.calls == 0

    def test_more_of_it_comes_from_its_expression(self) -> None:
        client = FakeClient(values={"x": self.given, "(x)[1:2]": numbers(1, 2, 1)})
        assert to_python(client.evaluate("x")) == [0, 1]

    def test_that_expression_is_for_nothing_within_it(self) -> None:
        inner = variable(Kind.SLICE, "[]int", children=[], len=2, addr=FAKE, base=0, name="Inner")
        client = FakeClient(values={"x": struct("main.T", inner), "(x)[0:2]": numbers(0, 2, 2)})
        found: Any = to_python(client.evaluate("x"))
        assert isinstance(found.Inner, Incomplete)

    def test_a_slice_of_a_slice_is_reached_by_its_elements(self) -> None:
        client = FakeClient(values={'(*(*"[3]int")(0x2000))[1:3]': numbers(1, 3, 2)})
        assert to_python(client.load(numbers(0, 1, 3, addr=0))) == [0, 1, 2]


def test_an_expression_is_evaluated_with_the_limits() -> None:
    client = FakeClient(values={"x": number(1)})
    assert to_python(client.evaluate("x", depth=2, string_bytes=9, values=8)) == 1
    [load] = client.loads
    assert (load.max_variable_recurse, load.max_string_len, load.max_array_values) == (2, 9, 8)


def test_an_expression_is_not_evaluated_deeper_than_delve_is_fast() -> None:
    """From 1.26.0 on it takes half a minute for a depth of 5000."""
    client = FakeClient(values={"x": number(1)})
    client.evaluate("x", depth=5000, values=10**6)
    assert client.loads[0].max_variable_recurse <= 16
    assert client.loads[0].max_array_values <= 64, "of slices within slices each has so many"


def test_an_expression_that_delve_refuses_is_an_error() -> None:
    with pytest.raises(RPCError, match="no type entry found"):
        FakeClient().evaluate("x")


def test_what_delve_refuses_to_load_stays_incomplete() -> None:
    client = FakeClient()
    assert isinstance(to_python(client.load(missing("main.T"))), Incomplete)
    assert client.calls == 1


def test_what_turns_out_unreadable_is_unreadable() -> None:
    wild = variable(Kind.STRUCT, "main.T", unreadable="input/output error")
    client = FakeClient(values={'(*(*"main.T")(0x1000))': wild})
    found = to_python(client.load(missing("main.T")))
    assert isinstance(found, Unreadable)
    assert found.reason == "input/output error"


UNTOUCHED: dict[str, Variable] = {
    "unreadable": variable(Kind.STRING, "string", unreadable="input/output error", len=9),
    "number": number(1),
    "nil": Variable(),
    "nil pointer": pointer(missing("main.T", addr=0)),
    "nil slice": variable(Kind.SLICE, "[]int", base=0),
    "channel": variable(Kind.CHAN, "chan int", children=[missing("runtime.waitq")], len=11),
    "func": variable(Kind.FUNC, "func()", value="main.f", children=[missing("main.T")], len=1),
    "unsafe.Pointer": variable(Kind.UNSAFE_POINTER, "unsafe.Pointer", children=[missing("void")]),
}


@pytest.mark.parametrize("given", UNTOUCHED.values(), ids=UNTOUCHED)
def test_what_is_whole_needs_no_call(given: Variable) -> None:
    client = FakeClient()
    assert client.load(given) == given
    assert client.calls == 0


@pytest.mark.parametrize("given", [string("x", 9), missing("main.T")], ids=["memory", "Eval"])
def test_a_connection_that_broke_is_an_error(
    monkeypatch: pytest.MonkeyPatch, given: Variable
) -> None:
    def fail(*_: object) -> Callable[..., Variable]:
        raise DelveConnectionError("the other side closed it")

    client = FakeClient()
    monkeypatch.setattr(client, "eval", fail)
    monkeypatch.setattr(client, "examine_memory", fail)
    with pytest.raises(DelveConnectionError):
        client.load(given)
