"""Where the text of a numbered line has moved to: what is kept between runs, and what is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.delve.locations import Location, Place
from pytest_kdelve.errors import LocationError
from pytest_kdelve.plugin.remembered import Remembered

if TYPE_CHECKING:
    from pathlib import Path

OLD = "package a\n\nfunc get() {\n\tresult := getter(name)\n\treturn\n}\n"
MOVED = "package a\n\n// new\n// lines\nfunc get() {\n\tresult := getter(name)\n\treturn\n}\n"
GONE = "package a\n\n\nfunc get() {\n\tresult := fetch(name)\n\treturn\n}\n"
TWICE = f"{MOVED}\nfunc again() {{\n\tresult := getter(name)\n}}\n"


class Source:
    """A file whose lines are places, as they are in one version."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "get.go"
        self.lines: list[str] = []

    def write(self, text: str) -> None:
        self.file.write_text(text)
        self.lines = text.splitlines()

    def place(self, line: int) -> Place:
        return Place(str(self.file), line, "handlers.get", (line,), str(self.file))

    def resolve(self, location: Location) -> Place:
        found = [n for n, line in enumerate(self.lines, 1) if (location.at or "") in line]
        if len(found) == 1:
            return self.place(found[0])
        problem = "the text stands on 2 lines:" if found else "no line of it has this text"
        candidates = [f"get.go:{n}: {self.lines[n - 1].strip()}" for n in found]
        raise LocationError(f"{location}: {problem}", candidates=candidates)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    source = Source(tmp_path)
    source.write(OLD)
    return source


@pytest.fixture
def config(pytester: pytest.Pytester) -> pytest.Config:
    return pytester.parseconfigure()


NUMBERED = Location.parse("handlers/get.go:4")


def remember(config: pytest.Config, source: Source, location: Location = NUMBERED) -> None:
    Remembered(config, source.resolve, "v1.36.1").keep([(location, source.place(4))])


def moved(config: pytest.Config, source: Source, location: Location = NUMBERED) -> str:
    """Return what is said of line 4 in the next version."""
    remembered = Remembered(config, source.resolve, "v1.37.2")
    return "\n".join(remembered.moved(location, source.place(4)))


def test_a_text_that_is_on_another_line(config: pytest.Config, source: Source) -> None:
    remember(config, source)
    source.write(MOVED)
    assert moved(config, source) == (
        "With v1.36.1, line 4 was 'result := getter(name)', which is now on line 6: write "
        "at='result := getter(name)'"
    )


@pytest.mark.parametrize("location", ["handlers.get:1", "(*Store).Get:1"])
def test_a_line_of_a_function(config: pytest.Config, source: Source, location: str) -> None:
    """It is said as a line of the file, as the source beside it has it."""
    remember(config, source, Location.parse(location))
    source.write(MOVED)
    said = moved(config, source, Location.parse(location))
    assert said.startswith("With v1.36.1, line 4 was 'result := getter(name)', which is now on lin")


def test_a_text_that_is_gone(config: pytest.Config, source: Source) -> None:
    remember(config, source)
    source.write(GONE)
    assert moved(config, source) == (
        "With v1.36.1, line 4 was 'result := getter(name)'. Looked up now: handlers/get.go at "
        "'result := getter(name)': no line of it has this text"
    )


def test_a_text_that_is_on_several_lines(config: pytest.Config, source: Source) -> None:
    remember(config, source)
    source.write(TWICE)
    assert moved(config, source) == (
        "With v1.36.1, line 4 was 'result := getter(name)'. Looked up now: handlers/get.go at "
        "'result := getter(name)': the text stands on 2 lines:\n"
        "  get.go:6: result := getter(name)\n"
        "  get.go:11: result := getter(name)"
    )


@pytest.mark.parametrize("text", [OLD, OLD.replace("\tresult", "        result")])
def test_a_text_that_is_where_it_was(config: pytest.Config, source: Source, text: str) -> None:
    remember(config, source)
    source.write(text)
    assert moved(config, source) == ""


def test_a_line_that_no_test_has_passed_with(config: pytest.Config, source: Source) -> None:
    remember(config, source, Location.parse("handlers/other.go:4"))
    source.write(MOVED)
    assert moved(config, source) == ""


def test_a_location_with_a_text_needs_no_memory(config: pytest.Config, source: Source) -> None:
    location = Location.parse("handlers/get.go:4", "result :=")
    remember(config, source, location)
    source.write(MOVED)
    assert moved(config, source, location) == ""


