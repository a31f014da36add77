"""A comparison of two versions as text: the old one on the left, the new one on the right."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec
from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pytest_kdelve.report.aligned import aligned, excerpts, nearest
from pytest_kdelve.report.comparison import Change
from pytest_kdelve.report.phrases import MOST, more, number, short_function, together

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from pytest_kdelve.report.aligned import Line, Row
    from pytest_kdelve.report.comparison import ComparedPlace, ComparedTest, Comparison
    from pytest_kdelve.report.recorded import RecordedPlace, RecordedTest, Source

    Cells = tuple[RenderableType, RenderableType]

#: Rows of one place's source that are shown, and lines of a failure.
_MOST_ROWS = 16
_MOST_LINES = 30
#: Lines before and after that of a place.
_AROUND = 2
_STYLES = {">": "bold", "-": "red", "+": "green"}
_CHANGES_OF_HITS = {Change.NO_LONGER_REACHED, Change.NEWLY_REACHED, Change.COUNT}
#: They say by themselves why a test fails in the old version, or in the new one.
_WHY_OLD = {Change.NEW, Change.VALUES, Change.COUNT}
_WHY_NEW = {Change.GONE, Change.VALUES, Change.COUNT}


def render(comparison: Comparison, *, is_verbose: bool) -> Iterator[RenderableType]:
    """Yield what differs, test by test, and at the end how much there is of each kind.

    Tests that end otherwise are the last ones, where a terminal ends, and before them come those
    that fail in both versions. With ``is_verbose``, what is the same is listed, too, and nothing is
    cut.
    """
    pages = _Pages(comparison, is_verbose=is_verbose)
    for test in sorted(comparison.tests, key=_rank):
        if test.differs or test.fails_in_both or is_verbose:
            yield from pages.test(test)
            yield ""
    yield Text(_summary(comparison))


def _rank(test: ComparedTest) -> int:
    old, new = test.outcomes
    return 2 * (old != new) or test.fails_in_both


class _Pages:
    """The tests of a comparison; what changed in one function is shown once."""

    def __init__(self, comparison: Comparison, *, is_verbose: bool) -> None:
        self._versions = comparison.old, comparison.new
        self._is_verbose = is_verbose
        self._shown: set[tuple[Source, ...]] = set()

    def test(self, test: ComparedTest) -> Iterator[RenderableType]:
        """Yield a test with its places."""
        old, new = (outcome or "not there" for outcome in test.outcomes)
        name = Text(test.name, style="bold")
        yield name.append(f": {new if old == new else f'{old} → {new}'}", style="not bold")
        for place in test.places:
            if place.changes or self._is_verbose:
                yield from self._place(place)
        yield from self._reasons(test)

    def _reasons(self, test: ComparedTest) -> Iterator[RenderableType]:
        """Yield why a test ends otherwise, where its places do not say, or fails in both."""
        changes = {change for place in test.places for change in place.changes}
        old, new = self._versions
        is_other = test.outcomes[0] != test.outcomes[1]
        if is_other and not changes & _WHY_OLD:
            yield from self._reason(old, test.old)
        if test.fails_in_both or (is_other and not changes & _WHY_NEW):
            yield from self._reason(new, test.new)

    def _reason(self, version: str, test: RecordedTest | None) -> Iterator[RenderableType]:
        """Yield why a test did not pass."""
        if test and test.text:
            lines = test.text.splitlines()
            shown = lines if self._is_verbose else lines[:_MOST_LINES]
            rest = len(lines) - len(shown)
            cut = [f"… and {rest} more lines, which pytest has printed"] if rest else []
            said = [f"{version} {test.outcome}:", *(f"  {line}" for line in [*shown, *cut])]
            yield Padding(Text("\n".join(said), overflow="fold"), (0, 0, 0, 2))

    def _place(self, place: ComparedPlace) -> Iterator[RenderableType]:
        asked = place.either
        unchanged = "the same" if place.old and place.new else "in one version only"
        changes = ", ".join(place.changes) or unchanged
        yield Padding(Text(f"{asked.asked_by} {asked.location}: {changes}"), (0, 0, 0, 2))
        table = Table(
            box=box.MINIMAL, show_header=False, show_edge=False, pad_edge=False, expand=True
        )
        for _ in self._versions:
            table.add_column(ratio=1)
        for cells in self._cells(place):
            table.add_row(*cells)
        yield Padding(table, (0, 0, 0, 4))

    def _cells(self, place: ComparedPlace) -> Iterator[Cells]:
        old, new = self._versions
        yield _head(old, place.old), _head(new, place.new)
        yield from self._source(place)
        if _CHANGES_OF_HITS & {*place.changes}:
            yield _hits(place.old), _hits(place.new)
        for expression, changed in place.values.items():
            yield _values(expression, changed.old), _values(expression, changed.new)

    def _source(self, place: ComparedPlace) -> Iterator[Cells]:
        old = place.old.source if place.old else None
        new = place.new.source if place.new else None
        is_line_enough = bool(old and new) and Change.LINE not in place.changes
        if old and new and Change.SOURCE in place.changes:
            code = tuple(msgspec.structs.replace(each, line=0, function="") for each in (old, new))
            if code not in self._shown:
                self._shown.add(code)
                yield from self._differing(aligned(old, new))
                return
        around = 0 if is_line_enough and not self._is_verbose else _AROUND
        for row in excerpts(old, new, around):
            yield _line(row.old), _line(row.new)
        if Change.SOURCE in place.changes:
            yield "what changed around it is shown above", ""

    def _differing(self, rows: Sequence[Row]) -> Iterator[Cells]:
        shown = list(nearest(rows, most=len(rows) if self._is_verbose else _MOST_ROWS))
        for row in shown:
            yield (_line(row.old), _line(row.new)) if row else ("…", "…")
        cut = sum(row.differs for row in rows) - sum(bool(row and row.differs) for row in shown)
        if cut:
            text = f"… rows that differ, too: {cut} (--verbose)"
            yield text, text


def _head(version: str, place: RecordedPlace | None) -> Text:
    text = Text(version, style="cyan", overflow="fold")
    if place is None:
        return text.append(": not there")
    if place.source is None:
        return text.append(f"\n{place.error}", style="default")
    text.append(f" {short_function(place.source.function)}", style="default")
    return text.append(f"\n{place.source}", style="default")


def _line(line: Line | None) -> RenderableType:
    if line is None:
        return ""
    style = _STYLES.get(line.mark, "")
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True, style=style)
    grid.add_column(overflow="fold", style=style)
    grid.add_row(Text(f"{line.mark} {line.number:>4} |"), Text(line.text))
    return grid


def _hits(place: RecordedPlace | None) -> Text:
    recorded = (place.hits if place else None) or ()
    hits = [hit for hit in recorded if hit.is_expected]
    if not recorded:
        return Text("not reached")
    other = "" if hits else " with other values"
    requests = list(together(hit.request or "no known request" for hit in hits or recorded))
    lines = [
        f"{number(len(hits or recorded))}{other} by",
        *(f"  {each}" for each in requests[:MOST]),
    ]
    return Text("\n".join([*lines, *more(requests)]), overflow="fold")


def _values(expression: str, values: Sequence[str]) -> Text:
    lines = [f"{expression} was {value}" for value in values[:MOST]]
    return Text("\n".join([*lines, *more(values)]), overflow="fold")


def _summary(comparison: Comparison) -> str:
    places = [place for test in comparison.tests for place in test.places]
    compared = [place for place in places if place.old and place.new]
    versions = f"Kubernetes {comparison.old} and {comparison.new}"
    counted = f"{_many(len(comparison.tests), 'test')}, {_many(len(places), 'place')}"
    failing = sum(test.fails_in_both for test in comparison.tests)
    if not comparison.differs:
        failed = f", but {_many(failing, 'test')} passed with neither" if failing else ""
        return f"Nothing differs between {versions}: {counted}{failed}."
    counts = Counter(str(change) for place in places for change in place.changes)
    numbers = {
        "tests with another outcome": sum(len({*test.outcomes}) > 1 for test in comparison.tests),
        "tests that passed with neither": failing,
        **{str(change): counts[change] for change in Change},
        "the same": sum(not place.changes for place in compared),
        "in one version only": len(places) - len(compared),
    }
    found = ", ".join(f"{what}: {count}" for what, count in numbers.items() if count)
    return f"{versions}: {counted}; {found}."


def _many(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
