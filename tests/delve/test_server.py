"""Starting and ending a headless Delve."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from pytest_kdelve import delve
from pytest_kdelve.delve import Address, Headless, Target, exec_
from pytest_kdelve.errors import (
    BinaryError,
    DelveTimeoutError,
    PortInUseError,
    ProcessExitedError,
    UsageError,
)
from pytest_kdelve.process import poll
from tests.delve.conftest import LONG, Debug, marked_processes

if TYPE_CHECKING:
    from pytest_kdelve.delve import Server


def test_the_target_stands_at_its_first_instruction(debug: Debug) -> None:
    server = debug("behave", "exit", "3")
    with server.connect() as client:
        state = client.state()
        assert (state.pid, state.running, state.exited) == (server.target_pid, False, False)
        assert psutil.Process(server.target_pid).exe().endswith("/behave")
        version = client.get_version()
        assert version.api_version == 2
        assert version.target_go_version.startswith("Go ")
        end = client.continue_()
    assert (end.exited, end.exit_status) == (True, 3)


def test_it_listens_where_it_is_told_to(debug: Debug) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    server = debug("behave", "tick", listen=Address("127.0.0.1", port))
    assert server.address == Address("127.0.0.1", port)
    with server.connect() as client:
        assert client.address == f"127.0.0.1:{port}"


def test_a_taken_port_is_an_error_before_anything_is_started(debug: Debug, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = Address("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(PortInUseError, match=f"dlv cannot listen at {listen}: .+ in use"):
            debug("behave", "tick", listen=listen)
    assert not (tmp_path / "dlv.log").exists()


@pytest.mark.parametrize(
    ("name", "where"), [("no-dlv", "is not on PATH"), ("bin/no-dlv", "does not exist")]
)
def test_a_missing_dlv_is_an_error_that_says_how_to_get_one(
    tmp_path: Path, name: str, where: str
) -> None:
    headless = Headless(dlv=Path(name), log=tmp_path / "dlv.log")
    with pytest.raises(BinaryError, match=f"{name} {where}, .* `go install .*/cmd/dlv@latest`"):
        exec_(headless, tmp_path / "program")


OWN = {
    "--listen=:1": "use listen",
    "-l": "use listen",
    "--wd=/": "use working_directory of the target",
    "-r=stdin:x": "use stdin, stdout or stderr of the target",
    "--log-dest=x": "use log_dest",
    "--headless": "Delve is given its own --headless",
    "--api-version=1": "Delve is given its own --api-version",
}


@pytest.mark.parametrize("flag", OWN)
def test_a_flag_that_is_set_by_a_field_is_refused(tmp_path: Path, dlv: Path, flag: str) -> None:
    """It would take the field's place; `--listen` might open the port to everybody."""
    headless = Headless(dlv=dlv, log=tmp_path / "dlv.log", flags=[flag])
    with pytest.raises(UsageError, match=f"{flag} cannot be in flags; {OWN[flag]}$"):
        exec_(headless, tmp_path / "program")


def test_one_text_is_no_list_of_arguments(tmp_path: Path, dlv: Path) -> None:
    headless = Headless(dlv=dlv, log=tmp_path / "dlv.log")
    with pytest.raises(UsageError, match=r"args is a list, .*: \['exit', '3'\]\?"):
        exec_(headless, tmp_path / "program", target=Target(args="exit 3"))
    with pytest.raises(UsageError, match=r"build_flags is a list, .*: \['-tags=x'\]\?"):
        delve.debug(headless, ".", module=tmp_path, build_flags="-tags=x")