def test_where_the_source_is_not_here(config: pytest.Config, source: Source) -> None:
    """An empty text would be found on every line."""
    source.write("")
    remember(config, source)
    source.write(MOVED)
    assert moved(config, source) == ""


def test_an_error_says_it_too(config: pytest.Config, source: Source) -> None:
    remember(config, source)
    source.write(MOVED)
    remembered = Remembered(config, source.resolve, "v1.37.2")
    error = remembered.explain(LocationError("handlers/get.go:4: no statement"), NUMBERED)
    assert str(error) == (
        "handlers/get.go:4: no statement\n"
        "With v1.36.1, line 4 was 'result := getter(name)', which is now on line 6: write "
        "at='result := getter(name)'"
    )
    other = LocationError("handlers/other.go:4: no statement")
    assert remembered.explain(other, Location.parse("handlers/other.go:4")) is other


def test_runs_beside_each_other_keep_what_each_remembers(
    pytester: pytest.Pytester, source: Source
) -> None:
    """As the workers of pytest-xdist, which read the cache before the others wrote to it."""
    locations = [Location.parse(f"handlers/{name}.go:4") for name in ("a", "b")]
    workers = [Remembered(pytester.parseconfigure(), source.resolve, "v1.36.1") for _ in locations]
    for worker, location in zip(workers, locations, strict=True):
        assert worker.moved(location, source.place(4)) == ()
    for worker, location in zip(workers, locations, strict=True):
        worker.keep([(location, source.place(4))])
    source.write(MOVED)
    for location in locations:
        assert "line 6" in moved(pytester.parseconfigure(), source, location)


@pytest.mark.parametrize("kept", ["[]", '{"text": "x"}', "{"])
def test_what_it_did_not_write_is_nothing(
    config: pytest.Config, source: Source, pytester: pytest.Pytester, kept: str
) -> None:
    remember(config, source)
    [file] = (pytester.path / ".pytest_cache" / "v" / "kdelve" / "lines").iterdir()
    file.write_text(kept)
    source.write(MOVED)
    assert moved(config, source) == ""


def test_without_a_cache_nothing_is_remembered(pytester: pytest.Pytester, source: Source) -> None:
    config = pytester.parseconfigure("-p", "no:cacheprovider")
    remember(config, source)
    source.write(MOVED)
    assert moved(config, source) == ""
    assert not (pytester.path / ".pytest_cache").exists()


TESTS = """
    import pytest
    from pytest_kdelve import at

    @pytest.mark.hits("source.go:4")
    def test_hits(api):
        api.get("/reach/source.go")

    @pytest.mark.hits_in_order("source.go:4", "source.go:4")
    def test_in_order(api):
        api.get("/reach/source.go/source.go")
"""


@pytest.mark.parametrize("options", [(), ("-p", "no:cacheprovider")])
def test_from_one_run_to_the_next(faked: pytest.Pytester, options: tuple[str, ...]) -> None:
    """Only a test that passes is trusted with what its line is."""
    faked.makepyfile(TESTS)
    source = faked.path / "source.go"
    source.write_text(MOVED.replace("\tresult := getter(name)\n", "\t// nothing here\n"))
    test = next(faked.path.glob("test_*.py"))
    right = test.read_text()
    test.write_text(right.replace("/reach", "/others"))
    faked.runpytest("--kdelve-timeout=0", *options).assert_outcomes(failed=2)
    source.write_text(OLD)
    test.write_text(right)
    faked.runpytest("--kdelve-timeout=0", *options).assert_outcomes(passed=2)
    source.write_text(MOVED)
    test.write_text(right.replace("/reach", "/others"))
    result = faked.runpytest("--kdelve-timeout=0", *options)
    result.assert_outcomes(failed=2)
    said = "With v1.37.2, line 4 was 'result := getter(name)', which is now on line 6: write at='"
    assert str(result.stdout).count(said) == (0 if options else 3)


def test_a_line_that_has_no_statement_any_more(faked: pytest.Pytester) -> None:
    faked.makepyfile(TESTS)
    source = faked.path / "source.go"
    source.write_text(OLD)
    faked.runpytest("--kdelve-timeout=0").assert_outcomes(passed=2)
    source.write_text(MOVED.replace("// lines", ""))
    result = faked.runpytest("--kdelve-timeout=0")
    result.assert_outcomes(errors=2)
    assert (
        "source.go:4: line 4 has no statement\n"
        "With v1.37.2, line 4 was 'result := getter(name)', which is now on line 6: write at="
    ) in str(result.stdout)
