"""Variables that an optimising compiler keeps nowhere, or whose places it tells wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.delve import api, values
from pytest_kdelve.delve.locations import Location
from pytest_kdelve.delve.resolver import Resolver
from pytest_kdelve.errors import LocationError
from pytest_kdelve.hits.expectations import judge
from tests.delve.conftest import DEBUGGABLE, PROGRAMS, Debug, break_at, place_of
from tests.delve.recordings import OPTIMISED, reasons, recording
from tests.unit.builders import expect

if TYPE_CHECKING:
    from pytest_kdelve.delve.client import Client
    from tests.delve.toolchains import Toolchain

FILE, LOOP = "compiled/main.go", "// within a loop"
HERE, LOAD = api.EvalScope(), api.LoadConfig()
#: Of ``total`` within the loop, which goes through it twice: what Delve reads there is an earlier
#: value, with both toolchains.
TRUE, READ = [13, 22], [5, 13]


def stop_at(client: Client, at: str) -> None:
    break_at(client, FILE, at)
    client.continue_()


def test_what_delve_itself_says(debug: Debug) -> None:
    """Otherwise the rest of this file would prove nothing."""
    with debug("compiled", flags=OPTIMISED).connect() as client:
        stop_at(client, LOOP)
        found = [values.to_python(client.eval("total", HERE, LOAD))]
        client.continue_()
        found.append(values.to_python(client.eval("total", HERE, LOAD)))
    assert found == READ


def test_an_earlier_value_is_not_taken_for_the_value(debug: Debug) -> None:
    with recording(debug, FILE, LOOP, "total", "total == 5") as hits:
        for name in ("total", "total == 5"):
            [reason] = reasons([hit.values[name] for hit in hits])
            assert reason.startswith("optimised: total gets a value more than once in main.add")
        assert reasons([hit.locals["round"] for hit in hits])


def test_a_debuggable_program_has_all_values(debug: Debug) -> None:
    with recording(debug, FILE, LOOP, "total", "total == 13", flags=DEBUGGABLE) as hits:
        assert [hit.values["total"] for hit in hits] == TRUE
        assert [hit.values["total == 13"] for hit in hits] == [True, False]
        assert [hit.locals["round"] for hit in hits] == [0, 1]
        assert hits[0].args["word"] == "word"


def test_what_gets_its_value_once_is_read(debug: Debug, toolchain: Toolchain) -> None:
    """Not with a Go whose places of such variables are wrong now and then."""
    names = ("first", "sum", "pair.Left", "first + sum")
    with recording(debug, FILE, LOOP, *names) as hits:
        found = [hits[0].values[name] for name in names]
        assert (hits[0].args["first"], hits[0].locals["sum"]) == (found[0], found[1]) or (
            toolchain.go < (1, 20)
        )
    if toolchain.go >= (1, 20):
        assert found == [5, 6, 1, 11]
    else:
        assert all("Go before 1.20 tells wrong places" in each for each in reasons(found))


def test_what_the_compiler_kept_nowhere(debug: Debug, toolchain: Toolchain) -> None:
    with recording(debug, FILE, "// folded away", "limit", "limit > 5", "mode") as hits:
        found = hits.only.values
    if toolchain.go >= (1, 20):
        assert found["mode"] == 1
        for reason in reasons([found["limit"], found["limit > 5"]]):
            assert "the compiler kept no value of limit at this line of main.choose" in reason
    else:
        assert reasons(list(found.values()))


def test_an_expectation_does_not_compare_it(debug: Debug) -> None:
    """Neither with the earlier value, which it would equal, nor with the right one."""
    for expected in (READ[0], TRUE[0], 99):
        with recording(debug, FILE, LOOP, "total") as hits:
            wanted = expect(locals={"total": expected})
            with debug("compiled", flags=OPTIMISED).connect() as client:
                place = place_of(client, FILE, LOOP)
            outcome = judge(wanted, place, hits, others_count=0)
        assert not outcome.is_fulfilled
        assert outcome.undecided == len(hits) == 2
        [difference] = outcome.rejected[0][1]
        assert difference.note == "it could not be evaluated"
        assert "optimised: total gets a value" in repr(difference.actual)


def test_without_its_source_nothing_is_trusted(debug: Debug) -> None:
    """Delve knows the lines, but not how often they assign a variable."""
    text = (PROGRAMS / FILE).read_text().splitlines()
    line = next(number for number, each in enumerate(text, start=1) if LOOP in each)
    flags = ("-trimpath",)
    with recording(debug, f"{FILE}:{line}", None, "sum", flags=flags) as hits:
        assert hits[0].source == ""
        found = [hits[0].values["sum"], *hits[0].args.values(), *hits[0].locals.values()]
    assert all("without the source of main.add" in reason for reason in reasons(found))


@pytest.mark.parametrize("flags", [OPTIMISED, DEBUGGABLE], ids=["optimised", "debuggable"])
def test_an_inlined_function_is_hit_wherever_it_is(debug: Debug, flags: tuple[str, ...]) -> None:
    with recording(debug, FILE, "// inlined", "more", flags=flags) as hits:
        assert [hit.source for hit in hits] == ["return 2 * plus(more) // inlined"] * 2
        assert [hit.stack[0].function for hit in hits] == ["main.twice"] * 2
        assert [hit.stack[1].function for hit in hits] == ["main.main"] * 2
        if flags == DEBUGGABLE:
            assert [hit.values["more"] for hit in hits] == [4, 2]


def test_a_line_that_is_gone_is_the_compilers_doing(debug: Debug) -> None:
    with (
        debug("compiled", flags=OPTIMISED).connect() as client,
        pytest.raises(LocationError, match="since the binary is optimised: the compiler has moved"),
    ):
        Resolver(client).resolve(Location.parse(FILE, "limit := 10"))


def test_a_line_without_a_statement_is_not(debug: Debug) -> None:
    location = Location.parse(f"{FILE}:1")
    for flags in (OPTIMISED, DEBUGGABLE):
        with (
            debug("compiled", flags=flags).connect() as client,
            pytest.raises(LocationError) as raised,
        ):
            Resolver(client).resolve(location)
        assert "optimised" not in str(raised.value)


@pytest.mark.parametrize(
    ("at", "flags"),
    [("// copied", DEBUGGABLE), ("// called", DEBUGGABLE), ("// called", OPTIMISED)],
)
def test_a_method_that_interfaces_call_is_hit(
    debug: Debug, at: str, flags: tuple[str, ...]
) -> None:
    with recording(debug, FILE, at, flags=flags) as hits:
        assert len(hits) == 2
