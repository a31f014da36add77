"""The command ``kdelve``.

Exit codes: 0 done, 1 it failed, 2 it was asked for in a wrong way, 130 Ctrl-C, 141 nobody
reads on, 143 SIGTERM. Those of ``compare`` are those of diff: 1 where something differs, and 2
where it failed.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from pytest_kdelve.cli import build, compare, credentials, doctor, down, ide, status, up
from pytest_kdelve.errors import KdelveError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

_FAILED, _WRONG_USAGE = 1, 2
_INTERRUPTED, _TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM
_PIPE_CLOSED = 128 + signal.SIGPIPE
#: Each adds its parser, whose default ``run`` takes the options and returns the exit code.
_COMMANDS = (build, doctor, up, status, down, credentials, ide, compare)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; ``argv`` is without the program's name.

    Wrong arguments and SIGTERM raise ``SystemExit``.
    """
    options = _parser().parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        with _exit_on_sigterm():
            code: int = options.run(options)
        sys.stdout.flush()
    except KdelveError as error:
        sys.stderr.write(f"kdelve: {error}\n")
        return _WRONG_USAGE if isinstance(error, UsageError) else _FAILED
    except BrokenPipeError:
        # Who has read enough wants no more, at the interpreter's end, either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
    except KeyboardInterrupt:
        sys.stderr.write("kdelve: interrupted\n")
        return _INTERRUPTED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kdelve", description="Run a real kube-apiserver under Delve."
    )
    number = version("pytest-kdelve")
    parser.add_argument("--version", action="version", version=f"%(prog)s {number}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add(commands)
    return parser


@contextmanager
def _exit_on_sigterm() -> Iterator[None]:
    """Leave by an exception on SIGTERM, so that what was begun is undone; once only."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.exit(_TERMINATED)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
