"""Each option of a headless Delve and of its target, and what is said where one cannot work."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.delve import (
    Address,
    Session,
    Target,
    connect,
    debug,
    exec_,
)
from pytest_kdelve.delve import server as server_module
from pytest_kdelve.delve import test as test_
from pytest_kdelve.errors import (
    DelveTimeoutError,
    PortInUseError,
    ProcessTimeoutError,
    TargetExitedError,
    UsageError,
)
from pytest_kdelve.process import poll
from tests.delve.conftest import LONG, PROGRAMS, break_at, marked_processes

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_kdelve.delve import Server
    from tests.delve.conftest import BuildProgram, Keep, MakeHeadless
    from tests.delve.toolchains import Toolchain

    Start = Callable[..., Server]

BEHAVE, STUDY = PROGRAMS / "behave", PROGRAMS / "delve-study"
ARGUMENTS = (
    "--name=x",
    "-v",
    "-test.v",
    "two words",
    "",
    "it's",
    'say "so"',
    "$HOME `date` \\",
    "--",
    "tab\tline\nend",
    "naïve ☃",
    "a:b,c=d",
)


@pytest.fixture(params=["debug", "test", "exec"])
def way(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def start(way: str, headless: MakeHeadless, keep: Keep, build_program: BuildProgram) -> Start:
    """Start a program in the way; fields of ``Headless`` and those of ``Target`` apart."""

    def it(target: Target | None = None, **fields: object) -> Server:
        target = target or Target()
        if way == "exec":
            return keep(exec_(headless(**fields), build_program("behave"), target=target))
        if way == "test":
            return keep(test_(headless(**fields), "./cmd", module=STUDY, target=target))
        return keep(debug(headless(**fields), ".", module=BEHAVE, target=target))

    return it


def of_kernel(server: Server, name: str) -> bytes:
    """Return what the kernel has of the target, which stands at its first instruction."""
    return Path(f"/proc/{server.target_pid}/{name}").read_bytes()


def directory_of(server: Server) -> bytes:
    return os.fsencode(Path(f"/proc/{server.target_pid}/cwd").readlink())


class TestTarget:
    def test_arguments_reach_it_byte_for_byte(self, start: Start) -> None:
        server = start(Target(args=ARGUMENTS))
        _, *arguments, end = of_kernel(server, "cmdline").split(b"\0")
        assert [argument.decode() for argument in arguments] == list(ARGUMENTS)
        assert end == b""

    @pytest.mark.parametrize("name", ["two words", "it's", "a:b", "☃", os.fsdecode(b"\xff")])
    def test_it_runs_in_the_directory_that_it_is_given(
        self, start: Start, tmp_path: Path, name: str
    ) -> None:
        folder = tmp_path / name
        folder.mkdir()
        assert directory_of(start(Target(working_directory=folder))) == os.fsencode(folder)

    def test_a_relative_directory_is_one_of_ours(
        self, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "folder").mkdir()
        monkeypatch.chdir(tmp_path)
        server = start(Target(working_directory=Path("folder")))
        assert directory_of(server) == os.fsencode(tmp_path / "folder")

    def test_without_one_it_runs_where_delve_does_or_in_the_tested_package(
        self, start: Start, way: str
    ) -> None:
        usual = {"debug": BEHAVE, "test": STUDY / "cmd", "exec": Path.cwd()}
        assert directory_of(start()) == os.fsencode(usual[way])

    def test_a_directory_that_is_missing_is_not_taken_for_a_missing_program(
        self, start: Start, tmp_path: Path
    ) -> None:
        """Delve's own words would be "fork/exec PROGRAM: no such file or directory"."""
        missing = tmp_path / "missing"
        with pytest.raises(UsageError, match=f"{missing} is no directory that a program could run"):
            start(Target(working_directory=missing))
        assert not (tmp_path / "dlv.log").exists()

    def test_its_environment_is_delves(self, start: Start, toolchain: Toolchain) -> None:
        env = {**toolchain.environment, "KDELVE_A": "two\nlines = ☃", "KDELVE_B": ""}
        environment = of_kernel(start(env=env), "environ").split(b"\0")
        assert "KDELVE_A=two\nlines = ☃".encode() in environment
        assert b"KDELVE_B=" in environment

    def test_without_one_its_environment_is_ours(
        self, headless: MakeHeadless, keep: Keep, build_program: BuildProgram
    ) -> None:
        server = keep(exec_(headless(env=None), build_program("behave")))
        assert f"HOME={os.environ['HOME']}".encode() in of_kernel(server, "environ").split(b"\0")

    def test_its_streams_are_files(
        self, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Relative ones are ours, and an old output is emptied."""
        monkeypatch.chdir(tmp_path)
        names = ("in:put", "out put", "err'put")
        Path("in:put").write_text("read", encoding="utf-8")
        Path("out put").write_text("of an earlier run", encoding="utf-8")
        stdin, stdout, stderr = map(Path, names)
        server = start(Target(stdin=stdin, stdout=stdout, stderr=stderr))
        for number, name in enumerate(names):
            stream = Path(f"/proc/{server.target_pid}/fd/{number}").readlink()
            assert stream == tmp_path / name
        assert stdout.read_bytes() == b""
        assert stat.S_IMODE(stderr.stat().st_mode) == 0o600

    def test_without_one_its_input_is_empty(self, start: Start) -> None:
        server = start()
        assert str(Path(f"/proc/{server.target_pid}/fd/0").readlink()) == os.devnull

    def test_an_input_that_nobody_writes(
        self,
        headless: MakeHeadless,
        build_program: BuildProgram,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Delve waits for the writer of a FIFO before it starts the program."""
        monkeypatch.setattr(server_module, "SYMBOLS_TIMEOUT", 0.2)
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        with pytest.raises(ProcessTimeoutError, match=r"does not answer(.|\n)*--redirect=stdin:"):
            exec_(headless(), build_program("behave"), target=Target(stdin=fifo))
        assert marked_processes() == {}

    def test_it_reads_its_input(
        self, headless: MakeHeadless, keep: Keep, build_program: BuildProgram, tmp_path: Path
    ) -> None:
        names, output = tmp_path / "names", tmp_path / "out"
        names.write_text("gopher\n", encoding="utf-8")
        target = Target(args=["create", "--name=-"], stdin=names, stdout=output)
        server = keep(exec_(headless(), build_program("delve-study"), target=target))
        with server.connect() as client:
            assert client.continue_(timeout=LONG).exit_status == 0
        assert output.read_text(encoding="utf-8") == "created gopher\n"


class TestBuild:
    """What ``debug`` and ``test`` build."""

    def version(self, server: Server, output: Path) -> str:
        with server.connect() as client:
            assert client.continue_(timeout=LONG).exit_status == 0
        return output.read_text(encoding="utf-8")

    def test_flags_with_spaces_and_quotes(
        self, headless: MakeHeadless, keep: Keep, tmp_path: Path
    ) -> None:
        output = tmp_path / "out"
        server = keep(
            debug(
                headless(),
                ".",
                module=STUDY,
                target=Target(args=["--version"], stdout=output),
                build_flags=["-ldflags=-X 'main.version=a \"b\" \\c'", "-trimpath"],
            )
        )
        with server.connect() as client:
            assert client.list_sources("^example.com/delve-study/main.go$"), "-trimpath"
        assert self.version(server, output) == 'delve-study version a "b" \\c\n'

    def test_tags(self, headless: MakeHeadless, keep: Keep, tmp_path: Path) -> None:
        module, output = tmp_path / "delve-study", tmp_path / "out"
        shutil.copytree(STUDY, module)
        tagged = '//go:build loud\n\npackage main\n\nfunc init() { version = "LOUD" }\n'
        (module / "loud.go").write_text(tagged, encoding="utf-8")
        target = Target(args=["--version"], stdout=output)
        server = keep(
            debug(headless(), ".", module=module, target=target, build_flags=["-tags=loud"])
        )
        assert self.version(server, output) == "delve-study version LOUD\n"

    def test_flags_for_a_test(self, headless: MakeHeadless, keep: Keep) -> None:
        flags = ["-trimpath", "-ldflags=-X 'example.com/delve-study/cmd.x=a b'"]
        server = keep(test_(headless(), "./cmd", module=STUDY, build_flags=flags))
        with server.connect() as client:
            assert client.list_sources("^example.com/delve-study/cmd/create_test.go$")

    def test_sources_have_the_path_that_was_given(
        self, headless: MakeHeadless, keep: Keep, tmp_path: Path
    ) -> None:
        """As after a shell's ``cd`` through a symbolic link."""
        link = tmp_path / "link"
        link.symlink_to(STUDY)
        server = keep(debug(headless(), ".", module=link))
        with server.connect() as client:
            assert break_at(client, f"{link}/main.go", at="os.Exit(").file == f"{link}/main.go"

    def test_relative_paths_are_ours(
        self,
        headless: MakeHeadless,
        keep: Keep,
        monkeypatch: pytest.MonkeyPatch,
        toolchain: Toolchain,
    ) -> None:
        monkeypatch.chdir(PROGRAMS)
        dlv = Path(os.path.relpath(toolchain.dlv))
        server = keep(debug(headless(dlv=dlv), ".", module=Path("delve-study")))
        assert directory_of(server) == os.fsencode(STUDY)

    def test_nothing_of_it_stays(
        self,
        start: Start,
        way: str,
        temporary: Path,
    ) -> None:
        """Neither in the module nor among the temporary files."""
        module = {"debug": BEHAVE, "test": STUDY, "exec": STUDY}[way]
        before = sorted(module.rglob("*"))
        server = start()
        assert bool(list(temporary.rglob("*.*"))) == (way != "exec")
        server.stop()
        assert list(temporary.iterdir()) == []
        assert sorted(module.rglob("*")) == before
        assert server.target_pid not in marked_processes()


class TestLog:
    def test_delves_log_is_with_what_it_prints(self, start: Start, tmp_path: Path) -> None:
        with start(log_output=["rpc", "debugger"]).connect() as client:
            client.get_version()
        log = (tmp_path / "dlv.log").read_text(encoding="utf-8")
        assert "API server listening at: " in log
        assert "layer=rpc" in log
        assert "RPCServer.GetVersion" in log
        assert "layer=debugger" in log

    def test_it_may_have_a_file_of_its_own(self, start: Start, tmp_path: Path) -> None:
        """Then the address stands there, too, and one of an earlier run does not mislead."""
        log = tmp_path / "own.log"
        log.touch(mode=0o600)
        log.write_text("API server listening at: 127.0.0.1:1\n" * 9, encoding="utf-8")
        server = start(log_output=["rpc"], log_dest=log)
        with server.connect() as client:
            client.get_version()
        text = log.read_text(encoding="utf-8")
        assert text.count("API server listening at: ") == 1
        assert f"listening at: {server.address}\n" in text
        assert "RPCServer.GetVersion" in text
        assert (tmp_path / "dlv.log").read_bytes() == b""

    def test_a_relative_one_is_ours(
        self, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        start(log_dest=Path("own.log"))
        log = tmp_path / "own.log"
        assert "layer=debugger" in log.read_text(encoding="utf-8"), "Delve's default"
        assert stat.S_IMODE(log.stat().st_mode) == 0o600


def other_address() -> str:
    """Return an address of this machine that others can reach; nothing is sent for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no network")
        host: str = probe.getsockname()[0]
        return host


class TestListen:
    @pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0", "::", "localhost"])  # noqa: S104
    def test_it_can_be_reached_from_here(
        self, headless: MakeHeadless, keep: Keep, build_program: BuildProgram, host: str
    ) -> None:
        server = keep(exec_(headless(listen=Address(host)), build_program("behave")))
        assert server.address.is_loopback
        with server.connect() as client:
            assert client.process_pid() == server.target_pid

    def test_a_remote_one_is_connected_to_by_its_address(
        self, headless: MakeHeadless, keep: Keep, build_program: BuildProgram
    ) -> None:
        host = other_address()
        server = keep(exec_(headless(listen=Address("0.0.0.0")), build_program("behave")))  # noqa: S104
        with connect(Address(host, server.address.port)) as client:
            assert client.process_pid() == server.target_pid

    def test_it_listens_only_where_it_is_told_to(
        self, headless: MakeHeadless, keep: Keep, build_program: BuildProgram
    ) -> None:
        host = other_address()
        server = keep(exec_(headless(listen=Address(host)), build_program("behave")))
        assert server.address.host == host
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.address.port), timeout=LONG)

    def test_a_taken_port_of_all_interfaces(
        self, headless: MakeHeadless, build_program: BuildProgram
    ) -> None:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
            listen = Address("::1", taken.getsockname()[1])
            with pytest.raises(PortInUseError, match=r"cannot listen at \[::1\]:\d+: .*in use"):
                exec_(headless(listen=listen), build_program("behave"))

    def test_an_address_of_another_machine(
        self, headless: MakeHeadless, build_program: BuildProgram
    ) -> None:
        with pytest.raises(UsageError, match=r"at 203.0.113.1:0: .*; give another address"):
            exec_(headless(listen=Address("203.0.113.1")), build_program("behave"))


def test_a_further_flag_of_delves(start: Start) -> None:
    start(flags=["--disable-aslr"])


@pytest.mark.parametrize("killed", [True, False], ids=["dlv was killed", "dlv lives"])
def test_a_restarted_target_ends_with_its_server(
    headless: MakeHeadless, keep: Keep, build_program: BuildProgram, *, killed: bool
) -> None:
    """It is another process than the one that the server was started with."""
    target = Target(args=["exit", "3"])
    server = keep(exec_(headless(), build_program("behave"), target=target))
    with server.connect() as client:
        session = Session(client)
        with pytest.raises(TargetExitedError):
            session.continue_(timeout=LONG)
        session.restart(args=["tick"])
        pid = session.stop.state.pid
        with pytest.raises(DelveTimeoutError):
            session.continue_(timeout=0.1)
    assert pid != server.target_pid
    assert pid in marked_processes()
    if killed:
        os.kill(server.process.pid, signal.SIGKILL)
        assert poll(lambda: not server.process.is_running(), timeout=LONG)
    server.stop()
    assert marked_processes() == {}
