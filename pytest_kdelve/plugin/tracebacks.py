"""Tracebacks of our own errors: their text is all a user needs."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

#: Whose frames are not the user's.
_LIBRARIES = (
    Path(__file__).parents[1],
    *(Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")),
)


def cut(item: pytest.Item, error: pytest.ExceptionInfo[BaseException]) -> None:
    """Let a traceback end at the last line of the user's, and without other errors' behind it."""
    last, entry = None, error.value.__traceback__
    while entry:
        if _is_users(Path(entry.tb_frame.f_code.co_filename), item.config.rootpath):
            last = entry
        entry = entry.tb_next
    if last:
        last.tb_next = None
        error.value.__cause__ = None
        error.value.__suppress_context__ = True


def _is_users(path: Path, root: Path) -> bool:
    is_library = any(path.is_relative_to(folder) for folder in _LIBRARIES)
    return path.is_relative_to(root) and not is_library
