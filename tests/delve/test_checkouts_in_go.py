"""A location means the same place however the binary was built, and its source is found."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.delve.locations import Location
from pytest_kdelve.delve.resolver import Resolver
from pytest_kdelve.errors import LocationError
from tests.delve import checkouts
from tests.delve.checkouts import Checkout, Layout
from tests.delve.conftest import BuildProgram, Debug, debugging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_kdelve.delve import Client
    from tests.delve.toolchains import Toolchain

TRIMPATH = ("-trimpath",)


@dataclass(frozen=True, slots=True)
class Built:
    """A program that stands at its first instruction, and what it was built from."""

    layout: Layout
    is_trimmed: bool
    checkout: Checkout
    client: Client

    @property
    def rules(self) -> list[tuple[str, str]]:
        """Where the source is that is not found by itself."""
        if not self.is_trimmed:
            return []
        folder = self.checkout.folder
        others = folder / ("vendor" if self.layout is Layout.VENDOR else "staging/src")
        rules = [("example.com/checkout", str(folder)), ("", str(others))]
        return rules[:1] if self.layout is Layout.MODULES else rules


@pytest.fixture(scope="module")
def new_checkout(
    toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Layout], Checkout]:
    def make(layout: Layout) -> Checkout:
        return checkouts.make(toolchain, tmp_path_factory.mktemp("checkout"), layout)

    return make


@pytest.fixture(scope="module", params=[False, True], ids=["", "trimpath"])
def is_trimmed(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(scope="module", params=Layout, ids=lambda layout: layout.name)
def built(
    request: pytest.FixtureRequest,
    toolchain: Toolchain,
    new_checkout: Callable[[Layout], Checkout],
    build_program: BuildProgram,
    tmp_path_factory: pytest.TempPathFactory,
    *,
    is_trimmed: bool,
) -> Iterator[Built]:
    checkout = new_checkout(request.param)
    program = checkout.build(flags=TRIMPATH if is_trimmed else ())
    with (
        pytest.MonkeyPatch.context() as patch,
        debugging(toolchain.dlv, build_program, tmp_path_factory.mktemp("checkout")) as debug,
        debug(program).connect() as client,
    ):
        patch.setenv("GOMODCACHE", str(checkout.module_cache))
        yield Built(request.param, is_trimmed, checkout, client)


#: The paths that the compiler saw, without and with -trimpath.
COMPILED = {
    Layout.MODULES: (
        ("{cache}/example.com/lib@v0.0.0", "{cache}/example.com/!third@v1.0.0"),
        ("example.com/lib@v0.0.0", "example.com/Third@v1.0.0"),
    ),
    Layout.VENDOR: (
        ("{folder}/vendor/example.com/lib", "{folder}/vendor/example.com/Third"),
        ("example.com/lib@v0.0.0", "example.com/Third@v1.0.0"),
    ),
    Layout.REPLACE: (
        ("{folder}/staging/src/example.com/lib", "{cache}/example.com/!third@v1.0.0"),
        ("example.com/lib@v0.0.0", "example.com/Third@v1.0.0"),
    ),
    Layout.WORKSPACE: (
        ("{folder}/staging/src/example.com/lib", "{cache}/example.com/!third@v1.0.0"),
        ("example.com/lib", "example.com/Third@v1.0.0"),
    ),
}


def test_a_file_is_the_path_as_the_compiler_saw_it(built: Built) -> None:
    folder, cache = built.checkout.folder, built.checkout.module_cache
    own = "example.com/checkout" if built.is_trimmed else folder
    library, third = (
        name.format(folder=folder, cache=cache) for name in COMPILED[built.layout][built.is_trimmed]
    )
    resolver = Resolver(built.client)
    functions = ("main.main", "app.Run", "lib/pkg.Handle", "Third/pkg.Do")
    assert [resolver.resolve(Location.parse(function)).file for function in functions] == [
        f"{own}/cmd/server/main.go",
        f"{own}/pkg/app/app.go",
        f"{library}/pkg/handler.go",
        f"{third}/pkg/third.go",
    ]


@pytest.mark.parametrize(
    ("written", "at", "function"),
    [
        ("staging/src/example.com/lib/pkg/handler.go", "// the library", "Handle"),
        ("vendor/example.com/lib/pkg/handler.go", "// the library", "Handle"),
        ("example.com/lib/pkg/handler.go", "// the library", "Handle"),
        ("lib/pkg/handler.go", "// the library", "Handle"),
        ("handler.go", "// the library", "Handle"),
        ("example.com/lib/pkg.Handle", "// the library", "Handle"),
        ("vendor/example.com/Third/pkg/third.go", "// the third party", "Do"),
        ("Third/pkg/third.go", "// the third party", "Do"),
        ("Third/pkg.Do", "// the third party", "Do"),
        ("cmd/server/main.go", "// the server", "main"),
        ("example.com/checkout/cmd/server/main.go", "// the server", "main"),
        ("main.main", "// the server", "main"),
        ("pkg/app/app.go", "// the application", "Run"),
        ("app.Run", "// the application", "Run"),
    ],
)
def test_a_location_is_as_in_the_repository(
    built: Built, written: str, at: str, function: str
) -> None:
    resolver = Resolver(built.client, substitute_path=built.rules)
    place = resolver.resolve(Location.parse(written, at))
    assert place.source.endswith(at)
    assert place.function.rpartition(".")[2] == function
    if written.endswith(".go"):
        assert resolver.resolve(Location.parse(f"{written}:{place.line}")) == place
    assert any("> " in line and at in line for line in place.excerpt())


def test_only_trimmed_source_needs_a_rule_and_says_where_it_was_looked_for(built: Built) -> None:
    resolver = Resolver(built.client)
    location = Location.parse("cmd/server/main.go", "// the server")
    if not built.is_trimmed:
        assert resolver.resolve(location).source_file == str(
            built.checkout.folder / "cmd" / "server" / "main.go"
        )
        return
    with pytest.raises(LocationError, match="a substitute_path") as caught:
        resolver.resolve(location)
    (candidate,) = caught.value.candidates
    assert candidate.startswith("example.com/checkout/cmd/server/main.go: looked for as ")


def test_a_checkout_that_was_moved_is_found_by_a_rule(
    new_checkout: Callable[[Layout], Checkout], debug: Debug
) -> None:
    checkout = new_checkout(Layout.VENDOR)
    program = checkout.build()
    here = checkout.folder.with_name("moved")
    checkout.folder.rename(here)
    location = Location.parse("staging/src/example.com/lib/pkg/handler.go", "// the library")
    with debug(program).connect() as client:
        with pytest.raises(LocationError, match="not on this machine") as caught:
            Resolver(client).resolve(location)
        assert str(checkout.folder) in caught.value.candidates[0]
        rules = [("/elsewhere", "/nowhere"), (str(checkout.folder), str(here))]
        place = Resolver(client, substitute_path=rules).resolve(location)
        assert place.source_file == str(here / "vendor/example.com/lib/pkg/handler.go")
        assert place.file == str(checkout.folder / "vendor/example.com/lib/pkg/handler.go")
        number = Location.parse(f"lib/pkg/handler.go:{place.line}")
        assert Resolver(client).resolve(number).pcs == place.pcs
        as_here = Location.parse(f"{place.source_file}:{place.line}")
        assert Resolver(client, substitute_path=rules).resolve(as_here) == place
        with pytest.raises(LocationError, match="no source file of this name"):
            Resolver(client).resolve(as_here)


@pytest.mark.parametrize("is_there", [True, False])
def test_the_standard_library_is_that_of_the_targets_go(
    new_checkout: Callable[[Layout], Checkout],
    debug: Debug,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    *,
    is_there: bool,
) -> None:
    checkout = new_checkout(Layout.MODULES)
    program = checkout.build(flags=TRIMPATH)
    other = tmp_path / "goroot"
    (other / "src" / "fmt").mkdir(parents=True)
    shutil.copy(checkout.goroot / "src" / "fmt" / "print.go", other / "src" / "fmt")
    (other / "VERSION").write_text("go1.2.3\n")
    monkeypatch.setenv("GOROOT", str(checkout.goroot if is_there else other))
    monkeypatch.setenv("GOMODCACHE", str(tmp_path))
    location = Location.parse("fmt.Println", "return Fprintln(os.Stdout, a...)")
    with debug(program).connect() as client:
        monkeypatch.setenv("PATH", "")
        if is_there:
            assert Resolver(client).resolve(location).file == "fmt/print.go"
        else:
            with pytest.raises(LocationError, match="not on this machine"):
                Resolver(client).resolve(location)


def test_a_trimmed_path_that_others_end_with_is_itself(debug: Debug) -> None:
    """There is internal/sync/mutex.go, too, from Go 1.24 on; Delve finds the name ambiguous."""
    with debug("places", flags=("-gcflags=all=-N -l", "-trimpath")).connect() as client:
        resolver = Resolver(client)
        place = resolver.resolve(Location.parse("sync.(*Mutex).Lock"))
        assert place.file == "sync/mutex.go"
        assert resolver.resolve(Location.parse(f"sync/mutex.go:{place.line}")).pcs == place.pcs


def test_main_packages_of_one_repository_are_told_apart_by_their_files(
    new_checkout: Callable[[Layout], Checkout], debug: Debug
) -> None:
    with debug(new_checkout(Layout.VENDOR).build("agent")).connect() as client:
        resolver = Resolver(client)
        place = resolver.resolve(Location.parse("cmd/agent/main.go", "// the agent"))
        assert place == resolver.resolve(Location.parse("main.main", "// the agent"))
        with pytest.raises(LocationError, match="no source file of this name") as caught:
            resolver.resolve(Location.parse("cmd/server/main.go:7"))
        assert any("cmd/agent/main.go" in candidate for candidate in caught.value.candidates)


class TestStaleSource:
    """``at=`` is looked up in a file that may have other lines than the binary."""

    @pytest.fixture
    def checkout(self, new_checkout: Callable[[Layout], Checkout]) -> Checkout:
        return new_checkout(Layout.REPLACE)

    def test_an_edited_file_is_an_error_that_says_what_to_do(
        self, checkout: Checkout, debug: Debug
    ) -> None:
        program = checkout.build()
        edited = checkout.folder / "cmd" / "server" / "main.go"
        edited.write_text(f"// Edited.\n{edited.read_text()}")
        with debug(program).connect() as client:
            resolver = Resolver(client)
            for location in ("cmd/server/main.go", "main.main"):
                with pytest.raises(LocationError, match="build it again") as caught:
                    resolver.resolve(Location.parse(location, "// the server"))
                assert caught.value.candidates == (str(edited),)
            with pytest.raises(LocationError, match="build it again"):
                resolver.resolve(Location.parse("cmd/server/main.go", "is nowhere"))

    def test_a_binary_that_was_copied_after_an_edit_does_not_have_it(
        self, checkout: Checkout, debug: Debug
    ) -> None:
        program = checkout.build()
        edited = checkout.folder / "cmd" / "server" / "main.go"
        edited.write_text(f"// Edited.\n{edited.read_text()}")
        later = edited.stat().st_mtime + 60
        os.utime(program, (later, later))
        moved = (
            r"other source .*: main begins on line (\d+) there, and on line (?!\1)\d+ here; build"
        )
        with debug(program).connect() as client:
            resolver = Resolver(client)
            for location in ("cmd/server/main.go", "main.main"):
                with pytest.raises(LocationError, match=moved) as caught:
                    resolver.resolve(Location.parse(location, "// the server"))
                assert caught.value.candidates == (str(edited),)
            place = resolver.resolve(Location.parse("app.go", "// the application"))
            assert place.function == "example.com/checkout/pkg/app.Run"

    def test_a_binary_that_was_copied_without_an_edit(
        self, checkout: Checkout, debug: Debug
    ) -> None:
        program = checkout.build()
        later = program.stat().st_mtime + 60
        os.utime(program, (later, later))
        with debug(program).connect() as client:
            place = Resolver(client).resolve(Location.parse("main.main", "// the server"))
            assert place.source.endswith("// the server")

    def test_a_file_that_was_edited_and_built_again_is_read_again(
        self, checkout: Checkout, debug: Debug
    ) -> None:
        edited = checkout.folder / "cmd" / "server" / "main.go"
        lines = []
        for _ in range(2):
            with debug(checkout.build()).connect() as client:
                place = Resolver(client).resolve(Location.parse("main.main", "// the server"))
            assert place.source.endswith("// the server")
            lines.append(place.line)
            edited.write_text(f"// Edited.\n{edited.read_text()}")
        assert lines[1] == lines[0] + 1

    def test_other_files_are_not_concerned(self, checkout: Checkout, debug: Debug) -> None:
        program = checkout.build()
        (checkout.folder / "cmd" / "server" / "main.go").touch()
        with debug(program).connect() as client:
            place = Resolver(client).resolve(Location.parse("app.go", "// the application"))
            assert place.function == "example.com/checkout/pkg/app.Run"

    def test_a_line_is_the_binarys_own(self, checkout: Checkout, debug: Debug) -> None:
        program = checkout.build()
        (checkout.folder / "cmd" / "server" / "main.go").touch()
        with debug(program).connect() as client:
            place = Resolver(client).resolve(Location.parse("cmd/server/main.go:7"))
            assert (place.function, place.line) == ("main.main", 7)

    def test_a_version_of_a_module_never_changes(
        self, checkout: Checkout, debug: Debug, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It may have been extracted after the build."""
        program = checkout.build(flags=TRIMPATH)
        third = checkout.module_cache / "example.com" / "!third@v1.0.0" / "pkg" / "third.go"
        later = program.stat().st_mtime + 60
        os.utime(third, (later, later))
        monkeypatch.setenv("GOMODCACHE", str(checkout.module_cache))
        with debug(program).connect() as client:
            place = Resolver(client).resolve(Location.parse("third.go", "// the third party"))
            assert place.source_file == str(third)
