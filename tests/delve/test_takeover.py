"""A program that serves is stopped, debugged with the same everything, and put back."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import psutil
import pytest

from pytest_kdelve.controlplane import listening, running, takeover
from pytest_kdelve.controlplane.running import ProcessSpec
from pytest_kdelve.delve import Session
from pytest_kdelve.errors import (
    BinaryError,
    ProcessError,
    ProcessTimeoutError,
    UsageError,
)
from pytest_kdelve.process import poll
from tests.delve.conftest import LONG
from tests.delve.study import run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kdelve.delve import Server
    from tests.delve.conftest import BuildProgram, Keep, MakeHeadless

NOBODY = 65534
ROOT = pytest.mark.skipif(os.getuid() != 0, reason="only root starts what is another user's")
DIFFICULT = (
    b"two words",
    b"",
    b"it's",
    b'say "so"',
    b"$HOME `date` \\ * ? ; & |",
    b"tab\tline\nend\r",
    b"--",
    b"--cors-allowed-origins=^https?://[a-z]+\\.example\\.(com|org)(:[0-9]+)?$",
    b"--empty=",
    b"\xff\xfe no UTF-8",
    b"x" * 10240,
    b"",
)
ENVIRON = {b"EMPTY": b"", b"TWO WORDS": b"a=b\nc", b"BYTES": b"\xff\xfe", b"PATH": b"/usr/bin"}


class Serve(Protocol):
    def __call__(
        self, *arguments: bytes, through: tuple[bytes, ...] = (), **options: Any
    ) -> subprocess.Popen[bytes]: ...


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that other users may enter, which those of pytest are not.

    Tests that came before in this process may have made one of those the folder for all.
    """
    folder = Path(tempfile.mkdtemp(prefix="take-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


@pytest.fixture
def program(build_program: BuildProgram, reachable: Path) -> Path:
    return Path(shutil.copy(build_program("serving"), reachable / "kube-apiserver"))


@pytest.fixture
def serve(program: Path, reachable: Path, port: int) -> Iterator[Serve]:
    """Start the program that serves, with its log in a file, and wait until it listens."""
    with contextlib.ExitStack() as stack:
        log = stack.enter_context((reachable / "log").open("ab"))

        def start(
            *arguments: bytes, through: tuple[bytes, ...] = (), **options: Any
        ) -> subprocess.Popen[bytes]:
            argv = [*through, bytes(program), b"--secure-port=%d" % port, *arguments]
            mark = {b"KDELVE_TEST_RUN": os.fsencode(os.environ["KDELVE_TEST_RUN"])}
            usual = {"cwd": reachable, "env": {**ENVIRON, **mark}, "stdout": log, "stderr": log}
            process = subprocess.Popen(argv, **{**usual, **options})
            stack.callback(process.wait)
            stack.callback(process.kill)
            assert poll(lambda: listens(process.pid, port), timeout=LONG)
            return process

        yield start


@pytest.fixture(autouse=True)
def _end(port: int) -> Iterator[None]:
    """End what was started again; nobody's child is left by anybody else."""
    yield
    for pid in filter(None, listening.listeners_at(port)):
        psutil.Process(pid).kill()


def listens(pid: int, port: int) -> bool:
    return port in listening.ports_of(pid)


def stop(spec: ProcessSpec, process: subprocess.Popen[bytes]) -> None:
    takeover.stop(spec)
    assert process.wait(LONG) == 0, "it ended gracefully"


def through_json(spec: ProcessSpec) -> ProcessSpec:
    return msgspec.json.decode(msgspec.json.encode(spec), type=ProcessSpec)


def lasting(spec: ProcessSpec) -> ProcessSpec:
    """Return what must be the same in the original and in the one that was started again."""
    return msgspec.structs.replace(spec, pid=0, start_ticks=0)


def of_kernel(pid: int, name: str) -> bytes:
    return Path(f"/proc/{pid}/{name}").read_bytes()


class TestStartAgain:
    def test_it_is_as_it_was(self, serve: Serve, reachable: Path) -> None:
        process = serve(*DIFFICULT, umask=0o027)
        changed = psutil.Process(process.pid)
        changed.nice(5)
        changed.rlimit(psutil.RLIMIT_CORE, (1024, 4096))
        Path(f"/proc/{process.pid}/oom_score_adj").write_text("500", encoding="ascii")
        spec = running.read(process.pid)
        environ, cmdline = of_kernel(process.pid, "environ"), of_kernel(process.pid, "cmdline")
        stop(spec, process)
        started = takeover.start_again(through_json(spec))
        assert started.notes == ()
        assert lasting(running.read(started.pid)) == lasting(spec)
        assert of_kernel(started.pid, "environ") == environ
        assert of_kernel(started.pid, "cmdline") == cmdline
        assert os.getsid(started.pid) == started.pid
        assert psutil.Process(started.pid).ppid() != os.getpid()
        log = (reachable / "log").read_text(encoding="utf-8")
        serving = f"serving {len(DIFFICULT) + 2}\n"
        assert log == f"{serving}ended gracefully\n{serving}"

    @ROOT
    def test_as_another_user(self, serve: Serve) -> None:
        process = serve(*DIFFICULT, user=NOBODY, group=NOBODY, extra_groups=[7, 12])
        spec = running.read(process.pid)
        assert (spec.uids, spec.groups) == ((NOBODY,) * 3, (7, 12))
        stop(spec, process)
        started = takeover.start_again(through_json(spec))
        assert started.notes == ()
        assert lasting(running.read(started.pid)) == lasting(spec)

    def test_what_ignores_hangups_does_so_again(self, serve: Serve) -> None:
        """What is ignored here is not ignored there: a guardian ignores nearly everything."""
        process = serve(through=(b"/bin/sh", b"-c", b'trap "" HUP; exec "$0" "$@"'))
        spec = running.read(process.pid)
        assert signal.SIGHUP in spec.ignored
        stop(spec, process)
        before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        try:
            started = takeover.start_again(spec)
        finally:
            signal.signal(signal.SIGUSR1, before)
        assert running.read(started.pid).ignored == spec.ignored

    def test_odd_names_and_environments(self, serve: Serve) -> None:
        process = serve()
        spec = running.read(process.pid)
        stop(spec, process)
        odd = msgspec.structs.replace(
            spec,
            argv=(b"an odd\nname", *spec.argv[1:]),
            environ=(b"A=1", b"no equals sign", b"A=2", b"=odd", b"\xff=\xfe", *spec.environ),
        )
        assert lasting(running.read(takeover.start_again(odd).pid)) == lasting(odd)

    def test_outputs_whose_other_end_is_gone_are_said(self, serve: Serve, reachable: Path) -> None:
        with (reachable / "removed").open("wb") as removed:
            process = serve(stdout=subprocess.PIPE, stderr=removed)
        spec = running.read(process.pid)
        assert process.stdout
        stop(spec, process)
        process.stdout.close()
        (reachable / "removed").unlink()
        [loss] = takeover.losses(spec)
        assert loss.startswith("its stdout is pipe:[")
        started = takeover.start_again(spec)
        out, errors = started.notes
        assert out.startswith("stdout is /dev/null now: ")
        assert "its other end is gone: 'pipe:[" in out
        assert errors.startswith("stderr is /dev/null now: ")
        assert str(reachable / "removed") in errors
        assert running.read(started.pid).streams[1:] == (b"/dev/null", b"/dev/null")

    @ROOT
    def test_a_log_that_only_root_reaches(self, serve: Serve, tmp_path: Path) -> None:
        """A shell of root has opened it; it is opened as root again, and not as the user."""
        with (tmp_path / "log").open("ab") as log:
            process = serve(stdout=log, stderr=log, user=NOBODY, group=NOBODY)
        spec = running.read(process.pid)
        stop(spec, process)
        started = takeover.start_again(spec)
        assert started.notes == ()
        assert poll(
            lambda: (tmp_path / "log").read_text(encoding="utf-8").count("serving") == 2,
            timeout=LONG,
        )

    def test_a_terminal_is_used_again_but_not_taken(self, serve: Serve) -> None:
        ours, theirs = os.openpty()
        try:
            process = serve(stdout=theirs, stderr=theirs)
            spec = running.read(process.pid)
            stop(spec, process)
            started = takeover.start_again(spec)
            assert started.notes == ()
            assert running.read(started.pid).streams[1:] == spec.streams[1:]
            assert psutil.Process(started.pid).terminal() is None
            psutil.Process(started.pid).kill()
            assert poll(lambda: not psutil.pid_exists(started.pid), timeout=LONG)
        finally:
            os.close(ours)
            os.close(theirs)
        started = takeover.start_again(spec)
        assert len(started.notes) == 2
        assert "/dev/null" in started.notes[0]

    def test_one_that_ends_at_once_is_said_with_its_log(self, serve: Serve, port: int) -> None:
        process = serve(b"two words")
        spec = running.read(process.pid)
        stop(spec, process)
        with socket.socket() as taken, pytest.MonkeyPatch.context() as patch:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", port))
            taken.listen()
            patch.setattr(takeover, "_FREE_TIMEOUT", 0.1)
            with pytest.raises(ProcessError) as failed:
                takeover.start_again(spec)
        said = str(failed.value)
        assert f"process {spec.pid} is not back: it ended before it listened again" in said
        assert f"port {port} is taken by process {os.getpid()}" in said
        assert said.endswith(
            f"\ncannot serve: listen tcp 127.0.0.1:{port}: bind: address already in use"
        )
        assert "serving" not in said, "the log of before is another one's"
        assert f"--secure-port={port} 'two words'" in said

    def test_one_that_cannot_be_started_is_said(self, serve: Serve, program: Path) -> None:
        process = serve()
        spec = running.read(process.pid)
        stop(spec, process)
        program.unlink()
        with pytest.raises(ProcessError, match=r"could not be started: .*No such file") as failed:
            takeover.start_again(spec)
        assert str(program) in str(failed.value)

    def test_one_that_does_not_listen_is_said(self, serve: Serve) -> None:
        """The program takes the first port, and Kubernetes the last one."""
        process = serve(b"--secure-port=1")
        spec = running.read(process.pid)
        stop(spec, process)
        with pytest.raises(ProcessTimeoutError) as late:
            takeover.start_again(spec, timeout=0.5)
        message = r"it runs again as process (\d+), but does not listen at 1 in 0\.5 s"
        assert re.search(message, str(late.value))

    def test_one_that_was_never_stopped_is_left(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """So it is if we die between the note that it has to be put back and the SIGTERM."""
        process = serve()
        monkeypatch.setattr(takeover, "STOP_TIMEOUT", 0.1)
        started = takeover.start_again(running.read(process.pid))
        assert (started.pid, started.notes) == (process.pid, ("it had never been stopped",))

    def test_what_was_started_again_already_is_not_started_twice(self, serve: Serve) -> None:
        process = serve(*DIFFICULT)
        spec = running.read(process.pid)
        stop(spec, process)
        started = takeover.start_again(spec)
        again = takeover.start_again(spec)
        assert (again.pid, again.notes) == (
            started.pid,
            ("somebody had started it again already",),
        )


class TestStop:
    def test_one_that_does_not_end_is_said_and_not_killed(self, serve: Serve) -> None:
        process = serve(b"--stubborn=yes")
        with pytest.raises(
            ProcessTimeoutError, match=r"not ended 0\.2 s after SIGTERM.*kill -KILL"
        ):
            takeover.stop(running.read(process.pid), timeout=0.2)
        assert process.poll() is None

    def test_one_that_ended_by_itself_is_said(self, serve: Serve) -> None:
        process = serve()
        spec = running.read(process.pid)
        process.kill()
        process.wait()
        with pytest.raises(UsageError, match="has ended by itself"):
            takeover.stop(spec)

    @pytest.mark.parametrize(
        ("argument", "seconds"),
        [
            (b"--v=3", 0),
            (b"--shutdown-delay-duration=1m10.5s", 70.5),
            (b"--shutdown_delay_duration=20ms", 0.02),
        ],
    )
    def test_the_delay_that_it_was_given_is_waited_for(
        self, serve: Serve, argument: bytes, seconds: float
    ) -> None:
        spec = running.read(serve(argument).pid)
        assert takeover.stop_timeout(spec) == pytest.approx(takeover.STOP_TIMEOUT + seconds)


class TestUnderDelve:
    @pytest.fixture(params=["as we", pytest.param("as nobody", marks=ROOT)])
    def original(self, serve: Serve, request: pytest.FixtureRequest) -> subprocess.Popen[bytes]:
        other: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": [7, 12]}
        return serve(*DIFFICULT, umask=0o027, **(other if request.param == "as nobody" else {}))

    def test_the_debugged_one_is_as_it_was(
        self,
        original: subprocess.Popen[bytes],
        headless: MakeHeadless,
        keep: Keep,
        port: int,
        tmp_path: Path,
    ) -> None:
        psutil.Process(original.pid).nice(5)
        spec = running.read(original.pid)
        takeover.check(spec, headless(), ["main.main"])
        assert takeover.losses(spec) == ()
        cmdline = of_kernel(original.pid, "cmdline")
        stop(spec, original)
        log, marks = tmp_path / "log", {"KDELVE_RUN": "a run"}
        server = keep(takeover.under_dlv(spec, headless(), log=log, environment=marks))
        debugged = running.read(server.target_pid)
        mask = {"pid": 0, "start_ticks": 0, "environ": (), "streams": (None,) * 3}
        assert msgspec.structs.replace(debugged, **mask) == msgspec.structs.replace(spec, **mask)
        added = (b"GODEBUG=tracebackancestors=8", b"KDELVE_RUN=a run")
        assert debugged.environ == (*spec.environ, *added)
        assert of_kernel(server.target_pid, "cmdline") == cmdline
        assert running.read(server.process.pid).uids == os.getresuid(), "we may connect"
        run_until_it_listens(server, port)
        assert log.read_text(encoding="utf-8") == f"serving {len(DIFFICULT) + 2}\n"
        server.stop()
        assert not psutil.pid_exists(server.target_pid) or not debugged.is_running()
        started = takeover.start_again(spec)
        assert lasting(running.read(started.pid)) == lasting(spec)

    def test_it_goes_on_when_it_is_detached(
        self, serve: Serve, headless: MakeHeadless, keep: Keep, port: int, tmp_path: Path
    ) -> None:
        """Whatever held it at its first instruction is over."""
        process = serve()
        spec = running.read(process.pid)
        stop(spec, process)
        server = keep(takeover.under_dlv(spec, headless(), log=tmp_path / "log"))
        with server.connect() as client:
            client.detach(kill=False)
        assert poll(lambda: listens(server.target_pid, port), timeout=LONG)
        assert psutil.Process(server.target_pid).status() != psutil.STATUS_STOPPED

    def test_the_environment_keeps_its_own_settings(self, serve: Serve) -> None:
        spec = running.read(serve().pid)
        environ = (*spec.environ, b"GODEBUG=http2debug=1", b"KDELVE_RUN=an older one")
        added = {"GODEBUG": "http2debug=1,tracebackancestors=8", "KDELVE_RUN": "new"}
        told = msgspec.structs.replace(spec, environ=environ)
        assert takeover.ancestors(told) == {"GODEBUG": added["GODEBUG"]}
        assert takeover.with_variables(environ, added)[-2:] == tuple(
            f"{name}={value}".encode() for name, value in added.items()
        )

    def test_a_first_argument_that_is_no_path_stays(
        self, serve: Serve, program: Path, headless: MakeHeadless, keep: Keep, tmp_path: Path
    ) -> None:
        process = serve(executable=program, through=(b"an odd\nname",))
        spec = running.read(process.pid)
        server = keep(takeover.under_dlv(spec, headless(), log=tmp_path / "log"))
        assert running.read(server.target_pid).argv == spec.argv


class TestCheck:
    def test_what_cannot_be_debugged_runs_on(
        self,
        serve: Serve,
        build_program: BuildProgram,
        program: Path,
        headless: MakeHeadless,
    ) -> None:
        shutil.copy(build_program("serving", flags=("-ldflags=-s -w",)), program)
        process = serve()
        with pytest.raises(BinaryError, match=r"the program is stripped|is stripped"):
            takeover.check(running.read(process.pid), headless(), ["main.main"])
        assert process.poll() is None

    def test_what_is_optimised_may_be_taken_over(
        self, serve: Serve, build_program: BuildProgram, program: Path, headless: MakeHeadless
    ) -> None:
        shutil.copy(build_program("serving", flags=()), program)
        process = serve()
        takeover.check(running.read(process.pid), headless(), ["main.main"])
        assert process.poll() is None

    def test_what_is_no_go_program_runs_on(self, headless: MakeHeadless) -> None:
        with subprocess.Popen(["/bin/sleep", "60"]) as process:
            # For a moment of its exec it has none.
            cmdline = Path(f"/proc/{process.pid}/cmdline")
            assert poll(lambda: bool(cmdline.read_bytes()), timeout=LONG)
            with pytest.raises(BinaryError, match=r"go build -gcflags='all=-N -l'"):
                takeover.check(running.read(process.pid), headless(), ["main.main"])
            assert process.poll() is None
            process.kill()

    def test_what_is_debugged_is_refused(
        self, serve: Serve, headless: MakeHeadless, keep: Keep, tmp_path: Path
    ) -> None:
        spec = running.read(serve().pid)
        server = keep(takeover.under_dlv(spec, headless(), log=tmp_path / "log"))
        with pytest.raises(UsageError, match=rf"by process {server.process.pid} \(dlv\)"):
            takeover.check(running.read(server.target_pid), headless(), ["main.main"])


def run_until_it_listens(server: Server, port: int) -> None:
    with server.connect() as client:
        run(Session(client))
        assert poll(lambda: listens(server.target_pid, port), timeout=LONG)
