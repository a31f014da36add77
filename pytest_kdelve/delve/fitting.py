"""Whether a source file may be the one that a binary was compiled from.

Nothing in a binary tells: a copy of it is newer than edits that it does not have. But lines that
were added or removed have moved the functions below.
"""

from __future__ import annotations

import re
from itertools import takewhile
from typing import TYPE_CHECKING

from pytest_kdelve.delve import functions
from pytest_kdelve.delve.sources import path_parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_kdelve.delve import api
    from pytest_kdelve.delve.client import Client
    from pytest_kdelve.delve.entries import Entries

#: How many functions are looked for; those that nobody calls are not in the binary.
_MOST = 10
#: No function, and any number of them, beside what sets a package's variables.
_UNKNOWN = frozenset({"", "init"})


def moved(client: Client, entries: Entries, file: str, code: Sequence[str]) -> str:
    """Return what stands on another line in the binary than in a file, in words; empty if nothing.

    That is the last function of the file which the binary has. An optimised one does not tell,
    since it may begin with any line. ``file`` is as the compiler saw it, and ``code`` are its lines
    here, without texts.
    """
    declared = [(n, functions.declared(text)) for n, text in enumerate(code, start=1)]
    for line, name in [each for each in declared if each[1] not in _UNKNOWN][: -_MOST - 1 : -1]:
        function = _compiled(client, entries, file, name)
        begins = entries.location_of(function.value) if function else None
        if function and begins and begins.file == file:
            is_elsewhere = not function.optimized and begins.line != line
            text = f"{name} begins on line {begins.line} there, and on line {line} here"
            return text if is_elsewhere else ""
    return ""


def _compiled(client: Client, entries: Entries, file: str, name: str) -> api.Function | None:
    """Return the function of the binary that is most likely the one of this name in a file."""
    *folders, _ = path_parts(file)
    pattern = functions.compiled_as(name, *folders[-1:] or ["main"])
    found = client.list_functions(re.escape(f".{name.rpartition('.')[2]}"))
    written = [each for each in found if pattern.search(each) and len(functions.around(each)) == 1]
    if not written:
        return None
    nearest = max(written, key=lambda each: _alike(functions.package_parts(each), folders))
    pcs = entries.addresses(nearest)
    return entries.function_at(pcs[0]) if pcs else None


def _alike(package: Sequence[str], folders: Sequence[str]) -> int:
    """Return how many parts are the same from the end on; of a repository, a module has others."""
    pairs = zip(reversed(package), reversed(folders), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
