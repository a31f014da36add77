"""Starting a headless Delve, in each of its ways, and ending it."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Self

from pytest_kdelve.delve.address import Address
from pytest_kdelve.delve.binary import check_go_version
from pytest_kdelve.delve.client import DEFAULT_TIMEOUT, Client
from pytest_kdelve.delve.options import Headless, Target, check_list
from pytest_kdelve.delve.session import Session
from pytest_kdelve.errors import (
    DelveConnectionError,
    DelveError,
    ProcessExitedError,
    ProcessTimeoutError,
    UsageError,
)
from pytest_kdelve.process import ChildProcess, poll

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_LISTENING = re.compile(r"API server listening at: (?P<host>\S+):(?P<port>\d+)$", re.MULTILINE)
#: Seconds until Delve listens, and until it has loaded the symbols of a kube-apiserver, on a slow
#: and busy machine.
_LISTEN_TIMEOUT = 30.0
SYMBOLS_TIMEOUT = 120.0
#: Seconds until the program of ``debug`` or ``test`` is built, its modules downloaded included.
BUILD_TIMEOUT = 900.0

_SAID = re.compile(
    r"^(Error: .*|could(n't| not) .*|.*version of Delve.*|unrecognized core .*|EOF|panic: .*)$",
    re.MULTILINE | re.IGNORECASE,
)
#: What can be done about what Delve says; the first pattern that its output matches.
_REMEDIES = {
    r"unknown (shorthand )?flag": (
        "Delve has no such flag. What is for the program belongs in the target's args, which "
        "stand behind `--`."
    ),
    r"(?i)version of Delve": (
        "Take a Delve that fits the Go that built the program; each Delve debugs about four "
        "versions of Go."
    ),
    r"DWARFv5": "Build this Delve by a newer Go.",
    r"could not open debug info": (
        "The program is stripped. Build it with `go build -gcflags='all=-N -l'` and without "
        "`-ldflags=-s` or `-w`."
    ),
    r"no test files": "Name a package that has tests; `./...` is more than one package.",
    r"not an executable file": (
        "It is no program for this machine; what `debug` builds must be a main package."
    ),
    r"no such process": "The process may have ended; look its pid up again.",
    r"(?i)could not attach": (
        "Delve must be allowed to trace the process: run it as root or as the same user, with "
        "CAP_SYS_PTRACE in a container, with 0 in /proc/sys/kernel/yama/ptrace_scope, and with no "
        "other debugger on it."
    ),
    r"unrecognized core|(?m:^EOF$)": "Name the program first, and then a core dump that it left.",
    r'exec: "go"': "Put the `go` command on the PATH in the environment that Delve gets.",
    r"(?m)^exit status": "The `go` command could not build it; its words stand above.",
    r"(?m)^panic: ": (
        "Delve itself has crashed, as it does when it is too old for the Go that built the "
        "program; its log has the whole of it."
    ),
}


_PLAIN = Target()
_CHECK_OFF = "--check-go-version=false"


class Server:
    """A headless Delve that was started here, and the process that it debugs.

    The target stands still until a client continues it: at its first instruction, or, after
    ``attach``, where it was. ``target_pid`` is the one of the start; a restart makes another.
    """

    def __init__(self, process: ChildProcess, address: Address, pid: int, files: ExitStack) -> None:
        self.process = process
        self.address = address
        self.target_pid = pid
        self._files = files

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def connect(self) -> Client:
        """Open one more connection."""
        return connect(self.address)

    def stop(self) -> None:
        """End Delve and what it started; a process that it was attached to goes on.

        Such a process must not be resumed by others meanwhile, so their sessions are closed first.
        Raises ``ProcessTimeoutError`` where something is left.
        """
        self._files.close()


def connect(address: Address, *, timeout: float = DEFAULT_TIMEOUT) -> Client:
    """Connect to a headless Delve that runs already, here or on another machine."""
    return Client(address.host, address.port, timeout=timeout)


def debug(
    headless: Headless,
    package: str,
    *,
    module: Path,
    target: Target = _PLAIN,
    build_flags: Sequence[str] = (),
) -> Server:
    """Build a main package in the folder ``module``, and run it under Delve: ``dlv debug``.

    Needs ``go`` on PATH. Each of ``build_flags`` is one argument of `go build`, whatever is in it.
    The program is removed with the server. Raises ``PortInUseError``, ``ProcessExitedError`` with
    what Delve or the compiler printed, ``ProcessTimeoutError``, or ``UsageError`` for what Delve
    would misunderstand; nothing is left running then.
    """
    return _build("debug", headless, package, module, target, build_flags)


def test(
    headless: Headless,
    package: str,
    *,
    module: Path,
    target: Target = _PLAIN,
    build_flags: Sequence[str] = (),
) -> Server:
    """Build the tests of a package, and run them under Delve: ``dlv test``; else as ``debug``.

    The test binary's own flags have the prefix ``-test.``, as in ``-test.run=TestX``. They run
    in the package's folder unless ``target`` says otherwise.
    """
    return _build("test", headless, package, module, target, build_flags)


#: So that pytest does not take it for one, where a test module imports it.
test.__test__ = False  # type: ignore[attr-defined]


def exec_(headless: Headless, program: Path, *, target: Target = _PLAIN) -> Server:
    """Run a program under Delve, and wait until its symbols are loaded: ``dlv exec``.

    Raises ``PortInUseError``, ``ProcessExitedError``, ``ProcessTimeoutError`` or ``UsageError``;
    nothing is left running then.
    """
    argv = [*target.flags(), str(program.absolute()), "--", *target.args]
    return _start("exec", headless, argv)


def attach(headless: Headless, pid: int, *, program: Path | None = None) -> Server:
    """Stop a running process, and debug it: ``dlv attach``; raises as ``exec_``.

    ``program`` is its executable, where that cannot be found through its pid. A program of a Go
    that this Delve does not debug is a ``BinaryError``: Delve looks at that only where it starts
    the program itself.
    """
    if pid < 1:
        raise UsageError(f"{pid} is no process id")
    if pid == os.getpid():
        raise UsageError(f"{pid} is this process, which would stand still with nobody to go on")
    argv = [str(pid), *([str(program.absolute())] if program else [])]
    with ExitStack() as kept:
        server = _start("attach", headless, argv)
        kept.callback(server.stop)
        with server.connect() as client:
            if _CHECK_OFF not in headless.flags:
                check_go_version(client, f"process {pid}")
        kept.pop_all()
    return server


def core(headless: Headless, program: Path, dump: Path) -> Server:
    """Look at a core dump, which nothing can move: ``dlv core``; raises as ``exec_``."""
    return _start("core", headless, [str(program.absolute()), str(dump.absolute())])


def _build(
    way: str,
    headless: Headless,
    package: str,
    module: Path,
    target: Target,
    build_flags: Sequence[str],
) -> Server:
    with ExitStack() as files:
        folder = files.enter_context(tempfile.TemporaryDirectory(prefix="kdelve-"))
        argv = [*target.flags(), f"--output={folder}/{module.absolute().name}.{way}"]
        check_list("build_flags", build_flags)
        if not module.is_dir():
            raise UsageError(f"{module} is no directory to build in")
        if build_flags:
            argv.append(f"--build-flags={' '.join(map(_quoted, build_flags))}")
        argv += [package, "--", *target.args]
        return _start(way, headless, argv, module=module, files=files.pop_all())


def _quoted(flag: str) -> str:
    """Quote for Delve's own ``config.SplitQuotedFields``, which knows no other quotes."""
    escaped = flag.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _start(
    way: str,
    headless: Headless,
    argv: Sequence[str],
    *,
    module: Path | None = None,
    files: ExitStack | None = None,
) -> Server:
    with files or ExitStack() as kept:
        headless.listen.check_free()
        if headless.log_dest:
            # Delve empties it, too, but until then an earlier one's address would stand there.
            headless.log_dest.touch(mode=0o600)
            os.truncate(headless.log_dest, 0)
        before = headless.log.stat().st_size if headless.log.exists() else 0
        process = ChildProcess(
            "dlv",
            [*headless.argv(way), *argv],
            log=headless.log,
            env=_environment(headless, module),
            cwd=module,
        )
        kept.callback(process.stop)
        try:
            timeout = BUILD_TIMEOUT if module else _LISTEN_TIMEOUT
            address = _wait_for_address(process, headless, before, timeout).reachable()
            pid = _wait_for_symbols(process, address)
        except ProcessExitedError as error:
            raise _explained(error, _text(headless.log, before)) from error
        if way == "attach":
            kept.callback(_leave_target, process, address)
        elif way != "core":
            process.adopt(pid)
        return Server(process, address, pid, kept.pop_all())


