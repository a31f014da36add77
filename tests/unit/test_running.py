"""What is read of a running process, and which process is the kube-apiserver."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import psutil
import pytest

from pytest_kdelve.controlplane import running
from pytest_kdelve.controlplane.running import ProcessSpec
from pytest_kdelve.errors import UsageError
from pytest_kdelve.process import poll

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Start = Callable[..., subprocess.Popen[bytes]]

PTRACE_SEIZE = 0x4206
#: An interpreter that waits until its stdin ends, whatever its arguments are.
WAIT = b"import sys; print(flush=True); sys.stdin.read()"
DIFFICULT = (
    b"two words",
    b"",
    b"it's",
    b'say "so"',
    b"$HOME `date` \\ * ? ; & |",
    b"tab\tline\nend\r",
    b"--cors-allowed-origins=^https?://[a-z]+\\.example\\.(com|org)(:[0-9]+)?$",
    b"\xff\xfe no UTF-8",
    b"x" * 10240,
    b"",
)


@pytest.fixture
def start() -> Iterator[Start]:
    """Start an interpreter with arguments that waits, and end it afterwards."""
    with ExitStack() as stack:

        def it(*arguments: bytes, **options: Any) -> subprocess.Popen[bytes]:
            argv = [os.fsencode(sys.executable), b"-c", WAIT, *arguments]
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            process = stack.enter_context(subprocess.Popen(argv, **{**pipes, **options}))
            stack.callback(process.kill)
            assert process.stdout
            process.stdout.readline()
            return process

        yield it


def test_everything_is_read_to_the_byte(start: Start, tmp_path: Path) -> None:
    environ = {b"ONE": b"", b"TWO WORDS": b"a=b\nc", b"BYTES": b"\xff\xfe"}
    with (tmp_path / "log").open("wb") as log:
        process = start(*DIFFICULT, cwd=tmp_path, env=environ, stderr=log, umask=0o027)
    spec = running.read(process.pid)
    assert spec.argv == (os.fsencode(sys.executable), b"-c", WAIT, *DIFFICULT)
    assert spec.environ[:3] == (b"ONE=", b"TWO WORDS=a=b\nc", b"BYTES=\xff\xfe")
    assert spec.cwd == os.fsencode(tmp_path)
    assert spec.umask == 0o027
    assert spec.uids == os.getresuid()
    assert spec.gids == os.getresgid()
    assert sorted(spec.groups) == sorted(os.getgroups())
    assert spec.nice == os.nice(0)
    assert spec.streams[2] == os.fsencode(tmp_path / "log")
    assert (spec.streams[0] or b"").startswith(b"pipe:[")
    assert spec.exe == os.fsencode(os.path.realpath(sys.executable))


def test_a_spec_survives_json(start: Start) -> None:
    spec = running.read(start(*DIFFICULT).pid)
    assert msgspec.json.decode(msgspec.json.encode(spec), type=ProcessSpec) == spec


def test_a_closed_stream_is_none() -> None:
    script = 'exec "$0" "$@" 2>&-'
    argv = ["/bin/sh", "-c", script, sys.executable, "-c", WAIT.decode()]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        assert running.read(process.pid).streams[2] is None
        process.kill()


LIMITS = """\
Limit                     Soft Limit           Hard Limit           Units
Max cpu time              unlimited            unlimited            seconds
Max core file size        0                    unlimited            bytes
Max open files            1024                 1048576              files
Max file locks            unlimited            unlimited            locks
Max nice priority         0                    0
"""


def test_limits_are_read() -> None:
    assert running.parse_limits(LIMITS) == {
        resource.RLIMIT_CPU: (resource.RLIM_INFINITY, resource.RLIM_INFINITY),
        resource.RLIMIT_CORE: (0, resource.RLIM_INFINITY),
        resource.RLIMIT_NOFILE: (1024, 1048576),
        resource.RLIMIT_NICE: (0, 0),
    }


def test_limits_are_those_of_the_kernel() -> None:
    found = running.read(os.getpid()).limits
    assert len(found) == 15
    assert found == {number: resource.getrlimit(number) for number in found}


def test_ignored_signals_are_read() -> None:
    assert running.parse_signals("0000000000000000") == ()
    assert running.parse_signals("8000000000004001") == (1, 15, 64)


def test_a_process_is_told_from_a_later_one_of_the_same_pid(start: Start) -> None:
    process = start()
    spec = running.read(process.pid)
    assert spec.is_running()
    assert not msgspec.structs.replace(spec, start_ticks=spec.start_ticks - 1).is_running()
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not spec.is_running(), "a zombie has ended"
    process.wait()
    assert not spec.is_running()


def test_who_debugs_it_is_a_process_whichever_of_its_threads_does(start: Start) -> None:
    """dlv has a thread for it, which need not be its first."""
    traced = start().pid
    assert running.tracer(traced) == 0
    found = []

    def trace() -> None:
        assert ctypes.CDLL(None, use_errno=True).ptrace(PTRACE_SEIZE, traced, None, None) == 0
        found.append(running.tracer(traced))

    thread = threading.Thread(target=trace)
    thread.start()
    thread.join()
    assert found == [os.getpid()]


@pytest.mark.parametrize("cmdline", [b"", b"a new title", b"kube: busy   \0x"])
def test_a_command_line_that_is_no_list_of_arguments_is_refused(cmdline: bytes) -> None:
    with pytest.raises(UsageError, match="process 7 has "):
        running.parse_arguments(cmdline, pid=7)


@pytest.mark.parametrize("arguments", [(b"a",), (b"",), (b"a", b"", b""), (b"\n", b" ")])
def test_arguments_end_in_nul(arguments: tuple[bytes, ...]) -> None:
    cmdline = b"".join(argument + b"\0" for argument in arguments)
    assert running.parse_arguments(cmdline, pid=7) == arguments


def test_no_such_process_is_said() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    with pytest.raises(UsageError, match=f"no process {process.pid} .* look its pid up again"):
        running.find(process.pid)


def test_of_another_user_only_root_reads(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = start().pid
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(UsageError, match=r"and this is 12345; run pytest as that user, or as root"):
        running.read(pid)


def test_a_root_that_may_not_read_is_told_what_it_lacks(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = start().pid

    def refuse(_process: psutil.Process) -> None:
        raise PermissionError

    monkeypatch.setattr(running, "_read", refuse)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(UsageError, match="CAP_SYS_PTRACE"):
        running.read(pid)


def test_the_program_of_a_process(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = start().pid
    assert running.program(pid).samefile(Path(sys.executable).resolve())
    assert not running.program(0).exists()

    def refuse(_path: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "readlink", refuse)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(UsageError, match="CAP_SYS_PTRACE"):
        running.program(pid)


class TestFind:
    """The machine may have more of them, so a test sees only the processes that it has started."""

    @pytest.fixture
    def known(self, monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
        known: list[subprocess.Popen[bytes]] = []

        def only_ours() -> list[psutil.Process]:
            return [psutil.Process(process.pid) for process in known]

        monkeypatch.setattr(psutil, "process_iter", only_ours)
        return known

    @pytest.fixture
    def apiserver(self, tmp_path: Path) -> str:
        """A program with the executable's name; one that is copied is told by it alone."""
        shell = shutil.which("sleep")
        assert shell
        return str(shutil.copy(shell, tmp_path / "kube-apiserver"))

    def run(self, known: list[subprocess.Popen[bytes]], *argv: str, program: str) -> int:
        known.append(subprocess.Popen(argv, executable=program))
        cmdline = Path("/proc", str(known[-1].pid), "cmdline")
        # It has none in the middle of the exec.
        assert poll(lambda: bool(cmdline.read_bytes()), timeout=20)
        return known[-1].pid

    @pytest.fixture(autouse=True)
    def _ended(self, known: list[subprocess.Popen[bytes]]) -> Iterator[None]:
        yield
        for process in known:
            process.kill()
            process.wait()

    def test_by_the_executable(self, known: list[subprocess.Popen[bytes]], apiserver: str) -> None:
        self.run(known, "sleep", "60", program="/bin/sleep")
        pid = self.run(known, "whatever", "60", program=apiserver)
        assert running.find().pid == pid

    def test_by_the_first_argument(self, known: list[subprocess.Popen[bytes]]) -> None:
        pid = self.run(known, "/opt/bin/kube-apiserver", "60", program="/bin/sleep")
        assert running.find().pid == pid

    def test_not_by_a_part_of_the_command_line(self, known: list[subprocess.Popen[bytes]]) -> None:
        for name in ("kube-apiserver-proxy", "my-kube-apiserver", "tail"):
            self.run(known, name, "60", program="/bin/sleep")
        script = "import time; time.sleep(60)"
        self.run(known, "python", "-c", script, "kube-apiserver", program=sys.executable)
        with pytest.raises(UsageError, match=r"no kube-apiserver runs here .*base name"):
            running.find()

    def test_several_are_listed(self, known: list[subprocess.Popen[bytes]], apiserver: str) -> None:
        first = self.run(known, "kube-apiserver", "60", program=apiserver)
        second = self.run(known, "kube-apiserver", "60", program="/bin/sleep")
        with pytest.raises(UsageError) as refused:
            running.find()
        head, *lines = str(refused.value).splitlines()
        assert head == "2 processes are a kube-apiserver; name one: --kdelve-takeover=PID"
        user = running.user_name(os.getuid())
        for line, pid in zip(lines, (first, second), strict=True):
            assert line.startswith(f"  pid {pid}, user {user}, since 20")
            assert line.endswith(", --secure-port 6443: kube-apiserver 60")

    def test_one_that_is_named_may_have_any_name(
        self, known: list[subprocess.Popen[bytes]]
    ) -> None:
        pid = self.run(known, "hyperkube", "60", program="/bin/sleep")
        assert running.find(pid).argv == (b"hyperkube", b"60")


