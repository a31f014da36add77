"""Source lines, and the names of source files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.delve import sources

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", ()),
        (b"one", ("one",)),
        (b"one\n", ("one",)),
        (b"one\n\n\tthree\n", ("one", "", "\tthree")),
        (b"one\r\ntwo\r\n", ("one", "two")),
        (b"bad \xff\ntwo\n", ("bad \ufffd", "two")),
    ],
)
def test_lines_come_without_their_ends(tmp_path: Path, data: bytes, lines: tuple[str]) -> None:
    file = tmp_path / "a.go"
    file.write_bytes(data)
    assert sources.source_lines(str(file)) == lines


@pytest.mark.parametrize("character", ["\f", "\v", "\x1c", "\x85", "\u2028", "\r"])
def test_only_what_ends_a_line_for_go_ends_a_line(tmp_path: Path, character: str) -> None:
    """Delve's line numbers count newlines; any other count would show other lines."""
    file = tmp_path / "a.go"
    file.write_text(f"// one{character}still one\n// two\n", encoding="utf-8", newline="")
    assert sources.source_line(str(file), 2) == "// two"


def test_a_line_that_is_not_there_is_empty(tmp_path: Path) -> None:
    file = tmp_path / "a.go"
    file.write_text("  one  \n", encoding="utf-8")
    assert sources.source_line(str(file), 1) == "one"
    assert [sources.source_line(str(file), line) for line in (-1, 0, 2)] == ["", "", ""]
    assert sources.source_lines(str(tmp_path / "none.go")) == ()
    assert sources.source_lines(str(tmp_path)) == (), "a folder is no file"


