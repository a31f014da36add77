"""A location as a person writes it, and the place that it is in one binary."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pytest_kdelve.delve.sources import excerpt, short_path, source_line
from pytest_kdelve.errors import LocationError

_FILE = re.compile(r"(?P<file>[^:]+\.(?:go|s))(?::(?P<line>\d+))?")
#: Type arguments may have spaces, as in ``Pair[string, int].Get``.
_FUNCTION = re.compile(r"(?P<function>[^:\s\[\]]+(?:\[[^:]+\][^:\s\[\]]*)?)(?::(?P<line>\d+))?")


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
    """Where a location is in one binary; ``file`` is the path that the compiler saw.

    ``source_file`` is the file here that has the source, None if there is none.
    """

    file: str
    line: int
    function: str
    pcs: tuple[int, ...]
    source_file: str | None = None

    def __str__(self) -> str:
        return f"{short_path(self.file)}:{self.line}"

    @property
    def source(self) -> str:
        """The line's text; empty where the source is not here."""
        return source_line(self.source_file, self.line) if self.source_file else ""

    def excerpt(self) -> list[str]:
        """Return numbered lines around the place, which is marked by ``>``."""
        return excerpt(self.source_file, self.line) if self.source_file else []
