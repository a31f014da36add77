"""Two versions of one piece of source, line beside line."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import TYPE_CHECKING

from pytest_kdelve.delve.texts import fold

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_kdelve.report.recorded import Source

_TAB = 2


@dataclass(frozen=True, slots=True)
class Line:
    """A line of source; ``mark`` is ``>`` for the place, ``-`` or ``+`` for what one side has."""

    number: int
    text: str
    mark: str


@dataclass(frozen=True, slots=True)
class Row:
    """Lines that stand beside each other; None where that side has none."""

    old: Line | None
    new: Line | None

    @property
    def marks(self) -> set[str]:
        """The marks of both lines."""
        return {line.mark for line in (self.old, self.new) if line}

    @property
    def differs(self) -> bool:
        """Whether the lines differ."""
        return bool(self.marks & {"-", "+"})


def aligned(old: Source, new: Source) -> list[Row]:
    """Return the declarations of a place in both versions, equal lines beside each other."""
    matcher = SequenceMatcher(
        None, list(map(fold, old.lines)), list(map(fold, new.lines)), autojunk=False
    )
    rows = []
    for tag, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        is_equal = tag == "equal"
        olds = [_line(old, index, " " if is_equal else "-") for index in range(old_from, old_to)]
        news = [_line(new, index, " " if is_equal else "+") for index in range(new_from, new_to)]
        rows += [Row(*pair) for pair in zip_longest(olds, news)]
    return rows


def excerpts(old: Source | None, new: Source | None, around: int) -> list[Row]:
    """Return the lines around a place in each version, by their distance from it."""
    return [
        row
        for offset in range(-around, around + 1)
        if (row := Row(_at(old, offset), _at(new, offset))) != Row(None, None)
    ]


def nearest(rows: Sequence[Row], *, most: int) -> Iterator[Row | None]:
    """Yield the rows that differ and the place's, each with its neighbours; None is a gap.

    Of more than ``most``, those are left out that are farthest from the place.
    """
    places = [index for index, row in enumerate(rows) if ">" in row.marks] or [0]
    worth = {
        index + step
        for index, row in enumerate(rows)
        if row.differs or ">" in row.marks
        for step in (-1, 0, 1)
        if 0 <= index + step < len(rows)
    }
    chosen = sorted(worth, key=lambda index: min(abs(index - place) for place in places))[:most]
    before = None
    for index in sorted(chosen):
        if before is not None and index > before + 1:
            yield None
        yield rows[index]
        before = index


def _line(source: Source, index: int, mark: str) -> Line:
    number = source.first + index
    text = source.lines[index].expandtabs(_TAB).rstrip()
    return Line(number, text, ">" if number == source.line else mark)


def _at(source: Source | None, offset: int) -> Line | None:
    if source is None:
        return None
    index = source.line - source.first + offset
    return _line(source, index, " ") if 0 <= index < len(source.lines) else None
