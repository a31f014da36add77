"""The Python form of Go's structs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator


_HIDDEN: dict[str, frozenset[str]] = {}
_BLOT = "(redacted)"


def hide(type_: str, *fields: str) -> None:
    """Leave the values of a type's fields out of what ``repr`` shows, since they are secret."""
    _HIDDEN[type_] = frozenset(fields)


class Struct(Mapping[str, object]):
    """A Go struct: its fields as items and attributes.

    It equals a mapping whose items are all among its fields, with equal values. As attributes
    fields hide what a mapping has: of a struct with a field ``items``, ``struct.items`` is that.
    So a ``dict`` can be made only of a struct that has no field ``keys``.
    """

    __slots__ = ("_fields", "_type")

    def __init__(self, type_: str, fields: Mapping[str, object]) -> None:
        self._type = type_
        self._fields = dict(fields)

    def __getitem__(self, field: str) -> object:
        return _fields_of(self)[field]

    def __getattribute__(self, name: str) -> object:
        # Special names stay Python's own: copying, for one, looks them up in this way.
        is_special = name.startswith("__") and name.endswith("__")
        if not is_special and name in (fields := _fields_of(self)):
            return fields[name]
        return super().__getattribute__(name)

    def __getattr__(self, field: str) -> object:
        try:
            return self[field]
        except KeyError:
            message = f"{_type_of(self)} has no field {field!r}; it has {', '.join(self)}"
            raise AttributeError(message) from None

    def __iter__(self) -> Iterator[str]:
        return iter(_fields_of(self))

    def __len__(self) -> int:
        return len(_fields_of(self))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return all(field in self and self[field] == other[field] for field in other)

    # It equals mappings of fewer fields, so no hash would keep the promise that equals hash alike.
    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[type[Self], tuple[str, Mapping[str, object]]]:
        # The usual way is to ask for the slots by name, which may be those of fields.
        return type(self), (_type_of(self), _fields_of(self))

    def __repr__(self) -> str:
        hidden = hidden_fields(self)
        fields = ", ".join(
            f"{field}: {_BLOT if field in hidden else repr(value)}"
            for field, value in _fields_of(self).items()
        )
        return f"{_type_of(self).rpartition('/')[2]}{{{fields}}}"


def hidden_fields(struct: Struct) -> frozenset[str]:
    """Return the fields whose values ``hide`` leaves out."""
    return _HIDDEN.get(_type_of(struct), frozenset())


def _fields_of(struct: Struct) -> Mapping[str, object]:
    """Return the slot, also of a struct that has a field of its name."""
    fields: Mapping[str, object] = object.__getattribute__(struct, "_fields")
    return fields


def _type_of(struct: Struct) -> str:
    """Return the slot, also of a struct that has a field of its name."""
    type_: str = object.__getattribute__(struct, "_type")
    return type_


class Time(Struct):
    """A Go ``time.Time``: its fields, and the ``datetime`` of the same instant equals it."""

    __slots__ = ()

    @property
    def utc(self) -> datetime | None:
        """The instant in UTC, cut to microseconds; None outside of Python's years 1 to 9999."""
        fields = _fields_of(self)
        wall, ext = fields.get("wall"), fields.get("ext")
        if not isinstance(wall, int) or not isinstance(ext, int):
            return None
        # As in Go's time/time.go: with a monotonic clock, wall has the seconds since 1885.
        has_monotonic = wall >> 63
        seconds = wall >> 30 & (1 << 33) - 1 if has_monotonic else ext
        nanoseconds = wall & (1 << 30) - 1
        try:
            since = timedelta(seconds=seconds, microseconds=nanoseconds // 1000)
            return datetime(1885 if has_monotonic else 1, 1, 1, tzinfo=UTC) + since
        except OverflowError:
            return None

    def __eq__(self, other: object) -> bool:
        return self.utc == other if isinstance(other, datetime) else super().__eq__(other)

    __hash__ = None

    def __repr__(self) -> str:
        return f"{_type_of(self)}({self.utc.isoformat()})" if self.utc else super().__repr__()
