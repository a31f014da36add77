"""The process that undoes what a run has begun when the run's owner is gone, however it ended.

pytest tears nothing down at SIGKILL, at ``os._exit`` or when it crashes. The guardian is a process
of its own session that waits for the owner's end and then undoes what the journal lists::

    python -P -m pytest_kdelve.controlplane.guardian SOCKET JOURNAL
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
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pytest_kdelve.controlplane.journal import MARK, Journal, JournalFile, Owner, runs_folder
from pytest_kdelve.controlplane.lifecycle import Lifecycle
from pytest_kdelve.controlplane.reaping import undo_all
from pytest_kdelve.errors import ProcessError
from pytest_kdelve.process import tail

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
        with ExitStack() as otherwise:
            otherwise.callback(self._file.remove)
            self._launch()
            otherwise.pop_all()
        self._resources.callback(self._end)

    def entrust(self, undo: Undo) -> None:
        """Let the guardian undo it: at ``stop``, or as soon as this process is gone."""
        self._write(self._with((*self._journal.undos, undo)))

    def forget(self, undo: Undo) -> None:
        """Take back what was entrusted: the caller has undone it."""
        self._write(self._with(tuple(each for each in self._journal.undos if each is not undo)))

    @contextmanager
    def undoing(self, undo: Undo) -> Iterator[None]:
        """Let the guardian undo it if this process is gone before the context ends.

        Within the context the caller undoes it. Where that fails by an exception, the guardian
        does it at ``stop``.
        """
        self.entrust(undo)
        yield
        self.forget(undo)

    def release(self) -> None:
        """Let everything be as it is, also at ``stop``; ``undo_all`` of its journal ends it."""
        self._write(msgspec.structs.replace(self._journal, kept=True))

    def _with(self, undos: tuple[Undo, ...]) -> Journal:
        return msgspec.structs.replace(self._journal, undos=undos)

    def _write(self, journal: Journal) -> None:
        self._journal = journal
        self._file.write(journal)

    def _launch(self) -> None:
        self._socket, theirs = socket.socketpair()
        with ExitStack() as otherwise, theirs:
            otherwise.enter_context(self._socket)
            try:
                self._process = self._popen(theirs.fileno())
            except OSError as error:
                raise ProcessError(f"the guardian could not be started: {error}") from error
            otherwise.pop_all()

    def _popen(self, number: int) -> subprocess.Popen[bytes]:
        """Start it with a socket that has this file descriptor."""
        self._file.log.touch(mode=0o600)
        with self._file.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, str(number), str(self._file.path)],
                pass_fds=[number],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={name: os.environ[name] for name in os.environ if name != MARK},
                start_new_session=True,
            )

    def _end(self) -> None:
        if self._journal.undos and not self._journal.kept:
            self._hand_over()
            return
        self._kill()
        if not self._journal.kept:
            self._file.remove()

    def _kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._socket.close()

    def _hand_over(self) -> None:
        """Let the guardian undo what is left to it."""
        deadline = time.monotonic() + _END_TIMEOUT
        answer = _ask(self._socket, deadline)
        self._kill()
        if not answer:  # Somebody has killed it.
            self._launch()
            answer = _ask(self._socket, deadline)
            self._kill()
        if not answer:
            log = tail(self._file.log, _LOG_LINES) or "(empty)"
            raise ProcessError(
                "the guardian, which was to undo what is left of this run, did not do so in "
                f"{_END_TIMEOUT:g} s; the next run tries it again. The guardian's log:\n{log}"
            )
        if problems := msgspec.json.decode(answer, type=list[str]):
            listed = "".join(f"\n  {problem}" for problem in problems)
            raise ProcessError(f"not all could be undone; the next run tries it again:{listed}")


def _ask(guardian: socket.socket, deadline: float) -> bytes:
    """Tell the guardian that its time has come; returns what it answers, nothing if it does not."""
    answer = bytearray()
    try:
        # Unlike a close, this tells it also where a child of this process has the socket, too.
        guardian.shutdown(socket.SHUT_WR)
        while True:
            guardian.settimeout(max(0.001, deadline - time.monotonic()))
            if not (data := guardian.recv(65536)):
                return bytes(answer)  # It has ended, or is about to.
            answer += data
    except OSError:
        return b""


def main() -> None:
    """Wait until the owner has ended or asks for it, undo what the journal lists, and end."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Unlike SIG_IGN, this is not inherited by what is started from here.
        signal.signal(each, lambda *_: None)
    number, path = sys.argv[1:]
    file = JournalFile.at(Path(path))
    with socket.socket(fileno=int(number)) as owner, file.lock.acquire(_LOCK_TIMEOUT):
        # So that what is started from here does not keep it open.
        owner.set_inheritable(False)
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
