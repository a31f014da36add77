"""Versions as Delve gives them, in its own words."""

from __future__ import annotations

import pytest

from pytest_kdelve.delve import versions


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Go cmd/compile go1.26.6", "1.26.6"),
        ("Go cmd/compile go1.18; -N -l; regabi", "1.18"),
        ("Go cmd/compile go1.27rc1", "1.27rc1"),
        ("Go cmd/compile devel +abc", "Go cmd/compile devel +abc"),
        ("", ""),
    ],
)
def test_the_go_that_built_a_target(text: str, number: str) -> None:
    assert versions.go_number(text) == number


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("Version: 1.27.2\nBuild: $Id$", (1, 27, 2)), ("1.9.1", (1, 9, 1)), ("unknown", ())],
)
def test_the_version_of_delve(text: str, numbers: tuple[int, ...]) -> None:
    assert versions.numbers(text) == numbers
