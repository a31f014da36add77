"""A child process: its argv, log, readiness, deadline and end."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import time
from collections import deque
from typing import TYPE_CHECKING

import psutil
from tenacity import Retrying, retry_if_result, stop_before_delay, wait_exponential

from pytest_kdelve.errors import ProcessError, ProcessExitedError, ProcessTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_LOG_LINES_IN_ERRORS = 20


class ChildProcess:
    """A child process in a session of its own, with both outputs in ``log``.

    It does not get the terminal's Ctrl-C, so it lives until ``stop``. ``log`` is made with mode
    0600, because what runs under a debugger may print anything.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.argv = tuple(argv)
        self.log = log
        log.touch(mode=0o600)
        try:
            with log.open("ab") as output:
                self._popen = subprocess.Popen(
                    self.argv,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=env,
                    start_new_session=True,
                )
        except OSError as error:
            message = f"{name} could not be started: {error}\n  argv: {shlex.join(self.argv)}"
            raise ProcessError(message) from error
        self._family = {psutil.Process(self._popen.pid)}

    @property
    def pid(self) -> int:
        """The process id."""
        return self._popen.pid

    def is_running(self) -> bool:
        """Whether the process itself has not ended."""
        return self._popen.poll() is None

    def adopt(self, pid: int) -> None:
        """Stop this process, too, when ``stop`` is called; it may outlive its parent."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self._family.add(psutil.Process(pid))

    def wait_until(self, ready: Callable[[], bool], *, what: str, timeout: float) -> None:
        """Poll ``ready`` until it is true.

        Raises ``ProcessExitedError`` as soon as the process has ended, and ``ProcessTimeoutError``
        after ``timeout`` seconds; both say ``what`` was awaited, with argv and last log lines.
        """

        def ready_or_ended() -> bool:
            return not self.is_running() or ready()

        if not poll(ready_or_ended, timeout=timeout):
            message = f"{self.name} was not ready in {timeout:g} s: {what}"
            raise ProcessTimeoutError(self.explain(message))
        if not self.is_running():
            raise self.exited(f"before it was ready ({what})")

    def exited(self, when: str) -> ProcessExitedError:
        """Return the error that says how the process ended."""
        returncode = self._popen.wait()
        message = f"{self.name} ended {ending(returncode)} {when}"
        return ProcessExitedError(self.explain(message), returncode=returncode)

    def explain(self, message: str) -> str:
        """Add argv and the last log lines to a message."""
        return explain(message, argv=self.argv, log=self.log)

    def stop(self, *, timeout: float = 10.0) -> None:
        """End the process with all its descendants, by SIGTERM and then by SIGKILL.

        Raises ``ProcessTimeoutError`` where something is left even then.
        """
        for process in tuple(self._family):
            self._family.update(_descendants(process))
        if self.is_running():
            self._popen.terminate()
            _wait_gone(self._family, timeout)
        for process in self._family:
            _kill(process)
        left = _wait_gone(self._family, timeout)
        if self.is_running():
            self._popen.kill()
        self._popen.wait(timeout)
        if left:
            pids = ", ".join(str(process.pid) for process in left)
            raise ProcessTimeoutError(f"{self.name} left processes that do not end: {pids}")


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _kill(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()


def _wait_gone(processes: set[psutil.Process], timeout: float) -> list[psutil.Process]:
    _gone, alive = psutil.wait_procs(processes, timeout=timeout)
    return [process for process in alive if not _is_zombie(process)]


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def poll(condition: Callable[[], bool], *, timeout: float) -> bool:
    """Call ``condition`` until it is true; False when ``timeout`` seconds went by first."""
    retrying = Retrying(
        stop=stop_before_delay(timeout),
        wait=wait_exponential(multiplier=0.01, max=0.2),
        retry=retry_if_result(lambda done: not done),
        retry_error_callback=lambda _state: False,
        sleep=time.sleep,
    )
    return bool(retrying(condition))


def ending(returncode: int) -> str:
    """Return a process's end in words; a negative number is a signal."""
    return f"with exit code {returncode}" if returncode >= 0 else f"by signal {-returncode}"


def explain(message: str, *, argv: Sequence[str], log: Path) -> str:
    """Add a process's argv and the last lines of its log to a message."""
    lines = (tail(log, _LOG_LINES_IN_ERRORS) or "(empty)").splitlines()
    indented = "\n".join(f"    {line}" for line in lines)
    return f"{message}\n  argv: {shlex.join(argv)}\n  last lines of its log:\n{indented}"


def tail(path: Path, lines: int) -> str:
    """Return the last lines of a text file, or an empty string if it is not there."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return "".join(deque(file, maxlen=lines)).rstrip("\n")
    except FileNotFoundError:
        return ""
