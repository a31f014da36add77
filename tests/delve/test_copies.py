"""Functions that a compiler copies: each execution is a hit, or the place is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.delve import api
from pytest_kdelve.delve.locations import Location
from pytest_kdelve.delve.resolver import Resolver
from pytest_kdelve.errors import LocationError
from tests.delve.conftest import DEBUGGABLE, Debug
from tests.delve.recordings import OPTIMISED

if TYPE_CHECKING:
    from tests.delve.toolchains import Toolchain

FILE = "copies/main.go"
#: How often each is executed.
EXECUTED = {
    (FILE, "// in a go statement"): 2,
    (FILE, "// in a closure of a go statement"): 1,
    ("main.starts", "// in a closure of a go statement"): 1,
    (FILE, "// in a defer statement"): 2,
    (FILE, "// twice in a defer statement"): 2,
    (FILE, "// in what is made"): 3,
    (FILE, "// in what is lent"): 1,
    (FILE, "// of a union"): 2,
    (FILE, "// in a variable"): 1,
    (FILE, "// in a closure of a method"): 2,
    (FILE, "// sets up"): 2,
    ("main.setsUp", None): 2,
    ("main.value.Do", None): 3,
    ("main.(*inner).Do", None): 3,
    ("main.generic.Do", None): 3,
    ("copies/other.go", "// elsewhere"): 2,
    ("main.written", "mark("): 1,
    ("main.raw", "// behind the text"): 1,
}
REFUSED = {
    ("main.value.Do:1", None): "the function was inlined wherever it is called",
    ("main.makes.func1", None): "copies of this closure are in main.",
    (
        "main.lends.func1",
        None,
    ): r"no such function(, since .*where main\.lends is inlined|; near it)",
    ("main.makes.func2", None): "the binary has no such function; near it are:",
    ("main.written", "// twice"): r"but these of its file:\n .*main\.go:\d+: mark\(number\) // tw",
    ("main.leaf.func1:0", None): "only the source says where the function begins",
    ("main.raw", "same text"): "the text stands on 2 lines",
}
#: Go 1.18 gives them lines.
WITHOUT_LINES: dict[tuple[str, str | None], int] = {
    (FILE, "// by value"): 3,
    (FILE, "// promoted"): 3,
    ("main.(*inner).Do", "// promoted"): 3,
    (FILE, "// generic"): 3,
}


def executions(debug: Debug, location: str, at: str | None, flags: tuple[str, ...]) -> int:
    with debug("copies", flags=flags).connect() as client:
        place = Resolver(client).resolve(Location.parse(location, at))
        client.create_breakpoint(api.Breakpoint(addrs=list(place.pcs)))
        hits = 0
        while not (state := client.continue_()).exited:
            hits += sum(1 for thread in state.threads or () if thread.breakpoint)
    return hits


@pytest.mark.parametrize("flags", [OPTIMISED, DEBUGGABLE], ids=["optimised", "debuggable"])
@pytest.mark.parametrize(("location", "at"), EXECUTED)
def test_each_execution_is_a_hit(
    debug: Debug, location: str, at: str | None, flags: tuple[str, ...]
) -> None:
    assert executions(debug, location, at, flags) == EXECUTED[location, at]


@pytest.mark.parametrize(("location", "at"), REFUSED)
def test_what_would_miss_some_is_refused(debug: Debug, location: str, at: str | None) -> None:
    with pytest.raises(LocationError, match=f"(?s){REFUSED[location, at]}"):
        executions(debug, location, at, OPTIMISED)


def test_a_closure_of_what_is_only_copied_has_another_name(
    debug: Debug, toolchain: Toolchain
) -> None:
    has_copys_name = toolchain.go >= (1, 21)
    said = r"where main\.lends is inlined; .*\n  main\.main\.lends\.func\d$"
    with pytest.raises(LocationError, match=f"(?s){said}" if has_copys_name else "near it are:"):
        executions(debug, "main.lends.func1", None, OPTIMISED)


@pytest.mark.parametrize(("location", "at"), WITHOUT_LINES)
def test_a_copy_without_lines(
    debug: Debug, toolchain: Toolchain, location: str, at: str | None
) -> None:
    copied = r"pointers and interfaces call a copy that has no lines, main\."
    if toolchain.go < (1, 20):
        assert executions(debug, location, at, OPTIMISED) == WITHOUT_LINES[location, at]
    else:
        with pytest.raises(LocationError, match=copied):
            executions(debug, location, at, OPTIMISED)
    assert executions(debug, location, at, DEBUGGABLE) == WITHOUT_LINES[location, at]
