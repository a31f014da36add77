"""Whether a binary fits the Delve that is to debug it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_kdelve.errors import BinaryError

if TYPE_CHECKING:
    from pytest_kdelve.delve.client import Client

_MINOR = re.compile(r"(?:go)?(\d+)\.(\d+)")


def check_go_version(client: Client, program: str) -> None:
    """Raise ``BinaryError`` for a program of a Go that is too old or too new for this Delve.

    Delve itself looks at it in ``checkGoVersion`` of its service/debugger, and there, too, passes
    by a Go without a number, which was built from its repository.
    """
    version = client.get_version()
    go = _MINOR.search(version.target_go_version)
    oldest = _MINOR.match(version.min_supported_version_of_go)
    newest = _MINOR.match(version.max_supported_version_of_go)
    if not go or not oldest or not newest:
        return
    if not _minor(oldest) <= _minor(go) <= _minor(newest):
        delve = version.delve_version.splitlines()[0].removeprefix("Version: ")
        raise BinaryError(
            f"{program} was built by Go {go[1]}.{go[2]}, but Delve {delve} debugs Go {oldest[0]} "
            f"to {newest[0]}; take a Delve that fits, or the flag --check-go-version=false"
        )


def _minor(match: re.Match[str]) -> tuple[int, int]:
    return int(match[1]), int(match[2])
