"""Runs that own processes and folders, for tests of what undoes them."""

from __future__ import annotations

import os
import secrets
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil

from pytest_kdelve.controlplane.journal import MARK, Journal, JournalFile, Owner, runs_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kdelve.controlplane.journal import Undo

#: Longer than anything here takes on a busy machine.
LONG = 20.0
#: Not that of another worker's tests, which kill all of theirs.
RUN = secrets.token_hex(8)


@contextmanager
def marked_shell(script: str, run: str = RUN) -> Iterator[subprocess.Popen[str]]:
    """Run a shell script as a process of a run, in a session of its own; it has said a line."""
    with subprocess.Popen(
        ["/bin/sh", "-c", script],
        env={**os.environ, MARK: run},
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    ) as process:
        try:
            assert process.stdout
            process.stdout.readline()
            yield process
        finally:
            for each in alive(run):
                each.kill()
            process.kill()


def alive(run: str = RUN) -> list[psutil.Process]:
    """Return the processes of a run, found in another way than by what is tested.

    One that has just been started may have no environment yet.
    """
    found = []
    for process in psutil.process_iter():
        try:
            with open(f"/proc/{process.pid}/environ", "rb") as file:  # noqa: PTH123
                if f"{MARK}={run}".encode() in file.read().split(b"\0"):
                    found.append(process)
        except OSError:
            continue
    return found


def ended_owner() -> Owner:
    """Return the owner of a run that is gone: a process that has ended."""
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        owner = Owner.of(process.pid)
        process.kill()
    assert owner
    return owner


def write_journal(
    *undos: Undo, run: str = RUN, owner: Owner | None = None, kept: bool = False
) -> JournalFile:
    """Write the journal of a run, by default of one whose owner is gone."""
    file = JournalFile(runs_folder(), run)
    file.write(Journal(owner or ended_owner(), undos, kept=kept))
    return file
