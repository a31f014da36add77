"""Source that was not edited is that of the binary, whatever is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.delve.entries import Entries
from pytest_kdelve.delve.fitting import moved
from pytest_kdelve.delve.sources import Sources
from tests.delve.conftest import DEBUGGABLE
from tests.delve.recordings import OPTIMISED

if TYPE_CHECKING:
    from tests.delve.conftest import Debug


pytestmark = [
    pytest.mark.parametrize("flags", [OPTIMISED, DEBUGGABLE], ids=["optimised", "debuggable"]),
    pytest.mark.parametrize("program", ["compiled", "copies", "functions", "places"]),
]


def test_nothing_has_moved(debug: Debug, program: str, flags: tuple[str, ...]) -> None:
    with debug(program, flags=flags).connect() as client:
        files = client.list_sources(f"/{program}/.*go$")
        assert files
        entries, sources = Entries(client), Sources()
        found = {file: moved(entries, file, sources.code(file)) for file in files}
    assert found == dict.fromkeys(files, "")


def test_one_more_line_has_moved_it(debug: Debug, program: str, flags: tuple[str, ...]) -> None:
    with debug(program, flags=flags).connect() as client:
        [file] = client.list_sources(f"/{program}/main.go$")
        code = ("", *Sources().code(file))
        assert " begins on line " in moved(Entries(client), file, code)
