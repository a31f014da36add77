"""A child process: its argv, log, readiness, deadline and end."""

from __future__ import annotations

import contextlib
import os
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
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self.argv = tuple(argv)
        self.log = log
        log.touch(mode=0o600)
        self._began_at = log.stat().st_size
        try:
            with log.open("ab") as output:
                self._popen = subprocess.Popen(
                    self.argv,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=env,
                    cwd=cwd,
                    start_new_session=True,
                )
        except OSError as error:
            message = f"{name} could not be started: {error}\n  argv: {shlex.join(self.argv)}"
            raise ProcessError(message) from error
        self._process = psutil.Process(self._popen.pid)
        self._family = {self._process}

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
        return explain(message, argv=self.argv, log=self.log, begin=self._began_at)

    def stop(self, *, timeout: float = 10.0) -> None:
        """End the process by SIGTERM, then by SIGKILL; its descendants end with it.

        Raises ``ProcessTimeoutError`` where something is left even then.
        """
        self._find_family()
        if self.is_running():
            self._popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(timeout)
        if not poll(self._kill_family, timeout=timeout):
            pids = ", ".join(str(process.pid) for process in self._family if _is_alive(process))
            raise ProcessTimeoutError(f"{self.name} left processes that do not end: {pids}")

    def _kill_family(self) -> bool:
        """Kill what is left; whether nothing was."""
        self._find_family()
        left = [process for process in self._family if _is_alive(process)]
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        # This asks for the exit status, too, so that no zombie is left.
        return not self.is_running() and not left

    def _find_family(self) -> None:
        for process in tuple(self._family):
            self._family.update(_descendants(process))
        # The kernel gives no process the id of a session that has members. So if the leader's id
        # is another process's now, then the session is over, and that one's is none of ours.
        if self._process.is_running() or not psutil.pid_exists(self.pid):
            self._family.update(_session_members(self.pid))


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _session_members(session: int) -> list[psutil.Process]:
    """Return also those whose parents have ended, and that are nobody's descendants by now."""
    members = []
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getsid(pid) == session:
                members.append(psutil.Process(pid))
    return members


def _is_alive(process: psutil.Process) -> bool:
    """Whether it runs; an orphan stays a zombie for as long as init does not ask for its status."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


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


def explain(message: str, *, argv: Sequence[str], log: Path | None, begin: int = 0) -> str:
    """Add a process's argv and the last lines of its log to a message.

    What stands before the byte ``begin`` is another process's. Without ``log``, it writes to no
    file that can be read here.
    """
    if log is None:
        return f"{message}\n  argv: {shlex.join(argv)}\n  its log is not in a file"
    lines = (tail(log, _LOG_LINES_IN_ERRORS, begin=begin) or "(empty)").splitlines()
    indented = "\n".join(f"    {line}" for line in lines)
    return f"{message}\n  argv: {shlex.join(argv)}\n  last lines of its log:\n{indented}"


def tail(path: Path, lines: int, *, begin: int = 0) -> str:
    """Return the last lines of a text file, or an empty string if it is not there."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            file.seek(begin)
            return "".join(deque(file, maxlen=lines)).rstrip("\n")
    except FileNotFoundError:
        return ""
