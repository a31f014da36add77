"""Functions that Go compiles to more, or less, than is written: each call is one hit."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.delve import api
from pytest_kdelve.delve.locations import Location, Place
from pytest_kdelve.delve.resolver import Resolver
from pytest_kdelve.errors import LocationError
from tests.delve.conftest import DEBUGGABLE, BuildProgram, Debug, debugging

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_kdelve.delve import Client
    from tests.delve.toolchains import Toolchain

PROGRAM = "functions"
OPTIMISED = ()


@pytest.fixture(scope="module")
def client(
    toolchain: Toolchain, build_program: BuildProgram, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    """Return a client of a program that stands at its first instruction."""
    with (
        debugging(toolchain.dlv, build_program, tmp_path_factory.mktemp(PROGRAM)) as debug,
        debug(PROGRAM).connect() as client,
    ):
        yield client


def resolve(client: Client, location: str, at: str | None = None) -> Place:
    return Resolver(client).resolve(Location.parse(location, at))


def stops(client: Client, places: Sequence[Place], **fields: object) -> list[api.Thread]:
    """Run a program to its end with a breakpoint at each place; return all its stops in order."""
    for place in places:
        client.create_breakpoint(api.Breakpoint(addrs=list(place.pcs), **fields))  # type: ignore[arg-type]
    stopped: list[api.Thread] = []
    while not (state := client.continue_()).exited:
        stopped += [thread for thread in state.threads or () if thread.breakpoint]
    return stopped


@pytest.mark.parametrize(
    ("written", "source"),
    [
        ("Value.Speak", "func (v Value) Speak("),
        ("(*Value).Speak", "func (v Value) Speak("),
        ("Speak", "func (v Value) Speak("),
        ("(*Inner).Whisper", "func (i *Inner) Whisper("),
        ("Box.Get", "func (b Box[T]) Get()"),
        ("(*Box).Get", "func (b Box[T]) Get()"),
        ("(*Box).Put", "func (b *Box[T]) Put("),
        ("main.init.1", "func init() {"),
        ("Box[T].Get", "func (b Box[T]) Get()"),
        ("Box[int].Get", "func (b Box[T]) Get()"),
        ("main.(*Box[string]).Put", "func (b *Box[T]) Put("),
    ],
)
def test_a_function_is_the_written_one(client: Client, written: str, source: str) -> None:
    assert resolve(client, written).source.startswith(source)


def test_a_closure_begins_where_it_has_its_captured_variables(debug: Debug) -> None:
    """At its entry they are not in their places yet, so that any memory would be shown."""
    with debug(PROGRAM).connect() as client:
        place = resolve(client, "main.capturing.func1")
        assert place.source.endswith("// its first statement")
        [stopped] = stops(client, [place], variables=["word", "times"])
    assert stopped.breakpoint_info
    found = [variable.value for variable in stopped.breakpoint_info.variables or ()]
    assert found == ["captured", "2"]


def test_a_closure_that_begins_with_a_loop_is_entered_once(debug: Debug) -> None:
    with debug(PROGRAM).connect() as client:
        place = resolve(client, "main.capturing.func2")
        assert len(stops(client, [place])) == 1


@pytest.mark.parametrize("written", ["(*Value).Speak", "(*Box).Get"])
def test_a_text_in_a_function_that_is_called_through_a_wrapper(
    client: Client, written: str
) -> None:
    place = resolve(client, written, "return")
    assert place.source.startswith("return ")
    assert resolve(client, f"{written}:1") == place


@pytest.mark.parametrize("written", ["(*Outer).Whisper", "main.Outer.Whisper"])
def test_a_promoted_method_has_no_source_but_one_that_it_calls(
    client: Client, written: str
) -> None:
    with pytest.raises(
        LocationError, match="is not in the source, since the compiler has added it"
    ) as caught:
        resolve(client, written)
    assert caught.value.candidates == ("main.(*Inner).Whisper",)


@pytest.mark.parametrize(
    ("written", "at"), [("main.init", None), ("main.init:1", None), ("main.init", "begin()")]
)
def test_inits_are_listed_where_none_is_meant(client: Client, written: str, at: str | None) -> None:
    assert "main.init" in client.list_functions("^main"), "the compiler's, which sets variables"
    with pytest.raises(LocationError, match="since Go numbers each init") as caught:
        resolve(client, written, at)
    assert caught.value.candidates == ("main.init.0", "main.init.1")


def test_a_package_without_an_init_has_none(client: Client) -> None:
    assert "fmt.init" in client.list_functions("^fmt")
    with pytest.raises(LocationError, match=r"no package of this name with a func init\(\)"):
        resolve(client, "fmt.init")


@pytest.mark.parametrize("flags", [DEBUGGABLE, OPTIMISED], ids=["debuggable", "optimised"])
def test_a_line_that_sets_a_variable_is_hit_once(debug: Debug, flags: tuple[str, ...]) -> None:
    """There, 1.27.2 says of the stop itself that its file is <autogenerated>."""
    texts = ["// sets a variable", "// sets another variable"]
    with debug(PROGRAM, flags=flags).connect() as client:
        places = [resolve(client, "functions/main.go", text) for text in texts]
        hits = stops(client, places)
    assert [place.source.endswith(text) for place, text in zip(places, texts, strict=True)]
    assert places[1].line == places[0].line + 2
    assert {place.function for place in places} == {"main.init"}
    assert [(hit.pc,) for hit in hits] == [place.pcs for place in places]


@pytest.mark.parametrize(
    ("written", "at", "calls"),
    [
        ("Value.Speak", None, 4),
        ("(*Value).Speak", "// spoken", 4),
        ("(*Inner).Whisper", None, 1),
        ("Box.Get", None, 2),
        ("(*Box).Get", "// got", 2),
        ("(*Box).Put", None, 1),
        ("main.init.0", None, 1),
        ("main.go", "// the second init", 1),
        ("main.go", "// begins a deferred closure", 1),
        ("main.go", "// inside of the deferred closure", 1),
        ("main.go", "// ends the deferred closure", 1),
        ("main.go", "// begins a called closure", 1),
        ("main.go", "// ends the called closure", 1),
        ("main.go", "// a method value", 1),
        ("main.inlined", None, 4),
    ],
)
def test_each_call_is_one_hit(debug: Debug, written: str, at: str | None, calls: int) -> None:
    with debug(PROGRAM).connect() as client:
        place = resolve(client, written, at)
        hits = Counter((stop.file, stop.line) for stop in stops(client, [place]))
    assert hits == {(place.file, place.line): calls}


def test_a_function_breakpoint_stops_after_the_prologue(debug: Debug) -> None:
    """Arguments are where the debug information says only then."""
    with debug(PROGRAM).connect() as client:
        place = resolve(client, "main.arguments")
        entry = client.find_location(f"*{place.pcs[0]}")[0].function
        assert entry is not None
        assert place.pcs[0] > entry.value
        (stop,) = stops(client, [place], load_args=api.LoadConfig())
    info = stop.breakpoint_info
    assert info is not None
    found = {argument.name: argument for argument in info.arguments or ()}
    assert (found["number"].value, found["text"].value) == ("7", "seven")
    assert [child.value for child in found["list"].children or ()] == ["1", "2", "3"]


def test_a_line_that_is_inlined_is_hit_wherever_it_went(debug: Debug) -> None:
    """One of its addresses is in a closure of a function that has another one."""
    with debug(PROGRAM, flags=OPTIMISED).connect() as client:
        place = resolve(client, "main.go", "// inlined")
        assert len(place.pcs) == 3
        hits = Counter((stop.file, stop.line) for stop in stops(client, [place]))
    assert hits == {(place.file, place.line): 4}


@pytest.mark.parametrize(
    ("written", "at"), [("main.inlined:0", None), ("main.inlined:1", None), ("inlined", "*= 2")]
)
def test_there_is_nothing_inside_of_a_function_that_was_inlined(
    debug: Debug, written: str, at: str | None
) -> None:
    """Its lines have to be named by the file, as the function's own would be the caller's."""
    with debug(PROGRAM, flags=OPTIMISED).connect() as client:
        with pytest.raises(LocationError, match="inlined wherever it is called") as caught:
            resolve(client, written, at)
        (candidate,) = caught.value.candidates
        assert resolve(client, candidate).source.startswith("total ")
        assert len(resolve(client, "main.inlined").pcs) == 3


@pytest.mark.parametrize("flags", [OPTIMISED, DEBUGGABLE], ids=["optimised", "debuggable"])
def test_a_function_below_that_is_inlined_is_no_part_of_it(
    debug: Debug, flags: tuple[str, ...]
) -> None:
    with debug(PROGRAM, flags=flags).connect() as client:
        assert resolve(client, "callsBelow", "the one below").source.endswith("calls the one below")
        with pytest.raises(LocationError, match="no line of the function has this text"):
            resolve(client, "callsBelow", "in the one below")
        with pytest.raises(LocationError, match="last line is its line 2"):
            resolve(client, "callsBelow:5")


@pytest.mark.parametrize("within", ["callsBelow:1", "callsBelow:0"])
def test_without_the_source_nobody_knows_where_an_optimised_function_begins(
    debug: Debug, within: str
) -> None:
    with (
        debug(PROGRAM, flags=("-trimpath",)).connect() as client,
        pytest.raises(LocationError, match="only the source says where the function begins"),
    ):
        resolve(client, within)


def test_a_closure_is_left_out_of_its_first_line_in_an_optimised_program(debug: Debug) -> None:
    with debug(PROGRAM, flags=OPTIMISED).connect() as client:
        place = resolve(client, "main.go", "// begins a deferred closure")
        hits = stops(client, [place])
    assert len(hits) == 1
