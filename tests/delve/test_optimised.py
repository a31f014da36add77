"""Arguments that are in registers, and of which an optimising compiler kept some parts only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_kdelve.delve import api
from pytest_kdelve.delve.loading import evaluate, load_whole
from pytest_kdelve.delve.values import Unreadable, by_name, to_python
from tests.delve.conftest import DEBUGGABLE, BuildProgram, Debug, break_at, debugging

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_kdelve.delve import Client
    from tests.delve.toolchains import Toolchain

HERE, LOAD = api.EvalScope(), api.LoadConfig()
OPTIMISED = ()


@pytest.fixture(scope="module")
def optimised(
    dlv: Path, build_program: BuildProgram, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    """Return a client of the target where the parts are not needed any more."""
    folder = tmp_path_factory.mktemp("optimised")
    with (
        debugging(dlv, build_program, folder) as debug,
        debug("optimised", flags=OPTIMISED).connect() as client,
    ):
        break_at(client, "optimised/main.go", "// stop here")
        client.continue_()
        yield client


def arguments(client: Client) -> list[api.Variable]:
    return list(client.list_function_args(HERE, LOAD))


@pytest.mark.parametrize("name", ["pair", "turn"])
def test_what_is_optimised_away_in_part_is_unreadable(optimised: Client, name: str) -> None:
    """Delve says zeros for the part."""
    [given] = [variable for variable in arguments(optimised) if variable.name == name]
    forms = (given, load_whole(optimised, given, HERE), evaluate(optimised, name, HERE))
    found: list[Any] = [to_python(variable) for variable in forms]
    assert [type(value) for value in found] == [Unreadable] * 3
    assert all("optimised away" in value.reason for value in found)


def test_what_is_there_in_pieces_is_read(optimised: Client) -> None:
    assert by_name(arguments(optimised))["text"] == "te"


@pytest.mark.parametrize("flags", [OPTIMISED, DEBUGGABLE], ids=["optimised", "debuggable"])
def test_padding_between_the_pieces_is_no_lost_part(
    debug: Debug, toolchain: Toolchain, flags: tuple[str, ...]
) -> None:
    """At the entry of a function, where all arguments are in registers.

    An optimising compiler does not say where the padding is, Go 1.18 does so where none is, and
    Delve reads the wrong bytes in both cases.
    """
    with debug("optimised", flags=flags).connect() as client:
        entry = client.eval("main.sum", HERE, LOAD).base
        client.create_breakpoint(api.Breakpoint(addrs=[entry]))
        client.continue_()
        found = by_name(arguments(client))
    assert found["pair"] == {"Wide": 1.5, "Narrow": 2.5}
    assert found["turn"] == 1 + 2j
    if flags == DEBUGGABLE and toolchain.go > (1, 18):
        assert found["padded"] == {"Small": 1, "Large": -5, "Text": "text"}
    else:
        assert isinstance(found["padded"], Unreadable)
