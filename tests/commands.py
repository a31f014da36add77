"""Running ``kdelve`` as a process, and ending all that it has started."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

#: With Ctrl-C as a terminal gives it, even where pytest runs in a shell's background.
KDELVE = """
import signal, sys
from pytest_kdelve.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main())
"""


@contextmanager
def family_of(command: subprocess.Popen[bytes], timeout: float) -> Iterator[list[psutil.Process]]:
    """Lend the list of a command's processes, to be filled; what is in it then is killed."""
    family = [psutil.Process(command.pid)]
    try:
        yield family
    finally:
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        command.wait(timeout)
