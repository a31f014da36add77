"""The table of Delve and Go, against Delve's own source at the tags that it names."""

from __future__ import annotations

import pytest

from pytest_kdelve.delve.versions import GO, Debugs, debugs
from tests.delve import go_source

ENDS = [(row, version) for row in GO for version in {row.first: None, row.last: None}]


@pytest.mark.parametrize(("row", "version"), ENDS, ids=[version for _, version in ENDS])
def test_a_row_says_what_delve_says(row: Debugs, version: str) -> None:
    assert go_source.go_range(version) == (row.oldest, row.newest, row.builder)


@pytest.mark.parametrize(
    ("version", "newest"),
    [
        ((1, 9, 0), None),
        ((1, 9, 1), (1, 19)),
        ((1, 21, 0), (1, 21)),
        ((1, 25, 0), (1, 24)),
        ((1, 25, 1), (1, 25)),
        ((1, 27, 9), (1, 27)),
        ((1, 28, 0), None),
        ((), None),
    ],
)
def test_a_delve_has_the_row_of_its_version(
    version: tuple[int, ...], newest: tuple[int, int] | None
) -> None:
    found = debugs(version)
    assert (found.newest if found else None) == newest
