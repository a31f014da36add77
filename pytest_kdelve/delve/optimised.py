"""Variables of optimised functions: which of their values may be taken for those of the source.

The compiler tells where a variable is at each instruction, and Delve reads what is there. Where a
variable gets its value once, this is right. Where it gets further ones, the compiler often goes on
to name the place of an earlier one, and nothing in the debug information tells so. Hence the
source is asked, and without it, no value is trusted. What a pointer leads to is read as it is in
memory, which may be a statement behind or ahead of the line.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Self

from pytest_kdelve.delve import api, assignments, values
from pytest_kdelve.delve.pieces import has_lost_parts, is_word
from pytest_kdelve.delve.texts import without_texts
from pytest_kdelve.delve.versions import go_number, numbers
from pytest_kdelve.errors import RPCError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_kdelve.delve.client import Client
    from pytest_kdelve.delve.sources import Sources

_FRAME = re.compile(r"\bruntime\s*\.\s*frame\s*\(\s*(?P<frame>\d+)\s*\)\s*\.\s*")
_NAME = re.compile(rf"(?:{_FRAME.pattern}|(?<![\w.]))(?P<name>[^\W\d]\w*)")
_CAPACITY = re.compile(r"\bcap\s*\(")
#: Names of the language that an expression may have; none is a variable's.
_OF_GO = frozenset({"chan", "func", "interface", "map", "struct", "len", "cap", "nil", "runtime"})
#: How Delve says that it finds no value of a variable that the source has.
_KEPT_NOWHERE = re.compile(
    "could not find (loclist entry|symbol)|empty OP stack|read out of bounds|could not read .* from"
)
_PLACE_ONLY = api.LoadConfig(
    follow_pointers=False,
    max_variable_recurse=32,
    max_string_len=0,
    max_array_values=2,
    max_struct_fields=-1,
)
#: Before, also the place of a variable's only value is wrong now and then: arguments are looked
#: for on the stack before they are put there, and others in registers that are used again.
_OLDEST_GO = (1, 20)
_IN_REGISTER = "DW_OP_reg"
_IN_PIECES = "DW_OP_piece"
#: Memory of the function.
_SLOT = re.compile(r"DW_OP_fbreg -0x[0-9a-f]+")
_OF_PACKAGE = "DW_OP_addr"
#: Memory that is the variable's for as long as the function runs.
_OF_CALLER = re.compile(r"DW_OP_call_frame_cfa|DW_OP_fbreg 0x")
#: Methods of these do not change the variable itself.
_ARE_REFERENCES = frozenset({api.Kind.POINTER, api.Kind.INTERFACE})
#: From here on are the addresses that Delve makes up (``FakeAddressBase`` in its target.go).
_NO_MEMORY = 0xBEEF000000000000
_SEVERAL = (
    "{what} more than once in {function}, perhaps by its address, and what Delve reads may be an "
    "earlier one"
)
_SHADOWED = api.VariableFlags.SHADOWED
_ESCAPED = api.VariableFlags.ESCAPED
_ARGUMENT = api.VariableFlags.ARGUMENT


class Optimised:
    """Judges values in the optimised functions of one target.

    ``go_version`` is that of the Go that built it, such as "1.26.8", and ``built`` when that was,
    in seconds as in ``st_mtime``.
    """

    @classmethod
    def of(cls, client: Client, sources: Sources) -> Self:
        """Return the judge of a client's target."""
        built = client.last_modified()
        return cls(
            sources,
            go_number(client.get_version().target_go_version),
            built.timestamp() if built.year > 1 else math.inf,
        )

    def __init__(self, sources: Sources, go_version: str, built: float = math.inf) -> None:
        self._sources = sources
        self._built = built
        # One that was built from its repository has no number.
        self._is_old = () < numbers(go_version)[:2] < _OLDEST_GO
        # By pc and function, since an inlined call and its caller have one pc.
        self._variables: dict[tuple[int, str, str, bool], api.Variable | None] = {}
        self._slots: dict[tuple[int, str], Sequence[tuple[str, frozenset[str]]]] = {}

    def doubt(
        self, client: Client, expression: str, goroutine: int, frames: Sequence[api.Stackframe]
    ) -> str:
        """Return why an expression's value is not to be trusted; empty where it is.

        ``frames`` are those of the stopped goroutine, innermost first, in which it is evaluated.
        """
        for number, name in _names(expression):
            if number >= len(frames) or not is_optimised(frames[number]):
                continue
            problem = self._by_source(frames[number], name)
            if not problem:
                is_declared = problem is not None
                variable = self._ask_for(client, name, goroutine, frames, number)
                scope = api.EvalScope(goroutine_id=goroutine, frame=number)
                problem = self._of_variable(
                    variable,
                    frames[number],
                    is_declared=is_declared,
                    is_outer=frames[number].pc != frames[0].pc,
                    has_capacity=bool(_CAPACITY.search(expression)),
                ) or self._by_others(client, scope, frames[number], variable)
            if problem:
                return f"optimised: {problem}"
        return ""

    def _of_variable(
        self,
        variable: api.Variable | None,
        frame: api.Stackframe,
        *,
        is_declared: bool,
        is_outer: bool,
        has_capacity: bool,
    ) -> str:
        """Return what there is against a variable of which the source says nothing bad."""
        if variable is None or _OF_PACKAGE in variable.location_expr:
            return ""
        if not is_declared:
            return _undeclared(frame, variable.name)
        if variable.unreadable:
            # Of what is kept nowhere, Delve has a length and a capacity nevertheless: 0.
            return _kept_nowhere(frame, variable.name, variable.unreadable)
        return self._by_place(frame, variable, is_outer=is_outer, has_capacity=has_capacity)

    def copies(
        self, client: Client, expression: str, goroutine: int, frames: Sequence[api.Stackframe]
    ) -> str:
        """Return why setting what an expression names may change nothing; empty where it does.

        A variable that fits into registers may be in several places, of which Delve sets one.
        """
        if not is_optimised(frames[0]):
            return ""
        names = [name for number, name in _names(expression) if number == 0]
        scope = api.EvalScope(goroutine_id=goroutine)
        try:
            target = client.eval(expression, scope, _PLACE_ONLY)
            variables = [client.eval(name, scope, _PLACE_ONLY) for name in names[:1]]
        except RPCError:
            return ""  # So will setting it.
        is_copied = target.addr >= _NO_MEMORY or any(
            each.addr == target.addr
            and is_word(each)
            and not each.flags & _ESCAPED
            and _OF_PACKAGE not in each.location_expr
            for each in variables
        )
        return f"optimised: {expression} may be in several places, of which this is one" * is_copied

    def explain(self, expression: str, value: object, frames: Sequence[api.Stackframe]) -> object:
        """Return the value; where Delve found none, with the reason why there is none."""
        if not isinstance(value, values.Unreadable) or not _KEPT_NOWHERE.search(value.reason):
            return value
        for number, name in _names(expression):
            frame = frames[number] if number < len(frames) else None
            if frame and is_optimised(frame) and self._by_source(frame, name) is not None:
                return values.Unreadable(f"optimised: {_kept_nowhere(frame, name, value.reason)}")
        return value

    def by_name(
        self,
        variables: Iterable[api.Variable] | None,
        client: Client,
        goroutine: int,
        frame: api.Stackframe,
    ) -> Mapping[str, object]:
        """Return ``values.by_name`` for an optimised frame, without what is not to be trusted.

        The frame is the innermost one of the goroutine.
        """
        scope = api.EvalScope(goroutine_id=goroutine)
        given = list(variables or ())
        found = values.by_name(given)
        visible = {each.name: each for each in given if not each.flags & _SHADOWED}
        for name in found:
            problem = self._by_source(frame, name)
            if problem is None:
                problem = _undeclared(frame, name)
            problem = problem or self._by_place(frame, visible[name])
            if problem := problem or self._by_others(client, scope, frame, visible[name]):
                found[name] = values.Unreadable(f"optimised: {problem}")
            else:
                found[name] = self.explain(name, found[name], [frame])
        return found

    def _by_source(self, frame: api.Stackframe, name: str) -> str | None:
        """Return what the source says against a value; None where it has no such variable."""
        lines = self._sources.lines(frame.file)
        if not lines:
            return (
                f"without the source of {_short(frame)} nobody can tell whether {name} has got "
                "another value"
            )
        if (self._sources.last_modified(frame.file) or 0) > self._built:
            return f"the source of {_short(frame)} is newer than the binary"
        times = assignments.count(lines, frame.line, name)
        if not times.whole:
            return None
        if times.whole > 1:
            return _SEVERAL.format(what=f"{name} gets a value", function=_short(frame))
        if self._is_old:
            wanted = ".".join(map(str, _OLDEST_GO))
            return f"Go before {wanted} tells wrong places of variables such as {name}"
        return ""

    def _ask_for(
        self,
        client: Client,
        name: str,
        goroutine: int,
        frames: Sequence[api.Stackframe],
        number: int,
    ) -> api.Variable | None:
        """Return a variable, of which the place and the kind are those of each hit at this pc.

        It is None for what is none, such as a type, and for one of which Delve finds no place.
        """
        frame = frames[number]
        # Inlined calls share the registers of the function that they are in.
        key = *_at(frame), name, frame.pc != frames[0].pc
        if key not in self._variables:
            scope = api.EvalScope(goroutine_id=goroutine, frame=number)
            try:
                found = client.eval(name, scope, _PLACE_ONLY)
            except RPCError:
                self._variables[key] = None  # So will the expression.
            else:
                self._variables[key] = found if found.location_expr else None
        return self._variables[key]

    def _by_place(
        self,
        frame: api.Stackframe,
        variable: api.Variable,
        *,
        is_outer: bool = False,
        has_capacity: bool = False,
    ) -> str:
        """Return what a variable's place says against its value."""
        if variable.unreadable:
            return ""  # As ``explain`` says.
        times = assignments.count(self._sources.lines(frame.file), frame.line, variable.name)
        if times.parts and variable.kind in {api.Kind.STRUCT, api.Kind.ARRAY}:
            part = f"a part of {variable.name} gets a value"
            return _SEVERAL.format(what=part, function=_short(frame))
        is_changed = bool(times.calls) and variable.kind not in _ARE_REFERENCES
        return _mistrust(
            variable, is_outer=is_outer, has_capacity=has_capacity, is_changed=is_changed
        )

    def _by_others(
        self,
        client: Client,
        scope: api.EvalScope,
        frame: api.Stackframe,
        variable: api.Variable | None,
    ) -> str:
        """Return what other variables of the frame say against a variable's memory.

        For ``old := obj`` it may be that of ``obj``, also when that has got another value.
        """
        slots = frozenset(_SLOT.findall(variable.location_expr if variable else ""))
        if not slots or variable is None or variable.flags & _ESCAPED:
            return ""
        if _at(frame) not in self._slots:
            self._slots[_at(frame)] = self._slots_of_others(client, scope, frame)
        for name, others in self._slots[_at(frame)]:
            if name != variable.name and others & slots:
                return f"{variable.name} is kept with {name}, which gets other values"
        return ""

    def _slots_of_others(
        self, client: Client, scope: api.EvalScope, frame: api.Stackframe
    ) -> Sequence[tuple[str, frozenset[str]]]:
        """Return name and memory of each variable that gets more than one value."""
        lines = self._sources.lines(frame.file)
        found = [
            *client.list_local_vars(scope, _PLACE_ONLY),
            *client.list_function_args(scope, _PLACE_ONLY),
        ]
        return [
            (each.name, frozenset(_SLOT.findall(each.location_expr)))
            for each in found
            if assignments.count(lines, frame.line, each.name).whole != 1
        ]


