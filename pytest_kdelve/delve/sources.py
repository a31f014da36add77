"""The target's source files: where they are on this machine, their text, and short names."""

from __future__ import annotations

import functools
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_kdelve.delve import texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_VERSION = re.compile(r"@[^/]+")
_OF_VERSION = re.compile(r"@v\d[^/]*/")
_MODULE_CACHE = "/pkg/mod/"
#: What stands before the import path, for a module, a kubernetes checkout and a vendored package.
_PREFIXES = (_MODULE_CACHE, "/staging/src/", "/vendor/")
_ESCAPED = re.compile(r"!([a-z])")
_GO_VERSION = re.compile(r"\bgo\d\S*")


class Sources:
    """Finds the files that a binary was compiled from.

    ``substitute_path`` are pairs (directory as the compiler saw it, directory here), as in Delve's
    ``substitute-path``; the first one that leads to a file counts. An empty first part stands
    before every path that -trimpath has made relative, and a version in such a path
    (``k8s.io/api@v0.0.0``, which is in no directory of a checkout) may be left out here.
    ``go_version`` is asked for the version of Go that compiled the binary (``go1.26.6``), whose
    standard library counts; any text that contains it will do. ``replacements`` is asked for the
    modules that were taken in place of others, as ``BuildInfo`` has them: a trimmed path has the
    version of the one that was replaced.
    """

    def __init__(
        self,
        substitute_path: Sequence[tuple[str, str]] = (),
        *,
        go_version: Callable[[], str] = str,
        replacements: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._substitute_path = tuple(substitute_path)
        self._go_version = go_version
        self._ask_replacements = replacements
        self._known_replacements: Mapping[str, str] = {}
        self._found: dict[str, str | None] = {}

    def find(self, compiled: str) -> str | None:
        """Return the file here of the path that the compiler saw; None if there is none."""
        if compiled not in self._found:
            here = (path for path in self.looked_for(compiled) if _is_readable(path))
            self._found[compiled] = next(here, None)
        return self._found[compiled]

    def lines(self, compiled: str) -> tuple[str, ...]:
        """Return the lines of a file without their ends; empty when it is not here."""
        found = self.find(compiled)
        return source_lines(found) if found else ()

    def code(self, compiled: str) -> tuple[str, ...]:
        """Return the same lines with blanks in place of comments, strings and characters."""
        found = self.find(compiled)
        return source_code(found) if found else ()

    def line(self, compiled: str, line: int) -> str:
        """Return one line's text without the white space around it; lines count from 1."""
        found = self.find(compiled)
        return source_line(found, line) if found else ""

    def last_modified(self, compiled: str) -> float | None:
        """Return when a file was written, as ``st_mtime``; None if it cannot change.

        A version of a module never does, but may be extracted at any time.
        """
        found = self.find(compiled)
        if found is None or _is_versioned(found):
            return None
        return Path(found).stat().st_mtime

    def looked_for(self, compiled: str) -> Iterator[str]:
        """Yield where a file may be: substituted, as compiled, in the module cache, in GOROOT."""
        for directory, here in self._substitute_path:
            yield from _substituted(compiled, directory, here)
        is_trimmed = not compiled.startswith("/")
        if in_library := self._of_another_go(compiled):
            yield from (f"{goroot}/src/{in_library}" for goroot in self._goroots)
        elif not is_trimmed:
            yield compiled
        _, is_cached, rest = compiled.rpartition(_MODULE_CACHE)
        if _is_versioned(rest) and (is_trimmed or is_cached):
            if is_trimmed:
                yield from self._replaced(rest)
            yield f"{module_cache()}/{_escape(rest)}"
        elif is_trimmed:
            yield from (f"{goroot}/src/{compiled}" for goroot in self._goroots)

    def _replaced(self, trimmed: str) -> Iterator[str]:
        """Yield where a file of a module is that was replaced by another."""
        module, at, rest = trimmed.partition("@")
        version, _, file = rest.partition("/")
        taken = self._replacements.get(f"{module}{at}{version}", "")
        if "@" in taken:
            yield f"{module_cache()}/{_escape(f'{taken}/{file}')}"
        elif taken.startswith("/"):
            yield f"{taken}/{file}"

    @property
    def _replacements(self) -> Mapping[str, str]:
        # A program may not tell them before it runs.
        self._known_replacements = self._known_replacements or self._ask_replacements()
        return self._known_replacements

    def _of_another_go(self, compiled: str) -> str:
        """Return the path in Go's library of a file in whose place is that of another Go by now."""
        root, _, rest = compiled.partition("/src/")
        there = _go_of(root) if rest else ""
        return rest if there and self._version not in {"", there} else ""

    @functools.cached_property
    def _version(self) -> str:
        found = _GO_VERSION.search(self._go_version())
        return found[0] if found else ""

    @functools.cached_property
    def _goroots(self) -> list[Path]:
        return list(_goroots(self._version)) if self._version else []


def _substituted(compiled: str, directory: str, here: str) -> Iterator[str]:
    inside = f"{directory.rstrip('/')}/" if directory else ""
    if compiled.startswith(inside or "/") != bool(inside):
        return
    rest = compiled.removeprefix(inside)
    yield f"{here.rstrip('/')}/{rest}"
    if _is_versioned(rest):
        yield f"{here.rstrip('/')}/{_VERSION.sub('', rest)}"


def _is_versioned(path: str) -> bool:
    """Whether a file belongs to a version of a module, as in the module cache."""
    return bool(_OF_VERSION.search(path))


def _is_readable(path: str) -> bool:
    return os.access(path, os.R_OK) and Path(path).is_file()


def module_cache() -> Path:
    """Return Go's module cache: GOMODCACHE, else pkg/mod in the first directory of GOPATH."""
    if given := os.environ.get("GOMODCACHE"):
        return Path(given)
    gopath = os.environ.get("GOPATH", "").split(os.pathsep)[0]
    return (Path(gopath) if gopath else Path.home() / "go") / "pkg" / "mod"


def _goroots(version: str) -> Iterator[Path]:
    """Yield where this version of Go is; another one's library has other lines."""
    candidates = [Path(given)] if (given := os.environ.get("GOROOT")) else []
    if go := shutil.which("go"):
        candidates.append(Path(go).resolve().parents[1])
    candidates += module_cache().glob(f"golang.org/toolchain@*-{version}.*")
    for goroot in candidates:
        if _go_of(str(goroot)) == version:
            yield goroot


def _go_of(goroot: str) -> str:
    """Return the version of the Go in a folder, such as "go1.26.8"; empty where it has none."""
    return (source_lines(f"{goroot}/VERSION") or ("",))[0]


def _escape(path: str) -> str:
    """Write a module's path as the module cache does (``golang.org/x/mod/module.EscapePath``)."""
    module, at, rest = path.partition("@")
    version, slash, file = rest.partition("/")
    escaped = re.sub("[A-Z]", lambda capital: f"!{capital[0].lower()}", f"{module}{at}{version}")
    return f"{escaped}{slash}{file}"


@dataclass(frozen=True, slots=True)
class _Version:
    """A file as it was when it was last written: people edit it and build again meanwhile."""

    path: str
    modified_ns: int
    size: int


def source_lines(path: str) -> tuple[str, ...]:
    """Return a source file's lines without their ends; empty when it cannot be read."""
    try:
        status = Path(path).stat()
        return _read(_Version(path, status.st_mtime_ns, status.st_size))
    except OSError:
        return ()


@functools.lru_cache(maxsize=256)
def _read(version: _Version) -> tuple[str, ...]:
    text = Path(version.path).read_bytes().decode("utf-8", errors="replace")
    # Go ends a line at a newline only; str.splitlines would do so at a form feed, too.
    lines = text.removesuffix("\n").split("\n") if text else []
    return tuple(line.removesuffix("\r") for line in lines)


def source_code(path: str) -> tuple[str, ...]:
    """Return the same lines with blanks in place of comments, strings and characters."""
    return _without_texts(source_lines(path))


@functools.lru_cache(maxsize=16)
def _without_texts(lines: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(texts.without_texts("\n".join(lines)).split("\n"))


def source_line(path: str, line: int) -> str:
    """Return one line's text without the white space around it; lines count from 1."""
    lines = source_lines(path)
    return lines[line - 1].strip() if 0 < line <= len(lines) else ""


def excerpt(path: str, line: int, *, around: int = 2) -> list[str]:
    """Return numbered lines around ``line``, which is marked by ``>``."""
    lines = source_lines(path)
    numbers = range(max(1, line - around), min(len(lines), line + around) + 1)
    width = len(str(line + around))
    return [
        f"{'>' if number == line else ' '} {number:{width}} | {lines[number - 1].expandtabs(4)}"
        for number in numbers
    ]


def declaration_around(path: str, line: int) -> tuple[int, tuple[str, ...]]:
    """Return the declaration that a line is in, such as a function: its first line, its lines.

    It is the line alone where none is found, and has no lines where the file has no such line.
    """
    lines = source_lines(path)
    if not 0 < line <= len(lines):
        return line, ()
    found = texts.declaration_around(source_code(path), line) or range(line, line + 1)
    return found.start, lines[found.start - 1 : found.stop - 1]


def short_path(path: str) -> str:
    """Return a path as it is said to people: from the import path on, without its version."""
    for prefix in _PREFIXES:
        _, found, rest = path.rpartition(prefix)
        if found:
            path = rest
            break
    return _ESCAPED.sub(_capital, _VERSION.sub("", path))


def path_parts(path: str) -> tuple[str, ...]:
    """Return a path's parts for comparison: without module versions, and not escaped."""
    plain = _ESCAPED.sub(_capital, _VERSION.sub("", path))
    return tuple(part for part in plain.split("/") if part not in {"", "."})


def _capital(escaped: re.Match[str]) -> str:
    return escaped[1].upper()
