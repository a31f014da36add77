"""JSON with comments and trailing commas, as VS Code writes it; they survive a change."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_STRING = r'"(?:\\.|[^"\\\n])*"'
_STRING_OR_COMMENT = re.compile(rf"{_STRING}|//[^\n]*|/\*.*?\*/", re.DOTALL)
_STRING_OR_LAST_COMMA = re.compile(rf"{_STRING}|,(?=\s*[\]}}])")
_SPACE = re.compile(r"\s*")
_INDENT = re.compile(r"^[ \t]+(?=\S)", re.MULTILINE)
_DECODER = json.JSONDecoder()


def loads(text: str) -> object:
    """Return the value; raises ``ValueError``."""
    return json.loads(_plain(text))


def with_element(text: str, member: str, element: Mapping[str, Any], *, key: str) -> str:
    """Return the text with one more object at the beginning of the array ``member``.

    An element with the same value of ``key`` is replaced where it stands; all else stays as it is.
    Raises ``ValueError`` where the text is no object with such an array.
    """
    plain = _plain(text)
    value = json.loads(plain)
    array = value.get(member) if isinstance(value, dict) else None
    if not isinstance(array, list):
        raise ValueError(f"it is no object with an array {member!r}")  # noqa: TRY004 - a text's
    start = dict(_members(plain))[member]
    found = _INDENT.search(plain)
    indent = found[0] if found else "    "
    margin = f"\n{indent}"
    written = json.dumps(element, indent=indent).replace("\n", margin + indent)
    names = [old.get(key) if isinstance(old, dict) else None for old in array]
    if element[key] in names:
        begin, end = list(_elements(plain, start))[names.index(element[key])]
    else:
        begin = end = start + 1
        written = f"{margin}{indent}{written}{',' if array else margin}"
    return f"{text[:begin]}{written}{text[end:]}"


def _plain(text: str) -> str:
    """Return JSON of the same length: each place in it is the same place in the text."""

    def blank(match: re.Match[str]) -> str:
        return match[0] if match[0].startswith('"') else " " * len(match[0])

    return _STRING_OR_LAST_COMMA.sub(blank, _STRING_OR_COMMENT.sub(blank, text))


def _members(plain: str) -> Iterator[tuple[str, int]]:
    """Yield each member's name in an object that is the whole text, and where its value begins."""
    at = _token(plain, _token(plain, 0) + 1)
    while plain[at] != "}":
        name, end = _DECODER.raw_decode(plain, at)
        start = _token(plain, _token(plain, end) + 1)
        yield name, start
        at = _next(plain, _DECODER.raw_decode(plain, start)[1])


def _elements(plain: str, start: int) -> Iterator[tuple[int, int]]:
    """Yield where each element of the array that begins at ``start`` begins and ends."""
    at = _token(plain, start + 1)
    while plain[at] != "]":
        end = _DECODER.raw_decode(plain, at)[1]
        yield at, end
        at = _next(plain, end)


def _next(plain: str, end: int) -> int:
    """Return where the token after a value and its comma begins."""
    at = _token(plain, end)
    return _token(plain, at + 1) if plain[at] == "," else at


def _token(plain: str, at: int) -> int:
    match = _SPACE.match(plain, at)
    return match.end() if match else at
