"""Starting a program with everything that a process hands down: run as a script.

``python -I -S launching.py held|running`` reads the JSON of a ``ProcessSpec`` from stdin, starts
what that describes, as nobody's child, and prints its pid. A held one is stopped (SIGSTOP) at its
first instruction, for a debugger to attach to. A line "note: …" says what could not be as it was,
"error: …" why nothing was started.

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

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_LIBC.ptrace.restype = ctypes.c_long
#: linux/ptrace.h and linux/prctl.h.
_PTRACE_TRACEME, _PTRACE_DETACH = 0, 17
_PR_SET_PTRACER = 0x59616D61
_STREAMS = ("stdin", "stdout", "stderr")
_NO_STREAM = "/dev/null"


def main(way: str) -> None:
    """Do what the module says."""
    spec = json.load(sys.stdin)
    # The pipe closes with the exec, so whoever reads it knows then that it was done.
    report = os.dup(sys.stdout.fileno())
    pid = os.fork()
    if pid:
        if way == "held":
            _hold(pid)
        _say(report, str(pid))
        return
    try:
        os.setsid()
        if way == "held":
            _let_be_traced()
        _reopen_streams(spec, report)
        _hand_down(spec, report)
        argv, environ = ([_bytes(item) for item in spec[name]] for name in ("argv", "environ"))
        _execute(_bytes(spec["exe"]), argv, environ)
    except OSError as error:
        _say(report, f"error: {error}")
        os._exit(126)


def _let_be_traced() -> None:
    """Stop at the exec; whoever traces us then may be another one than our parent.

    With 1 in /proc/sys/kernel/yama/ptrace_scope, a debugger that is not root needs that word,
    which Yama keeps over an exec: it forgets only when the process ends (``yama_task_free``).
    """
    _LIBC.prctl(_PR_SET_PTRACER, ctypes.c_ulong(-1))
    if _LIBC.ptrace(_PTRACE_TRACEME, 0, None, None):
        raise OSError(ctypes.get_errno(), "ptrace(PTRACE_TRACEME) is not allowed")


def _hold(pid: int) -> None:
    """Wait until the child has done the exec, and leave it stopped."""
    _, status = os.waitpid(pid, 0)
    if os.WIFSTOPPED(status):
        _LIBC.ptrace(_PTRACE_DETACH, pid, None, ctypes.c_void_p(signal.SIGSTOP))


def _bytes(encoded: str) -> bytes:
    return base64.b64decode(encoded)


def _say(report: int, line: str) -> None:
    os.write(report, f"{line}\n".encode(errors="backslashreplace"))


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


def _execute(program: bytes, argv: Sequence[bytes], environ: Sequence[bytes]) -> NoReturn:
    """Replace this program; os.execve takes no environment with a name twice, or without "="."""
    _LIBC.execve(program, _array(argv), _array(environ))
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number), os.fsdecode(program))


def _array(items: Sequence[bytes]) -> ctypes.Array[ctypes.c_char_p]:
    return (ctypes.c_char_p * (len(items) + 1))(*items, None)


if __name__ == "__main__":
    main(sys.argv[1])
