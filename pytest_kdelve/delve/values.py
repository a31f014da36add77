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
pointer, interface   what it leads to
nil of any kind      ``None``
func                 its name
chan                 its type
unsafe.Pointer       the address
===================  ==========================================================================

A value that Delve did not load whole is ``Incomplete``, one that it could not read is
``Unreadable``; neither equals anything, so an expectation cannot hold by accident.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from pytest_kdelve.delve.api import Kind, Variable, VariableFlags

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_CONSTANT = re.compile(r"(?P<name>.+) \((?P<number>-?\d+)\)")
_BYTES = re.compile(r"\[\d*\]uint8")
_INTEGERS = range(Kind.INT, Kind.UINTPTR + 1)
_NIL_ADDRESS = 0


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
            return "|".join(map(self._without_package, other.split("|"))) == self.name
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


class Struct(Mapping[str, object]):
    """A Go struct: its fields as items and attributes.

    It equals a mapping whose items are all among its fields, with equal values.
    """

    __slots__ = ("_fields", "_type")

    def __init__(self, type_: str, fields: Mapping[str, object]) -> None:
        self._type = type_
        self._fields = dict(fields)

    def __getitem__(self, field: str) -> object:
        return self._fields[field]

    def __getattr__(self, field: str) -> object:
        # Copying asks for special methods before there are fields, hence for _fields here, too.
        if field in {"_fields", "_type"}:
            raise AttributeError(field)
        try:
            return self._fields[field]
        except KeyError:
            message = f"{self._type} has no field {field!r}; it has {', '.join(self._fields)}"
            raise AttributeError(message) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return all(field in self and self[field] == value for field, value in other.items())

    # It equals mappings of fewer fields, so no hash would keep the promise that equals hash alike.
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        fields = ", ".join(f"{field}: {value!r}" for field, value in self._fields.items())
        return f"{self._type.rpartition('/')[2]}{{{fields}}}"


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


def to_python(variable: Variable) -> object:
    """Return the Python form of a value; see the module's table."""
    if variable.unreadable:
        return Unreadable(variable.unreadable)
    if variable.only_addr and variable.addr != _NIL_ADDRESS:
        return Incomplete(None, variable.len)
    convert = _integer if variable.kind in _INTEGERS else _CONVERTERS.get(variable.kind, _other)
    try:
        return convert(variable)
    except (ValueError, TypeError):
        return Unreadable(f"Delve gave {variable.value!r} for {variable.type}")


def by_name(variables: Iterable[Variable] | None) -> dict[str, object]:
    """Return values by name; of several with one name, the one that is visible in the frame."""
    return {
        variable.name: to_python(variable)
        for variable in variables or ()
        if not variable.flags & VariableFlags.SHADOWED and not variable.name.startswith((".", "~"))
    }


def is_complete(variable: Variable, depth: int) -> bool:
    """Whether Delve loaded all of a value down to ``depth`` containers within each other.

    Pointers and interfaces are followed and do not count; depth 0 is the value itself.
    """
    if variable.unreadable:
        return True
    if variable.only_addr and variable.addr != _NIL_ADDRESS:
        return False
    if variable.kind in {Kind.POINTER, Kind.INTERFACE}:
        return all(is_complete(child, depth) for child in variable.children or ())
    if _missing(variable):
        return False
    return depth == 0 or all(is_complete(child, depth - 1) for child in variable.children or ())


def _missing(variable: Variable) -> bool:
    loaded = len(variable.children or ())
    match variable.kind:
        case Kind.STRING:
            return variable.len > len(_text(variable))
        case Kind.ARRAY | Kind.SLICE | Kind.STRUCT:
            return variable.len > loaded
        case Kind.MAP:
            return variable.len > loaded // 2
    return False


def _text(variable: Variable) -> bytes:
    return variable.string_value_bytes or variable.value.encode()


def _other(variable: Variable) -> object:
    if variable.kind == Kind.INVALID or variable.addr == _NIL_ADDRESS:
        return None
    return variable.value or variable.type


def _channel(variable: Variable) -> object:
    return None if variable.base == _NIL_ADDRESS else variable.type


def _address(variable: Variable) -> object:
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
    data = _text(variable)
    if _missing(variable):
        return Incomplete(data.decode(errors="replace"), variable.len)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _sequence(variable: Variable) -> object:
    if variable.kind == Kind.SLICE and variable.base == _NIL_ADDRESS and variable.len == 0:
        return None
    values = [to_python(child) for child in variable.children or ()]
    numbers = [value for value in values if isinstance(value, int)]
    is_bytes = _is_of_bytes(variable) and len(numbers) == len(values)
    whole = bytes(numbers) if is_bytes else values
    return Incomplete(whole, variable.len) if _missing(variable) else whole


def _is_of_bytes(variable: Variable) -> bool:
    # A named type such as json.RawMessage shows it by its elements only.
    types = {child.type for child in variable.children or ()}
    return types == {"uint8"} or _BYTES.fullmatch(variable.real_type) is not None


def _map(variable: Variable) -> object:
    if variable.base == _NIL_ADDRESS and variable.len == 0:
        return None
    children = variable.children or []
    keys = (_hashable(to_python(key)) for key in children[::2])
    values = dict(zip(keys, map(to_python, children[1::2]), strict=True))
    # Keys of a Go map that differ by their type only, such as 1 and true, are one key in Python.
    return Incomplete(values, variable.len) if len(values) < variable.len else values


def _hashable(key: object) -> object:
    """Return a map's key as a dict's: an array or a struct is the tuple of its values."""
    if isinstance(key, Mapping):
        return tuple(map(_hashable, key.values()))
    return tuple(map(_hashable, key)) if isinstance(key, list) else key


def _struct(variable: Variable) -> object:
    fields = {child.name: to_python(child) for child in variable.children or ()}
    struct = Struct(variable.type, fields)
    return Incomplete(struct, variable.len) if _missing(variable) else struct


def _pointed(variable: Variable) -> object:
    children = variable.children
    if not children or children[0].addr == _NIL_ADDRESS:
        return None
    return to_python(children[0])


def _dynamic(variable: Variable) -> object:
    children = variable.children
    if not children or (children[0].kind == Kind.INVALID and children[0].addr == _NIL_ADDRESS):
        return None
    return to_python(children[0])


def _function(variable: Variable) -> object:
    return variable.value or None


_CONVERTERS: Mapping[int, Callable[[Variable], object]] = {
    Kind.BOOL: lambda variable: variable.value == "true",
    Kind.FLOAT32: _float,
    Kind.FLOAT64: _float,
    Kind.COMPLEX64: _complex,
    Kind.COMPLEX128: _complex,
    Kind.STRING: _string,
    Kind.ARRAY: _sequence,
    Kind.SLICE: _sequence,
    Kind.MAP: _map,
    Kind.STRUCT: _struct,
    Kind.POINTER: _pointed,
    Kind.UNSAFE_POINTER: _address,
    Kind.CHAN: _channel,
    Kind.INTERFACE: _dynamic,
    Kind.FUNC: _function,
}