@pytest.mark.parametrize("text", ["// new\n", "// another\n"], ids=["same size", "same time"])
def test_a_file_is_read_again_when_it_was_written_again(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.go"
    file.write_text("// old\n")
    status = file.stat()
    assert sources.source_lines(str(file)) == ("// old",)
    file.write_text(text)
    modified = status.st_mtime_ns + (file.stat().st_size == status.st_size)
    os.utime(file, ns=(modified, modified))
    assert sources.source_lines(str(file)) == (text.strip(),)
    file.unlink()
    assert sources.source_lines(str(file)) == ()


def test_an_excerpt_marks_its_line_and_ends_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.go"
    file.write_text("".join(f"\tline {number}\n" for number in range(1, 11)), encoding="utf-8")
    assert sources.excerpt(str(file), 9) == [
        "   7 |     line 7",
        "   8 |     line 8",
        ">  9 |     line 9",
        "  10 |     line 10",
    ]
    assert sources.excerpt(str(file), 1, around=1) == ["> 1 |     line 1", "  2 |     line 2"]
    assert sources.excerpt(str(tmp_path / "none.go"), 3) == []


@pytest.mark.parametrize(
    ("path", "short"),
    [
        ("/home/reader/go/pkg/mod/k8s.io/apiserver@v0.37.2/pkg/a.go", "k8s.io/apiserver/pkg/a.go"),
        ("/src/kubernetes/staging/src/k8s.io/apiserver/pkg/a.go", "k8s.io/apiserver/pkg/a.go"),
        ("/src/kubernetes/vendor/k8s.io/apiserver/pkg/a.go", "k8s.io/apiserver/pkg/a.go"),
        ("/home/reader/go/pkg/mod/github.com/!azure/a@v1.0.0/a.go", "github.com/Azure/a/a.go"),
        ("k8s.io/apiserver@v0.37.2/pkg/a.go", "k8s.io/apiserver/pkg/a.go"),
        ("/usr/local/go/src/net/http/server.go", "/usr/local/go/src/net/http/server.go"),
    ],
    ids=["module", "staging", "vendored", "escaped", "trimpath", "standard library"],
)
def test_a_path_is_said_from_its_import_path_on(path: str, short: str) -> None:
    assert sources.short_path(path) == short


def test_a_path_has_the_same_parts_in_all_versions_of_a_module() -> None:
    assert sources.path_parts("/m/k8s.io/api@v0.37.2/a.go") == ("m", "k8s.io", "api", "a.go")
    assert sources.path_parts("k8s.io/api/a.go") == ("k8s.io", "api", "a.go")
    assert sources.path_parts("/m/github.com/!azure/a@v1.0.0/a.go") == (
        "m",
        "github.com",
        "Azure",
        "a",
        "a.go",
    )


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a home and nothing that Go has put anywhere."""
    for name in ("GOMODCACHE", "GOPATH", "GOROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def write(file: Path, text: str = "package a\n") -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return str(file)


@pytest.mark.parametrize(
    ("variables", "cache"),
    [
        ({}, "home/go/pkg/mod"),
        ({"GOPATH": "{machine}/one:{machine}/two"}, "one/pkg/mod"),
        ({"GOPATH": "{machine}/one", "GOMODCACHE": "{machine}/cache"}, "cache"),
    ],
    ids=["home", "GOPATH", "GOMODCACHE"],
)
def test_a_module_is_found_in_the_module_cache(
    machine: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], cache: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(machine=machine))
    module = "github.com/!burnt!sushi/toml@v1.0.0-!r!c"
    file = write(machine / cache / module / "Internal/a.go", "package toml\n")
    trimmed = "github.com/BurntSushi/toml@v1.0.0-RC/Internal/a.go"
    assert sources.Sources().find(trimmed) == file
    assert sources.Sources().line(trimmed, 1) == "package toml"
    elsewhere = f"/builder/go/pkg/mod/{module}/Internal/a.go"
    assert sources.Sources().find(elsewhere) == file
    assert sources.Sources().find(f"/builder/vendor/{module}/Internal/a.go") is None
    assert sources.Sources().lines("github.com/BurntSushi/toml@v2.0.0/Internal/a.go") == ()


def test_a_module_that_was_taken_in_place_of_another(machine: Path) -> None:
    """A trimmed path has the name and the version of the one that was replaced."""
    cache, folder = machine / "home/go/pkg/mod", machine / "staging/api"
    file = write(cache / "example.com/!fork@v0.37.2/pkg/a.go")
    own = write(folder / "pkg/a.go")
    write(cache / "k8s.io/apiserver@v0.0.0/pkg/b.go")
    known = sources.Sources(
        replacements=lambda: {
            "k8s.io/apiserver@v0.0.0": "example.com/Fork@v0.37.2",
            "k8s.io/api@v0.0.0": str(folder),
            "k8s.io/client-go@v0.0.0": "./staging/client-go",
        }
    )
    assert known.find("k8s.io/apiserver@v0.0.0/pkg/a.go") == file
    assert known.find("k8s.io/api@v0.0.0/pkg/a.go") == own
    assert known.find("k8s.io/client-go@v0.0.0/pkg/a.go") is None
    assert known.find("k8s.io/apiserver@v0.1.0/pkg/a.go") is None
    untrimmed = "/builder/pkg/mod/k8s.io/apiserver@v0.0.0/pkg/b.go"
    assert known.find(untrimmed) == str(cache / "k8s.io/apiserver@v0.0.0/pkg/b.go")


def test_what_was_replaced_may_be_told_late(machine: Path) -> None:
    file = write(machine / "home/go/pkg/mod/example.com/fork@v1.0.0/a.go")
    told: dict[str, str] = {}
    known = sources.Sources(replacements=lambda: told)
    assert known.find("k8s.io/api@v0.0.0/b.go") is None
    told["k8s.io/api@v0.0.0"] = "example.com/fork@v1.0.0"
    assert known.find("k8s.io/api@v0.0.0/a.go") == file


def test_a_file_is_where_the_compiler_saw_it(machine: Path) -> None:
    file = write(machine / "src/a.go")
    assert sources.Sources().find(file) == file
    assert sources.Sources().find(str(machine / "src")) is None
    assert sources.Sources().find("a.go") is None


def test_the_first_rule_that_leads_to_a_file_counts(machine: Path) -> None:
    seen, here = write(machine / "seen/a.go"), write(machine / "here/a.go")
    for rules, found in [
        ([(f"{machine}/seen", f"{machine}/here")], here),
        ([(f"{machine}/seen/", f"{machine}/here/")], here),
        ([(f"{machine}/seen", f"{machine}/none"), (f"{machine}/seen", f"{machine}/here")], here),
        ([(f"{machine}/see", f"{machine}/here")], seen),
        ([("", f"{machine}/here")], seen),
    ]:
        assert sources.Sources(rules).find(seen) == found


def test_a_rule_for_trimmed_paths_may_leave_the_version_out(machine: Path) -> None:
    file = write(machine / "vendor/k8s.io/api/a.go")
    rules = [("", str(machine / "vendor"))]
    assert sources.Sources(rules).find("k8s.io/api@v0.0.0/a.go") == file
    assert sources.Sources(rules).find("k8s.io/api/a.go") == file
    rules = [("k8s.io/api@v0.0.0", str(machine / "vendor/k8s.io/api"))]
    assert sources.Sources(rules).find("k8s.io/api@v0.0.0/a.go") == file


@pytest.mark.parametrize("found_by", ["GOROOT", "PATH", "module cache"])
def test_the_standard_library_is_that_of_the_same_go(
    machine: Path, monkeypatch: pytest.MonkeyPatch, found_by: str
) -> None:
    cached = "home/go/pkg/mod/golang.org/toolchain@v0.0.1-go1.18.2.linux-amd64"
    goroot = machine / (cached if found_by == "module cache" else "goroot")
    file = write(goroot / "src/fmt/print.go")
    write(goroot / "VERSION", "go1.18.2\ntime 2022-05-10\n")
    if found_by == "GOROOT":
        monkeypatch.setenv("GOROOT", str(goroot))
    if found_by == "PATH":
        write(goroot / "bin/go")
        (goroot / "bin/go").chmod(0o755)
        (machine / "bin").symlink_to(goroot / "bin")
    for version, found in {"Go cmd/compile go1.18.2": file, "go1.18": None, "": None}.items():
        known = sources.Sources(go_version=lambda version=version: version)  # type: ignore[misc]
        assert known.find("fmt/print.go") == found


def test_a_go_that_was_replaced_by_another_is_not_read(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goroot, other = machine / "goroot", machine / "other"
    compiled, file = write(goroot / "src/fmt/print.go"), write(other / "src/fmt/print.go")
    write(goroot / "VERSION", "go1.26.8\n")
    write(other / "VERSION", "go1.26.6\n")

    def found(version: str) -> str | None:
        return sources.Sources(go_version=lambda: f"Go cmd/compile {version}").find(compiled)

    assert (found("go1.26.8"), found("go1.26.6")) == (compiled, None)
    monkeypatch.setenv("GOROOT", str(other))
    assert (found("go1.26.8"), found("go1.26.6")) == (compiled, file)
    assert found("devel") == compiled, "it has no number to compare with"


def test_the_targets_go_is_asked_for_only_where_the_standard_library_is_trimmed(
    machine: Path,
) -> None:
    def ask() -> str:
        raise AssertionError

    known = sources.Sources(go_version=ask)
    assert known.find(str(machine / "a.go")) is None
    assert known.find("k8s.io/api@v0.1.0/a.go") is None
    with pytest.raises(AssertionError):
        known.find("fmt/print.go")


DECLARATIONS = """package a

import "fmt"

var limit = 5

var handlers = map[string]func(){
	"a": func() {
		one()
	},
}

const (
	a = iota
	b
)

type T struct {
	A int
}

func (t T) Name() string { return "t" }

// long is commented.
func long(
	a int,
) error {
	if a > 0 {
		return nil
	}

	return fmt.Errorf("a")
}

func text() string {
retry:
	a := `
func no() {
}
`
	return a
}

// Between two.

var sum = first +
	// The second one.
	second
"""


@pytest.mark.parametrize(
    ("line", "first", "last"),
    [
        (5, 5, 5),
        (9, 7, 11),
        (7, 7, 11),
        (14, 13, 16),
        (19, 18, 20),
        (22, 22, 22),
        (25, 25, 33),
        (28, 25, 33),
        (33, 25, 33),
        (3, 3, 3),
        (38, 35, 42),
        (41, 35, 42),
        (44, 44, 44),
        (48, 46, 48),
    ],
)
def test_the_declaration_around_a_line(tmp_path: Path, line: int, first: int, last: int) -> None:
    file = tmp_path / "a.go"
    file.write_text(DECLARATIONS)
    lines = tuple(DECLARATIONS.splitlines()[first - 1 : last])
    assert sources.declaration_around(str(file), line) == (first, lines)


@pytest.mark.parametrize("line", [0, 49])
def test_there_is_none_around_a_line_that_is_not_there(tmp_path: Path, line: int) -> None:
    file = tmp_path / "a.go"
    file.write_text(DECLARATIONS)
    assert sources.declaration_around(str(file), line) == (line, ())
    assert sources.declaration_around(str(tmp_path / "none.go"), line) == (line, ())
