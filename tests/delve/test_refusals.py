"""What is said where Delve cannot start: its own sentence, with argv, and what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from pytest_kdelve.delve import attach, core, debug, exec_
from pytest_kdelve.delve import server as server_module
from pytest_kdelve.delve import test as test_
from pytest_kdelve.errors import BinaryError, ProcessExitedError, ProcessTimeoutError, UsageError
from tests.delve import toolchains
from tests.delve.conftest import DEBUGGABLE, LONG, PROGRAMS, marked_processes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.delve.conftest import BuildProgram, Keep, MakeHeadless
    from tests.delve.toolchains import Toolchain

BEHAVE, STUDY = PROGRAMS / "behave", PROGRAMS / "delve-study"


@contextmanager
def refused(*said: str) -> Iterator[None]:
    """Expect that Delve does not start, with its argv, and with all that was ``said``."""
    with pytest.raises(ProcessExitedError) as caught:
        yield
    message = str(caught.value)
    assert "\n  argv: " in message
    for words in said:
        assert words in message


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """The study program with an error in it and another one in its test."""
    module = tmp_path / "delve-study"
    shutil.copytree(STUDY, module)
    with (module / "main.go").open("a", encoding="utf-8") as file:
        file.write("\nvar broken = missing\n")
    with (module / "cmd" / "create_test.go").open("a", encoding="utf-8") as file:
        file.write("\nvar broken = absent\n")
    return module


class TestBuildFails:
    def test_a_program_that_does_not_compile(self, headless: MakeHeadless, broken: Path) -> None:
        with refused("undefined: missing", "`go` command could not build"):
            debug(headless(), ".", module=broken)

    def test_a_test_that_does_not_compile(self, headless: MakeHeadless, broken: Path) -> None:
        with refused("undefined: absent", "`go` command could not build"):
            test_(headless(), "./cmd", module=broken)

    def test_no_such_package(self, headless: MakeHeadless) -> None:
        with refused("nowhere: directory not found", "`go` command could not build"):
            debug(headless(), "./nowhere", module=STUDY)

    def test_no_main_package(self, headless: MakeHeadless) -> None:
        with refused("Delve said: could not launch process: not an ex", "must be a main package"):
            debug(headless(), "./cmd", module=STUDY)

    def test_no_tests(self, headless: MakeHeadless) -> None:
        with refused("[no test files]", "Name a package that has tests"):
            test_(headless(), ".", module=STUDY)

    def test_no_go(self, headless: MakeHeadless, toolchain: Toolchain, tmp_path: Path) -> None:
        env = {**toolchain.environment, "PATH": str(tmp_path)}
        with refused('exec: "go": executable file not found', "Put the `go` command on the PATH"):
            debug(headless(env=env), ".", module=STUDY)

    def test_nothing_stays(self, headless: MakeHeadless, broken: Path, temporary: Path) -> None:
        with refused():
            debug(headless(), ".", module=broken)
        assert list(temporary.iterdir()) == []

    def test_nothing_stays_of_one_that_takes_too_long(
        self, headless: MakeHeadless, temporary: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(server_module, "BUILD_TIMEOUT", 0.1)
        with pytest.raises(ProcessTimeoutError, match=r"dlv was not ready in 0\.1 s"):
            debug(headless(), ".", module=STUDY)
        assert list(temporary.iterdir()) == []
        assert marked_processes() == {}, "the compiler has ended, too"


class TestFlags:
    def test_a_flag_of_the_program_that_is_not_behind_the_dashes(
        self, headless: MakeHeadless, build_program: BuildProgram, tmp_path: Path
    ) -> None:
        """Delve prints pages of usage after the sentence, and ends with status 0."""
        with refused("Delve said: Error: unknown flag: --name", "in the target's args", "`--`"):
            exec_(headless(flags=["--name=x"]), build_program("delve-study"))
        assert "Usage:" in (tmp_path / "dlv.log").read_text(encoding="utf-8")


class TestAttachFails:
    def test_no_such_process(self, headless: MakeHeadless) -> None:
        with subprocess.Popen([sys.executable, "-c", ""]) as process:
            process.wait(LONG)
        with refused(f"could not attach to pid {process.pid}: no such process", "may have ended"):
            attach(headless(), process.pid)

    @pytest.mark.parametrize("pid", [0, -1])
    def test_no_process_id(self, headless: MakeHeadless, pid: int) -> None:
        """Delve would crash, or take it for a flag."""
        with pytest.raises(UsageError, match=f"{pid} is no process id"):
            attach(headless(), pid)

    def test_a_process_that_is_debugged_already(
        self, headless: MakeHeadless, keep: Keep, build_program: BuildProgram
    ) -> None:
        server = keep(exec_(headless(), build_program("behave")))
        with refused(f"could not attach to pid {server.target_pid}", "no other debugger on it"):
            attach(headless(), server.target_pid)

    @pytest.mark.skipif(
        os.getuid() != 0 or not shutil.which("setpriv"), reason="needs root, and setpriv"
    )
    def test_a_process_that_may_not_be_traced(
        self, headless: MakeHeadless, tmp_path: Path, toolchain: Toolchain
    ) -> None:
        """One of another user, for a root without CAP_SYS_PTRACE, as in a container."""
        dlv = tmp_path / "dlv"
        dlv.write_text(
            f'#!/bin/sh\nexec setpriv --bounding-set=-sys_ptrace "{toolchain.dlv}" "$@"\n',
            encoding="utf-8",
        )
        dlv.chmod(0o755)
        sleep, nobody = shutil.which("sleep"), 65534
        assert sleep
        with subprocess.Popen([sleep, "60"], user=nobody) as process:
            try:
                with refused(f"ould not attach to pid {process.pid}", "with CAP_SYS_PTRACE"):
                    attach(headless(dlv=dlv), process.pid)
            finally:
                process.kill()


class TestCoreFails:
    @pytest.mark.parametrize("said", ["EOF", "unrecognized core format"])
    def test_what_is_no_core(
        self, headless: MakeHeadless, build_program: BuildProgram, tmp_path: Path, said: str
    ) -> None:
        """One that is shorter than a core's header, and one that is longer."""
        dump = tmp_path / "core"
        dump.write_bytes(b"no core\n" * (1 if said == "EOF" else 1000))
        with refused(f"Delve said: {said}", "Name the program first"):
            core(headless(), build_program("behave"), dump)

    def test_a_missing_one(
        self, headless: MakeHeadless, build_program: BuildProgram, tmp_path: Path
    ) -> None:
        with refused(f"open {tmp_path / 'core'}: no such file or directory"):
            core(headless(), build_program("behave"), tmp_path / "core")


