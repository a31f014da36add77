"""Which Delve first had what; all else is in Delve 1.9.1, the oldest that is supported.

Read from ``service/rpc2/server.go`` and ``service/api/types.go`` at the tags of Delve, from 1.9.1
to 1.27.2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: An old Delve refuses these.
METHODS: Mapping[str, str] = MappingProxyType(
    {
        "CancelDownloads": "1.26.0",
        "DebugInfoDirectories": "1.21.0",
        "DownloadLibraryDebugInfo": "1.26.0",
        "FollowExec": "1.21.0",
        "FollowExecEnabled": "1.21.0",
        "GetEvents": "1.25.2",
        "GuessSubstitutePath": "1.24.0",
        "ListTargets": "1.21.0",
        "SetExecutionPoint": "1.27.2",
        "TypeInfo": "1.26.2",
    }
)

#: An old Delve passes these over without a word, and so answers something else.
PARAMETERS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("Command", "WithEvents"): "1.25.2",
        ("CreateBreakpoint", "LocExpr"): "1.20.0",
        ("CreateBreakpoint", "SubstitutePathRules"): "1.20.0",
        ("CreateBreakpoint", "Suspended"): "1.20.0",
        ("DownloadLibraryDebugInfo", "WithEvents"): "1.27.2",
        ("GetBufferedTracepoints", "LoadCfg"): "1.27.0",
        ("ListFunctions", "FollowCalls"): "1.23.0",
        ("ListGoroutines", "EvalScope"): "1.21.1",
        ("ListPackagesBuildInfo", "Filter"): "1.21.1",
        ("Stacktrace", "Skip"): "1.26.2",
    }
)

#: An old Delve answers these without doing anything.
COMMANDS: Mapping[str, str] = MappingProxyType(
    {"nextInstruction": "1.23.0", "reverseNextInstruction": "1.23.0"}
)

#: An old Delve lists all goroutines for a filter of ``GoroutineField.WAITING_ON_CHANNEL``.
CHANNEL_FILTER = "1.21.1"
#: An old Delve has no ``runtime.frame(n)``, and looks for a function of that name, for 0.4 s in a
#: kube-apiserver (``findGlobal`` in pkg/proc/eval.go).
FRAME = "1.22.0"
#: An old Delve has no ``delve.catch`` in conditions (``compileAST`` in its evalop package).
CATCH = "1.26.0"

#: A release of Go, such as (1, 26).
Minor = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Debugs:
    """What the Delves from ``first`` to ``last`` have in common.

    They debug programs of the Go ``oldest`` to ``newest``, and can be built by ``builder``.
    """

    first: str
    last: str
    oldest: Minor
    newest: Minor
    builder: Minor


#: From the oldest Delve to the newest, read from ``pkg/goversion/compat.go`` and the go line of
#: ``go.mod`` at the same tags.
GO = (
    Debugs(first="1.9.1", last="1.9.1", oldest=(1, 17), newest=(1, 19), builder=(1, 16)),
    Debugs(first="1.20.0", last="1.20.2", oldest=(1, 18), newest=(1, 20), builder=(1, 16)),
    Debugs(first="1.21.0", last="1.21.0", oldest=(1, 18), newest=(1, 21), builder=(1, 16)),
    Debugs(first="1.21.1", last="1.21.2", oldest=(1, 19), newest=(1, 21), builder=(1, 17)),
    Debugs(first="1.22.0", last="1.22.1", oldest=(1, 19), newest=(1, 22), builder=(1, 21)),
    Debugs(first="1.23.0", last="1.23.1", oldest=(1, 21), newest=(1, 23), builder=(1, 21)),
    Debugs(first="1.24.0", last="1.25.0", oldest=(1, 21), newest=(1, 24), builder=(1, 21)),
    Debugs(first="1.25.1", last="1.25.2", oldest=(1, 22), newest=(1, 25), builder=(1, 22)),
    Debugs(first="1.26.0", last="1.26.3", oldest=(1, 24), newest=(1, 26), builder=(1, 24)),
    Debugs(first="1.27.0", last="1.27.2", oldest=(1, 25), newest=(1, 27), builder=(1, 25)),
)
#: Programs of this Go and newer ones have debug information that only a Delve reads that was built
#: by this Go or a newer one (the same file).
NEW_DWARF: Minor = (1, 25)
#: The oldest Delve that is supported.
OLDEST_DELVE = GO[0].first


def debugs(delve: tuple[int, ...]) -> Debugs | None:
    """Return which Go a Delve debugs; None for one that is older or newer than those known.

    ``delve`` is what ``numbers`` returns. A newer patch is taken for one like those before it.
    """
    if delve[:2] > numbers(GO[-1].last)[:2]:
        return None
    known = [row for row in GO if numbers(row.first) <= delve]
    return known[-1] if known else None


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers that the text of ``GetVersion`` begins with, such as (1, 27, 2)."""
    found = re.match(r"(?:Version: )?(\d+(?:\.\d+)*)", version)
    return tuple(map(int, found[1].split("."))) if found else ()


def go_number(producer: str) -> str:
    """Return "1.26.6" for the ``TargetGoVersion`` "Go cmd/compile go1.26.6".

    A Go that was built from its repository has no number, and is returned as it is.
    """
    found = re.search(r"\bgo(\d[^\s;]*)", producer)
    return found[1] if found else producer
