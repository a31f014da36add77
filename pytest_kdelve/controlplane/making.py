"""What is made once, and kept: of several processes, one makes it, and the others wait."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock

from pytest_kdelve.controlplane import golang, locks
from pytest_kdelve.controlplane.progress import duration
from pytest_kdelve.errors import BuildError
from pytest_kdelve.process import poll

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_kdelve.controlplane.progress import Progress

#: Longer than the build that another process is at may take.
_LOCK_TIMEOUT = 2 * golang.BUILD_TIMEOUT


def make_once(
    what: str,
    make: Callable[[], None],
    *,
    is_made: Callable[[], bool],
    lock: Path,
    progress: Progress,
) -> None:
    """Call ``make`` unless it is made already; ``what`` names it to the user.

    Raises ``BuildError`` where another process holds ``lock``, a file, for too long.
    """
    if is_made():
        return
    with _reported(what, progress), _locked(lock, what, progress):
        if not is_made():
            progress.started(what)
            make()


@contextmanager
def _reported(what: str, progress: Progress) -> Iterator[None]:
    began = time.monotonic()
    try:
        yield
    except BaseException:
        progress.failed(what, time.monotonic() - began)
        raise
    progress.finished(what, time.monotonic() - began)


@contextmanager
def _locked(file: Path, what: str, progress: Progress) -> Iterator[None]:
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file, timeout=0)

    def acquired() -> bool:
        progress.tick()
        return locks.acquired(lock)

    if not locks.acquired(lock):
        progress.waiting(what)
        if not poll(acquired, timeout=_LOCK_TIMEOUT):
            raise BuildError(
                f"another process did not finish {what} in {duration(_LOCK_TIMEOUT)}; it holds "
                f"{file} (`lslocks` shows which it is). End it, then run `kdelve build`."
            )
    try:
        yield
    finally:
        lock.release()
