"""How each thing that a journal lists is undone."""

from __future__ import annotations

import errno
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

import psutil

from pytest_kdelve.controlplane.journal import (
    MARK,
    ClearBreakpoints,
    Detach,
    KillMarked,
    RemoveFolder,
    RemoveObjects,
    StartAgain,
    Undo,
)
from pytest_kdelve.controlplane.listening import ports_of
from pytest_kdelve.delve import Address, Session, api, connect, own
from pytest_kdelve.delve.status import Running
from pytest_kdelve.errors import DelveConnectionError, ProcessError, ProcessTimeoutError
from pytest_kdelve.process import poll

if TYPE_CHECKING:
    from collections.abc import Sequence

_TIMEOUT = 10.0
#: Seconds. What the run's owner was just starting when it ended has its mark only after the exec.
_SETTLED = 1.0


def perform(undo: Undo, run: str) -> None:
    """Undo one thing of a run whose owner is gone; it may be undone already.

    Raises ``KdelveError``.
    """
    match undo:
        case RemoveFolder():
            remove_folder(Path(undo.path))
        case KillMarked():
            kill_marked(run, settled=_SETTLED)
        case Detach():
            _detach(undo, run)
        case ClearBreakpoints():
            _clear_breakpoints(undo)
        case RemoveObjects():
            # The kubernetes package takes longer to import than the guardian may to start.
            from pytest_kdelve.controlplane import accounts  # noqa: PLC0415

            accounts.remove(undo.kubeconfig, undo.name)
        case StartAgain():
            from pytest_kdelve.controlplane import takeover  # noqa: PLC0415 - as long

            takeover.start_again(undo.spec)
        case _:
            assert_never(undo)


def remove_folder(path: Path) -> None:
    """Remove a folder, which may be gone already; raises ``ProcessError``."""

    def is_gone() -> bool:
        try:
            shutil.rmtree(path)
        except FileNotFoundError:
            return not path.exists()  # Or something in it was removed meanwhile.
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
            return False
        return True

    try:
        if not poll(is_gone, timeout=_TIMEOUT):
            raise ProcessError(f"{path} could not be removed: something writes into it")
    except OSError as error:
        raise ProcessError(f"{path} could not be removed: {error}") from error


def kill_marked(run: str, *, settled: float = 0.0) -> None:
    """Kill the processes of a run, and what they start meanwhile.

    It is over when for ``settled`` seconds there was none. Raises ``ProcessTimeoutError`` where
    some do not end, such as those of another user.
    """
    last_seen = time.monotonic()
    left: Sequence[psutil.Process] = ()

    def all_ended() -> bool:
        nonlocal last_seen, left
        left = marked(run)
        for process in left:
            with suppress(psutil.Error):  # It has ended, or is another user's.
                process.kill()
        if left:
            last_seen = time.monotonic()
        return time.monotonic() - last_seen >= settled and not left

    if not poll(all_ended, timeout=_TIMEOUT):
        listed = ", ".join(map(_described, left))
        raise ProcessTimeoutError(
            f"processes do not end, or may not be killed by this user: {listed}; end them"
        )


def marked(run: str) -> list[psutil.Process]:
    """Return the processes of a run, but not this one."""
    return [
        process
        for process in psutil.process_iter()
        if process.pid != os.getpid() and _has_mark(process, run)
    ]


def _has_mark(process: psutil.Process, run: str) -> bool:
    try:
        return process.environ().get(MARK) == run
    except (psutil.Error, OSError):
        return False  # It has ended, is a zombie, or is another user's.


def _described(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return f"{process.pid} ({process.name()} of {process.username()})"
    return str(process.pid)


def _detach(undo: Detach, run: str) -> None:
    # After the end of the run's own Delve, anybody's may listen there.
    if any(undo.port in ports_of(process.pid) for process in marked(run)):
        with connect(Address(undo.host, undo.port)) as client:
            Session(client).detach()


def _clear_breakpoints(undo: ClearBreakpoints) -> None:
    # It may have ended, and its breakpoints with it.
    with suppress(DelveConnectionError), connect(Address(undo.host, undo.port)) as client:
        session = Session(client)
        if isinstance(session.status, Running):
            session.halt()
        own.clear(client)
        client.send_command(api.CommandName.CONTINUE)
