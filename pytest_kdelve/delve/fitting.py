"""Whether a source file may be the one that a binary was compiled from.

Nothing in a binary tells: a copy of it is newer than edits that it does not have. But lines that
were added or removed have moved the functions below.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from pytest_kdelve.delve import functions
from pytest_kdelve.delve.sources import path_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_kdelve.delve.entries import Entries

#: How many functions are looked for; those that nobody calls are not in the binary.
_MOST = 10
#: By value and by pointer, of which one is added by the compiler.
_MOST_ALIKE = 2
#: No function, and any number of them, beside what sets a package's variables.
_UNKNOWN = frozenset({"", "init"})


def moved(entries: Entries, file: str, code: Sequence[str]) -> str:
    """Return what stands on another line in the binary than in a file, in words; empty if nothing.

    That is the last function of the file which the binary has, and which begins on its first line.
    ``file`` is as the compiler saw it, and ``code`` are its lines here, without texts.
    """
    declared = [(n, functions.declared(text)) for n, text in enumerate(code, start=1)]
    for line, name in [each for each in declared if each[1] not in _UNKNOWN][: -_MOST - 1 : -1]:
        for pc in _begin(entries, file, name):
            begins = entries.location_of(pc)
            if begins.file == file and any(map(_is_of_prologue, entries.called(pc))):
                text = f"{name} begins on line {begins.line} there, and on line {line} here"
                return text if begins.line != line else ""
    return ""


def _begin(entries: Entries, file: str, name: str) -> Iterator[int]:
    """Yield where the functions begin that are most likely the one of this name in a file."""
    *folders, _ = path_parts(file)
    found = entries.compiled(name, file)
    written = [each for each in found if len(functions.around(each)) == 1]
    written.sort(key=lambda each: _alike(functions.package_parts(each), folders), reverse=True)
    for compiled in written[:_MOST_ALIKE]:
        for pc in entries.addresses(compiled)[:1]:
            function = entries.function_at(pc)
            if function.name == compiled:
                yield function.value


def _is_of_prologue(called: str) -> bool:
    """Whether a function is called by what the compiler puts before a function's first statement.

    It is on the line of ``func``. What calls nothing has none, and begins with any line.
    """
    return called.startswith("runtime.morestack")


def _alike(package: Sequence[str], folders: Sequence[str]) -> int:
    """Return how many parts are the same from the end on; of a repository, a module has others."""
    pairs = zip(reversed(package), reversed(folders), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
