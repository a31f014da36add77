"""Two versions of one piece of source, beside each other."""

from __future__ import annotations

from pytest_kdelve.report.aligned import Row, aligned, excerpts, nearest
from pytest_kdelve.report.recorded import Source


def source(text: str, mark: str = "m", first: int = 10) -> Source:
    """Make lines of letters, of which ``mark`` is the place's."""
    line = first + text.index(mark)
    return Source(file="a.go", line=line, function="f", first=first, lines=tuple(text))


def drawn(row: Row | None) -> str:
    if row is None:
        return "…"
    sides = (f"{side.mark}{side.number}{side.text}" if side else "" for side in (row.old, row.new))
    return "|".join(sides)


def test_equal_lines_are_beside_each_other() -> None:
    old, new = source("abmcd"), source("amxyd", first=20)
    assert list(map(drawn, aligned(old, new))) == [
        " 10a| 20a",
        "-11b|",
        ">12m|>21m",
        "-13c|+22x",
        "|+23y",
        " 14d| 24d",
    ]


def test_white_space_makes_no_difference() -> None:
    old = Source(file="a.go", line=1, function="f", first=1, lines=("a", "\tif x  {", "}"))
    new = Source(file="a.go", line=1, function="f", first=1, lines=("a", "\t\tif x {", "}"))
    assert list(map(drawn, aligned(old, new))) == [">1a|>1a", " 2  if x  {| 2    if x {", " 3}| 3}"]


def test_only_what_differs_is_shown_with_its_neighbours() -> None:
    rows = aligned(source("abcdefgmhijk"), source("aXcdefgmhijk"))
    assert list(map(drawn, nearest(rows, most=99))) == [
        " 10a| 10a",
        "-11b|+11X",
        " 12c| 12c",
        "…",
        " 16g| 16g",
        ">17m|>17m",
        " 18h| 18h",
    ]


def test_of_too_much_the_nearest_is_shown() -> None:
    rows = aligned(source("a" * 50 + "mb"), source("c" * 50 + "mb"))
    assert list(map(drawn, nearest(rows, most=3))) == ["-59a|+59c", ">60m|>60m", " 61b| 61b"]


def test_lines_by_their_distance() -> None:
    """Where the two have nothing to do with each other, or one is not there."""
    old, new = source("abmcd"), source("mx")
    assert list(map(drawn, excerpts(old, new, 2))) == [
        " 10a|",
        " 11b|",
        ">12m|>10m",
        " 13c| 11x",
        " 14d|",
    ]
    assert list(map(drawn, excerpts(old, None, 1))) == [" 11b|", ">12m|", " 13c|"]
    assert list(map(drawn, excerpts(None, new, 0))) == ["|>10m"]


def test_source_that_is_not_here() -> None:
    nothing = Source(file="a.go", line=3, function="f", first=3, lines=())
    assert aligned(nothing, nothing) == []
    assert list(nearest([], most=9)) == []
    assert excerpts(nothing, nothing, 2) == []
