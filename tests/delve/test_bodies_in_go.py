"""Where functions are entered and left, in a program that does so in different ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.delve import api
from pytest_kdelve.delve.locations import Location, Place
from pytest_kdelve.delve.resolver import Resolver
from pytest_kdelve.delve.sources import source_line
from pytest_kdelve.hits.bodies import Bodies, Body
from tests.delve.conftest import BuildProgram, debugging

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kdelve.delve import Client
    from tests.delve.toolchains import Toolchain

PROGRAM = "leaving"


@pytest.fixture
def client(
    toolchain: Toolchain, build_program: BuildProgram, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    """Return a client of a program that stands in its main function."""
    with (
        debugging(toolchain.dlv, build_program, tmp_path_factory.mktemp(PROGRAM)) as debug,
        debug(PROGRAM).connect() as client,
    ):
        main = client.create_breakpoint(api.Breakpoint(function_name="main.main"))
        client.continue_()
        client.clear_breakpoint(main.id)
        yield client


def around(client: Client, location: str, at: str) -> list[Body]:
    place = Resolver(client).resolve(Location.parse(location, at))
    return list(Bodies(lambda: client).around(place))


def left(client: Client, body: Body) -> list[str]:
    """Run the program to its end; return what is said of each return of one function."""
    by_address = {exit_.place.pcs[0]: exit_ for exit_ in body.exits}
    for address in by_address:
        client.create_breakpoint(api.Breakpoint(addrs=[address]))
    said = []
    while not (state := client.continue_()).exited:
        for thread in state.threads or ():
            if thread.breakpoint and thread.breakpoint.id > 0:
                exit_ = by_address[thread.pc]
                how = "recovered " if exit_.is_recovered else "after " if exit_.is_after else ""
                maybe = "?" if exit_.may_be_recovered else ""
                said.append(f"{maybe}{how}{source(exit_.place)}")
    return said


def source(place: Place) -> str:
    return source_line(place.source_file or "", place.line)


@pytest.mark.parametrize(
    ("function", "at", "expected"),
    [
        ("main.plain", "text :=", ['return "", errors.New("zero")', *["return text, nil"] * 2]),
        ("main.without", 'Println("more")', ["return", "}", "}"]),
        (
            "main.deferring",
            'Println("first more")',
            ['fmt.Println("first zero")', 'fmt.Println("first one")', 'fmt.Println("first more")'],
        ),
        ("main.named", "return nil", ['return errors.New("zero")', *["return nil"] * 2]),
    ],
)
def test_each_return_is_told(client: Client, function: str, at: str, expected: list[str]) -> None:
    [body] = around(client, function, at)
    assert source(body.entry).startswith(f"func {function.removeprefix('main.')}(")
    said = left(client, body)
    assert [each.lstrip("?").removeprefix("after ") for each in said] == expected


def test_a_recovered_panic_is_told_or_said_to_be_possible(client: Client) -> None:
    """Go 1.26 lets it come out at the function's first return, whatever line that is of."""
    [body] = around(client, "main.recovering", 'Println("no panic")')
    normal = 'after fmt.Println("no panic")'
    panicked, *others = left(client, body)
    assert panicked in {f"?{normal}", "recovered defer func() { fmt.Println(recover()) }()"}
    assert {each.lstrip("?") for each in others} == {normal}


def test_a_closure_has_the_functions_that_it_is_written_inside_of(client: Client) -> None:
    """Also those whose names Delve does not parse, which are closures in closures."""
    bodies = around(client, "main.go", "return doubled")
    assert [body.entry.function for body in bodies] == [
        "main.outer.func1.1",
        "main.outer.func1",
        "main.outer",
    ]
    assert [source(body.entry) for body in bodies] == [
        "return func() int {",
        "return func() func() int {",
        "func outer(number int) func() func() int {",
    ]


def test_a_function_that_is_the_place_itself_is_none_around_it(client: Client) -> None:
    place = Resolver(client).resolve(Location.parse("main.outer"))
    assert Bodies(lambda: client).around(place) == []
