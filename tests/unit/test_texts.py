"""Lines found by their text."""

from __future__ import annotations

import pytest

from pytest_kdelve.delve import texts

LINES = [
    "package main",
    "",
    "// comment",
    "func run(",
    "\tname string,",
    ") {",
    "\tdo(name,\t1)",
    "\tdo := func() {",
    "\t\tdo(name, 2)",
    "\t}",
    "}",
    "func next() { do(name, 1) }",
]


def test_white_space_is_folded_on_both_sides() -> None:
    assert texts.lines_with("do(name, \t 1)", LINES) == [7, 12]
    assert texts.lines_with("do(name, 1)", LINES, range(8, 13)) == [12]
    assert texts.lines_with("DO", LINES) == []


def test_texts_and_comments_are_blank() -> None:
    lines = ['a := "}\\"" + `', "} // no comment", "` /* {", "}*/ + '}' // {", "}"]
    assert texts.without_texts("\n".join(lines)).split("\n") == [
        "a :=       +  ",
        "               ",
        "      ",
        "    +         ",
        "}",
    ]


def test_lines_of_code_leave_out_what_never_has_a_statement() -> None:
    assert texts.lines_of_code(LINES) == [4, 5, 7, 8, 9, 10, 11, 12]


def test_similar_lines_are_the_best_of_all_files() -> None:
    files = {"a.go": ["do(nam, 2)"], "b.go": LINES}
    assert texts.similar_lines("do(name, 2)", files)[0] == ("b.go", 9)
    assert texts.similar_lines("something else entirely", files) == []


@pytest.mark.parametrize(
    ("first", "last", "end"),
    [(4, 7, 11), (4, 4, 11), (8, 9, 10), (8, 8, 10), (12, 12, 12), (99, 100, 100)],
)
def test_a_block_ends_with_the_brace_below_its_beginning(first: int, last: int, end: int) -> None:
    assert texts.end_of_block(LINES, first, last) == end
