"""Values and targets of a size that must not hang or break the client.

No test measures time: each call has the client's deadline of 30 seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_kdelve.delve import api
from pytest_kdelve.delve.client import DEFAULT_TIMEOUT
from pytest_kdelve.delve.completeness import is_complete
from pytest_kdelve.delve.loading import Limits, evaluate, load_whole
from pytest_kdelve.delve.values import Incomplete, to_python
from pytest_kdelve.errors import DelveConnectionError, DelveTimeoutError, ProtocolError
from tests.delve.conftest import BuildProgram, Debug, break_at, debugging

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_kdelve.delve import Client
    from tests.delve.toolchains import Toolchain

HERE = api.EvalScope()
LOAD = api.LoadConfig()
MILLION = 1_000_000


@pytest.fixture(scope="module")
def client(
    dlv: Path, build_program: BuildProgram, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    """A client of a target that stands at "stop in sizes"."""
    folder = tmp_path_factory.mktemp("huge")
    with (
        debugging(dlv, build_program, folder) as debug,
        debug("huge", "sizes").connect() as client,
    ):
        break_at(client, "huge/main.go", "// stop in sizes")
        client.continue_()
        yield client


def load(client: Client, name: str, **limits: int) -> object:
    given, wanted = client.eval(name, HERE, LOAD), Limits(**limits)
    assert not is_complete(given, wanted.depth)
    return to_python(load_whole(client, given, HERE, wanted))


def test_a_frame_of_huge_values_is_listed_with_their_lengths(client: Client) -> None:
    found = {v.name: v.len for v in client.list_local_vars(HERE, LOAD)}
    assert {name: found[name] for name in ("text", "numbers", "table", "bytes")} == {
        "text": 100 * MILLION,
        "numbers": MILLION,
        "table": MILLION,
        "bytes": MILLION,
    }


def test_a_100_mb_string_stays_responsive(client: Client) -> None:
    found = load(client, "text")
    assert isinstance(found, Incomplete)
    assert found.length == 100 * MILLION
    assert found.value == ("0123456789" * 6554)[: 64 * 1024]


def test_a_100_mb_string_is_loaded_whole_where_that_is_asked_for(
    client: Client, toolchain: Toolchain
) -> None:
    if toolchain.delve < (1, 24):
        pytest.skip("before 1.24.0 Delve gives 1000 bytes of memory at once")
    found = load(client, "text", string_bytes=100 * MILLION, calls=2000)
    assert found == "0123456789" * (10 * MILLION)


def test_a_100_mb_string_comes_in_one_reply_where_that_is_asked_for(client: Client) -> None:
    limits = Limits(string_bytes=100 * MILLION)
    assert to_python(evaluate(client, "text", HERE, limits)) == "0123456789" * (10 * MILLION)


def test_a_slice_of_a_million_stays_responsive(client: Client) -> None:
    found = load(client, "numbers", values=10_000)
    assert isinstance(found, Incomplete)
    assert (found.value, found.length) == (list(range(10_000)), MILLION)


def test_a_map_of_a_million_stays_responsive(client: Client) -> None:
    found = load(client, "table", values=10_000)
    assert isinstance(found, Incomplete)
    assert isinstance(found.value, dict)
    assert len(found.value) == 10_000, "no pair comes twice"
    assert all(key == -value for key, value in found.value.items())


def test_a_million_bytes_are_loaded_whole(client: Client) -> None:
    found = load(client, "bytes", string_bytes=MILLION, calls=1001)
    assert found == bytes(number % 251 for number in range(MILLION))


def test_a_list_of_100_000_nodes_stays_responsive(client: Client) -> None:
    found = load(client, "list", depth=100_000, calls=100_000)
    names = []
    while not isinstance(found, Incomplete):
        node: Any = found
        names.append(node.Name)
        found = node.Next
    assert names == [str(number + 1) for number in range(50)]


def test_a_reply_that_is_nested_too_deep_is_an_error_and_the_connection_goes_on(
    client: Client,
) -> None:
    with pytest.raises(ProtocolError, match="recursion"):
        client.eval("list", HERE, api.LoadConfig(max_variable_recurse=500))
    assert to_python(client.eval("len(numbers)", HERE, LOAD)) == MILLION


def test_a_slice_that_contains_itself_is_loaded_without_its_elements(debug: Debug) -> None:
    """Delve follows it without end where it is asked for elements, and dies of that."""
    with debug("huge", "endless").connect() as client:
        break_at(client, "huge/main.go", "// stop in endless")
        client.continue_()
        found = client.eval("list", HERE, api.LoadConfig(max_array_values=0))
        assert isinstance(to_python(found), Incomplete)
        with pytest.raises(DelveConnectionError, match="broke during Eval") as raised:
            client.eval("list", HERE, LOAD)
        assert not isinstance(raised.value, DelveTimeoutError)


def test_a_million_goroutines_stay_responsive(debug: Debug) -> None:
    """What is asked of one goroutine, or of a part of them, does not go through all the others."""
    with debug("huge", "goroutines", str(MILLION)).connect() as client:
        break_at(client, "huge/main.go", "// stop in goroutines")
        state = client.continue_(timeout=4 * DEFAULT_TIMEOUT)
        assert state.selected_goroutine
        [frame, *_] = client.stacktrace(state.selected_goroutine.id, 9)
        assert frame.function
        assert frame.function.name == "main.goroutines"
        assert to_python(client.eval("count", HERE, LOAD)) == MILLION
        assert client.state().threads
        first = client.list_goroutines(0, 1000)
        second = client.list_goroutines(first.nextg, 1000)
        listed = [each.id for part in (first, second) for each in part.goroutines or ()]
        assert len(set(listed)) == len(listed) == 2000
