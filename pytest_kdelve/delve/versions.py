"""Which Delve first had what; all else is in Delve 1.9.1, the oldest that is supported.

Read from ``service/rpc2/server.go`` and ``service/api/types.go`` at the tags of Delve, from 1.9.1
to 1.27.2.
"""

from __future__ import annotations

import re
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
#: An old Delve has no ``delve.catch`` in conditions (``compileAST`` in its evalop package).
CATCH = "1.26.0"

#: The oldest and the newest Go of which a Delve debugs programs, from the version on that is the
#: key; read from ``pkg/goversion/compat.go`` at the same tags.
GO: Mapping[str, tuple[tuple[int, int], tuple[int, int]]] = MappingProxyType(
    {
        "1.9.1": ((1, 17), (1, 19)),
        "1.20.0": ((1, 18), (1, 20)),
        "1.21.0": ((1, 18), (1, 21)),
        "1.21.1": ((1, 19), (1, 21)),
        "1.22.0": ((1, 19), (1, 22)),
        "1.23.0": ((1, 21), (1, 23)),
        "1.24.0": ((1, 21), (1, 24)),
        "1.25.1": ((1, 22), (1, 25)),
        "1.26.0": ((1, 24), (1, 26)),
        "1.27.0": ((1, 25), (1, 27)),
    }
)
_NEWEST_KNOWN = (1, 27)


def go_range(delve: tuple[int, ...]) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return the oldest and the newest Go that a Delve debugs; None for one that is not known.

    ``delve`` is what ``numbers`` returns.
    """
    if delve[:2] > _NEWEST_KNOWN:
        return None
    known = [pair for since, pair in GO.items() if numbers(since) <= delve]
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
