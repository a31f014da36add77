"""Which values of optimised functions are not to be trusted, and what is said of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from pytest_kdelve.delve import api
from pytest_kdelve.delve.api import Kind, Variable, VariableFlags
from pytest_kdelve.delve.optimised import Optimised
from pytest_kdelve.delve.sources import Sources
from pytest_kdelve.delve.values import Unreadable
from pytest_kdelve.errors import RPCError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_kdelve.delve import Client

SOURCE = """package store

func Get(name string, pair Pair, pointer *Pair) int {
	total := 1
	total += 2
	pair.Left = 3
	pointer.Left = 4
	once := 5
	return once
}
"""
REGISTER = "[0x1:0x2] DW_OP_reg3(Rbx) "
LINE = 8
HERE, CALLER = 0x100, 0x200


class Asked:
    """A client that says of names what they are, and counts how often it was asked."""

    def __init__(self, variables: Mapping[str, Variable]) -> None:
        self._variables = variables
        self.scopes: list[tuple[str, int]] = []

    def list_local_vars(self, _scope: api.EvalScope, _load: api.LoadConfig) -> list[Variable]:
        return list(self._variables.values())

    def list_function_args(self, _scope: api.EvalScope, _load: api.LoadConfig) -> list[Variable]:
        return []

    def eval(self, name: str, scope: api.EvalScope, _load: api.LoadConfig) -> Variable:
        self.scopes.append((name, scope.frame))
        if name not in self._variables:
            raise RPCError("Eval", f"could not find symbol value for {name}")
        return self._variables[name]


def variable(name: str, **fields: Any) -> Variable:
    usual = {"kind": Kind.INT, "type": "int", "value": "1", "location_expr": REGISTER, "addr": 1}
    return Variable(name=name, **{**usual, **fields})


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "store.go"
    path.write_text(SOURCE)
    return str(path)


def frame(file: str, *, optimised: bool = True, pc: int = HERE) -> api.Stackframe:
    function = api.Function(name="example.com/store.Get", optimized=optimised)
    return api.Stackframe(file=file, line=LINE, pc=pc, function=function)


def doubt(
    expression: str, *frames: api.Stackframe, go: str = "1.26.8", **variables: Variable
) -> str:
    client = cast("Client", Asked(variables))
    return Optimised(Sources(), go).doubt(client, expression, 7, frames)


@pytest.mark.parametrize("expression", ["total", "total == 1", "f(other, total)", 'm["a"] + total'])
def test_a_variable_that_is_assigned_again(file: str, expression: str) -> None:
    assert doubt(expression, frame(file)) == (
        "optimised: total gets a value more than once in store.Get, perhaps by its address, and "
        "what Delve reads may be an earlier one"
    )


@pytest.mark.parametrize(
    "expression",
    ["once", "name", "other.total", '"total"', "`total`", "'t'", "len(name)", "x.(map[string]int)"],
)
def test_what_gets_its_value_once_is_trusted(file: str, expression: str) -> None:
    once, name = variable("once"), variable("name")
    assert doubt(expression, frame(file), once=once, name=name) == ""


def test_nothing_is_said_of_other_functions(file: str) -> None:
    assert doubt("total", frame(file, optimised=False)) == ""
    assert doubt("total") == ""


def test_a_part_counts_where_it_is_part_of_the_variable(file: str) -> None:
    pointer = variable("pointer", kind=Kind.POINTER)
    assert doubt("pointer.Left", frame(file), pointer=pointer) == ""
    pair = variable("pair", kind=Kind.STRUCT)
    assert "a part of pair gets a value more than once" in doubt("pair", frame(file), pair=pair)


def test_memory_that_may_be_used_again(file: str) -> None:
    on_stack = "[block] DW_OP_fbreg -0x10 "
    own = variable("once", location_expr=on_stack)
    assert "may be another variable by now" in doubt("once", frame(file), once=own)
    inlined = variable("once", location_expr=on_stack, flags=VariableFlags.ARGUMENT)
    assert "may be another variable by now" in doubt("once", frame(file), once=inlined)
    escaped = variable("once", location_expr=on_stack, flags=VariableFlags.ESCAPED)
    assert doubt("once", frame(file), once=escaped) == ""
    for of_caller in ("[block] DW_OP_call_frame_cfa ", "[block] DW_OP_fbreg 0x10 "):
        flags = VariableFlags.ARGUMENT
        kept = variable("once", location_expr=of_caller, flags=flags, kind=Kind.STRUCT)
        assert doubt("once", frame(file), once=kept) == ""
    package = variable("once", location_expr="[block] DW_OP_addr 0x1 ")
    assert doubt("once", frame(file), once=package) == ""


def test_memory_of_a_variable_that_gets_other_values(file: str) -> None:
    """As ``once := total`` may be left where ``total`` is."""
    slot, other = "[0x1:0x2] DW_OP_fbreg -0x10 ", "[0x1:0x2] DW_OP_fbreg -0x100 "
    once, total = variable("once", location_expr=slot), variable("total", location_expr=slot)
    assert doubt("once", frame(file), once=once, total=total) == (
        "optimised: once is kept with total, which gets other values"
    )
    total = variable("total", location_expr=other)
    assert doubt("once", frame(file), once=once, total=total) == ""
    name = variable("name", location_expr=slot)
    assert doubt("once", frame(file), once=once, name=name) == "", "it gets its value once"


def test_memory_of_one_of_two_variables_with_one_name(file: str) -> None:
    slot, other = "[0x1:0x2] DW_OP_fbreg -0x10 ", "[0x1:0x2] DW_OP_fbreg -0x100 "
    once = variable("once", location_expr=slot)
    total = variable("total", location_expr=slot)
    hidden = variable("total", location_expr=other)
    said = doubt("once", frame(file), once=once, total=total, hidden=hidden)
    assert "once is kept with total" in said


def test_an_inlined_call_and_its_caller_have_variables_of_their_own(file: str) -> None:
    """Though they stand at one instruction."""
    asked = Asked({"once": variable("once")})
    client, judge = cast("Client", asked), Optimised(Sources(), "1.26.8")
    caller = msgspec.structs.replace(
        frame(file), function=api.Function(name="example.com/store.List", optimized=True)
    )
    for expression in ("once", "runtime.frame(1).once"):
        judge.doubt(client, expression, 7, [frame(file), caller])
    assert asked.scopes == [("once", 0), ("once", 1)]


def test_an_argument_that_methods_may_change(tmp_path: Path) -> None:
    path = tmp_path / "store.go"
    path.write_text(
        "package store\n\nfunc With(pair Pair) Pair {\n\tpair.Set(1)\n\treturn pair\n}\n"
    )
    here = api.Stackframe(
        file=str(path), line=4, pc=HERE, function=api.Function(name="store.With", optimized=True)
    )
    pieces = "[0x1:0x2] DW_OP_reg0(Rax) DW_OP_piece 0x8 DW_OP_reg3(Rbx) DW_OP_piece 0x8 "
    for place in (REGISTER, pieces, "[block] DW_OP_call_frame_cfa "):
        pair = variable("pair", kind=Kind.STRUCT, location_expr=place, flags=VariableFlags.ARGUMENT)
        assert "may be another variable by now" in doubt("pair", here, pair=pair)


def test_parts_that_are_not_kept(file: str) -> None:
    """Of ``name[0:1]`` Delve would say zeros."""
    flags = VariableFlags.FAKE_ADDRESS
    halves = "[0x1:0x2] DW_OP_piece 0x8 DW_OP_reg3(Rbx) DW_OP_piece 0x8 "
    text = variable("name", kind=Kind.STRING, location_expr=halves, flags=flags)
    assert "parts of name are not kept" in doubt("len(name)", frame(file), name=text)


def test_a_register_of_an_outer_frame(file: str) -> None:
    """Delve has none for it, and says 0 where the variable is smaller than a register."""
    expression, once = "runtime.frame(1).once", variable("once")
    inner, outer = frame(file), frame(file, pc=CALLER)
    assert "once was in a register" in doubt(expression, inner, outer, once=once)
    assert doubt(expression, inner, frame(file), once=once) == "", "of an inlined call"
    saved = variable("once", location_expr="[0x1:0x2] DW_OP_fbreg -0x8 ")
    assert doubt(expression, inner, outer, once=saved) == ""
    assert doubt(expression, inner) == ""
    assert "total gets a value" in doubt("runtime.frame(1).total", inner, outer)
    assert doubt("total", frame(file, optimised=False), outer) == ""


def test_a_place_is_asked_for_once(file: str) -> None:
    asked = Asked({"once": variable("once")})
    client, judge = cast("Client", asked), Optimised(Sources(), "1.26.8")
    for _ in range(2):
        assert judge.doubt(client, "once", 7, [frame(file)]) == ""
    judge.doubt(client, "runtime.frame(1).once", 7, [frame(file), frame(file, pc=CALLER)])
    assert asked.scopes == [("once", 0), ("once", 1)]


def test_without_the_source_nothing_is_trusted() -> None:
    assert doubt("once", frame("/nowhere/store.go")) == (
        "optimised: without the source of store.Get nobody can tell whether once has got another "
        "value"
    )


def test_a_source_that_was_edited_since_says_nothing(file: str) -> None:
    written = Path(file).stat().st_mtime
    client = cast("Client", Asked({"once": variable("once")}))
    older, newer = (Optimised(Sources(), "1.26.8", written + late) for late in (-1, 1))
    assert older.doubt(client, "once", 7, [frame(file)]) == (
        "optimised: the source of store.Get is newer than the binary"
    )
    assert newer.doubt(client, "once", 7, [frame(file)]) == ""


def test_a_go_that_tells_wrong_places(file: str) -> None:
    once = variable("once")
    assert doubt("once", frame(file), go="1.19.13", once=once) == (
        "optimised: Go before 1.20 tells wrong places of variables such as once"
    )
    assert doubt("once", frame(file), go="1.20.14", once=once) == ""
    assert doubt("once", frame(file), go="devel", once=once) == ""
    assert doubt("other", frame(file), go="1.18.2") == ""


class TestExplaining:
    LOST = Unreadable("could not find loclist entry at 0x1 for address 0x2")

    def explained(self, expression: str, value: object, *frames: api.Stackframe) -> object:
        return Optimised(Sources(), "1.26.8").explain(expression, value, frames)

    def test_what_the_compiler_did_not_keep(self, file: str) -> None:
        found = self.explained("once + 1", self.LOST, frame(file))
        assert isinstance(found, Unreadable)
        assert found.reason == (
            "optimised: the compiler kept no value of once at this line of store.Get (could not "
            "find loclist entry at 0x1 for address 0x2)"
        )

    def test_other_values_stay(self, file: str) -> None:
        other = Unreadable("input/output error")
        for value in (5, None, other):
            assert self.explained("once", value, frame(file)) is value
        assert self.explained("other", self.LOST, frame(file)) is self.LOST
        assert self.explained("once", self.LOST, frame(file, optimised=False)) is self.LOST


def test_all_variables_of_a_frame(file: str) -> None:
    variables = [
        variable("once"),
        variable("total"),
        variable("name", unreadable="empty OP stack", location_expr=""),
        variable("once", flags=VariableFlags.SHADOWED, value="2"),
    ]
    client = cast("Client", Asked({}))
    found = Optimised(Sources(), "1.26.8").by_name(variables, client, 7, frame(file))
    assert found["once"] == 1
    reasons = {name: value.reason for name, value in found.items() if name != "once"}  # type: ignore[attr-defined]
    assert reasons["total"].startswith("optimised: total gets a value more than once")
    assert reasons["name"].startswith("optimised: the compiler kept no value of name")
    assert Optimised(Sources(), "1.26.8").by_name(None, client, 7, frame(file)) == {}