ADDRESSES = {
    (): ("127.0.0.1", 6443),
    ("--secure-port=7443",): ("127.0.0.1", 7443),
    ("--secure-port", "7443"): ("127.0.0.1", 7443),
    ("--secure_port=7443",): ("127.0.0.1", 7443),
    ("--secure-port=1", "--secure-port=2"): ("127.0.0.1", 2),
    ("--secure-port=1", "--", "--secure-port=2"): ("127.0.0.1", 1),
    ("--profiling", "--secure-port", "2"): ("127.0.0.1", 2),
    ("--bind-address=10.0.0.7",): ("10.0.0.7", 6443),
    ("--bind-address=0.0.0.0",): ("127.0.0.1", 6443),
    ("--bind-address=::",): ("127.0.0.1", 6443),
    ("--bind-address=::1", "--secure-port=8"): ("::1", 8),
    ("--external-hostname=--secure-port=9",): ("127.0.0.1", 6443),
}


@pytest.mark.parametrize(("arguments", "address"), ADDRESSES.items())
def test_the_address_is_that_of_the_arguments(
    arguments: tuple[str, ...], address: tuple[str, int]
) -> None:
    argv = [b"kube-apiserver", *map(os.fsencode, arguments)]
    assert running.address_of(argv) == address


def test_a_port_that_is_no_number_is_refused() -> None:
    with pytest.raises(UsageError, match="--secure-port=https is no port"):
        running.address_of([b"kube-apiserver", b"--secure-port=https"])


def test_a_guardian_can_put_it_back_without_pytest_and_kubernetes() -> None:
    """It is started for each run, and has to be quick."""
    program = "import sys; from pytest_kdelve.controlplane import takeover; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    imported = set(done.stdout.split())
    assert "psutil" in imported
    assert imported.isdisjoint({"_pytest", "kubernetes", "pytest", "requests", "cryptography"})
