"""What is found out of programs that were built in different ways, under the real dlv."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.delve.inspection import BuildInfo, Inspection, Module, build_info, inspect
from pytest_kdelve.errors import BinaryError, ProcessExitedError
from tests.delve.conftest import DEBUGGABLE, Debug, break_at

if TYPE_CHECKING:
    from tests.delve.toolchains import Toolchain

OWN, LIBRARY = "main.main", "fmt.Fprintln"


def inspected(debug: Debug, *flags: str) -> Inspection:
    with debug("compiled", flags=flags).connect() as client:
        return inspect(client, "compiled", ["no.such.function", OWN, LIBRARY])


def test_a_debuggable_one(debug: Debug, toolchain: Toolchain) -> None:
    found = inspected(debug, *DEBUGGABLE)
    assert found.optimised == ()
    assert found.debuggable == (OWN, LIBRARY)
    assert not found.is_trimmed
    assert tuple(map(int, found.go_version.split(".")[:2])) == toolchain.go
    assert found.build.package == "example.com/compiled"
    assert found.build.modules == (Module("example.com/compiled", "(devel)"),)
    assert found.build.settings["-gcflags"] == "all=-N -l"


def test_an_optimised_one(debug: Debug) -> None:
    found = inspected(debug)
    assert found.optimised == (OWN, LIBRARY)
    assert found.debuggable == ()
    assert "-gcflags" not in found.build.settings


def test_one_whose_flags_are_for_its_own_package_only(debug: Debug) -> None:
    found = inspected(debug, "-gcflags=-N -l")
    assert (found.debuggable, found.optimised) == ((OWN,), (LIBRARY,))


@pytest.mark.parametrize("flags", [(), DEBUGGABLE], ids=["optimised", "debuggable"])
def test_a_trimmed_one(debug: Debug, flags: tuple[str, ...]) -> None:
    """Its paths tell, since Go 1.18 keeps no such setting."""
    found = inspected(debug, "-trimpath", *flags)
    assert found.is_trimmed
    assert bool(found.optimised) is not bool(flags)


def test_one_that_can_be_loaded_anywhere_tells_its_modules_once_it_runs(debug: Debug) -> None:
    with debug("compiled", flags=(*DEBUGGABLE, "-buildmode=pie")).connect() as client:
        assert build_info(client) == BuildInfo()
        break_at(client, "compiled/main.go", "// within a loop")
        client.continue_()
        assert build_info(client).package == "example.com/compiled"


@pytest.mark.parametrize("flags", ["-s", "-w", "-s -w", "-s -w=0"])
def test_a_stripped_one_is_refused(debug: Debug, flags: str) -> None:
    """A new Delve knows functions and lines of most of them; an old one does not start."""
    why = r"is stripped(.|\n)*-N -l|could not open debug info|no symbol section"
    with pytest.raises((BinaryError, ProcessExitedError), match=why):
        inspected(debug, *DEBUGGABLE, f"-ldflags={flags}")
