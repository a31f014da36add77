"""Source lines, and the names of source files."""

from __future__ import annotations

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
        ("k8s.io/apiserver@v0.37.2/pkg/a.go", "k8s.io/apiserver/pkg/a.go"),
        ("/usr/local/go/src/net/http/server.go", "/usr/local/go/src/net/http/server.go"),
    ],
    ids=["module", "staging", "vendored", "trimpath", "standard library"],
)
def test_a_path_is_said_from_its_import_path_on(path: str, short: str) -> None:
    assert sources.short_path(path) == short


def test_a_path_has_the_same_parts_in_all_versions_of_a_module() -> None:
    assert sources.path_parts("/m/k8s.io/api@v0.37.2/a.go") == ("m", "k8s.io", "api", "a.go")
    assert sources.path_parts("k8s.io/api/a.go") == ("k8s.io", "api", "a.go")
