"""How much of a value Delve has sent, as ``Documentation/api/ClientHowto.md`` says it."""

from __future__ import annotations

import re

import msgspec

from pytest_kdelve.delve.api import Kind, Variable
from pytest_kdelve.delve.pieces import has_lost_parts

NIL_ADDRESS = 0
#: How many values within each other are loaded and have a Python form, pointers and interfaces
#: included: Python compares and prints nested values by recursion.
DEEPEST = 100
#: Their children are Delve's own view of them, not parts of the value.
_WITHOUT_PARTS = frozenset({Kind.CHAN, Kind.FUNC, Kind.UNSAFE_POINTER})
_FOLLOWED = frozenset({Kind.POINTER, Kind.INTERFACE})
_COUNTED = frozenset({Kind.ARRAY, Kind.SLICE, Kind.STRUCT})
#: ``max_string_len`` of a breakpoint's variables, and of ``loading.Limits``.
_USUAL_LIMITS = frozenset({64, 64 * 1024})
_BYTES = re.compile(r"\[\d*\]uint8")
_LOST_PARTS = "parts of it are optimised away, or not where Delve reads them"


def is_complete(variable: Variable, depth: int) -> bool:
    """Whether Delve loaded all of a value down to ``depth`` containers within each other.

    Pointers and interfaces are followed and do not count; depth 0 is the value itself.
    """
    waiting = [(variable, depth)]
    while waiting:
        part, depth = waiting.pop()
        if not is_whole(part):
            return False
        below = depth_of_parts(part, depth)
        if below is not None:
            waiting += [(child, below) for child in part.children or ()]
    return True


def is_whole(variable: Variable) -> bool:
    """Whether nothing is missing of a value itself, whatever is missing within its parts."""
    if why_unreadable(variable):
        return True
    if is_address_only(variable) or has_lost_bytes(variable) or _may_be_cut(variable):
        return False
    return variable.len <= loaded(variable)


def why_unreadable(variable: Variable) -> str:
    """Return why a value could not be read, nothing where it could."""
    return variable.unreadable or (_LOST_PARTS if has_lost_parts(variable) else "")


def loaded(variable: Variable) -> int:
    """Return how much of its ``len`` a value has: bytes, elements, pairs or fields."""
    if variable.kind == Kind.STRING:
        return len(text(variable))
    if isinstance(variable.string_value_bytes, bytes):
        return len(variable.string_value_bytes)
    if variable.kind == Kind.MAP:
        return len(variable.children or ()) // 2
    return len(variable.children or ()) if variable.kind in _COUNTED else variable.len


def depth_of_parts(variable: Variable, depth: int) -> int | None:
    """Return the depth that is left for what is within a value, None where that is too deep."""
    if why_unreadable(variable) or variable.kind in _WITHOUT_PARTS:
        return None
    if variable.kind in _FOLLOWED:
        return depth
    return depth - 1 if depth else None


def is_address_only(variable: Variable) -> bool:
    """Whether Delve stopped there and said only where the value is."""
    return variable.only_addr and variable.addr != NIL_ADDRESS


def is_of_bytes(variable: Variable) -> bool:
    """Whether an array or slice has elements of ``uint8`` itself."""
    # A named type such as json.RawMessage shows it by its elements only.
    types = {child.type for child in variable.children or ()}
    return types == {"uint8"} or _BYTES.fullmatch(variable.real_type) is not None


def has_lost_bytes(variable: Variable) -> bool:
    """Whether a string may have had other bytes: Delve before 1.26.0 sends U+FFFD for each."""
    return variable.kind == Kind.STRING and _is_old(variable) and "\ufffd" in variable.value


def _may_be_cut(variable: Variable) -> bool:
    """Whether a conversion's result, such as ``string(data)``, may be longer than Delve says.

    Before 1.22.0 their length is what the load config cut them to. No variable tells these from
    versions up to 1.25, so such a result is not trusted there, either.
    """
    has_no_place = variable.addr == variable.base == NIL_ADDRESS
    is_converted = variable.kind in {Kind.STRING, Kind.SLICE} and has_no_place
    return is_converted and variable.len in _USUAL_LIMITS and _is_old(variable)


def _is_old(variable: Variable) -> bool:
    """Whether it came from Delve before 1.26.0."""
    return variable.string_value_bytes is msgspec.UNSET


def text(variable: Variable) -> bytes:
    """Return the bytes of a string, as far as they came."""
    # Delve sends null where they are UTF-8.
    return variable.string_value_bytes or variable.value.encode()