def _leave_target(process: ChildProcess, address: Address) -> None:
    """Detach from what Delve was attached to.

    At a SIGTERM, Delve detaches, too, but leaves the instructions of an unfinished next, and the
    SIGTRAP by which it halts, either of which ends the target.
    """
    if process.is_running():
        # The target may have ended, or another client may have detached from it.
        with suppress(DelveError), connect(address) as client:
            Session(client).detach()


def _environment(headless: Headless, module: Path | None) -> Mapping[str, str] | None:
    if module is None:
        return headless.env
    # As a shell's cd does, so that the compiler sees the path that was given, links included.
    inherited = os.environ if headless.env is None else headless.env
    return {**inherited, "PWD": str(module.absolute())}


def _wait_for_address(
    process: ChildProcess, headless: Headless, before: int, timeout: float
) -> Address:
    # Delve writes it into its log, wherever that is (``writeListeningMessage`` in its logflags).
    path, offset = (headless.log_dest, 0) if headless.log_dest else (headless.log, before)
    found: list[Address] = []

    def listening() -> bool:
        match = _LISTENING.search(_text(path, offset))
        if match:
            found.append(Address.parse(f"{match['host']}:{match['port']}"))
        return bool(found)

    process.wait_until(listening, what="it prints where it listens", timeout=timeout)
    return found[0]


def _text(path: Path, before: int) -> str:
    return path.read_bytes()[before:].decode(errors="replace") if path.exists() else ""


def _wait_for_symbols(process: ChildProcess, address: Address) -> int:
    """Return the target's pid; the first reply comes when the symbols are loaded."""
    try:
        with connect(address, timeout=SYMBOLS_TIMEOUT) as client:
            return client.state().pid
    except DelveConnectionError as error:
        # Delve ends with a sentence in its log where it cannot debug the program.
        if poll(lambda: not process.is_running(), timeout=5):
            raise process.exited("while it loaded the program") from error
        message = f"dlv listens at {address}, but does not answer: {error}"
        raise ProcessTimeoutError(process.explain(message)) from error


def _explained(error: ProcessExitedError, log: str) -> ProcessExitedError:
    """Add Delve's own sentence, which may stand above pages of usage, and what to do."""
    said = _SAID.search(log)
    lines = [f"Delve said: {said[0]}"] if said else []
    lines += [remedy for pattern, remedy in _REMEDIES.items() if re.search(pattern, log)][:1]
    return ProcessExitedError("\n".join([str(error), *lines]), returncode=error.returncode)
