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
from pytest_kdelve.delve.pieces import has_lost_parts
from pytest_kdelve.delve.versions import go_number, numbers
from pytest_kdelve.errors import RPCError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_kdelve.delve.client import Client
    from pytest_kdelve.delve.sources import Sources

#: How an expression has a part that is evaluated in another frame than the scope's, and in the
#: selected goroutine, whatever the scope is (``pushLocal`` in Delve's eval.go).
OUTER_FRAME = "runtime.frame("

_STRING = re.compile(r"\"(?:\\.|[^\"\\])*\"|`[^`]*`|'(?:\\.|[^'\\])*'")
_NAME = re.compile(r"(?:\bruntime\.frame\(\s*(?P<frame>\d+)\s*\)\.|(?<![\w.]))(?P<name>[^\W\d]\w*)")
#: Keywords that an expression may have.
_OF_TYPES = frozenset({"chan", "func", "interface", "map", "struct"})
#: How Delve says that it finds no value of a variable that the source has.
_KEPT_NOWHERE = re.compile(
    "could not find (loclist entry|symbol)|empty OP stack|read out of bounds|could not read .* from"
)
_PLACE_ONLY = api.LoadConfig(
    follow_pointers=False, max_variable_recurse=1, max_string_len=0, max_struct_fields=-1
)
#: Before, also the place of a variable's only value is wrong now and then: arguments are looked
#: for on the stack before they are put there, and others in registers that are used again.
_OLDEST_GO = (1, 20)
_IN_REGISTER = "DW_OP_reg"
_SEVERAL = "{what} more than once in {function}, and what Delve reads may be an earlier one"
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
        self._places: dict[tuple[int, str, bool], str] = {}

    def doubt(
        self, client: Client, expression: str, goroutine: int, frames: Sequence[api.Stackframe]
    ) -> str:
        """Return why an expression's value is not to be trusted; empty where it is.

        ``frames`` are those of the stopped goroutine, innermost first, in which it is evaluated.
        """
        for number, name in _names(expression):
            frame = frames[number] if number < len(frames) else None
            if frame is None or not is_optimised(frame):
                continue
            problem = self._by_source(frame, name)
            if problem == "":
                problem = self._by_place(client, name, goroutine, frames, number)
            if problem:
                return f"optimised: {problem}"
        return ""

    def explain(self, expression: str, value: object, frames: Sequence[api.Stackframe]) -> object:
        """Return the value; where Delve found none, with the reason why there is none."""
        if not isinstance(value, values.Unreadable) or not _KEPT_NOWHERE.search(value.reason):
            return value
        for number, name in _names(expression):
            frame = frames[number] if number < len(frames) else None
            if frame and is_optimised(frame) and self._by_source(frame, name) is not None:
                problem = f"the compiler kept no value of {name} at this line of {_short(frame)}"
                return values.Unreadable(f"optimised: {problem} ({value.reason})")
        return value

    def by_name(
        self, variables: Iterable[api.Variable] | None, frame: api.Stackframe
    ) -> Mapping[str, object]:
        """Return ``values.by_name`` for an optimised frame, without what is not to be trusted."""
        given = list(variables or ())
        found = values.by_name(given)
        visible = {each.name: each for each in given if not each.flags & _SHADOWED}
        for name in found:
            problem = self._by_source(frame, name)
            if problem := problem or self._by_variable(frame, visible[name], is_outer=False):
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
        if times == assignments.Assignments():
            return None
        if times.whole > 1:
            return _SEVERAL.format(what=f"{name} gets a value", function=_short(frame))
        if self._is_old:
            wanted = ".".join(map(str, _OLDEST_GO))
            return f"Go before {wanted} tells wrong places of variables such as {name}"
        return ""

    def _by_place(
        self,
        client: Client,
        name: str,
        goroutine: int,
        frames: Sequence[api.Stackframe],
        number: int,
    ) -> str:
        """Return what a variable's place says against its value, which depends on the pc only."""
        frame = frames[number]
        # Inlined calls share the registers of the function that they are in.
        is_outer = frame.pc != frames[0].pc
        key = frame.pc, name, is_outer
        if key not in self._places:
            scope = api.EvalScope(goroutine_id=goroutine, frame=number)
            try:
                variable = client.eval(name, scope, _PLACE_ONLY)
            except RPCError:
                return ""  # So will the expression.
            self._places[key] = self._by_variable(frame, variable, is_outer=is_outer)
        return self._places[key]

    def _by_variable(self, frame: api.Stackframe, variable: api.Variable, *, is_outer: bool) -> str:
        place, name = variable.location_expr, variable.name
        if variable.unreadable:
            return ""  # As ``explain`` says.
        times = assignments.count(self._sources.lines(frame.file), frame.line, name)
        if times.parts and variable.kind in {api.Kind.STRUCT, api.Kind.ARRAY}:
            return _SEVERAL.format(what=f"a part of {name} gets a value", function=_short(frame))
        is_own = place.startswith("[block]") and "DW_OP_addr" not in place
        if is_own and not variable.flags & (_ESCAPED | _ARGUMENT):
            return f"the memory of {name} may be that of another variable by now"
        if is_outer and _IN_REGISTER in place:
            return f"{name} was in a register, which has been used again since"
        if has_lost_parts(variable):
            return f"parts of {name} are not kept, or not where Delve reads them"
        return ""


def is_optimised(location: api.Location) -> bool:
    """Whether the function of a place is optimised."""
    return location.function is not None and location.function.optimized


def _names(expression: str) -> Iterator[tuple[int, str]]:
    """Yield the names that may be variables, and the frame in which each is one."""
    for found in _NAME.finditer(_STRING.sub('""', expression)):
        if found["name"] not in _OF_TYPES:
            yield int(found["frame"] or 0), found["name"]


def _short(frame: api.Stackframe) -> str:
    return frame.function.name.rpartition("/")[2] if frame.function else "?"