class TestMisfit:
    """A program of a Go that is too old or too new for the Delve."""

    @pytest.fixture
    def other(self, toolchain: Toolchain) -> Toolchain:
        both = (toolchains.newest(), toolchains.oldest())
        (other,) = (one for one in both if one.dlv != toolchain.dlv)
        return other

    @pytest.fixture
    def program(self, other: Toolchain, tmp_path: Path) -> Path:
        program = tmp_path / "behave"
        other.build(BEHAVE, flags=DEBUGGABLE, out=program)
        return program

    def said(self, toolchain: Toolchain, other: Toolchain) -> str:
        go = ".".join(map(str, other.go))
        if toolchain.go > other.go:
            return f"Delve said: Go version go{go}.2 is too old for this version of Delve"
        return f"Delve said: Version of Delve is too old for Go version {go}"

    def test_exec(
        self, headless: MakeHeadless, toolchain: Toolchain, other: Toolchain, program: Path
    ) -> None:
        with refused(self.said(toolchain, other), "Take a Delve that fits the Go"):
            exec_(headless(), program)

    def test_debug(self, headless: MakeHeadless, toolchain: Toolchain, other: Toolchain) -> None:
        with refused(self.said(toolchain, other), "Take a Delve that fits the Go"):
            debug(headless(env=other.environment), ".", module=STUDY)

    def test_attach(
        self, headless: MakeHeadless, toolchain: Toolchain, other: Toolchain, program: Path
    ) -> None:
        """Delve does not look at the version; an old one crashes. The process lives on."""
        with subprocess.Popen([program, "tick"]) as process:
            try:
                with pytest.raises((BinaryError, ProcessExitedError)) as caught:
                    attach(headless(), process.pid)
                assert psutil.Process(process.pid).status() != psutil.STATUS_TRACING_STOP
                assert process.poll() is None
            finally:
                process.kill()
        if toolchain.go > other.go:
            assert "was built by Go 1.18, but Delve 1.27.2 debugs Go 1.25 to 1.27" in str(
                caught.value
            )
        else:
            assert "Delve said: panic: " in str(caught.value)
            assert "too old for the Go that built the program" in str(caught.value)
