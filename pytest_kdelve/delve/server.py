"""Starting a headless Delve, in each of its ways, and ending it."""

from __future__ import annotations

import re
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_kdelve.delve.address import Address
from pytest_kdelve.delve.client import DEFAULT_TIMEOUT, Client
from pytest_kdelve.errors import DelveConnectionError, ProcessExitedError
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

_SAID = re.compile(r"^(Error: .*|[Cc]ould not .*|.* version of Delve.*)$", re.MULTILINE)
#: What can be done about what Delve says; the first pattern that its output matches.
_REMEDIES = {
    r"unknown (shorthand )?flag": (
        "Delve has no such flag. What is for the program belongs into the target's args, which "
        "stand behind `--`."
    ),
    r"too (old|new)|version of Delve|Version of Go": (
        "Take a Delve that fits the Go that built the program; each Delve debugs about four "
        "versions of Go."
    ),
    r"could not open debug info": (
        "The program is stripped. Build it with `go build -gcflags='all=-N -l'` and without "
        "`-ldflags=-s` or `-w`."
    ),
    r"(?i)could not attach": (
        "Delve must be allowed to trace the process: run it as root or as the same user, with "
        "CAP_SYS_PTRACE in a container, with 0 in /proc/sys/kernel/yama/ptrace_scope, and with no "
        "other debugger on it."
    ),
    r'exec: "go"': "Put the `go` command on the PATH in the environment that Delve gets.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Headless:
    """How Delve itself runs.

    ``log`` gets all that it prints. ``log_output`` names components of Delve whose log is wanted,
    such as "rpc", which then is in ``log_dest``, by default in ``log``, too. ``env`` is its
    environment, and so that of what it starts; None is that of this process. ``flags`` are further
    ones of Delve's, such as "--disable-aslr".
    """

    dlv: Path
    log: Path
    listen: Address = field(default_factory=Address)
    env: Mapping[str, str] | None = None
    log_output: Sequence[str] = ()
    log_dest: Path | None = None
    flags: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """How the program runs that Delve starts.

    ``args`` reach it byte for byte. ``stdin`` is a file to read, ``stdout`` and ``stderr`` are
    files to write, which are made with mode 0600; None shares Delve's own.
    """

    args: Sequence[str] = ()
    working_directory: Path | None = None
    stdin: Path | None = None
    stdout: Path | None = None
    stderr: Path | None = None

    def flags(self) -> list[str]:
        """Return Delve's flags for it; makes the files that are written."""
        outputs = {"stdout": self.stdout, "stderr": self.stderr}
        for path in filter(None, outputs.values()):
            path.touch(mode=0o600)
        streams = {"stdin": self.stdin, **outputs}
        redirects = [
            f"--redirect={name}:{path.absolute()}" for name, path in streams.items() if path
        ]
        folder = self.working_directory
        return [*redirects, *([f"--wd={folder.absolute()}"] if folder else [])]


_PLAIN = Target()


class Server:
    """A headless Delve that was started here, and the process that it debugs.

    The target stands still until a client continues it: at its first instruction, or, after
    ``attach``, where it was.
    """

    def __init__(self, process: ChildProcess, address: Address, pid: int, files: ExitStack) -> None:
        self.process = process
        self.address = address
        self.target_pid = pid
        self._files = files

    def connect(self) -> Client:
        """Open one more connection."""
        return connect(self.address)

    def stop(self) -> None:
        """End Delve and what it started; a process that it was attached to goes on."""
        with self._files:
            self.process.stop()


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

    Needs ``go`` on PATH. Raises ``PortInUseError``, ``ProcessExitedError`` with what Delve or the
    compiler printed, or ``ProcessTimeoutError``; nothing is left running then.
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

    Raises ``PortInUseError``, ``ProcessExitedError`` or ``ProcessTimeoutError``; nothing is left
    running then.
    """
    argv = [*target.flags(), str(program), "--", *target.args]
    return _start("exec", headless, argv, owns_target=True)


def attach(headless: Headless, pid: int, *, program: Path | None = None) -> Server:
    """Stop a running process, and debug it: ``dlv attach``; raises as ``exec_``.

    ``program`` is its executable, where that cannot be found through its pid.
    """
    argv = [str(pid), *([str(program)] if program else [])]
    return _start("attach", headless, argv, owns_target=False)


def core(headless: Headless, program: Path, dump: Path) -> Server:
    """Look at a core dump, which nothing can move: ``dlv core``; raises as ``exec_``."""
    return _start("core", headless, [str(program), str(dump)], owns_target=False)


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
        argv = [*target.flags(), f"--output={folder}/{module.name}.{way}"]
        if build_flags:
            argv.append(f"--build-flags={' '.join(map(_quoted, build_flags))}")
        argv += [package, "--", *target.args]
        return _start(way, headless, argv, owns_target=True, module=module, files=files.pop_all())


def _quoted(flag: str) -> str:
    """Quote for Delve's own ``config.SplitQuotedFields``, which knows no other quotes."""
    escaped = flag.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _start(
    way: str,
    headless: Headless,
    argv: Sequence[str],
    *,
    owns_target: bool,
    module: Path | None = None,
    files: ExitStack | None = None,
) -> Server:
    with files or ExitStack() as kept:
        headless.listen.check_free()
        # An earlier Delve may have written its address there.
        written = {path: _size(path) for path in (headless.log, headless.log_dest) if path}
        process = ChildProcess(
            "dlv",
            [*_argv(way, headless), *argv],
            log=headless.log,
            env=headless.env,
            cwd=module,
        )
        kept.callback(process.stop)
        try:
            timeout = BUILD_TIMEOUT if module else _LISTEN_TIMEOUT
            address = _wait_for_address(process, written, timeout).reachable()
            pid = _wait_for_symbols(process, address)
        except ProcessExitedError as error:
            raise _explained(error, headless.log, written[headless.log]) from error
        if owns_target:
            process.adopt(pid)
        return Server(process, address, pid, kept.pop_all())


def _argv(way: str, headless: Headless) -> list[str]:
    argv = [str(headless.dlv), way, "--headless", f"--listen={headless.listen}"]
    argv += ["--api-version=2", "--accept-multiclient"]
    if headless.log_output or headless.log_dest:
        argv.append("--log")
    if headless.log_output:
        argv.append(f"--log-output={','.join(headless.log_output)}")
    if headless.log_dest:
        headless.log_dest.touch(mode=0o600)
        argv.append(f"--log-dest={headless.log_dest.absolute()}")
    return [*argv, *headless.flags]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _wait_for_address(
    process: ChildProcess, written: Mapping[Path, int], timeout: float
) -> Address:
    found: list[Address] = []

    def listening() -> bool:
        for path, before in written.items():
            match = _LISTENING.search(_text(path, before))
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
        raise


def _explained(error: ProcessExitedError, log: Path, before: int) -> ProcessExitedError:
    """Add Delve's own sentence, which may stand above pages of usage, and what to do."""
    text = _text(log, before)
    said = _SAID.search(text)
    lines = [f"Delve said: {said[0]}"] if said else []
    lines += [remedy for pattern, remedy in _REMEDIES.items() if re.search(pattern, text)][:1]
    return ProcessExitedError("\n".join([str(error), *lines]), returncode=error.returncode)
