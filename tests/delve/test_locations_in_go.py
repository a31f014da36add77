"""Each form of a location, in a Go program that stands at its first instruction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.delve import api
from pytest_kdelve.delve.locations import Location
from pytest_kdelve.delve.resolver import Resolver
from pytest_kdelve.errors import LocationError
from tests.delve.conftest import BuildProgram, Debug, break_at, debugging

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.delve.toolchains import Toolchain


@pytest.fixture(scope="module")
def resolver(
    dlv: Path, build_program: BuildProgram, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Resolver]:
    with debugging(dlv, build_program, tmp_path_factory.mktemp("places")) as debug:
        server = debug("places")
        with server.connect() as client:
            yield Resolver(client)


def line_of(resolver: Resolver, text: str) -> int:
    """Return the number of the only line with a text, by counting in the source."""
    file = resolver.resolve(Location.parse("main.main")).file
    with open(file, encoding="utf-8") as source:  # noqa: PTH123 - the shortest there is
        (line,) = [number for number, found in enumerate(source, start=1) if text in found]
    return line


def needs_loops_over_functions(toolchain: Toolchain) -> None:
    if toolchain.go < (1, 23):
        pytest.skip("Go has loops over functions from 1.23 on")


@pytest.mark.parametrize(
    "written",
    [
        "main.go",
        "./main.go",
        "places/main.go",
        "staging/src/places/main.go",
        "vendor/places/main.go",
    ],
)
def test_a_file_and_a_line(resolver: Resolver, written: str) -> None:
    line = line_of(resolver, "// counted")
    place = resolver.resolve(Location.parse(f"{written}:{line}"))
    assert (place.line, place.function) == (line, "main.(*Counter).Add")
    assert place.source == "c.count += n // counted"
    assert str(place).endswith(f"/places/main.go:{line}")
    assert resolver.resolve(Location.parse(f"{place.file}:{line}")) == place


@pytest.mark.parametrize(
    ("name", "at", "function"),
    [
        ("main.go", "// counted", "main.(*Counter).Add"),
        ("main.go", "c.count   +=\tn", "main.(*Counter).Add"),
        ("main.go", "inside of the closure", "main.closures.func1"),
        ("main.go", "inside of the nested closure", "main.closures.func1.1"),
        ("main.closures", "inside of the closure", "main.closures.func1"),
        ("main.closures", "inside of the nested closure", "main.closures.func1.1"),
        ("main.closures.func1", "inside of the nested closure", "main.closures.func1.1"),
        ("main.closures", "return total", "main.closures"),
        ("(*Counter).Add", "+= n", "main.(*Counter).Add"),
        ("main.forever", 'panic("stopped")', "main.forever"),
        ("alike.go", '"package two"', "example.com/places/alike/two.Same"),
        ("one/alike.go", "// in both", "example.com/places/alike/one.Same"),
        ("two.Same", "// in both", "example.com/places/alike/two.Same"),
    ],
)
def test_a_text_in_a_file_or_a_function(
    resolver: Resolver, name: str, at: str, function: str
) -> None:
    place = resolver.resolve(Location.parse(name, at))
    assert place.function == function
    assert " ".join(at.split()) in place.source


@pytest.mark.parametrize(
    ("written", "function", "source"),
    [
        ("main.main", "main.main", "func main() {"),
        ("(*Counter).Add", "main.(*Counter).Add", "func (c *Counter) Add(n int) {"),
        ("main.(*Counter).Add", "main.(*Counter).Add", "func (c *Counter) Add(n int) {"),
        ("Counter.Get", "main.Counter.Get", "func (c Counter) Get() int {"),
        ("one.Same", "example.com/places/alike/one.Same", "func Same() {"),
        ("example.com/places/alike/two.Same", "example.com/places/alike/two.Same", "func Same() {"),
        ("Only", "example.com/places/alike/one.Only", "func Only() {"),
        ("closures.func1", "main.closures.func1", "total += n // inside of the closure"),
        ("closures.func1.1", "main.closures.func1.1", "total++"),
    ],
)
def test_a_function_by_any_suffix_of_its_name(
    resolver: Resolver, written: str, function: str, source: str
) -> None:
    place = resolver.resolve(Location.parse(written))
    assert place.function == function
    assert place.source.startswith(source)


def test_the_body_of_a_loop_over_a_function_by_its_name(
    resolver: Resolver, toolchain: Toolchain
) -> None:
    needs_loops_over_functions(toolchain)
    place = resolver.resolve(Location.parse("main.ranges-range1"))
    assert place.function == "main.ranges-range1"
    assert place.source.startswith("for n := range each {")


def test_a_line_of_a_function_counts_from_its_first_line(resolver: Resolver) -> None:
    first = line_of(resolver, "func wraps(")
    place = resolver.resolve(Location.parse("main.wraps:3"))
    assert (place.line, place.source) == (first + 3, "same := text")
    assert resolver.resolve(Location.parse("main.wraps:0")).line == first
    assert resolver.resolve(Location.parse("main.wraps:3", "same := text")) == place


def test_a_generic_function_is_one_place_with_an_address_for_each_shape(
    resolver: Resolver, toolchain: Toolchain
) -> None:
    entry = resolver.resolve(Location.parse("main.Largest"))
    line = resolver.resolve(Location.parse("main.Largest", "the first one"))
    assert entry.source.startswith("func Largest[T int | string]")
    assert (len(entry.pcs), len(line.pcs)) == (2, 2)
    # The shapes' names are the compiler's; until Go 1.19 they end with the parameter's number.
    shape = "go.shape.int" if toolchain.go >= (1, 20) else "go.shape.int_0"
    one = resolver.resolve(Location.parse(f"main.Largest[{shape}]"))
    for written in ("main.Largest[T]", "Largest[int]", "main.Largest[...]"):
        assert resolver.resolve(Location.parse(written)) == entry
    assert one.pcs[0] in entry.pcs
    assert len(one.pcs) == 1


def test_a_line_that_begins_a_closure_means_the_statement_only(resolver: Resolver) -> None:
    place = resolver.resolve(Location.parse("main.go", "// begins a closure"))
    assert (place.function, len(place.pcs)) == ("main.closures", 1)


def test_a_line_that_begins_a_loop_over_a_function_means_the_statement_only(
    resolver: Resolver, toolchain: Toolchain
) -> None:
    needs_loops_over_functions(toolchain)
    place = resolver.resolve(Location.parse("ranges.go", "// begins a loop over a function"))
    assert (place.function, len(place.pcs)) == ("main.ranges", 1)


@pytest.mark.parametrize(
    ("written", "at", "message", "candidates"),
    [
        ("Same", None, "more than one function", ["one.Same", "two.Same"]),
        ("nowhere.go:1", None, "no source file of this name", []),
        ("ain.go:1", None, "no source file of this name", ["places/main.go"]),
        ("laces/main.go:1", None, "no source file of this name", ["places/main.go"]),
        ("main.nowhere", None, "no such function", []),
        ("ounter).Add", None, "no such function", ["main.(*Counter).Add"]),
        ("wrong.closures", None, "no such function", ["main.closures"]),
        ("clsures", None, "no such function", ["main.closures"]),
        ("main.Lagest[int]", None, "no such function", ["main.Largest"]),
        ("main.init", None, "no package of this name with a func init()", []),
        ("main.go", "// twice", "stands on 2 lines", ["// twice", "// twice"]),
        ("main.wraps", "// twice", "stands on 2 lines", ["// twice", "// twice"]),
        ("alike.go", "// in both", "stands on 2 lines", ["one/alike.go:", "two/alike.go:"]),
        ("main.go", "same := tex(", "no line of it has this text", ["same := text"]),
        ("main.closures", "// counted", "no line of the function has this text", ["// counted"]),
        ("main.forever", '"after forever"', "no line of the function has this text", ["after f"]),
        ("main.go:1", "// counted", "does not stand on line 1, but on", ["// counted"]),
        ("main.wraps:4", "same := text", "does not stand on line", ["same := text"]),
        ("main.go", "Nothing is executed", "has no statement", ["func wraps", "same := text"]),
        ("main.wraps:2", None, "has no statement", ["func wraps", "same := text"]),
        ("main.wraps:30", None, "last line is its line 11", ["}"]),
        ("main.go:99999", None, "the file has", []),
        ("main.go:0", None, "has no statement", []),
    ],
)
def test_what_is_not_one_place_lists_what_it_could_mean(
    resolver: Resolver, written: str, at: str | None, message: str, candidates: list[str]
) -> None:
    with pytest.raises(LocationError) as caught:
        resolver.resolve(Location.parse(written, at))
    first_line = str(caught.value).splitlines()[0]
    assert message in first_line
    assert written in first_line
    assert at is None or repr(at) in first_line
    listed = "\n".join(caught.value.candidates)
    assert all(candidate in listed for candidate in candidates)
    assert not candidates or len(caught.value.candidates) >= len(candidates)


def test_an_ambiguous_file_is_listed_with_its_lines(resolver: Resolver) -> None:
    line = resolver.resolve(Location.parse("one.Same", "// in both")).line
    with pytest.raises(LocationError, match="more than one file") as caught:
        resolver.resolve(Location.parse(f"alike.go:{line}"))
    assert [candidate.rpartition("/alike/")[2] for candidate in caught.value.candidates] == [
        f'{package}/alike.go:{line}: fmt.Println("same") // in both' for package in ("one", "two")
    ]


def test_a_line_of_a_stripped_binary_asks_for_a_better_build(
    debug: Debug, toolchain: Toolchain
) -> None:
    if toolchain.delve < (1, 27):
        pytest.skip("this Delve refuses to start it")
    server = debug("places", flags=("-gcflags=all=-N -l", "-ldflags=-s -w"))
    with (
        server.connect() as client,
        pytest.raises(LocationError, match="nor has any near it; was the binary built with -ldfl"),
    ):
        Resolver(client).resolve(Location.parse("places/main.go:15"))


def test_files_are_found_in_a_trimmed_binary(debug: Debug) -> None:
    """With -trimpath there are import paths instead of folders, and no source to look into."""
    server = debug("places", flags=("-gcflags=all=-N -l", "-trimpath"))
    with server.connect() as client:
        resolver = Resolver(client)
        line = resolver.resolve(Location.parse("alike/one.Same")).line + 1
        place = resolver.resolve(Location.parse(f"alike/one/alike.go:{line}"))
        assert place.file == "example.com/places/alike/one/alike.go"
        with pytest.raises(LocationError, match="more than one file"):
            resolver.resolve(Location.parse(f"alike.go:{line}"))
        with pytest.raises(LocationError, match="source is not on this machine"):
            resolver.resolve(Location.parse("alike.go", "// in both"))


def test_a_place_is_where_the_target_stops(debug: Debug, toolchain: Toolchain) -> None:
    """Each of these is reached once, and in this order."""
    places = [
        ("main.main", None),
        ("main.go", "counter.Add(1)"),
        ("(*Counter).Add", "// counted"),
        ("main.go", "// begins a closure"),
        *([("ranges.go", "// begins a loop over a function")] if toolchain.go >= (1, 23) else []),
        ("one.Same", None),
        ("two/alike.go", "// in both"),
        ("Only", None),
    ]
    with debug("places").connect() as client:
        ids = [break_at(client, location, at).id for location, at in places]
        stopped = []
        while not (state := client.continue_()).exited:
            stopped += [thread.breakpoint.id for thread in state.threads or () if thread.breakpoint]
    assert stopped == ids
    assert isinstance(state, api.DebuggerState)
    assert state.exit_status == 0
