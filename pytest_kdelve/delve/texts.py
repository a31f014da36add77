"""Looking for lines in the text of a source file; lines count from 1."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_MOST = 12
_TEXTS = re.compile(
    r"//[^\n]*|/\*.*?\*/|`[^`]*`|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL
)
_DECLARATIONS = ("func ", "var ", "const ", "type ")
_NO_CODE = ("//", "/*", "*", "package ", "import ", '"', ")")


def fold(text: str) -> str:
    """Return a text with each run of white space as one space, and none around it."""
    return " ".join(text.split())


def lines_with(text: str, lines: Sequence[str], within: range | None = None) -> list[int]:
    """Return the lines that contain a text, where white space is folded."""
    wanted = fold(text)
    return [
        number
        for number, line in enumerate(lines, start=1)
        if wanted in fold(line) and (within is None or number in within)
    ]


def without_texts(source: str) -> str:
    """Return Go's source with blanks in place of comments, strings and characters."""
    return _TEXTS.sub(lambda text: re.sub(r"[^\n]", " ", text[0]), source)


def lines_of_code(lines: Sequence[str]) -> list[int]:
    """Return the lines that may have a statement."""
    return [
        number
        for number, line in enumerate(lines, start=1)
        if line.strip() and not line.strip().startswith(_NO_CODE)
    ]


def similar_lines(
    text: str, files: Mapping[str, Iterable[str]], *, most: int = 3
) -> list[tuple[str, int]]:
    """Return (file, line) of the lines that are most similar to a text, best first."""
    where = {
        fold(line): (file, number)
        for file, lines in files.items()
        for number, line in enumerate(lines, start=1)
    }
    close = difflib.get_close_matches(fold(text), where, n=most, cutoff=0.5)
    return [where[line] for line in close]


def end_of_block(lines: Sequence[str], first: int, last: int) -> int:
    """Return the line that closes the block which begins on ``first`` and reaches ``last``.

    gofmt puts the closing brace below the first character of the opening line.
    """
    opening = lines[first - 1] if first <= len(lines) else ""
    if first == last and not any(opening.count(a) > opening.count(b) for a, b in ("{}", "()")):
        return last
    closing = opening[: len(opening) - len(opening.lstrip())] + "}"
    after = range(max(first + 1, last), len(lines) + 1)
    return next((n for n in after if lines[n - 1].startswith(closing)), last)


def declaration_around(code: Sequence[str], line: int) -> range:
    """Return the lines of the declaration that a line is in, such as a function; empty if in none.

    ``code`` is what gofmt has written, without texts.
    """
    before = range(min(line, len(code)), 0, -1)
    first = next((n for n in before if code[n - 1].startswith(_DECLARATIONS)), 0)
    if not first:
        return range(0)
    found = range(first, _end_of_declaration(code, first) + 1)
    return found if line in found else range(0)


def _end_of_declaration(code: Sequence[str], first: int) -> int:
    depth = 0
    for number in range(first, len(code) + 1):
        text = code[number - 1]
        depth += sum(map(text.count, "([{")) - sum(map(text.count, ")]}"))
        # A comment in between is blank.
        following = next((line for line in code[number:] if line.strip()), "")
        if depth <= 0 and not following[:1].isspace():
            return number
    return len(code)


def some(candidates: Sequence[str]) -> list[str]:
    """Return as many of the candidates as people will read, and how many more there are."""
    more = len(candidates) - _MOST
    shown = list(candidates[:_MOST])
    return [*shown, f"… and {more} more"] if more > 0 else shown
