"""The process that undoes what a run has begun when the run's owner is gone, however it ended.

pytest tears nothing down at SIGKILL, at ``os._exit`` or when it crashes. The guardian is a process
of its own session that waits for the owner's end and then undoes what the journal lists::

    python -P -m pytest_kdelve.controlplane.guardian JOURNAL
"""

from __future__ import annotations

import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pytest_kdelve.controlplane.journal import MARK, Journal, JournalFile, Owner, runs_folder
from pytest_kdelve.controlplane.lifecycle import Lifecycle
from pytest_kdelve.controlplane.reaping import undo_all
from pytest_kdelve.errors import ProcessError
from pytest_kdelve.process import ending, tail

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_kdelve.controlplane.journal import Undo

#: Seconds between two looks at the owner. Its end of the socket tells its end at once, but what it
#: has forked may hold that, too.
_INTERVAL = 0.5
#: Seconds until the lock is free, which another run holds while it looks whether to reap this one.
_LOCK_TIMEOUT = 60.0
#: Seconds until the guardian has undone what was left to it, and has ended.
_END_TIMEOUT = 120.0
_LOG_LINES = 20


class Guardian(Lifecycle):
    """The guardian of a run that this process owns.

    ``run`` is the run's id, and ``environment`` marks each process that belongs to it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.run = secrets.token_hex(8)
        self.environment: Mapping[str, str] = {MARK: self.run}
        self._file: JournalFile
        self._journal: Journal
        self._process: subprocess.Popen[bytes]
        self._socket: socket.socket

    def _start(self) -> None:
        owner = Owner.of(os.getpid())
        assert owner  # noqa: S101 - this process has not ended
        self._file = JournalFile(runs_folder(), self.run)
        self._write(Journal(owner))
        self._launch()
        self._resources.callback(self._end)

    def entrust(self, undo: Undo) -> None:
        """Let the guardian undo it: at ``stop``, or as soon as this process is gone."""
        self._write(self._with((*self._journal.undos, undo)))

    @contextmanager
    def undoing(self, undo: Undo) -> Iterator[None]:
        """Let the guardian undo it if this process is gone before the context ends.

        Within the context the caller undoes it. Where that fails by an exception, the guardian
        does it at ``stop``.
        """
        self.entrust(undo)
        yield
        self._write(self._with(tuple(each for each in self._journal.undos if each is not undo)))

    def release(self) -> None:
        """Let everything be as it is, also at ``stop``; ``undo_all`` of its journal ends it."""
        self._write(msgspec.structs.replace(self._journal, kept=True))

    def _with(self, undos: tuple[Undo, ...]) -> Journal:
        return msgspec.structs.replace(self._journal, undos=undos)

    def _write(self, journal: Journal) -> None:
        self._journal = journal
        self._file.write(journal)

    def _launch(self) -> None:
        ours, theirs = socket.socketpair()
        self._file.log.touch(mode=0o600)
        try:
            with theirs, self._file.log.open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", __name__, str(self._file.path)],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    env={name: os.environ[name] for name in os.environ if name != MARK},
                    start_new_session=True,
                )
        except OSError as error:
            ours.close()
            self._file.remove()
            raise ProcessError(f"the guardian could not be started: {error}") from error
        self._socket = ours

    def _end(self) -> None:
        """Let the guardian undo what is left to it, and end."""
        if self._process.poll() is not None:
            self._socket.close()
            self._launch()  # Somebody has killed it.
        answer = _ask(self._socket, _END_TIMEOUT)
        if not answer:
            self._process.kill()
        returncode = self._process.wait()
        if not answer:
            raise ProcessError(
                f"the guardian, process {self._process.pid}, did not undo what was left to it in "
                f"{_END_TIMEOUT:g} s, and ended {ending(returncode)}; the next run tries it again. "
                f"Its log:\n{tail(self._file.log, _LOG_LINES) or '(empty)'}"
            )
        if problems := msgspec.json.decode(answer, type=list[str]):
            listed = "".join(f"\n  {problem}" for problem in problems)
            raise ProcessError(f"not all could be undone; the next run tries it again:{listed}")


def _ask(guardian: socket.socket, timeout: float) -> bytes:
    """Tell the guardian that its time has come; returns what it answers, nothing if it does not."""
    deadline = time.monotonic() + timeout
    answer = bytearray()
    with guardian:
        try:
            # Unlike a close, this tells it also where a child of this process has the socket, too.
            guardian.shutdown(socket.SHUT_WR)
            while True:
                guardian.settimeout(max(0.001, deadline - time.monotonic()))
                if not (data := guardian.recv(65536)):
                    return bytes(answer)
                answer += data
        except OSError:
            return b""


def main() -> None:
    """Wait until the owner has ended or asks for it, undo what the journal lists, and end."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Unlike SIG_IGN, this is not inherited by what is started from here.
        signal.signal(number, lambda *_: None)
    file = JournalFile.at(Path(sys.argv[1]))
    with socket.socket(fileno=sys.stdin.fileno()) as owner, file.lock.acquire(_LOCK_TIMEOUT):
        _wait(owner, file)
        journal = file.read()
        problems = [] if journal and journal.kept else undo_all(file)
        for problem in problems:
            sys.stderr.write(f"{problem}\n")
        with suppress(OSError):  # Mostly, nobody is there who could read it.
            owner.sendall(msgspec.json.encode(problems))


def _wait(owner: socket.socket, file: JournalFile) -> None:
    """Return when the owner has ended, has shut its side down, or has removed the journal."""
    ended = select.poll()
    ended.register(owner, select.POLLIN)
    while not ended.poll(1000 * _INTERVAL):
        journal = file.read()
        if journal is None or not journal.owner.is_running:
            return


if __name__ == "__main__":
    main()
