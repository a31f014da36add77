"""Becoming another program, with everything that a process hands down: run as a script.

``python -I -S launching.py SPEC`` starts what the JSON of a ``ProcessSpec`` describes, as nobody's
child, and prints its pid. ``python -I -S launching.py SPEC PROGRAM ARGUMENT…`` becomes the program
instead, with the spec's environment, folder, user and limits, and with the streams that it has. A
line "note: …" says what could not be given back, "error: …" why nothing was started.

It imports the standard library only, and so starts in 20 ms whatever PYTHONPATH says. It does what
``subprocess`` does not: an environment to the byte, and limits that only root can set on the way to
another user. Nothing of this may be done after a fork of a process that has threads.
"""

from __future__ import annotations

import base64
import ctypes
import errno
import functools
import json
import os
import resource
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_STREAMS = ("stdin", "stdout", "stderr")
_NO_STREAM = "/dev/null"


def main(path: str, command: Sequence[str]) -> None:
    """Do what the module says."""
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib takes as long as all else
        spec = json.load(file)
    # The pipe closes with the exec, so whoever reads it knows then that it was done.
    report = os.dup(sys.stdout.fileno())
    try:
        if not command:
            _leave_parent(report)
            _reopen_streams(spec, report)
        encoded = spec["argv"]
        argv = [os.fsencode(item) for item in command] or [_bytes(item) for item in encoded]
        program = argv[0] if command else _bytes(spec["exe"])
        # The other user may run it, but not reach it, as with our cache folder.
        opened = os.open(program, os.O_PATH)
        _hand_down(spec, report)
        _execute(program, opened, argv, [_bytes(item) for item in spec["environ"]])
    except OSError as error:
        _say(report, f"error: {error}")
        os._exit(126)


def _bytes(encoded: str) -> bytes:
    return base64.b64decode(encoded)


def _say(report: int, line: str) -> None:
    os.write(report, f"{line}\n".encode(errors="backslashreplace"))


def _leave_parent(report: int) -> None:
    """Go on in a child, in a session of its own, whose parent is init."""
    pid = os.fork()
    if pid:
        _say(report, str(pid))
        os._exit(0)
    os.setsid()


def _reopen_streams(spec: dict[str, Any], report: int) -> None:
    """Before the user changes: a shell opens its redirections as itself, too."""
    for number, encoded in enumerate(spec["streams"]):
        path = os.fsdecode(_bytes(encoded)) if encoded is not None else _NO_STREAM
        flags = os.O_WRONLY | os.O_APPEND if number else os.O_RDONLY
        # Neither waits for the other end of a FIFO, nor takes a terminal for its own.
        flags |= os.O_NONBLOCK | os.O_NOCTTY
        try:
            if not path.startswith("/"):
                raise FileNotFoundError(errno.ENOENT, "its other end is gone", path)
            descriptor = os.open(path, flags)
        except OSError as error:
            _say(report, f"note: {_STREAMS[number]} is {_NO_STREAM} now: {error}")
            descriptor = os.open(_NO_STREAM, os.O_RDWR)
        os.set_blocking(descriptor, True)
        os.dup2(descriptor, number)
        if descriptor != number:
            os.close(descriptor)


def _hand_down(spec: dict[str, Any], report: int) -> None:
    """Take over all that an exec keeps, the rights last."""

    def attempt(what: str, change: Callable[[], object]) -> None:
        try:
            change()
        except (OSError, ValueError) as error:
            _say(report, f"note: {what} cannot be as it was: {error}")

    _restore_signals(spec["ignored"])
    os.umask(spec["umask"])
    os.chdir(_bytes(spec["cwd"]))
    attempt("its oom_score_adj", lambda: _set_oom_score_adj(spec["oom_score_adj"]))
    attempt("its nice value", lambda: os.setpriority(os.PRIO_PROCESS, 0, spec["nice"]))
    for number, limits in spec["limits"].items():
        change = functools.partial(_set_limit, int(number), tuple(limits))
        attempt(f"its limit {number}", change)
    _become(spec["uids"], spec["gids"], spec["groups"])


def _restore_signals(ignored: Sequence[int]) -> None:
    """Undo what our parent ignores and blocks, which a child does, too."""
    for number in signal.valid_signals():
        # Not those that cannot be, and those that are libc's.
        with suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _set_oom_score_adj(score: int) -> None:
    with open("/proc/self/oom_score_adj", "r+", encoding="ascii") as file:  # noqa: PTH123 - as above
        if int(file.read()) != score:
            file.write(str(score))


def _set_limit(number: int, limits: tuple[int, int]) -> None:
    if resource.getrlimit(number) != limits:
        resource.setrlimit(number, limits)


def _become(uids: Sequence[int], gids: Sequence[int], groups: Sequence[int]) -> None:
    if sorted(os.getgroups()) != sorted(groups):
        os.setgroups(groups)
    if os.getresgid() != tuple(gids):
        os.setresgid(*gids)
    if os.getresuid() != tuple(uids):
        os.setresuid(*uids)


def _execute(
    program: bytes, opened: int, argv: Sequence[bytes], environ: Sequence[bytes]
) -> NoReturn:
    """Replace this program; os.execve takes no environment with a name twice, or without "="."""
    libc = ctypes.CDLL(None, use_errno=True)
    items, variables = _array(argv), _array(environ)
    libc.execve(program, items, variables)
    if ctypes.get_errno() == errno.EACCES:
        libc.fexecve(opened, items, variables)
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number), program)


def _array(items: Sequence[bytes]) -> ctypes.Array[ctypes.c_char_p]:
    return (ctypes.c_char_p * (len(items) + 1))(*items, None)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
