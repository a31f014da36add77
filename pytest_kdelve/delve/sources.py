"""The text of the target's source files, and short names for their paths."""

from __future__ import annotations

import functools
import re
from pathlib import Path

_VERSION = re.compile(r"@[^/]+")
#: What stands before the import path, for a module, a kubernetes checkout and a vendored package.
_PREFIXES = ("/pkg/mod/", "/staging/src/", "/vendor/")


@functools.lru_cache(maxsize=256)
def source_lines(path: str) -> tuple[str, ...]:
    """Return a source file's lines without their ends; empty when it is not on this machine."""
    try:
        text = Path(path).read_bytes().decode("utf-8", errors="replace")
    except OSError:
        return ()
    # Go ends a line at a newline only; str.splitlines would do so at a form feed, too.
    lines = text.removesuffix("\n").split("\n") if text else []
    return tuple(line.removesuffix("\r") for line in lines)


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


def short_path(path: str) -> str:
    """Return a path as it is said to people: from the import path on, without its version."""
    for prefix in _PREFIXES:
        _, found, rest = path.rpartition(prefix)
        if found:
            path = rest
            break
    return _VERSION.sub("", path)


def path_parts(path: str) -> tuple[str, ...]:
    """Return a path's parts for comparison: without module versions."""
    return tuple(part for part in _VERSION.sub("", path).split("/") if part)
