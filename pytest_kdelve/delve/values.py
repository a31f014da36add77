"""From Delve's ``Variable`` to Python values.

===================  ==========================================================================
Go                   Python
===================  ==========================================================================
bool, numbers        ``bool``, ``int``, ``float``, ``complex``
named constant       ``Constant``: an int that equals its name, too
string               ``str``, or ``bytes`` where it is not UTF-8
slice, array         ``list``; ``bytes`` for bytes
map                  ``dict``; a struct or array as a key is the tuple of its values
struct               ``Struct``: fields as items and as attributes
time.Time            ``Time``: a ``Struct`` that equals a ``datetime``, too
pointer, interface   what it leads to
nil of any kind      ``None``
func                 its name
chan                 its type
unsafe.Pointer       the address
===================  ==========================================================================

A value that Delve did not load whole is ``Incomplete``, one that it could not read is
``Unreadable``; neither equals anything, so an expectation cannot hold by accident.

Before 1.26.0 Delve sends U+FFFD for each byte of a string that is not UTF-8, so that it cannot be
told from a U+FFFD that is really there: such a string is ``Unreadable`` until ``loading`` has read
its bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from pytest_kdelve.delve import completeness
from pytest_kdelve.delve.api import Kind, Variable, VariableFlags
from pytest_kdelve.delve.completeness import DEEPEST, NIL_ADDRESS
from pytest_kdelve.delve.structs import Struct, Time

if TYPE_CHECKING:
    from collections.abc import Iterable

_CONSTANT = re.compile(r"(?P<name>.+) \((?P<number>-?\d+)\)")
_INTEGERS = range(Kind.INT, Kind.UINTPTR + 1)
_NOWHERE = "Delve did not find what the interface holds"
_ARGUMENTS = VariableFlags.ARGUMENT | VariableFlags.RETURN_ARGUMENT
_LOST = "this Delve sends no bytes that are not UTF-8; its bytes must be loaded"


class Constant(int):
    """A named Go constant: equals its number, its name, and its name with the package.

    Delve says the name without a package, so ``package`` is the import path of the constant's
    type. The name of a combination of single bits is that of its parts, as in ``Read|Write``.
    """

    name: str
    package: str

    def __new__(cls, number: int, name: str, package: str = "") -> Self:
        """Make one from its number and its name as Delve says it."""
        constant = super().__new__(cls, number)
        constant.name = name
        constant.package = package
        return constant

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            # Delve says them in the order of their numbers, which need not be that of the source.
            parts = set(map(self._without_package, other.split("|")))
            return parts == set(self.name.split("|"))
        return int(self) == other

    def _without_package(self, name: str) -> str:
        package, _, bare = name.rpartition(".")
        return bare if package in {self.package, self.package.rpartition("/")[2]} else name

    def __ne__(self, other: object) -> bool:
        # Without it, int's own one would say that a constant differs from its name.
        return not self == other

    __hash__ = int.__hash__

    def __repr__(self) -> str:
        # The number first: for types such as time.Duration any constant of that value is named.
        return f"{int(self)} ({self.name})"


@dataclass(frozen=True, slots=True, eq=False)
class Incomplete:
    """A value of which Delve loaded ``value``, and ``length`` elements, fields or bytes exist."""

    value: object
    length: int

    def __repr__(self) -> str:
        loaded = "" if self.value is None else f"{self.value!r}… "
        return f"{loaded}(not loaded whole, length {self.length})"


@dataclass(frozen=True, slots=True, eq=False)
class Unreadable:
    """A value that Delve could not read or evaluate, and Delve's reason."""

    reason: str

    def __repr__(self) -> str:
        return f"(unreadable: {self.reason})"


@dataclass(frozen=True, slots=True)
class Shadowed:
    """A variable that another one of its name hides; ``line`` is that of its declaration."""

    name: str
    value: object
    line: int


def to_python(variable: Variable) -> object:
    """Return the Python form of a value; see the module's table."""
    return _convert(variable, 0)


def _convert(variable: Variable, level: int) -> object:
    if reason := completeness.why_unreadable(variable):
        return Unreadable(reason)
    if completeness.is_address_only(variable):
        return Incomplete(None, variable.len)
    try:
        if variable.kind not in _CONTAINERS:
            return _SCALARS.get(variable.kind, _other)(variable)
        if level == DEEPEST:
            return Incomplete(None, variable.len)
        parts = [_convert(child, level + 1) for child in variable.children or ()]
        return _CONTAINERS[variable.kind](variable, parts)
    except (ValueError, TypeError):
        return Unreadable(f"Delve gave {variable.value!r} for {variable.type}")


def by_name(variables: Iterable[Variable] | None) -> dict[str, object]:
    """Return values by name; of several with one name, the one that is visible in the frame.

    Give locals and arguments together: Delve has an argument or a result that escaped to the heap
    among the locals, and only a hidden copy, which may be outdated, among the arguments.
    """
    return {
        variable.name: to_python(variable)
        for variable in variables or ()
        if _is_nameable(variable) and not variable.flags & VariableFlags.SHADOWED
    }


def shadowed(variables: Iterable[Variable] | None) -> tuple[Shadowed, ...]:
    """Return those that ``by_name`` has not, since another one of the name hides them.

    They come in Delve's order: of one name, the outermost first. Of an argument that escaped,
    the copy is left out where the locals are given, too.
    """
    given = list(variables or ())
    escaped = {_declaration(v) for v in given if v.flags & VariableFlags.ESCAPED}
    return tuple(
        Shadowed(variable.name, to_python(variable), variable.decl_line)
        for variable in given
        if _is_nameable(variable)
        and variable.flags & VariableFlags.SHADOWED
        and not (variable.flags & _ARGUMENTS and _declaration(variable) in escaped)
    )


