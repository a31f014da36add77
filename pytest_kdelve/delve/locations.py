"""From a location as a person writes it to addresses in the target."""

from __future__ import annotations

import contextlib
import difflib
import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_kdelve.delve.sources import path_parts, short_path, source_line, source_lines
from pytest_kdelve.errors import LocationError, RPCError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_kdelve.delve import api
    from pytest_kdelve.delve.client import Client

_FILE = re.compile(r"(?P<file>[^:]+\.(?:go|s))(?::(?P<line>\d+))?")
_FUNCTION = re.compile(r"(?P<function>[^:\s]+?)(?::(?P<line>\d+))?")
_BEFORE_IMPORT_PATH = re.compile(r"^(?:.*/)?(?:staging/src|vendor)/")
_TYPE_ARGUMENTS = re.compile(r"\[.*\]")
_MOST_CANDIDATES = 12
#: How many lines before and after one without a statement are looked at.
_NEARBY = 12


@dataclass(frozen=True, slots=True)
class Location:
    """A location as written in a marker: a file or a function, a line, a text on the line.

    ``line`` counts from the file's beginning, or, after a function, from the function's first
    line, as in Delve.
    """

    name: str
    is_file: bool
    line: int | None = None
    at: str | None = None

    @classmethod
    def parse(cls, text: str, at: str | None = None) -> Location:
        """Read ``FILE:LINE``, ``FUNCTION`` or ``FUNCTION:LINE``; with ``at`` a line is optional.

        Raises ``LocationError`` for another form.
        """
        if at is not None and not at.strip():
            raise LocationError(f"{text!r}: at= is empty; give some text of the line")
        match = _FILE.fullmatch(text) or _FUNCTION.fullmatch(text)
        if not match:
            raise LocationError(
                f"{text!r} is no location; write 'path/file.go:LINE', 'path/file.go' with at=, "
                "'package.Function', '(*Type).Method' or 'package.Function:LINE'"
            )
        is_file = "file" in match.groupdict()
        line = int(match["line"]) if match["line"] else None
        if is_file and line is None and at is None:
            raise LocationError(f"{text!r} names a file only; add a line, or at='text of the line'")
        return cls(match["file"] if is_file else match["function"], is_file, line, at)

    @property
    def text(self) -> str:
        """The location without ``at``, as it was written."""
        return self.name if self.line is None else f"{self.name}:{self.line}"

    def __str__(self) -> str:
        return f"{self.text} at {self.at!r}" if self.at else self.text


@dataclass(frozen=True, slots=True)
class Place:
    """Where a location is in one binary; ``file`` is the path that the compiler saw."""

    file: str
    line: int
    function: str
    pcs: tuple[int, ...]

    def __str__(self) -> str:
        return f"{short_path(self.file)}:{self.line}"

    @property
    def source(self) -> str:
        """The line's text."""
        return source_line(self.file, self.line)


