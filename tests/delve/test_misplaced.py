"""Variables of optimised functions that are not where Delve looks for them: never a wrong value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.delve import values
from pytest_kdelve.delve.values import Unreadable
from tests.delve.conftest import DEBUGGABLE, Debug, break_at
from tests.delve.recordings import OPTIMISED, reasons, recording
from tests.delve.test_compiled import HERE, LOAD

if TYPE_CHECKING:
    from tests.delve.toolchains import Toolchain

FILE = "misplaced/main.go"
INNER = "// in an inner frame"
#: Where, what, its value, and why it is not read.
MISPLACED = [
    ("// overlapping", "outer.A", 4, "may be another variable by now, or a part of it only"),
    ("// of two, one", "two.A", 1, "may be another variable by now, or a part of it only"),
    ("// of the capacity", "cap(list)", 10, "parts of list are not kept"),
    ("// of the inner ones", "outer.Middle.Inner.Q", 6, "parts of outer are not kept"),
    ("// assigned in brackets", "x", 4, "x gets a value more than once"),
    ("// of another value now", "old", 1, "old is kept with number, which gets other values"),
    ("// changed by a method", "t.A", 9, "may be another variable by now, or a part of it only"),
]


@pytest.mark.parametrize(("at", "expression", "true", "why"), MISPLACED)
def test_another_value_is_not_taken_for_the_value(
    debug: Debug, toolchain: Toolchain, at: str, expression: str, true: int, why: str
) -> None:
    with recording(debug, FILE, at, expression, flags=DEBUGGABLE) as hits:
        assert hits.only.values[expression] == true
    with recording(debug, FILE, at, expression) as hits:
        [reason] = reasons([hits.only.values[expression]])
    assert reason.startswith("optimised: ")
    if toolchain.go >= (1, 20):
        assert why in reason


def test_what_delve_itself_says(debug: Debug, toolchain: Toolchain) -> None:
    """Otherwise the rest of this file would prove nothing."""
    if toolchain.go < (1, 20):
        pytest.skip("another compiler misplaces others")
    with debug("misplaced", flags=OPTIMISED).connect() as client:
        for at, expression, true, _ in MISPLACED:
            break_at(client, FILE, at)
            client.continue_()
            assert values.to_python(client.eval(expression, HERE, LOAD)) != true


@pytest.mark.parametrize("flags", [OPTIMISED, DEBUGGABLE], ids=["optimised", "debuggable"])
def test_a_frame_has_no_wrong_values(debug: Debug, flags: tuple[str, ...]) -> None:
    """All that a hit brings, without being asked for by name."""
    true: dict[str, dict[str, object]] = {
        "// overlapping": {"start": 4, "total": 9},
        "// of two, one": {"two": {"A": 1, "B": 2}, "ok": True},
        "// not counted yet": {"counter": {"number": 0, "name": ""}},
        "// assigned in brackets": {"start": 2, "x": 4},
        "// of another value now": {"old": 1, "number": 8},
        "// changed by a method": {"t": {"A": 9, "B": 2}, "number": 9},
        "// changed by its slice": {"list": [60]},
        "// set": {"two": {"A": 1, "B": 2}, "number": 3},
        ", number) // assigned": {"number": 3},
        "// in main": {"round": 1},
    }
    lost = Unreadable("the compiler has removed it")
    for at, expected in true.items():
        with recording(debug, FILE, at, flags=flags) as hits:
            found = {**hits[0].args, **hits[0].locals}
        for name, value in expected.items():
            is_hidden = isinstance(found.get(name, lost), Unreadable) and flags == OPTIMISED
            assert is_hidden or found[name] == value, (at, name)


@pytest.mark.parametrize(
    "expression",
    ["runtime.frame(1).total", "runtime.frame (1) . total", "runtime . frame( 1 ).total + 0"],
)
def test_an_outer_frame_is_one_however_it_is_written(
    debug: Debug, toolchain: Toolchain, expression: str
) -> None:
    if toolchain.delve < (1, 10):
        pytest.skip("Delve 1.9.1 has no outer frames in expressions")
    with recording(debug, FILE, INNER, expression, flags=DEBUGGABLE) as hits:
        assert [hit.values[expression] for hit in hits] == [1, 4]
    with recording(debug, FILE, INNER, expression) as hits:
        for reason in reasons([hit.values[expression] for hit in hits]):
            assert "total gets a value more than once in main.outer" in reason


def test_a_package_variable_is_read(debug: Debug) -> None:
    """It is in memory, however often it is assigned elsewhere."""
    with recording(debug, FILE, "// set", "packaged", "main.packaged") as hits:
        assert dict(hits.only.values) == {"packaged": 3, "main.packaged": 3}
