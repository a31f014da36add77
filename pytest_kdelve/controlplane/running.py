"""Finding a kube-apiserver that runs already, and reading what it takes to start it again.

What the kernel has of a process is described in proc(5). ``psutil`` splits a command line wrongly
where an argument has spaces, so this reads ``/proc/PID/cmdline`` itself.
"""

from __future__ import annotations

import os
import pwd
import resource
import shlex
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import psutil

from pytest_kdelve.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NAME = "kube-apiserver"
_DEFAULT_PORT = 6443
_ARGV_SHOWN = 200
_SHORT_ARGV = 2000
#: By their names in ``/proc/PID/limits`` (``lnames`` in the kernel's fs/proc/base.c).
_LIMITS = {
    "Max cpu time": resource.RLIMIT_CPU,
    "Max file size": resource.RLIMIT_FSIZE,
    "Max data size": resource.RLIMIT_DATA,
    "Max stack size": resource.RLIMIT_STACK,
    "Max core file size": resource.RLIMIT_CORE,
    "Max resident set": resource.RLIMIT_RSS,
    "Max processes": resource.RLIMIT_NPROC,
    "Max open files": resource.RLIMIT_NOFILE,
    "Max locked memory": resource.RLIMIT_MEMLOCK,
    "Max address space": resource.RLIMIT_AS,
    "Max pending signals": resource.RLIMIT_SIGPENDING,
    "Max msgqueue size": resource.RLIMIT_MSGQUEUE,
    "Max nice priority": resource.RLIMIT_NICE,
    "Max realtime priority": resource.RLIMIT_RTPRIO,
    "Max realtime timeout": resource.RLIMIT_RTTIME,
}


class ProcessSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A process as it was found, to the byte; it survives JSON, where bytes are base64.

    ``start_ticks`` tells it from others of the same pid: when it started, in the kernel's ticks
    since the boot; a time of day changes with the clock. ``environ`` is what it was started with,
    as ``NAME=value`` items. ``uids`` and ``gids`` are real, effective and saved. ``limits`` are
    soft and hard limits by number; the soft one of open files is as high as the hard one in a Go
    program, which raises it itself at its start. ``ignored`` are the signals that it ignores.
    ``streams`` are what its stdin, stdout and stderr are: a path, ``pipe:[…]`` or ``socket:[…]``, a
    path with `` (deleted)``, or None for a closed one. ``capabilities`` are the effective ones, as
    in ``CapEff`` of its status.
    """

    pid: int
    start_ticks: int
    exe: bytes
    argv: tuple[bytes, ...]
    environ: tuple[bytes, ...]
    cwd: bytes
    uids: tuple[int, int, int]
    gids: tuple[int, int, int]
    groups: tuple[int, ...]
    umask: int
    nice: int
    oom_score_adj: int
    limits: dict[int, tuple[int, int]]
    ignored: tuple[int, ...]
    streams: tuple[bytes | None, bytes | None, bytes | None]
    capabilities: int

    def __repr__(self) -> str:
        """Return what it is called by; its environment may hold secrets, and is in no message."""
        return f"ProcessSpec({self.pid}: {self.command})"

    def is_running(self) -> bool:
        """Whether this very process has not ended; another one of the same pid is not it."""
        return start_ticks(self.pid) == self.start_ticks

    @property
    def command(self) -> str:
        """What it is called by, for people; a long one is shortened."""
        return _shown(self.argv)


def find(pid: int | None = None) -> ProcessSpec:
    """Return the one kube-apiserver that runs here, or the process ``pid``, whatever its name.

    A kube-apiserver is told by the base name of its executable or of its first argument. One that
    is traced is passed over where there is another one. Raises ``UsageError`` where there is none,
    where there are several, with a list of them, or where it cannot be read.
    """
    if pid is not None:
        return read(pid)
    found = [process for process in psutil.process_iter() if _is_apiserver(process)]
    free = [process for process in found if not tracer(process.pid)]
    candidates = free or found
    if not candidates:
        raise UsageError(
            f"no {NAME} runs here that this user can see: no process has an executable or a first "
            f"argument of this base name; name another one by its pid, as in "
            "--kdelve-takeover=4711"
        )
    if len(candidates) > 1:
        lines = [f"  {describe(process)}" for process in candidates]
        count = f"{len(candidates)} processes are a {NAME}"
        raise UsageError("\n".join([f"{count}; name one: --kdelve-takeover=PID", *lines]))
    return read(candidates[0].pid)


def read(pid: int) -> ProcessSpec:
    """Return what the kernel has of a process.

    Raises ``UsageError`` where there is no such process, where it is another user's and this one
    is not root, and where it has changed its own command line so that the arguments are lost.
    """
    try:
        process = psutil.Process(pid)
        spec = _read(process)
    except (psutil.NoSuchProcess, ProcessLookupError, FileNotFoundError, ValueError) as error:
        message = f"there is no process {pid} to take over, or it has just ended"
        raise UsageError(f"{message}; look its pid up again") from error
    except (psutil.AccessDenied, PermissionError) as error:
        raise UsageError(_unreadable(pid)) from error
    if not process.is_running():
        raise UsageError(f"process {pid} ended while it was read; look its pid up again")
    return spec


def _read(process: psutil.Process) -> ProcessSpec:
    folder = Path("/proc", str(process.pid))
    status = parse_status((folder / "status").read_text(encoding="utf-8", errors="replace"))
    if (started := start_ticks(process.pid)) is None:
        raise ProcessLookupError(process.pid)
    real, effective, saved, _ = map(int, status["Uid"].split())
    if os.geteuid() not in {0, real}:
        raise PermissionError(process.pid)
    group, effective_group, saved_group, _ = map(int, status["Gid"].split())
    return ProcessSpec(
        pid=process.pid,
        start_ticks=started,
        exe=_link(folder / "exe"),
        argv=parse_arguments((folder / "cmdline").read_bytes(), pid=process.pid),
        environ=_items((folder / "environ").read_bytes()),
        cwd=_link(folder / "cwd"),
        uids=(real, effective, saved),
        gids=(group, effective_group, saved_group),
        groups=tuple(map(int, status["Groups"].split())),
        umask=int(status["Umask"], 8),
        nice=os.getpriority(os.PRIO_PROCESS, process.pid),
        oom_score_adj=int((folder / "oom_score_adj").read_text(encoding="ascii")),
        limits=parse_limits((folder / "limits").read_text(encoding="ascii")),
        ignored=parse_signals(status["SigIgn"]),
        streams=(_stream(folder, 0), _stream(folder, 1), _stream(folder, 2)),
        capabilities=int(status["CapEff"], 16),
    )


def start_ticks(pid: int) -> int | None:
    """Return when a process started, in the kernel's ticks since the boot; None where it has ended.

    A zombie has (proc_pid_stat(5)).
    """
    try:
        stat = Path("/proc", str(pid), "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in the second field may have anything in it, a ")" too.
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in {"Z", "X"} else int(fields[18])


def _link(path: Path) -> bytes:
    return os.fsencode(path.readlink())


def _stream(folder: Path, number: int) -> bytes | None:
    try:
        return _link(folder / "fd" / str(number))
    except FileNotFoundError:
        return None


def parse_status(text: str) -> Mapping[str, str]:
    """Return the fields of a ``/proc/PID/status``."""
    pairs = (line.partition(":") for line in text.splitlines())
    return {name: value.strip() for name, _, value in pairs}


def parse_limits(text: str) -> dict[int, tuple[int, int]]:
    """Return soft and hard limits by number, of a ``/proc/PID/limits``.

    prlimit(2) would want CAP_SYS_RESOURCE for another user's process, which the root of a
    container lacks.
    """
    found = {}
    for line in text.splitlines():
        # The columns are as wide as this in all versions of the kernel.
        number = _LIMITS.get(line[:26].strip())
        if number is not None:
            soft, hard = (_limit(value) for value in line[26:].split()[:2])
            found[number] = (soft, hard)
    return found


def _limit(value: str) -> int:
    return resource.RLIM_INFINITY if value == "unlimited" else int(value)


def parse_signals(mask: str) -> tuple[int, ...]:
    """Return the numbers of the signals in a mask of ``/proc/PID/status``, such as "…4001"."""
    bits = int(mask, 16)
    return tuple(number for number in range(1, bits.bit_length() + 1) if bits >> number - 1 & 1)


def parse_arguments(cmdline: bytes, *, pid: int) -> tuple[bytes, ...]:
    """Return the arguments of a ``/proc/PID/cmdline``, each of which ends in a NUL.

    A process can write over its arguments (as setproctitle does). Where that shows, it is a
    ``UsageError``; where it has kept the NULs, nobody can know.
    """
    if not cmdline:
        raise UsageError(f"process {pid} has no command line: it is a zombie, or the kernel's own")
    if not cmdline.endswith(b"\0"):
        raise UsageError(
            f"process {pid} has written over its own command line, so it is not known how to start "
            f"it again: {os.fsdecode(cmdline[:_ARGV_SHOWN])!r}"
        )
    return _items(cmdline)


def _items(text: bytes) -> tuple[bytes, ...]:
    """Split what ends in a NUL for each item; an item may be empty."""
    return tuple(text.removesuffix(b"\0").split(b"\0")) if text else ()


def tracer(pid: int) -> int:
    """Return the pid of the process that debugs it, or 0."""
    # A thread traces, such as one of dlv's that is not its first.
    thread = _status(pid, "TracerPid")
    return thread and _status(thread, "Tgid")


def _status(pid: int, field: str) -> int:
    """Return a number of the status of a process or thread; 0 where it has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        text = Path("/proc", str(pid), "status").read_text(encoding="utf-8", errors="replace")
        return int(parse_status(text)[field])
    return 0