def test_what_has_no_folder_is_refused(tmp_path: Path, dlv: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(UsageError, match=f"{missing} is no directory for the log dlv.log"):
        exec_(Headless(dlv=dlv, log=missing / "dlv.log"), tmp_path / "program")
    headless = Headless(dlv=dlv, log=tmp_path / "dlv.log")
    with pytest.raises(UsageError, match=f"{missing} is no directory for the output out"):
        exec_(headless, tmp_path / "program", target=Target(stdout=missing / "out"))
    with pytest.raises(UsageError, match=f"{missing} is no directory to build in"):
        delve.debug(headless, ".", module=missing)


def test_delve_cannot_be_attached_to_this_process(tmp_path: Path, dlv: Path) -> None:
    with pytest.raises(UsageError, match=f"{os.getpid()} is this process"):
        delve.attach(Headless(dlv=dlv, log=tmp_path / "dlv.log"), os.getpid())


def test_an_error_quotes_no_earlier_run(debug: Debug, tmp_path: Path) -> None:
    (tmp_path / "dlv.log").write_text("an earlier run\n", encoding="utf-8")
    program = tmp_path / "program"
    program.write_text("not a program\n", encoding="utf-8")
    program.chmod(0o755)
    with pytest.raises(ProcessExitedError, match="not an executable file") as caught:
        debug(program)
    assert "an earlier run" not in str(caught.value)


@pytest.mark.parametrize("is_there", [True, False], ids=["no program", "missing"])
def test_what_is_no_program_is_an_error_with_argv_and_delves_reason(
    debug: Debug, tmp_path: Path, *, is_there: bool
) -> None:
    program = tmp_path / "program"
    if is_there:
        program.write_text("not a program\n", encoding="utf-8")
        program.chmod(0o755)
    with pytest.raises(ProcessExitedError, match="dlv ended with exit code 1") as caught:
        debug(program, "argument")
    message = str(caught.value)
    assert f"{program} -- argument\n" in message
    assert ("not an executable file" if is_there else "no such file or directory") in message


ARGUMENTS = (
    "--name=x",
    "-v",
    "two words",
    "",
    "it's",
    'say "so"',
    "$HOME `date` \\",
    "*",
    "--",
    "tab\tline\nend",
    "naïve ☃",
    "a:b,c=d",
)


def test_arguments_reach_the_program_byte_for_byte(debug: Debug, tmp_path: Path) -> None:
    with debug("behave", "print", *ARGUMENTS).connect() as client:
        assert client.continue_().exited
    assert json.loads((tmp_path / "target.out").read_bytes()) == list(ARGUMENTS)


def test_the_outputs_are_in_files_of_their_own_that_only_the_owner_reads(
    debug: Debug, tmp_path: Path
) -> None:
    with debug("behave", "print", "to stdout").connect() as client:
        client.continue_()
    texts = {file.name: file.read_text(encoding="utf-8") for file in tmp_path.iterdir()}
    assert texts["target.log"] == "to stderr\n"
    assert texts["target.out"] == '["to stdout"]\n'
    assert texts["dlv.log"].startswith("API server listening at: 127.0.0.1:")
    assert texts.keys() == {"target.log", "target.out", "dlv.log"}
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}


def test_a_log_of_an_earlier_run_does_not_mislead(debug: Debug, tmp_path: Path) -> None:
    first, second = debug("behave", "tick"), debug("behave", "tick")
    listening = (tmp_path / "dlv.log").read_text(encoding="utf-8").count("listening at")
    assert listening == 2, "both wrote into one log"
    assert first.address != second.address
    assert first.target_pid != second.target_pid


def family_of(server: Server) -> list[psutil.Process]:
    dlv = psutil.Process(server.process.pid)
    return [dlv, *dlv.children(recursive=True)]


def are_gone(processes: list[psutil.Process]) -> bool:
    """Whether all have ended; orphans stay zombies until init asks for their status."""
    return all(
        not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
        for process in processes
    )


def stubborn(debug: Debug, tmp_path: Path) -> Server:
    """Start a target that ignores SIGTERM and has a child, and let it run."""
    server = debug("behave", "stubborn")
    output = tmp_path / "target.out"
    # The reply to this comes when the target stops, so nobody waits for it.
    with server.connect() as client, pytest.raises(DelveTimeoutError):
        client.continue_(timeout=0.1)
    server.process.wait_until(
        lambda: output.read_text(encoding="utf-8").endswith("\n"),
        what="the target says the pid of its child",
        timeout=LONG,
    )
    child = int(output.read_text(encoding="utf-8"))
    assert psutil.Process(child).is_running()
    return server


class TestStop:
    @pytest.mark.parametrize("started", [True, False], ids=["running", "at its entry"])
    def test_nothing_is_left(self, debug: Debug, tmp_path: Path, *, started: bool) -> None:
        server = stubborn(debug, tmp_path) if started else debug("behave", "tick")
        family = family_of(server)
        assert server.target_pid in {process.pid for process in family}
        server.stop()
        assert are_gone(family)
        assert marked_processes() == {}

    def test_nothing_is_left_where_dlv_was_killed(self, debug: Debug, tmp_path: Path) -> None:
        server = stubborn(debug, tmp_path)
        family = family_of(server)
        os.kill(server.process.pid, signal.SIGKILL)
        assert poll(lambda: not server.process.is_running(), timeout=LONG)
        server.stop()
        assert are_gone(family)
        assert marked_processes() == {}

    def test_nothing_is_left_where_dlv_does_not_answer(self, debug: Debug) -> None:
        server = debug("behave", "tick")
        family = family_of(server)
        os.kill(server.process.pid, signal.SIGSTOP)
        server.process.stop(timeout=0.5)
        assert are_gone(family)

    def test_nothing_is_left_where_the_target_has_exited(self, debug: Debug) -> None:
        server = debug("behave", "exit", "0")
        family = family_of(server)
        with server.connect() as client:
            assert client.continue_().exited
        server.stop()
        assert are_gone(family)