def _declaration(variable: Variable) -> tuple[str, int]:
    return variable.name, variable.decl_line


def _is_nameable(variable: Variable) -> bool:
    """Whether it has a name in the source: not a closure's pointer or an unnamed result."""
    return not variable.name.startswith((".", "~"))


def _other(variable: Variable) -> object:
    if variable.kind == Kind.INVALID or variable.addr == NIL_ADDRESS:
        return None
    return variable.value or variable.type


def _channel(variable: Variable) -> object:
    return None if variable.base == NIL_ADDRESS else variable.type


def _address(variable: Variable) -> object:
    # Delve 1.9.1 gives no value, but the address is that of the child, whatever it is.
    if variable.children:
        return variable.children[0].addr or None
    return int(variable.value) or None


def _integer(variable: Variable) -> object:
    if match := _CONSTANT.fullmatch(variable.value):
        package = variable.type.rpartition(".")[0]
        return Constant(int(match["number"]), match["name"], package)
    return int(variable.value)


def _float(variable: Variable) -> object:
    return float(variable.value)


def _complex(variable: Variable) -> object:
    real, imaginary = variable.children or (Variable(), Variable())
    # Delve's arithmetic has no infinity and no NaN; the parts that it gives for them are zeros.
    if variable.value == "unknown":
        raise ValueError
    return complex(float(real.value), float(imaginary.value))


def _string(variable: Variable) -> object:
    data = completeness.text(variable)
    if completeness.has_lost_bytes(variable) and variable.len <= len(data):
        return Unreadable(_LOST)
    if not completeness.is_whole(variable):
        return Incomplete(data.decode(errors="replace"), variable.len)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _bool(variable: Variable) -> object:
    # Anything else is not false: Delve 1.9.1 gives no value for what is nowhere.
    if variable.value not in {"true", "false"}:
        raise ValueError
    return variable.value == "true"


def _is_nil(variable: Variable) -> bool:
    return variable.base == NIL_ADDRESS and variable.len == 0


def _sequence(variable: Variable, elements: list[object]) -> object:
    if variable.kind == Kind.SLICE and variable.base == NIL_ADDRESS and variable.len == 0:
        return None
    whole: object = elements
    numbers = [element for element in elements if isinstance(element, int)]
    if isinstance(variable.string_value_bytes, bytes):
        whole = variable.string_value_bytes
    elif completeness.is_of_bytes(variable) and len(numbers) == len(elements):
        whole = bytes(numbers)
    return whole if completeness.is_whole(variable) else Incomplete(whole, variable.len)


def _map(variable: Variable, elements: list[object]) -> object:
    if _is_nil(variable):
        return None
    values = dict(zip(map(_hashable, elements[::2]), elements[1::2], strict=True))
    # Keys of a Go map that differ by their type only, such as 1 and true, are one key in Python.
    return Incomplete(values, variable.len) if len(values) < variable.len else values


def _hashable(key: object) -> object:
    """Return a map's key as a dict's: an array or a struct is the tuple of its values."""
    if isinstance(key, Mapping):
        return tuple(_hashable(key[field]) for field in key)
    return tuple(map(_hashable, key)) if isinstance(key, list) else key


def _struct(variable: Variable, values: list[object]) -> object:
    names = [child.name for child in variable.children or ()]
    make = Time if variable.type == "time.Time" else Struct
    struct = make(variable.type, dict(zip(names, values, strict=True)))
    return struct if completeness.is_whole(variable) else Incomplete(struct, variable.len)


def _pointed(variable: Variable, targets: list[object]) -> object:
    # Delve 1.9.1 says of what a pointer leads to, and not of the pointer, that it is unreadable.
    children = variable.children or ()
    is_known = any(child.addr != NIL_ADDRESS or child.unreadable for child in children)
    return targets[0] if is_known else None


def _dynamic(variable: Variable, values: list[object]) -> object:
    children = variable.children
    if not children or (children[0].kind == Kind.INVALID and children[0].addr == NIL_ADDRESS):
        return None
    # Only nil has no address there. Delve reads nothing at 0, which looks like an empty struct.
    return values[0] if children[0].addr or children[0].unreadable else Unreadable(_NOWHERE)


def _function(variable: Variable) -> object:
    return variable.value or None


_SCALARS: Mapping[int, Callable[[Variable], object]] = {
    **dict.fromkeys(_INTEGERS, _integer),
    Kind.BOOL: _bool,
    Kind.FLOAT32: _float,
    Kind.FLOAT64: _float,
    Kind.COMPLEX64: _complex,
    Kind.COMPLEX128: _complex,
    Kind.STRING: _string,
    Kind.UNSAFE_POINTER: _address,
    Kind.CHAN: _channel,
    Kind.FUNC: _function,
}

#: Those whose children are values themselves, which come as they are in Python.
_CONTAINERS: Mapping[int, Callable[[Variable, list[object]], object]] = {
    Kind.ARRAY: _sequence,
    Kind.SLICE: _sequence,
    Kind.MAP: _map,
    Kind.STRUCT: _struct,
    Kind.POINTER: _pointed,
    Kind.INTERFACE: _dynamic,
}
