"""Taking a running kube-apiserver over: stop it, run it under Delve, and put it back.

::

    spec = running.find()
    takeover.check(spec, headless, functions)   # nothing is touched before this has passed
    takeover.stop(spec)
    server = takeover.under_dlv(spec, headless, log=log)
    …
    takeover.start_again(spec)

``start_again`` needs the spec only, so another process can do it, from JSON.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec
import psutil

from pytest_kdelve.controlplane import apiserver, launching, refusals, running
from pytest_kdelve.controlplane.listening import listeners_at, ports_of
from pytest_kdelve.delve import Server, attach
from pytest_kdelve.delve.inspection import inspect
from pytest_kdelve.errors import (
    BinaryError,
    PortInUseError,
    ProcessError,
    ProcessTimeoutError,
    UsageError,
)
from pytest_kdelve.process import poll, tail

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_kdelve.controlplane.running import ProcessSpec
    from pytest_kdelve.delve import Headless
    from pytest_kdelve.delve.inspection import Inspection

#: Seconds until it has ended: requests in flight may take the default of ``--request-timeout``.
STOP_TIMEOUT = 75.0
#: Seconds until it listens, on a slow and busy machine.
_LISTEN_TIMEOUT = 120.0
#: Seconds until the debugged one has let go of the port.
_FREE_TIMEOUT = 15.0
_LAUNCH_TIMEOUT = 30.0
_LOG_LINES = 20

_LAUNCHER = (sys.executable, "-I", "-S", str(launching.__file__))
_NOTHING: Mapping[str, str] = MappingProxyType({})
_UNITS = {"h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


@dataclass(frozen=True, slots=True)
class StartedAgain:
    """The original, back again: its pid, and what is not as it was, ready to print."""

    pid: int
    notes: tuple[str, ...] = ()


def check(
    spec: ProcessSpec,
    headless: Headless,
    functions: Iterable[str],
    *,
    environment: Mapping[str, str] = _NOTHING,
) -> Inspection:
    """Prove that it may be stopped, and that Delve can run it, without touching it.

    A second one is started in the same way as ``under_dlv`` does it, stands at its first
    instruction, and is ended there. ``functions`` are those of ``inspect``, of which the result is
    returned, and ``environment`` is that of ``under_dlv``. Raises ``UsageError`` for what must be
    left alone, ``BinaryError`` for a program that Delve cannot debug, and ``PortInUseError`` where
    dlv cannot listen.
    """
    refusals.check(spec)
    try:
        with (
            under_dlv(spec, headless, log=headless.log, environment=environment) as server,
            server.connect() as client,
        ):
            return inspect(client, os.fsdecode(spec.exe), functions)
    except PortInUseError:
        raise
    except ProcessError as error:
        message = f"process {spec.pid} was left as it is, since Delve cannot run its program"
        raise BinaryError(f"{message}: {error}") from error


def losses(spec: ProcessSpec) -> tuple[str, ...]:
    """Return what will not be as it was when it is started again, each ready to print."""
    return tuple(
        f"its {name} is {os.fsdecode(stream)}, whose other end cannot be handed over: started "
        "again, it writes to /dev/null"
        for name, stream in zip(("stdout", "stderr"), spec.streams[1:], strict=True)
        if stream and not stream.startswith(b"/")
    )


def stop(spec: ProcessSpec, *, timeout: float | None = None) -> None:
    """Ask it to end by one SIGTERM, and wait until it has.

    A second SIGTERM would end a kube-apiserver at once, so there is none, and no SIGKILL.
    ``timeout`` in seconds is by default what its ``--shutdown-delay-duration`` and its requests
    may take. Raises ``UsageError`` where it ended by itself before, and ``ProcessTimeoutError``.
    """
    timeout = stop_timeout(spec) if timeout is None else timeout
    try:
        process = psutil.Process(spec.pid)
        if not spec.is_running():
            raise psutil.NoSuchProcess(spec.pid)
        process.terminate()
    except psutil.NoSuchProcess as error:
        raise UsageError(
            f"process {spec.pid} has ended by itself; look its pid up again"
        ) from error
    if not poll(lambda: not spec.is_running(), timeout=timeout):
        raise ProcessTimeoutError(
            f"process {spec.pid} has not ended {timeout:g} s after SIGTERM, and is left to end by "
            f"itself; `kill -KILL {spec.pid}` ends it at once\n  argv: {spec.command}"
        )


def under_dlv(
    spec: ProcessSpec,
    headless: Headless,
    *,
    log: Path,
    environment: Mapping[str, str] = _NOTHING,
) -> Server:
    """Run the same under Delve, which holds it at its first instruction, and ends it at its stop.

    argv, folder, user and all else is that of ``start_again``. Only ``environment`` is added, and
    what the attribution of hits needs, in GODEBUG; and its outputs are appended to ``log``, which
    is made with mode 0600. It is started apart, and dlv attaches to it: what dlv starts itself gets
    another first argument and further variables, and is of dlv's own user, from whom alone dlv
    would take connections then. Raises ``ProcessError``, or as ``delve.attach``.
    """
    log.touch(mode=0o600)
    output = os.fsencode(log.absolute())
    added = {**ancestors(spec), **environment}
    told = msgspec.structs.replace(
        spec, environ=with_variables(spec.environ, added), streams=(None, output, output)
    )
    pid = _launch(told, held=True).pid
    with ExitStack() as kept:
        kept.callback(_end, psutil.Process(pid))
        # An attach that comes before the stop might take it for one of the target's own signals.
        poll(lambda: _status(pid) == psutil.STATUS_STOPPED, timeout=_LAUNCH_TIMEOUT)
        server = attach(headless, pid)
        kept.callback(server.stop)
        # dlv would let it go on.
        kept.callback(_end, psutil.Process(pid))
        return Server(server.process, server.address, pid, kept.pop_all())


def _end(process: psutil.Process) -> None:
    """Kill what was started for the debugger only, and may stand still."""
    with suppress(psutil.NoSuchProcess):
        process.kill()
    poll(lambda: not _is_alive(process.pid), timeout=_FREE_TIMEOUT)


def start_again(spec: ProcessSpec, *, timeout: float = _LISTEN_TIMEOUT) -> StartedAgain:
    """Start it as it was, as nobody's child, and wait until it listens.

    It gets argv, environment, folder, user, groups, umask, nice value, limits, ignored signals and
    outputs back; a file is appended to, and an output whose other end is gone is /dev/null. The
    debugged one must be gone, and the original is waited for if it has not ended yet. Where that
    was never stopped, or where somebody has started the same arguments since, there is nothing to
    do. Raises ``ProcessError``, with the last lines of its log where that is a file, or
    ``ProcessTimeoutError``; what was started then is left as it is.
    """
    _, port = running.address_of(spec.argv)
    if not poll(lambda: not spec.is_running(), timeout=stop_timeout(spec)):
        if port in ports_of(spec.pid):
            return StartedAgain(spec.pid, ("it had never been stopped",))
        message = f"process {spec.pid} does not listen any more, but has not ended, either; when it"
        raise ProcessTimeoutError(f"{message} has, start it again: {spec.command}")
    poll(lambda: not listeners_at(port) or bool(same_as(spec)), timeout=_FREE_TIMEOUT)
    if others := same_as(spec):
        return StartedAgain(others[0], ("somebody had started it again already",))
    log = _log(spec)
    began = log.stat().st_size if log else 0
    started = _launch(spec)
    _wait_until_it_listens(spec, started.pid, port, timeout, tail_of=(log, began))
    return started


def _launch(spec: ProcessSpec, *, held: bool = False) -> StartedAgain:
    try:
        done = subprocess.run(
            [*_LAUNCHER, "held" if held else "running"],
            input=msgspec.json.encode(spec),
            capture_output=True,
            timeout=_LAUNCH_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        message = f"starting took more than {_LAUNCH_TIMEOUT:g} s"
        raise ProcessTimeoutError(_by_hand(spec, message)) from error
    said = done.stdout.decode(errors="replace").splitlines()
    notes = [line.removeprefix("note: ") for line in said if line.startswith("note: ")]
    errors = [line.removeprefix("error: ") for line in said if line.startswith("error: ")]
    if done.returncode or errors:
        reason = "; ".join(errors) or done.stderr.decode(errors="replace")
        raise ProcessError(_by_hand(spec, f"it could not be started: {reason}"))
    # The parent writes it, so it may stand behind a note of the child.
    pid = next(int(line) for line in said if line.isdecimal())
    return StartedAgain(pid, tuple(notes))


def _wait_until_it_listens(
    spec: ProcessSpec, pid: int, port: int, timeout: float, *, tail_of: tuple[Path | None, int]
) -> None:
    """Raise where it has ended, or listens nowhere in time."""

    def settled() -> bool:
        return not _is_alive(pid) or port in ports_of(pid)

    def with_log(message: str) -> str:
        log, began = tail_of
        lines = tail(log, _LOG_LINES, begin=began) if log else "(it is no file that can be read)"
        listeners = ", ".join(str(other or "?") for other in listeners_at(port) - {pid})
        taken = f"\n  port {port} is taken by process {listeners}" if listeners else ""
        return f"{_by_hand(spec, message)}{taken}\n  last lines of its log:\n{lines}"

    if not poll(settled, timeout=timeout):
        message = f"it runs again as process {pid}, but does not listen at {port} in {timeout:g} s"
        raise ProcessTimeoutError(with_log(message))
    if not _is_alive(pid):
        raise ProcessError(with_log("it ended before it listened again"))


def _by_hand(spec: ProcessSpec, message: str) -> str:
    folder, user = os.fsdecode(spec.cwd), running.user_name(spec.uids[1])
    where = f"as {user}, in {folder}, with an environment that is not shown here"
    return f"process {spec.pid} is not back: {message}\n  its command, {where}: {spec.command}"


def _is_alive(pid: int) -> bool:
    return _status(pid) not in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}


def _status(pid: int) -> str:
    try:
        return psutil.Process(pid).status()
    except psutil.NoSuchProcess:
        return psutil.STATUS_DEAD


def same_as(spec: ProcessSpec) -> list[int]:
    """Return processes that listen where it did, with its arguments, and with no debugger."""
    _, port = running.address_of(spec.argv)
    found = []
    for pid in filter(None, listeners_at(port)):
        with suppress(FileNotFoundError, ProcessLookupError):
            cmdline = Path("/proc", str(pid), "cmdline").read_bytes()
            if cmdline == b"".join(item + b"\0" for item in spec.argv) and not running.tracer(pid):
                found.append(pid)
    return found


def _log(spec: ProcessSpec) -> Path | None:
    """Return the file of its stderr, if we may read it: a shell may have opened it as root."""
    path = Path(os.fsdecode(spec.streams[2] or b""))
    with suppress(OSError):
        return path if path.is_file() and os.access(path, os.R_OK) else None
    return None


def stop_timeout(spec: ProcessSpec) -> float:
    """Return the seconds that it may take to end gracefully."""
    delay = running.flags_of(spec.argv).get("shutdown-delay-duration", "")
    parts = re.findall(r"([0-9.]+)(h|ms|us|µs|ns|m|s)", delay)
    return STOP_TIMEOUT + sum(float(number) * _UNITS[unit] for number, unit in parts)


def ancestors(spec: ProcessSpec) -> Mapping[str, str]:
    """Return GODEBUG as it has to be under Delve, with the settings that it has."""
    name = "GODEBUG"
    has = [item for item in spec.environ if item.startswith(b"GODEBUG=")]
    given = {name: os.fsdecode(has[0]).partition("=")[2]} if has else {}
    return {name: apiserver.environment(given)[name]}


def with_variables(environ: tuple[bytes, ...], added: Mapping[str, str]) -> tuple[bytes, ...]:
    """Set variables; the first of a name is the one that Go takes, and the rest go with it."""
    names = {os.fsencode(name) for name in added}
    kept = [item for item in environ if item.partition(b"=")[0] not in names]
    return (*kept, *(os.fsencode(f"{name}={value}") for name, value in added.items()))
