"""The form of a value in which it is compared with that of another run.

It is what the marker asks for: of a struct the fields that a dict names, of a text in which a
pattern is looked for what it matches, and of a constant its name only where that is expected: Delve
has some name for any number of such a type. In the rest, what differs from run to run by its nature
is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pytest_kdelve.delve.structs import Struct, Time, hidden_fields
from pytest_kdelve.delve.values import Constant
from pytest_kdelve.report.redact import BLOT, redact

#: What is the same in two texts although it differs; each is put in their place.
_VARYING = {
    "(uuid)": r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b",
    "(time)": r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?",
    "(port)": r"(?<=\b127\.0\.0\.1:)\d+|(?<=\blocalhost:)\d+",
    "(version)": r"""(?<=\bresourceVersion=)\d+|(?<=\bresourceVersion":")\d+""",
    # Temporary folders, and Audit-IDs of a test's requests.
    "(run)": r"(?<=\bkdelve-)[0-9a-z_]{8,}(?:-\d+)?\b",
    # What the apiserver appends to generateName: five of these (k8s.io/apimachinery/pkg/util/rand).
    "(generated)": r"(?<=-)[bcdfghjklmnpqrstvwxz2456789]{5}\b",
    # Such as addresses, digests and ends of names; other short ones may be quantities.
    "(hex)": r"\b(?:0x[0-9a-f]{8,}|[0-9a-f]{16,}|(?:(?=\d*[a-f])|(?<=-))[0-9a-f]{8,15})\b",
}
_NAMES = tuple(_VARYING)
_ANY_VARYING = re.compile("|".join(f"({pattern})" for pattern in _VARYING.values()))
#: Names of variables, fields and keys whose values differ in each run.
_VARYING_NAME = re.compile(
    r"(?:.*[a-z_-])?(?:UID|ResourceVersion|ModRevision)|uid|resourceVersion|rv|rev|Audit-Id"
)
#: Not of what is computed from it, such as ``len(x.UID)``.
_LAST_NAME = re.compile(r"^(?!(?:len|cap)\().*?([\w-]+)\W*$", re.DOTALL)


def form(expression: str, expected: object, actual: object) -> str:
    """Return the form of what an expression's value was, with secrets blotted out."""
    name = _LAST_NAME.search(expression)
    return redact(_asked_for(name[1] if name else "", expected, actual))


def _asked_for(name: str, expected: object, actual: object) -> str:
    if isinstance(expected, re.Pattern) and isinstance(actual, str | bytes):
        return _matched(name, expected, actual)
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        is_part = isinstance(actual, Struct) and not isinstance(expected, Struct)
        wanted = [key for key in actual if not is_part or key in expected]
        forms = {key: _asked_for(str(key), expected.get(key), actual[key]) for key in wanted}
        return _items(actual, forms)
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = zip(expected, actual, strict=True)
        return f"[{', '.join(_asked_for(name, *pair) for pair in pairs)}]"
    if isinstance(expected, str) and isinstance(actual, Constant):
        return actual.name
    return _whole(name, actual)


def _matched(name: str, expected: re.Pattern[str], actual: str | bytes) -> str:
    try:
        match = expected.search(actual)  # type: ignore[arg-type]
    except TypeError:  # a pattern for the other of text and bytes
        match = None
    return _whole(name, match[0] if match else actual)


def _whole(name: str, actual: object) -> str:
    if isinstance(actual, Mapping) and not isinstance(actual, Time):
        return _items(actual, {key: _whole(str(key), actual[key]) for key in actual})
    if isinstance(actual, list | tuple):
        return f"[{', '.join(_whole(name, item) for item in actual)}]"
    if actual and _VARYING_NAME.fullmatch(name):
        return "(varies)"
    if isinstance(actual, Constant):
        return str(int(actual))
    text = repr(actual)
    return text if isinstance(actual, int | float) else _ANY_VARYING.sub(_name, text)


def _items(actual: Mapping[object, object], forms: Mapping[object, str]) -> str:
    """Put together a mapping's items; Go gives those of a map in another order each time."""
    hidden = hidden_fields(actual) if isinstance(actual, Struct) else ()
    shown = (f"{key!r}: {BLOT if key in hidden else text}" for key, text in forms.items())
    return f"{{{', '.join(sorted(shown))}}}"


def _name(match: re.Match[str]) -> str:
    return _NAMES[(match.lastindex or 1) - 1]
