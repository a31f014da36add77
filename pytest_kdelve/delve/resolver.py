"""From a location as a person writes it to addresses in the target."""

from __future__ import annotations

import difflib
import math
import re
from collections import Counter
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from pytest_kdelve.delve import api, functions
from pytest_kdelve.delve.copies import missing
from pytest_kdelve.delve.entries import Entries
from pytest_kdelve.delve.fitting import moved
from pytest_kdelve.delve.inspection import build_info
from pytest_kdelve.delve.joins import join
from pytest_kdelve.delve.locations import Location, Place
from pytest_kdelve.delve.optimised import is_optimised
from pytest_kdelve.delve.sources import Sources, path_parts, short_path
from pytest_kdelve.delve.texts import (
    end_of_block,
    lines_of_code,
    lines_with,
    similar_lines,
    some,
)
from pytest_kdelve.errors import LocationError, RPCError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from pytest_kdelve.delve.client import Client

_BEFORE_IMPORT_PATH = re.compile(r"^(?:.*/)?(?:staging/src|vendor)/")
_FUNC = re.compile(r"\bfunc\b")
_MOVED = (
    ", since the binary is optimised: the compiler has moved or removed it (-gcflags='all=-N -l' "
    "keeps all)"
)
_NO_BEGINNING = (
    "{location}: the binary is optimised, so only the source says where the function begins, which "
    "does not stand where it was compiled, or does not name the function; give a line of its file"
)
#: How many lines before and after one without a statement are looked at.
_NEARBY = 12


