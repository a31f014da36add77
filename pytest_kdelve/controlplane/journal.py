"""What must be undone for a run, written down before it is begun.

A *run* is one environment of one process: of pytest, of one of its workers, of ``kdelve up``. Its
journal outlives the process, so that its guardian, or the next run, can undo what is left.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec
import platformdirs
from filelock import FileLock

from pytest_kdelve.controlplane.running import ProcessSpec, start_ticks
from pytest_kdelve.errors import ProcessError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Every process that belongs to a run has the run's id in this variable of its environment.
MARK = "KDELVE_RUN"
_SUFFIX = ".json"
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class RemoveFolder(msgspec.Struct, frozen=True, tag=True):
    """Remove a folder and all that is in it."""

    path: str


class KillMarked(msgspec.Struct, frozen=True, tag=True):
    """Kill every process that has the run's mark."""


class Detach(msgspec.Struct, frozen=True, tag=True):
    """Leave the target of the run's own ``dlv attach`` running, without breakpoints."""

    host: str
    port: int


class ClearBreakpoints(msgspec.Struct, frozen=True, tag=True):
    """Let the target of somebody else's Delve go on without this package's breakpoints."""

    host: str
    port: int


class RemoveObjects(msgspec.Struct, frozen=True, tag=True):
    """Remove the ServiceAccount of that name from a cluster, with its Secret and its binding.

    ``kubeconfig`` is an administrator's, as in KUBECONFIG.
    """

    kubeconfig: str
    name: str


class StartAgain(msgspec.Struct, frozen=True, tag=True):
    """Start a process as it was."""

    spec: ProcessSpec


#: ``undo.perform`` has a case for each.
Undo = RemoveFolder | KillMarked | Detach | ClearBreakpoints | RemoveObjects | StartAgain


class Owner(msgspec.Struct, frozen=True):
    """The process that a run belongs to.

    ``started`` is in clock ticks since the ``boot`` (proc_pid_stat(5)), so it tells a process from
    a later one with its pid, whatever is done to the clock.
    """

    pid: int
    started: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> Owner | None:
        """Return what a process is known by, or None where it has ended."""
        started = start_ticks(pid)
        return None if started is None else cls(pid, started, _BOOT.read_text().strip())

    @property
    def is_running(self) -> bool:
        """Whether it has not ended; a zombie has."""
        return Owner.of(self.pid) == self


class Journal(msgspec.Struct, frozen=True):
    """What a run has begun: ``undos`` in that order, so the last one is to be undone first.

    What is ``kept`` is undone only where somebody asks for it.
    """

    owner: Owner
    undos: tuple[Undo, ...] = ()
    kept: bool = False


class JournalFile:
    """A run's journal on disk, which only this user can read."""

    def __init__(self, folder: Path, run: str) -> None:
        self.run = run
        self.path = folder / f"{run}{_SUFFIX}"
        #: Made and removed with it; what its guardian has to say if something goes wrong.
        self.log = self.path.with_suffix(".log")

    @classmethod
    def at(cls, path: Path) -> Self:
        """Return the journal with this path."""
        return cls(path.parent, path.name.removesuffix(_SUFFIX))

    @property
    def lock(self) -> FileLock:
        """A lock for whoever may undo it: its guardian holds it for all of its life."""
        return FileLock(self.path.with_suffix(".lock"), timeout=0, mode=0o600)

    def read(self) -> Journal | None:
        """Return what it says, or None where it was removed; raises ``UsageError``."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Journal)
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError as error:
            raise UsageError(
                f"the journal {self.path} cannot be read: {error}. Another version of "
                f"pytest-kdelve may have left it; end what is left of it (`grep -laz "
                f"{MARK}={self.run} /proc/*/environ` finds the processes), and remove it"
            ) from error

    def write(self, journal: Journal) -> None:
        """Write it; whoever reads it meanwhile gets the old one or the new one.

        Raises ``ProcessError`` where that cannot be; nothing may be begun then.
        """
        fresh = self.path.with_suffix(".new")
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(journal))
            fresh.replace(self.path)
        except OSError as error:
            raise ProcessError(f"the journal {self.path} cannot be written: {error}") from error

    def remove(self) -> None:
        """Remove it and what belongs to it; it may be gone already."""
        for suffix in (_SUFFIX, ".new", ".log", ".lock"):
            self.path.with_suffix(suffix).unlink(missing_ok=True)


def state_folder() -> Path:
    """Return KDELVE_STATE, or the user's state folder, which need not be there."""
    given = os.environ.get("KDELVE_STATE")
    return Path(given).absolute() if given else platformdirs.user_state_path("pytest-kdelve")


def runs_folder() -> Path:
    """Return the folder of the journals, in the state folder; it is made if it is not there.

    Raises ``UsageError`` where it cannot be made, or cannot be closed to others.
    """
    folder = state_folder() / "runs"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be made a folder of yours alone: {error}; give another one in "
            "KDELVE_STATE"
        ) from error
    return folder


def journals() -> Iterable[JournalFile]:
    """Return all journals of this user."""
    return [JournalFile.at(path) for path in sorted(runs_folder().glob(f"*{_SUFFIX}"))]
