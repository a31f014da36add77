"""A location that means no place, or several, is an error before any request."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tests.apiserver.running import failure_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from tests.apiserver.running import Runner

#: Markers, each followed by all that is said of it.
WRONG = Path(__file__).with_name("wrong_locations.txt").read_text(encoding="utf-8")


def markers() -> Iterator[tuple[str, list[str]]]:
    for part in re.split("^(?=@)", WRONG, flags=re.MULTILINE)[1:]:
        marker, *said = part.splitlines()
        yield marker, said


def said(result: pytest.RunResult, test: str) -> list[str]:
    """Return the lines of an error, with one name for Go's own folder, which is anywhere."""
    text = re.sub(r"/\S+/src/(?=(?:log|math|net)/)", "GOROOT/", failure_of(result, test))
    return [line.rstrip() for line in text.splitlines()]


def test_each_wrong_location_is_told_with_what_is_right(
    runner: Runner, subtests: pytest.Subtests
) -> None:
    wrong = dict(markers())
    tests = [
        f"{marker}\ndef test_{number}(api): api.get('/api')"
        for number, marker in enumerate(wrong, start=1)
    ]
    right = "def test_right(api): assert api.get('/api').ok"
    result = runner.run_file("\n".join(["import pytest", *tests, right]))
    result.assert_outcomes(errors=12, passed=1)
    for number, (marker, lines) in enumerate(wrong.items(), start=1):
        with subtests.test(marker):
            assert said(result, f"test_{number}") == lines