def _is_apiserver(process: psutil.Process) -> bool:
    folder = Path("/proc", str(process.pid))
    names = []
    with suppress(OSError):
        names.append(_link(folder / "exe").removesuffix(b" (deleted)"))
    with suppress(OSError):
        names.append((folder / "cmdline").read_bytes().split(b"\0")[0])
    with suppress(psutil.NoSuchProcess):
        is_over = process.status() == psutil.STATUS_ZOMBIE
        return not is_over and os.fsencode(NAME) in map(os.path.basename, names)
    return False


def program(pid: int) -> Path:
    """Return the link to a process's program; raises ``UsageError`` where it may not be read."""
    link = Path(f"/proc/{pid}/exe")
    try:
        with suppress(FileNotFoundError):
            link.readlink()
    except PermissionError as error:
        raise UsageError(_unreadable(pid)) from error
    return link


def describe(process: psutil.Process) -> str:
    """Return a line that tells one process from others: user, start, port, arguments."""
    try:
        with process.oneshot():
            began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(process.create_time()))
            cmdline = Path("/proc", str(process.pid), "cmdline").read_bytes()
            argv = _items(cmdline)
            _, port = address_of(argv)
            user = process.username()
    except (psutil.Error, OSError):
        return f"pid {process.pid}, which has just ended"
    debugged = f", debugged by process {by}" if (by := tracer(process.pid)) else ""
    return (
        f"pid {process.pid}, user {user}, since {began}, --secure-port {port}{debugged}: "
        f"{_shown(argv)}"
    )


def _shown(argv: Iterable[bytes]) -> str:
    text = shlex.join(os.fsdecode(argument) for argument in argv)
    # What a terminal cannot show, such as a byte that is no UTF-8, is shown as an escape.
    text = text.encode(errors="backslashreplace").decode()
    return text if len(text) <= _SHORT_ARGV else f"{text[:_SHORT_ARGV]}…"


def user_name(uid: int) -> str:
    """Return the user's name, or its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _unreadable(pid: int) -> str:
    owner = Path("/proc", str(pid)).stat().st_uid
    whose = f"process {pid} is of the user {user_name(owner)}"
    if os.geteuid():
        me = user_name(os.geteuid())
        return f"{whose}, and this is {me}; run pytest as that user, or as root"
    return (
        f"{whose}, and the kernel does not let this root read it; give this container "
        "CAP_SYS_PTRACE (`docker run --cap-add=SYS_PTRACE`)"
    )


def address_of(argv: Iterable[bytes]) -> tuple[str, int]:
    """Return host and port at which a kube-apiserver with these arguments is reached from here.

    Of ``--bind-address`` and ``--secure-port`` the last ones count, "_" is as "-", and their
    defaults are 0.0.0.0 and 6443 (``options/serving.go`` of k8s.io/apiserver). All addresses of
    the machine are reached at 127.0.0.1. Raises ``UsageError`` for a port that is no number.
    """
    flags = flags_of(argv)
    host = flags.get("bind-address", "0.0.0.0")  # noqa: S104 - Kubernetes' default
    port = flags.get("secure-port", str(_DEFAULT_PORT))
    if not port.isdecimal():
        raise UsageError(f"--secure-port={port} is no port")
    return {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1", "": "127.0.0.1"}.get(host, host), int(port)  # noqa: S104 - not bound to


def flags_of(argv: Iterable[bytes]) -> Mapping[str, str]:
    """Return the flags with a value, as Kubernetes takes them.

    They are written ``--name=value`` or ``--name value``, and stand before a ``--``. A flag
    without a value, as in ``--profiling --v 3``, does not take the next one for it.
    """
    flags: dict[str, str] = {}
    waiting = ""
    for argument in list(argv)[1:]:
        text = os.fsdecode(argument)
        if text == "--":
            break
        if text.startswith("--"):
            name, has_value, value = text[2:].partition("=")
            waiting = "" if has_value else _normal(name)
            if has_value:
                flags[_normal(name)] = value
        elif waiting:
            flags[waiting] = text
            waiting = ""
    return flags


def _normal(name: str) -> str:
    return name.replace("_", "-")