def _mistrust(
    variable: api.Variable, *, is_outer: bool, has_capacity: bool, is_changed: bool
) -> str:
    """Return why what is at a variable's place may not be its value; empty where it is.

    ``is_changed`` is whether methods are called on it, so that it may be in memory all the time,
    and not only where a register was put there for a while.
    """
    place, name = variable.location_expr, variable.name
    if is_outer and _IN_REGISTER in place:
        return f"{name} was in a register, which has been used again since"
    elsewhere = f"where Delve looks for {name} may be another variable by now, or a part of it only"
    if variable.flags & _ESCAPED:
        return ""
    if is_changed and variable.flags & _ARGUMENT:
        return elsewhere
    if _IN_PIECES in place:
        is_lost = has_lost_parts(variable, has_capacity=has_capacity)
        return f"parts of {name} are not kept, or not where Delve reads them" * is_lost
    if variable.flags & _ARGUMENT and _OF_CALLER.search(place):
        return ""
    is_memory = place.startswith("[block]") or (is_changed and _IN_REGISTER not in place)
    return elsewhere * (is_memory or not is_word(variable))


def reads_outer_frame(expression: str) -> bool:
    """Whether a part is evaluated in another frame than the scope's, ``runtime.frame(n).name``.

    It is one of the selected goroutine, whatever the scope is (``pushLocal`` in Delve's eval.go).
    """
    return _FRAME.search(without_texts(expression)) is not None


def is_optimised(location: api.Location) -> bool:
    """Whether the function of a place is optimised."""
    return location.function is not None and location.function.optimized


def _names(expression: str) -> Iterator[tuple[int, str]]:
    """Yield the names that may be variables, and the frame in which each is one."""
    for found in _NAME.finditer(without_texts(expression)):
        if found["name"] not in _OF_GO:
            yield int(found["frame"] or 0), found["name"]


def _kept_nowhere(frame: api.Stackframe, name: str, reason: str) -> str:
    return f"the compiler kept no value of {name} at this line of {_short(frame)} ({reason})"


def _undeclared(frame: api.Stackframe, name: str) -> str:
    return f"the source of {_short(frame)} does not say where {name} gets its values"


def _at(frame: api.Stackframe) -> tuple[int, str]:
    return frame.pc, frame.function.name if frame.function else ""


def _short(frame: api.Stackframe) -> str:
    return frame.function.name.rpartition("/")[2] if frame.function else "?"