class Resolver:
    """Resolves locations in one target, which must be stopped whenever ``resolve`` is called.

    It remembers what it learns of the binary, so after a restart that has built another one, make
    another Resolver.

    ``substitute_path`` says where source is that is not where the compiler saw it, as in
    ``Sources``, which finds that of modules and of the standard library by itself; ``sources`` are
    these.
    """

    def __init__(self, client: Client, *, substitute_path: Sequence[tuple[str, str]] = ()) -> None:
        self._client = client
        self.sources = Sources(
            substitute_path,
            go_version=lambda: client.get_version().target_go_version,
            replacements=lambda: build_info(client).replacements,
        )
        self._entries = Entries(client)
        self._lines: dict[tuple[str, int], Place | None] = {}
        self._places: dict[Place, Place] = {}
        self._optimised_files: set[str] = set()
        self._compared: dict[tuple[str, float | None], str] = {}

    @cached_property
    def _files(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(path, path_parts(path)) for path in self._client.list_sources()]

    @cached_property
    def _built(self) -> float:
        """When the binary was built, in seconds as in ``st_mtime``; never if it is not known."""
        built = self._client.last_modified()
        return built.timestamp() if built.year > 1 else math.inf

    def resolve(self, location: Location) -> Place:
        """Return the one place that a location means.

        Raises ``LocationError`` with the candidates, or with the nearest lines that have a
        statement, where there is not exactly one.
        """
        if location.is_file:
            place = self._in_files(location, self._find_files(location))
        else:
            entry = self._entries.find(location)
            if location.at is None and location.line is None:
                return self._of_function(location, entry)
            place = self._in_function(location, entry)
        return self._whole(location, place)

    def _whole(self, location: Location, place: Place) -> Place:
        """Return a place of an optimised function with what Delve does not find of it."""
        if place.file not in self._optimised_files:
            return place
        if place not in self._places:
            code = self.sources.code(place.file)
            try:
                more = missing(self._client, self._entries, place, code)
            except LocationError as error:
                raise LocationError(f"{location} is {place}, but {error}") from error
            pcs = (*place.pcs, *self._joined(more, place.file, place.line))
            self._places[place] = replace(place, pcs=tuple(dict.fromkeys(pcs)))
        return self._places[place]

    def _of_function(self, location: Location, entry: api.Location) -> Place:
        place = self._to_place(self._entries.usable(entry))
        if is_optimised(entry) and len(functions.around(place.function)) > 1:
            self._check_closures(location, entry)
        return place

    def _check_closures(self, location: Location, entry: api.Location) -> None:
        """Raise ``LocationError`` where a closure's lines are in others, too.

        These are copies of it, where the function around it is inlined, under other names.
        """
        own = functions.around(entry.function.name if entry.function else "")
        code = self.sources.code(entry.file)
        inside = range(entry.line + 1, end_of_block(code, entry.line, entry.line) + 1)
        line = next((n for n in self._entries.lines(entry) if n in inside), entry.line)
        found = self._found(entry.file, line)
        others = {self._entries.function_at(pc).name for pc in (found and found.pcs) or ()}
        if others.difference(own):
            raise LocationError(
                f"{location}: the binary is optimised, and copies of this closure are in "
                f"{', '.join(sorted(others.difference(own)))}; give a line of its file:",
                candidates=self._describe([(entry.file, line)]),
            )

    def _find_files(self, location: Location) -> list[str]:
        wanted = path_parts(_BEFORE_IMPORT_PATH.sub("", location.name))
        found = [path for path, _ in self._files if path == location.name]
        if not found and location.name.startswith("/"):
            named_alike = (path for path, parts in self._files if parts[-1:] == wanted[-1:])
            found = [path for path in named_alike if self.sources.find(path) == location.name]
        elif not found:
            found = [path for path, parts in self._files if parts[-len(wanted) :] == wanted]
            # In a trimmed binary sync/mutex.go is a whole path, and the end of another one.
            whole = [path for path in found if path_parts(path) == wanted and path[0] != "/"]
            found = whole or found
        if not found:
            message = f"{location}: the binary has no source file of this name; near it are:"
            raise LocationError(message, candidates=self._similar_files(wanted[-1]))
        return found

    def _similar_files(self, name: str) -> list[str]:
        names = {parts[-1] for _, parts in self._files if parts}
        close = {name} & names or difflib.get_close_matches(name, names, n=3)
        return some([short_path(path) for path, parts in self._files if parts[-1] in close])

    def _in_files(self, location: Location, files: Sequence[str]) -> Place:
        if location.at is not None:
            return self._with_text(location, dict.fromkeys(files), location.line)
        if len(files) > 1:
            lines = [(file, location.line or 0) for file in files]
            message = f"{location} means more than one file; write more of the path:"
            raise LocationError(message, candidates=self._describe(lines))
        return self._with_statement(location, files[0], location.line or 0)

    def _with_text(
        self, location: Location, within: Mapping[str, range | None], wanted: int | None
    ) -> Place:
        """Return the place of a text in files, of which only some lines may count."""
        text = location.at or ""
        lines = [
            (file, line)
            for file, part in within.items()
            for line in lines_with(text, self.sources.lines(file), part)
        ]
        self._check_unchanged(location, {file for file, _ in lines} or within)
        numbered = [found for found in lines if wanted in {None, found[1]}]
        if len(numbered) == 1:
            return self._with_statement(location, *numbered[0])
        if numbered:
            raise LocationError(
                f"{location}: the text stands on {len(numbered)} lines; give more of it, or a "
                "function:",
                candidates=self._describe(numbered),
            )
        if lines:
            message = f"{location}: the text does not stand on line {wanted}, but on:"
            raise LocationError(message, candidates=self._describe(lines))
        raise self._without_text(location, {file: self.sources.lines(file) for file in within})

    def _without_text(
        self, location: Location, files: Mapping[str, Sequence[str]]
    ) -> LocationError:
        text = location.at or ""
        elsewhere = [(file, n) for file, lines in files.items() for n in lines_with(text, lines)]
        if elsewhere:
            message = f"{location}: no line of the function has this text, but these of its file:"
            return LocationError(message, candidates=self._describe(elsewhere))
        if any(files.values()):
            message = f"{location}: no line of it has this text; the most similar ones are:"
            similar = similar_lines(text, files)
            return LocationError(message, candidates=self._describe(similar))
        looked_for = [
            f"{file}: looked for as {', '.join(self.sources.looked_for(file)) or 'nothing'}"
            for file in files
        ]
        return LocationError(
            f"{location}: the source is not on this machine, so at= cannot be looked up; give a "
            "line, or the Resolver a substitute_path (directory as compiled, directory here):",
            candidates=some(looked_for),
        )

    def _check_unchanged(self, location: Location, files: Iterable[str]) -> None:
        """Raise ``LocationError`` if one of the files was written after the binary.

        Its lines may be other ones than those in the binary, as they are where these tell so.
        """
        times = {file: self.sources.last_modified(file) for file in files}
        changed = [file for file, time in times.items() if time and time > self._built]
        if changed:
            raise LocationError(
                f"{location}: the source is newer than the binary, so its lines may be other ones; "
                "build it again, or give a line of the file:",
                candidates=some([self.sources.find(file) or file for file in changed]),
            )
        # Of several files, it is not known which one is meant, and each question takes its time.
        if len(times) == 1 and (how := self._moved(*times.items())):
            raise LocationError(
                f"{location}: the binary was built from other source than there is here: {how}; "
                "build it again, or give a line of the file:",
                candidates=[self.sources.find(file) or file for file in times],
            )

    def _moved(self, version: tuple[str, float | None]) -> str:
        file, time = version
        if time and version not in self._compared:
            code = self.sources.code(file)
            self._compared[version] = moved(self._entries, file, code)
        return self._compared.get(version, "")

    def _with_statement(self, location: Location, file: str, line: int) -> Place:
        place = self._place(file, line)
        if place is None:
            nearest = [(file, number) for number in self._nearest(file, line)]
            text, length = self.sources.line(file, line), len(self.sources.lines(file))
            problem = f"line {line} ({text!r}) has no statement"
            is_code = line in lines_of_code(self.sources.lines(file))
            if 0 < length < line:
                problem = f"the file has {length} lines"
            elif not nearest:
                problem += ", nor has any near it; was the binary built with -ldflags=-s or -w"
            elif is_code and file in self._optimised_files:
                problem += _MOVED
            message = f"{location}: {problem}; the nearest lines with one are:"
            raise LocationError(message, candidates=self._describe(nearest))
        return place

    def _place(self, file: str, line: int) -> Place | None:
        if (file, line) not in self._lines:
            self._lines[file, line] = self._find_line(file, line)
        return self._lines[file, line]

    def _find_line(self, file: str, line: int) -> Place | None:
        found = self._found(file, line)
        if found is None:
            return None
        if found.file == functions.AUTOGENERATED:
            # So it calls the whole function that sets a package's variables, yet finds its lines.
            found = msgspec.structs.replace(found, file=file, line=line)
        place = self._outermost(self._to_place(found))
        pcs = self._joined(place.pcs, file, line)
        return replace(place, pcs=pcs) if pcs else None

    def _found(self, file: str, line: int) -> api.Location | None:
        """Return what Delve finds of a line, None if that is nothing."""
        # Delve takes a trimmed path for the end of others, too, but not one from the root on.
        rules = [] if file.startswith("/") else [(file, f"/{file}")]
        spec = f"/{file.removeprefix('/')}:{line}"
        try:
            found = self._client.find_location(spec, substitute_path=rules)
        except RPCError as error:
            if "could not find statement" in error.text or "could not find file" in error.text:
                return None
            raise
        return found[0] if found[0].pc else None

    def _joined(self, pcs: Iterable[int], file: str, line: int) -> tuple[int, ...]:
        source = self.sources.line(file, line)
        return tuple(filter(None, (join(self._client, pc, source) for pc in pcs)))

    def _outermost(self, place: Place) -> Place:
        """Leave the closures that begin on a line to their own names.

        For ``f := func() {`` Delve gives the assignment and the closure's entry, which would be
        two hits, the second one before the closure's variables are there. The same holds for the
        body of a loop over a function, and for the end of a closure that is called at once.
        """
        if len(place.pcs) == 1:
            return place
        found = {pc: self._entries.function_at(pc) for pc in place.pcs}
        names = {function.name for function in found.values()}
        outer = {
            pc: function.name
            for pc, function in found.items()
            if not any(functions.is_inside(function.name, other) for other in names)
            or self._is_inlined_into(function, place)
        }
        return replace(place, function=next(iter(outer.values())), pcs=tuple(outer))

    def _is_inlined_into(self, function: api.Function, place: Place) -> bool:
        """Whether a line in a closure is from elsewhere, so not the line that begins it."""
        begins = self._entries.location_of(function.value)
        return function.optimized and (begins.file, begins.line) != (place.file, place.line)

    def _nearest(self, file: str, line: int) -> list[int]:
        """Return the nearest lines with a statement, before and after a line."""
        # Each question costs 0.1 s with a kube-apiserver, so comments and the like are left out.
        code = lines_of_code(self.sources.lines(file)) or range(
            max(1, line - _NEARBY), line + _NEARBY
        )
        before = [number for number in reversed(code) if number < line]
        after = [number for number in code if number > line]
        found = (
            next((n for n in lines[:_NEARBY] if self._place(file, n)), None)
            for lines in (before, after)
        )
        return [number for number in found if number is not None]

    def _in_function(self, location: Location, entry: api.Location) -> Place:
        first, last = self._extent(location, entry)
        line = None if location.line is None else first + location.line
        if line is not None and line > last:
            message = f"{location}: the function's last line is its line {last - first}:"
            raise LocationError(message, candidates=self._describe([(entry.file, last)]))
        if location.at is not None:
            return self._with_text(location, {entry.file: range(first, last + 1)}, line)
        return self._with_statement(location, entry.file, line or first)

    def _extent(self, location: Location, entry: api.Location) -> tuple[int, int]:
        """Return the first and last line of a function together with its closures.

        The closures are functions of their own in the binary, so the end is looked up in the
        source.
        """
        code = self.sources.code(entry.file)
        own = self._entries.lines(entry)
        # The lowest line may be that of a function above which was inlined here.
        first, last = own[0], max(own)
        if is_optimised(entry):
            # So may the first one, and the highest.
            self._check_unchanged(location, [entry.file])
            function = entry.function.name if entry.function else ""
            first = last = functions.declared_on(function, code) or own[0]
            if not _FUNC.search("".join(code[first - 1 : first])):
                raise LocationError(_NO_BEGINNING.format(location=location))
        return first, end_of_block(code, first, last)

    def _to_place(self, found: api.Location) -> Place:
        if is_optimised(found):
            self._optimised_files.add(found.file)
        function = found.function.name if found.function else ""
        pcs = tuple(found.pcs or [found.pc])
        return Place(found.file, found.line, function, pcs, self.sources.find(found.file))

    def _describe(self, lines: Collection[tuple[str, int]]) -> list[str]:
        """Return lines with their source, under a path that tells their files apart."""
        files = {file: short_path(file) for file, _ in lines}
        count = Counter(files.values())
        names = {file: short if count[short] == 1 else file for file, short in files.items()}
        return some(
            [f"{names[file]}:{line}: {self.sources.line(file, line)}" for file, line in lines]
        )
