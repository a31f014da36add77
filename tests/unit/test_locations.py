"""Locations as people write them; tests/delve resolves them in a real binary."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.delve import Client
from pytest_kdelve.delve.functions import has_suffix
from pytest_kdelve.delve.locations import Location, Place, Resolver
from pytest_kdelve.errors import LocationError
from pytest_kdelve.testing import Call, FakeConnection, FakeDelve

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("handler.go:120", Location("handler.go", is_file=True, line=120)),
        ("pkg/server/a.go:7", Location("pkg/server/a.go", is_file=True, line=7)),
        ("sys_amd64.s:5", Location("sys_amd64.s", is_file=True, line=5)),
        ("handlers.getHandler", Location("handlers.getHandler", is_file=False)),
        ("handlers.getHandler:0", Location("handlers.getHandler", is_file=False, line=0)),
        ("handlers.getHandler:12", Location("handlers.getHandler", is_file=False, line=12)),
        ("(*Store).Get", Location("(*Store).Get", is_file=False)),
        ("(*Store).Get:3", Location("(*Store).Get", is_file=False, line=3)),
        ("k8s.io/a/v2.(*B).C", Location("k8s.io/a/v2.(*B).C", is_file=False)),
        ("main.f.func1.1", Location("main.f.func1.1", is_file=False)),
        ("main.Max[int]", Location("main.Max[int]", is_file=False)),
        ("Pair[K, V].Swap:3", Location("Pair[K, V].Swap", is_file=False, line=3)),
        ("Set[map[string]bool].Add", Location("Set[map[string]bool].Add", is_file=False)),
        ("Max[int].func1", Location("Max[int].func1", is_file=False)),
    ],
)
def test_a_location_is_a_file_or_a_function_with_a_line(text: str, location: Location) -> None:
    assert Location.parse(text) == location
    assert str(location) == location.text == text


def test_a_text_replaces_the_line_of_a_file() -> None:
    location = Location.parse("get.go", at="getter(ctx, name)")
    assert location == Location("get.go", is_file=True, at="getter(ctx, name)")
    assert str(location) == "get.go at 'getter(ctx, name)'"
    assert str(Location.parse("get.go:3", at="x")) == "get.go:3 at 'x'"


@pytest.mark.parametrize(
    ("text", "at", "message"),
    [
        ("", None, "'' is no location; write 'path/file.go:LINE'"),
        ("get.go:x", None, "is no location"),
        ("get.go:-1", None, "is no location"),
        ("get.go:1:2", None, "is no location"),
        ("two words", None, "is no location"),
        ("main.Max[int", None, "is no location"),
        ("main.Max[]", None, "is no location"),
        ("Max[int] Min", None, "is no location"),
        (":12", None, "is no location"),
        ("get.go", None, "'get.go' names a file only; add a line, or at='text of the line'"),
        ("get.go", "  ", "'get.go': at= is empty"),
        ("main.f", "", "'main.f': at= is empty"),
    ],
)
def test_another_form_is_an_error_that_says_what_to_write(
    text: str, at: str | None, message: str
) -> None:
    with pytest.raises(LocationError, match=re.escape(message)):
        Location.parse(text, at)


@pytest.mark.parametrize(
    "suffix",
    [
        "k8s.io/server/v2/handlers.(*Store).Get",
        "v2/handlers.(*Store).Get",
        "handlers.(*Store).Get",
        "(*Store).Get",
        "Get",
        ".Get",
    ],
)
def test_a_function_is_named_by_any_suffix_at_a_boundary(suffix: str) -> None:
    assert has_suffix("k8s.io/server/v2/handlers.(*Store).Get", suffix)


@pytest.mark.parametrize("suffix", ["", "et", "Store).Get", "2/handlers.(*Store).Get"])
def test_parts_of_a_functions_name_match_whole(suffix: str) -> None:
    assert not has_suffix("k8s.io/server/v2/handlers.(*Store).Get", suffix)


@pytest.fixture(autouse=True)
def _module_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOMODCACHE", str(tmp_path))


@contextmanager
def resolver(sources: Sequence[str], *, built: str = "0001-01-01T00:00:00Z") -> Iterator[Resolver]:
    """Resolve in a binary that has a statement on each line of its sources."""

    def answer(call: Call, connection: FakeConnection) -> None:
        if call.method == "ListSources":
            connection.reply(call, {"Sources": sources})
            return
        if call.method == "LastModified":
            connection.reply(call, {"Time": built})
            return
        spec, line = call.params["Loc"].rsplit(":", 1)
        file = {here: there for there, here in call.params["SubstitutePathRules"]}.get(spec, spec)
        connection.reply(call, {"Locations": [{"file": file, "line": int(line), "pc": 9}]})

    with FakeDelve(answer) as fake, Client(fake.host, fake.port) as client:
        yield Resolver(client)


LAYOUTS = {
    "modules": "/go/pkg/mod/k8s.io/apiserver@v0.37.2/pkg/server/handler.go",
    "checkout": "/src/kubernetes/staging/src/k8s.io/apiserver/pkg/server/handler.go",
    "vendored": "/src/kubernetes/vendor/k8s.io/apiserver/pkg/server/handler.go",
    "trimpath": "k8s.io/apiserver@v0.37.2/pkg/server/handler.go",
}


@pytest.mark.parametrize("compiled", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize(
    "written",
    [
        "handler.go:5",
        "server/handler.go:5",
        "k8s.io/apiserver/pkg/server/handler.go:5",
        "staging/src/k8s.io/apiserver/pkg/server/handler.go:5",
        "vendor/k8s.io/apiserver/pkg/server/handler.go:5",
        "kubernetes/staging/src/k8s.io/apiserver/pkg/server/handler.go:5",
        "k8s.io/apiserver@v0.36.0/pkg/server/handler.go:5",
    ],
)
def test_a_file_is_found_however_the_binary_was_built(compiled: str, written: str) -> None:
    with resolver([compiled, "/src/other/pkg/server/my-handler.go"]) as it:
        assert it.resolve(Location.parse(written)) == Place(compiled, 5, "", (9,))


def test_an_absolute_path_is_that_file_only() -> None:
    sources = ["/a/main.go", "/b/a/main.go"]
    with resolver(sources) as it:
        assert it.resolve(Location.parse("/a/main.go:1")).file == "/a/main.go"
        with pytest.raises(LocationError, match="no source file of this name"):
            it.resolve(Location.parse("/main.go:1"))


def test_parts_of_a_path_match_whole() -> None:
    with resolver(["/src/server/handler.go"]) as it:
        for written in ("andler.go:1", "rver/handler.go:1", "src/handler.go:1"):
            with pytest.raises(LocationError, match="no source file of this name"):
                it.resolve(Location.parse(written))


def test_only_whole_folders_are_taken_for_a_checkouts() -> None:
    sources = ["/x/my-vendor/a.go", "/x/other/a.go"]
    with resolver(sources) as it:
        assert it.resolve(Location.parse("my-vendor/a.go:1")).file == "/x/my-vendor/a.go"


def test_a_file_that_is_not_there_lists_those_with_a_similar_name() -> None:
    sources = ["/src/a/handler.go", "/src/b/handlers.go", "/src/c/zzz.go"]
    with resolver(sources) as it, pytest.raises(LocationError) as caught:
        it.resolve(Location.parse("handlr.go:1"))
    assert set(caught.value.candidates) == set(sources[:2])


def test_long_lists_of_candidates_are_cut() -> None:
    sources = [f"/src/{number}/a.go" for number in range(30)]
    with (
        resolver(sources) as it,
        pytest.raises(LocationError, match="more than one file") as caught,
    ):
        it.resolve(Location.parse("a.go:1"))
    assert len(caught.value.candidates) == 13
    assert caught.value.candidates[-1] == "… and 18 more"


def test_a_text_cannot_be_looked_up_where_the_source_is_not_here() -> None:
    with (
        resolver(["/not/on/this/machine/a.go"]) as it,
        pytest.raises(LocationError, match="source is not on this machine"),
    ):
        it.resolve(Location.parse("a.go", at="text"))


#: As Go writes them: in UTC or with an offset, with up to nine digits of a second, or none.
BUILT = {
    "2026-07-28T12:00:00.123456789Z": False,
    "2026-07-28T12:00:00.123456789+02:00": True,
    "2026-07-28T11:59:59Z": True,
    "0001-01-01T00:00:00Z": False,
}


@pytest.mark.parametrize(("built", "is_stale"), BUILT.items())
def test_a_text_is_not_looked_up_in_a_file_that_is_newer_than_the_binary(
    tmp_path: Path, built: str, *, is_stale: bool
) -> None:
    """Where Delve does not know when the binary was built, the source is taken as it is."""
    file = tmp_path / "a.go"
    file.write_text("package a\n")
    noon = datetime(2026, 7, 28, 12, tzinfo=UTC).timestamp()
    os.utime(file, (noon, noon))
    with resolver([str(file)], built=built) as it:
        if is_stale:
            with pytest.raises(LocationError, match="build it again, or give a line"):
                it.resolve(Location.parse("a.go", at="package a"))
        else:
            assert it.resolve(Location.parse("a.go", at="package a")).line == 1
        assert it.resolve(Location.parse("a.go:1")).line == 1


def test_another_resolver_reads_source_that_was_edited_since(tmp_path: Path) -> None:
    file = tmp_path / "a.go"
    file.write_text("package a\nvar b int\n")
    with resolver([str(file)]) as it:
        assert it.resolve(Location.parse("a.go", "var b")).line == 2
    file.write_text("package a\nvar a int\nvar b int\n")
    with resolver([str(file)]) as it:
        place = it.resolve(Location.parse("a.go", "var b"))
    assert (place.line, place.source) == (3, "var b int")
