"""Values that are not the expected ones, as text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_kdelve.delve.structs import Struct
from pytest_kdelve.delve.values import Incomplete, Unreadable
from pytest_kdelve.hits.expectations import holds
from pytest_kdelve.report.redact import redact, redact_value

if TYPE_CHECKING:
    from pytest_kdelve.hits.expectations import Difference

#: Gives the lines that say how a value (second) differs from the expected one (first); none where
#: there is nothing to say beyond the two.
Compare = Callable[[object, object], Sequence[str]]

_MOST_CHARACTERS = 300
#: Up to this length a value is one line.
_SHORT = 100


def lines_of_difference(difference: Difference, compare: Compare) -> Iterator[str]:
    """Yield an expression, what was expected of it, and what it was."""
    expected, actual = difference.expected, _asked_for(difference.expected, difference.actual)
    compared: Sequence[str] = ()
    if not difference.note and not _is_plain_pair(expected, actual):
        compared = compare(redact_value(_unless_held(expected, actual)), redact_value(actual))
    note = f": {difference.note}" if difference.note else ""
    yield f"{difference.expression}{note or ', seen == expected:' if compared else note}"
    yield from (f"  {line}" for line in _missing(expected, difference.actual))
    if compared:
        yield from (f"  {line}".rstrip() for line in redact("\n".join(compared)).split("\n"))
    else:
        yield f"  expected {expected_text(expected)}"
        yield f"  was      {actual_text(actual)}"


def expected_text(expected: object) -> str:
    """Return an expected value as the test's author wrote it, as far as that can be known."""
    if callable(expected):
        return f"accepted by {getattr(expected, '__name__', repr(expected))}"
    return _shorten(repr(expected))


def actual_text(actual: object) -> str:
    """Return a value as it was read."""
    return "None (nil)" if actual is None else _shorten(repr(actual))


def relation(expected: object) -> str:
    """Return what a value is expected to be, as the end of a sentence about it."""
    if isinstance(expected, re.Pattern):
        return f"matching {expected_text(expected)}"
    return expected_text(expected) if callable(expected) else f"== {expected_text(expected)}"


def _shorten(text: str) -> str:
    # What is cut in its middle can no longer be told to be a secret.
    text = redact(text)
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"


def _is_plain_pair(expected: object, actual: object) -> bool:
    """Whether the two beside each other say all."""
    if isinstance(expected, re.Pattern) or callable(expected):
        return True
    if actual is None or isinstance(actual, Unreadable | Incomplete):
        return True
    is_plain = isinstance(expected, str | bytes | int | float | list | tuple | dict | None)
    return is_plain and all(len(repr(each)) <= _SHORT for each in (expected, actual))


def _asked_for(expected: object, actual: object) -> object:
    """Return of a struct the fields that a dict asks for, as a dict, at any depth."""
    if isinstance(actual, Struct):
        if isinstance(expected, Struct) or not isinstance(expected, Mapping):
            return actual
        wanted = [field for field in expected if field in actual]
        return {field: _asked_for(expected[field], actual[field]) for field in wanted}
    if isinstance(expected, Mapping) and isinstance(actual, dict):
        return {
            key: _asked_for(expected[key], item) if key in expected else item
            for key, item in actual.items()
        }
    if isinstance(expected, list) and isinstance(actual, list):
        known = [_asked_for(*pair) for pair in zip(expected, actual, strict=False)]
        return [*known, *actual[len(known) :]]
    return actual


def _unless_held(expected: object, actual: object) -> object:
    """Return what is expected, with the value itself where it is as a pattern or callable says."""
    if type(expected) is dict and isinstance(actual, Mapping):
        return {
            key: _unless_held(value, actual[key]) if key in actual else value
            for key, value in expected.items()
        }
    if type(expected) is list and isinstance(actual, list) and len(expected) == len(actual):
        return list(map(_unless_held, expected, actual))
    if (isinstance(expected, re.Pattern) or callable(expected)) and holds(expected, actual):
        return actual
    return expected


def _missing(expected: object, actual: object) -> Iterator[str]:
    """Yield which of the fields that a dict asks for a struct does not have."""
    if not isinstance(expected, Mapping) or not isinstance(actual, Mapping):
        return
    for field in expected:
        if field in actual:
            yield from _missing(expected[field], actual[field])
        elif isinstance(actual, Struct):
            yield f"it has no field {field!r}; its fields are {', '.join(actual)}"
