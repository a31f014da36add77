"""Whether a binary can be debugged by its source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_kdelve.errors import BinaryError, RPCError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_kdelve.delve.client import Client

_REMEDY = "build it with `go build -gcflags='all=-N -l'` and without `-ldflags=-s` or `-w`"


def check_debuggable(client: Client, program: str, functions: Iterable[str]) -> None:
    """Raise ``BinaryError`` for a program whose lines and locals Delve cannot tell.

    ``functions`` are full names to look at, of packages that may have been compiled with other
    flags; one that the program lacks is passed over.
    """
    if not client.get_version().target_go_version:
        raise BinaryError(f"{program} is stripped: it has no debug information; {_REMEDY}")
    for name in functions:
        try:
            found = client.find_location(name)
        except RPCError:
            continue
        if any(location.function and location.function.optimized for location in found):
            message = f"{program} is optimised ({name} is), so lines and locals cannot be trusted"
            raise BinaryError(f"{message}; {_REMEDY}")