class Resolver:
    """Resolves locations in one target, which must be stopped whenever ``resolve`` is called."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lines: dict[tuple[str, int], Place | None] = {}

    @cached_property
    def _sources(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(path, path_parts(path)) for path in self._client.list_sources()]

    def resolve(self, location: Location) -> Place:
        """Return the one place that a location means.

        Raises ``LocationError`` with the candidates, or with the nearest lines that have a
        statement, where there is not exactly one.
        """
        if location.is_file:
            return self._in_files(location, self._find_files(location))
        return self._in_function(location, self._find_function(location))

    def _find_files(self, location: Location) -> list[str]:
        wanted = path_parts(_BEFORE_IMPORT_PATH.sub("", location.name))
        if location.name.startswith("/"):
            found = [path for path, _ in self._sources if path == location.name]
        else:
            found = [path for path, parts in self._sources if parts[-len(wanted) :] == wanted]
        if not found:
            message = f"{location}: the binary has no source file of this name; near it are:"
            raise LocationError(message, candidates=self._similar_files(wanted[-1]))
        return found

    def _similar_files(self, name: str) -> list[str]:
        names = {parts[-1] for _, parts in self._sources if parts}
        close = {name} & names or difflib.get_close_matches(name, names, n=3)
        return _some([short_path(path) for path, parts in self._sources if parts[-1] in close])

    def _in_files(self, location: Location, files: Sequence[str]) -> Place:
        if location.at is not None:
            lines = [(file, line) for file in files for line in _lines_with(location.at, file)]
            return self._with_text(location, files, lines, location.line)
        if len(files) > 1:
            lines = [(file, location.line or 0) for file in files]
            message = f"{location} means more than one file; write more of the path:"
            raise LocationError(message, candidates=_describe(lines))
        return self._with_statement(location, files[0], location.line or 0)

    def _with_text(
        self,
        location: Location,
        files: Sequence[str],
        lines: Sequence[tuple[str, int]],
        wanted: int | None,
    ) -> Place:
        numbered = [found for found in lines if wanted in {None, found[1]}]
        if len(numbered) == 1:
            return self._with_statement(location, *numbered[0])
        if numbered:
            raise LocationError(
                f"{location}: the text stands on {len(numbered)} lines; give more of it, or a "
                "function:",
                candidates=_describe(numbered),
            )
        if lines:
            message = f"{location}: the text does not stand on line {wanted}, but on:"
            raise LocationError(message, candidates=_describe(lines))
        if not any(source_lines(file) for file in files):
            message = f"{location}: the source is not on this machine, so at= cannot be looked up:"
            raise LocationError(message, candidates=_some(files))
        message = f"{location}: no line of it has this text; the most similar ones are:"
        raise LocationError(message, candidates=_similar_lines(location.at or "", files))

    def _with_statement(self, location: Location, file: str, line: int) -> Place:
        place = self._place(file, line)
        if place is None:
            nearest = [(file, number) for number in self._nearest(file, line)]
            text, length = source_line(file, line), len(source_lines(file))
            problem = f"line {line} ({text!r}) has no statement"
            if 0 < length < line:
                problem = f"the file has {length} lines"
            message = f"{location}: {problem}; the nearest lines with one are:"
            raise LocationError(message, candidates=_describe(nearest))
        return place

    def _place(self, file: str, line: int) -> Place | None:
        if (file, line) not in self._lines:
            self._lines[file, line] = self._find_line(file, line)
        return self._lines[file, line]

    def _find_line(self, file: str, line: int) -> Place | None:
        try:
            found = self._client.find_location(f"{file}:{line}")
        except RPCError as error:
            if "could not find statement" in error.text or "could not find file" in error.text:
                return None
            raise
        return self._outermost(_to_place(found[0]))

    def _outermost(self, place: Place) -> Place:
        """Leave the closures that begin on a line to their own names.

        For ``f := func() {`` Delve gives the assignment and the closure's entry, which would be
        two hits, the second one before the closure's variables are there. The same holds for the
        body of a loop over a function.
        """
        if len(place.pcs) == 1:
            return place
        functions = {pc: self._function_at(pc) for pc in place.pcs}
        outer = {
            pc: name
            for pc, name in functions.items()
            if not any(_is_inside(name, other) for other in functions.values())
        }
        return Place(place.file, place.line, next(iter(outer.values())), tuple(outer))

    def _function_at(self, pc: int) -> str:
        return _to_place(self._client.find_location(f"*{pc}")[0]).function

    def _nearest(self, file: str, line: int) -> list[int]:
        """Return the nearest lines with a statement, before and after a line."""
        # Each question costs 0.1 s with a kube-apiserver, so comments and the like are left out.
        code = _lines_of_code(file) or range(max(1, line - _NEARBY), line + _NEARBY)
        before = [number for number in reversed(code) if number < line]
        after = [number for number in code if number > line]
        found = (
            next((n for n in lines[:_NEARBY] if self._place(file, n)), None)
            for lines in (before, after)
        )
        return [number for number in found if number is not None]

    def _find_function(self, location: Location) -> list[str]:
        """Return a function's full name; those of all its instances where it is generic."""
        tail = location.name.rpartition(".")[2]
        names = self._client.list_functions(re.escape(tail) + r"(\[.*\])?$")
        found = [
            name
            for name in names
            if has_suffix(name, location.name) or has_suffix(_generic(name), location.name)
        ]
        if len({_generic(name) for name in found}) == 1:
            return found
        if found:
            message = f"{location} means more than one function; write more of the name:"
            raise LocationError(message, candidates=_some(sorted(found, key=len)))
        message = f"{location}: the binary has no such function; near it are:"
        raise LocationError(message, candidates=_some(self._similar_functions(location.name)))

    def _similar_functions(self, name: str) -> list[str]:
        """Return functions of a similar name, those of the same type or package first."""
        qualifier, _, wanted = name.rpartition(".")
        split = [every.rpartition(".") for every in self._client.list_functions()]
        close = difflib.get_close_matches(wanted, {last for *_, last in split}, n=3)
        similar = [(outer, last) for outer, _, last in split if last in close]
        beside = [(outer, last) for outer, last in similar if has_suffix(outer, qualifier)]
        found = (
            beside
            or similar
            or [
                (outer, last)
                for outer, _, last in split
                if qualifier and has_suffix(outer, qualifier)
            ]
        )
        return sorted({f"{outer}.{last}" for outer, last in found}, key=len)

    def _in_function(self, location: Location, functions: Sequence[str]) -> Place:
        entries = [self._entry(function) for function in functions]
        entry = replace(entries[0], pcs=tuple(pc for each in entries for pc in each.pcs))
        if location.at is None and location.line is None:
            return entry
        first, last = self._extent(entry)
        line = None if location.line is None else first + location.line
        if line is not None and line > last:
            message = f"{location}: the function's last line is its line {last - first}:"
            raise LocationError(message, candidates=_describe([(entry.file, last)]))
        if location.at is not None:
            lines = _lines_with(location.at, entry.file, range(first, last + 1))
            found = [(entry.file, number) for number in lines]
            return self._with_text(location, [entry.file], found, line)
        return self._with_statement(location, entry.file, line or first)

    def _entry(self, function: str) -> Place:
        # Delve does not parse every name that it has, such as those of nested closures, but finds
        # them by a regular expression, which in turn needs a goroutine, so not before the start.
        pattern = re.escape(function).replace("/", r"\/")
        for spec in (function, f"/^{pattern}$/"):
            with contextlib.suppress(RPCError):
                if found := self._client.find_location(spec):
                    return _to_place(found[0])
        raise LocationError(f"{function} is in the binary, but Delve finds no statement of it")

    def _extent(self, entry: Place) -> tuple[int, int]:
        """Return the first and last line of a function together with its closures.

        The closures are functions of their own in the binary, so the end is looked up in the
        source: gofmt puts the closing brace below the first character of the opening line.
        """
        own = [
            instruction.loc.line
            for instruction in self._client.disassemble(entry.pcs[0])
            if instruction.loc.file == entry.file
        ]
        first, last = min(own), max(own)
        lines = source_lines(entry.file)
        opening = lines[first - 1] if first <= len(lines) else ""
        closing = opening[: len(opening) - len(opening.lstrip())] + "}"
        ends = (n for n in range(last, len(lines) + 1) if lines[n - 1].startswith(closing))
        return first, last if first == last else next(ends, last)


def has_suffix(function: str, suffix: str) -> bool:
    """Whether a full function name ends with ``suffix`` at a boundary of its parts."""
    if not function.endswith(suffix):
        return False
    rest = function.removesuffix(suffix)
    return not rest or rest[-1] in "/." or suffix[0] in "/."


def _generic(function: str) -> str:
    """Return a function's name as it is in the source, without the types that it was made for."""
    return _TYPE_ARGUMENTS.sub("", function)


def _is_inside(function: str, outer: str) -> bool:
    return function.startswith((f"{outer}.", f"{outer}-range"))


def _to_place(found: api.Location) -> Place:
    function = found.function.name if found.function else ""
    return Place(found.file, found.line, function, tuple(found.pcs or [found.pc]))


def _fold(text: str) -> str:
    return " ".join(text.split())


def _lines_with(text: str, file: str, within: range | None = None) -> list[int]:
    wanted = _fold(text)
    return [
        number
        for number, line in enumerate(source_lines(file), start=1)
        if wanted in _fold(line) and (within is None or number in within)
    ]


def _lines_of_code(file: str) -> list[int]:
    """Return the lines that may have a statement; none where the source is not here."""
    no_code = ("//", "/*", "*", "package ", "import ", '"', ")")
    return [
        number
        for number, line in enumerate(source_lines(file), start=1)
        if line.strip() and not line.strip().startswith(no_code)
    ]


def _similar_lines(text: str, files: Sequence[str]) -> list[str]:
    lines = {
        _fold(line): (file, n) for file in files for n, line in enumerate(source_lines(file), 1)
    }
    close = difflib.get_close_matches(_fold(text), lines, n=3, cutoff=0.5)
    return _describe([lines[line] for line in close])


def _describe(lines: Iterable[tuple[str, int]]) -> list[str]:
    return _some([f"{short_path(f)}:{line}: {source_line(f, line)}" for f, line in lines])


def _some(candidates: Sequence[str]) -> list[str]:
    more = len(candidates) - _MOST_CANDIDATES
    some = list(candidates[:_MOST_CANDIDATES])
    return [*some, f"… and {more} more"] if more > 0 else some
