"""Running a user's tests with one version of Kubernetes."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import msgspec

from pytest_kdelve.errors import UsageError
from pytest_kdelve.process import ending
from pytest_kdelve.report.recorded import RecordedRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import FrameType

_PLUGIN = "pytest_kdelve.plugin.recording"
#: Of pytest: all tests passed, and some did not.
_RAN = (0, 1)
_NO_TESTS = 5
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(version: str, arguments: Sequence[str], record: Path) -> RecordedRun:
    """Run pytest, and return what its tests found; ``record`` is a file for this.

    pytest prints to stderr. On SIGINT, SIGTERM and SIGHUP, it is sent the same, and its end is
    waited for, since it tears down what it has started: ``KeyboardInterrupt`` or ``SystemExit`` is
    raised then. Raises ``UsageError`` where no test could be run.
    """
    own = ["-p", _PLUGIN, f"--kdelve-record={record}", f"--kdelve-kubernetes={version}"]
    argv = [sys.executable, "-m", "pytest", *own, *arguments]
    sys.stderr.write(f"kdelve: the tests with Kubernetes {version}\n")
    sys.stderr.flush()
    returncode = _wait(argv)
    if returncode == _NO_TESTS:
        raise UsageError(f"pytest found no test: {shlex.join(argv)}")
    if returncode not in _RAN or not record.exists():
        raise UsageError(
            f"with Kubernetes {version}, pytest ended {ending(returncode)}, as printed above: "
            f"{shlex.join(argv)}"
        )
    found = msgspec.json.decode(record.read_bytes(), type=RecordedRun)
    _check(version, found)
    return found


def _check(version: str, found: RecordedRun) -> None:
    if found.problem:
        raise UsageError(
            f"with Kubernetes {version}, there was nothing to debug, so there is nothing to "
            f"compare: {found.problem}"
        )
    others = set(found.versions) - {version}
    if others:
        raise UsageError(
            f"the tests with Kubernetes {version} debugged {', '.join(sorted(others))}; take away "
            "what gives pytest another kube-apiserver: an option, a setting in its ini file, or "
            "KDELVE_APISERVER"
        )
    if not found.tests:
        raise UsageError(f"with Kubernetes {version}, pytest ran no test, so nothing is compared")


def _wait(argv: Sequence[str]) -> int:
    """Run a command to its end, in a session of its own so that signals reach it once only."""
    received: list[int] = []
    child: subprocess.Popen[bytes] | None = None

    def relay(number: int, _frame: FrameType | None = None) -> None:
        received.append(number)
        if child:
            _signal(child, number)

    with _handling(relay):
        try:
            child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True
            )
        except OSError as error:
            raise UsageError(f"pytest could not be started: {error}") from error
        for number in tuple(received):
            _signal(child, number)
        returncode = child.wait()
    if signal.SIGINT in received:
        raise KeyboardInterrupt
    if received:
        sys.exit(128 + received[0])
    return returncode


def _signal(child: subprocess.Popen[bytes], number: int) -> None:
    """Do as a terminal does: pytest-xdist's workers get it, too."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, number)


@contextmanager
def _handling(relay: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Call ``relay`` for the signals that end a command, but for those that are ignored."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    handled = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in handled:
        signal.signal(number, relay)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, before[number])
