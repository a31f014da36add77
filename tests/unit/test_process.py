"""Child processes: their readiness, their log and their end."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from pytest_kdelve.errors import ProcessError, ProcessExitedError, ProcessTimeoutError
from pytest_kdelve.process import ChildProcess, poll, tail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Start = Callable[..., ChildProcess]

#: Longer than anything here takes on a busy machine.
LONG = 20.0
FOR_EVER = "while :; do sleep 60; done"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "child.log"


@pytest.fixture
def shell(log: Path) -> Iterator[Start]:
    """Run a shell script; whatever is left of it at the end is killed, and is an error."""
    children: list[ChildProcess] = []

    def start(script: str, *args: str) -> ChildProcess:
        children.append(ChildProcess("sh", ["/bin/sh", "-c", script, "sh", *args], log=log))
        return children[-1]

    yield start
    left = [process for child in children for process in session_of(child.pid)]
    for process in left:
        process.kill()
    assert not left


def session_of(pid: int) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == pid and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


def says(child: ChildProcess, text: str, *, times: int = 1) -> None:
    """Wait until a text stands in a child's log."""
    child.wait_until(
        lambda: child.log.read_text(encoding="utf-8").count(text) == times,
        what=f"it says {text!r}",
        timeout=LONG,
    )


def test_both_outputs_go_to_a_log_that_only_its_owner_reads(shell: Start, log: Path) -> None:
    child = shell("echo to stdout; echo to stderr >&2; echo ready; " + FOR_EVER)
    says(child, "ready")
    assert log.read_text(encoding="utf-8") == "to stdout\nto stderr\nready\n"
    assert log.stat().st_mode & 0o777 == 0o600
    child.stop()


def test_ready_is_when_the_condition_says_so(shell: Start, tmp_path: Path) -> None:
    file = tmp_path / "ready"
    child = shell('touch "$1"; ' + FOR_EVER, str(file))
    child.wait_until(file.exists, what="the file is there", timeout=LONG)
    assert child.is_running()
    child.stop()
    assert not child.is_running()


def test_an_early_end_says_exit_code_argv_and_the_last_lines_of_the_log(shell: Start) -> None:
    child = shell("seq 100; echo 'no such flag' >&2; exit 3")
    began = time.monotonic()
    with pytest.raises(ProcessExitedError) as caught:
        child.wait_until(lambda: False, what="it listens", timeout=10 * LONG)
    assert time.monotonic() - began < LONG, "it does not wait for the deadline"
    assert caught.value.returncode == 3
    message = str(caught.value)
    assert message.startswith("sh ended with exit code 3 before it was ready (it listens)\n")
    assert "\n  argv: /bin/sh -c 'seq 100; echo " in message
    assert message.endswith("\n    100\n    no such flag")
    assert "\n    82\n" in message
    assert "\n    81\n" not in message


def test_an_early_end_by_a_signal_says_which(shell: Start) -> None:
    child = shell("kill -9 $$")
    with pytest.raises(ProcessExitedError, match="sh ended by signal 9 before") as caught:
        child.wait_until(lambda: False, what="it listens", timeout=LONG)
    assert caught.value.returncode == -signal.SIGKILL


def test_no_readiness_in_time_says_what_was_awaited(shell: Start) -> None:
    child = shell(f"echo loading; {FOR_EVER}")
    says(child, "loading")
    with pytest.raises(ProcessTimeoutError) as caught:
        child.wait_until(lambda: False, what="it listens", timeout=0.1)
    message = str(caught.value)
    assert message.startswith("sh was not ready in 0.1 s: it listens\n  argv: /bin/sh -c")
    assert message.endswith("\n    loading")
    assert child.is_running()
    child.stop()


def test_a_program_that_is_not_there_is_an_error_with_its_argv(log: Path, tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    with pytest.raises(ProcessError, match=r"it could not be started: .*No such file") as caught:
        ChildProcess("it", [missing, "two words"], log=log)
    assert f"argv: {missing} 'two words'" in str(caught.value)


def test_the_environment_is_the_given_one_and_stdin_is_empty(log: Path) -> None:
    script = "import os, sys; print(os.environ['ONE'], 'PATH' in os.environ, sys.stdin.read())"
    child = ChildProcess("python", [sys.executable, "-c", script], log=log, env={"ONE": "1"})
    assert child.exited("at its end").returncode == 0
    assert log.read_text(encoding="utf-8") == "1 False \n"


def test_a_log_is_continued(log: Path) -> None:
    for word in ("one", "two"):
        ChildProcess("echo", ["/bin/echo", word], log=log).exited("at its end")
    assert log.read_text(encoding="utf-8") == "one\ntwo\n"


def test_stop_ends_children_and_grandchildren_at_once(shell: Start) -> None:
    child = shell(f"sh -c 'sh -c \"echo up; {FOR_EVER}\" & echo up; {FOR_EVER}' & echo up; wait")
    says(child, "up", times=3)
    family = session_of(child.pid)
    assert len(family) >= 3
    began = time.monotonic()
    child.stop(timeout=10 * LONG)
    assert time.monotonic() - began < LONG, "none was waited for that SIGTERM did not reach"
    assert session_of(child.pid) == []


def test_stop_ends_what_ignores_sigterm(shell: Start) -> None:
    child = shell(f"trap '' TERM; sh -c 'echo up; {FOR_EVER}' & echo up; {FOR_EVER}")
    says(child, "up", times=2)
    child.stop(timeout=0.5)
    assert not child.is_running()
    assert child.exited("by stop").returncode == -signal.SIGKILL
    assert session_of(child.pid) == []


def test_a_process_may_end_itself_in_order(shell: Start, log: Path) -> None:
    # The shell runs the trap once its foreground command has ended, hence the wait.
    child = shell("trap 'echo bye; exit 7' TERM; sleep 600 & echo up; wait")
    says(child, "up")
    child.stop()
    assert tail(log, 1) == "bye"
    assert child.exited("by stop").returncode == 7


def test_stop_finds_orphans(shell: Start) -> None:
    """Their parent has ended, so they are nobody's children any more."""
    child = shell(f"sh -c 'sh -c \"echo up; {FOR_EVER}\" & exit 0'; echo up; exec sleep 600")
    says(child, "up", times=2)
    os.kill(child.pid, signal.SIGKILL)
    assert poll(lambda: not child.is_running(), timeout=LONG)
    assert session_of(child.pid), "the grandchild is still there"
    child.stop()
    assert session_of(child.pid) == []


def test_stop_ends_what_starts_while_it_stops(shell: Start) -> None:
    child = shell(f"trap 'sh -c \"{FOR_EVER}\" & exit 0' TERM; sleep 600 & echo up; wait")
    says(child, "up")
    child.stop()
    assert session_of(child.pid) == []


def test_stop_ends_an_adopted_process(shell: Start, tmp_path: Path) -> None:
    """Such as one that has left for a session of its own."""
    child = shell("echo up; " + FOR_EVER)
    says(child, "up")
    other = ChildProcess("other", ["/bin/sh", "-c", FOR_EVER], log=tmp_path / "other.log")
    child.adopt(other.pid)
    child.stop()
    assert poll(lambda: not other.is_running(), timeout=LONG)
    other.stop()


def test_adopting_what_has_ended_does_nothing(shell: Start, tmp_path: Path) -> None:
    child = shell(FOR_EVER)
    gone = ChildProcess("gone", ["/bin/true"], log=tmp_path / "gone.log")
    gone.exited("at its end")
    child.adopt(gone.pid)
    child.stop()


def test_stop_may_be_called_again(shell: Start) -> None:
    child = shell(FOR_EVER)
    child.stop()
    child.stop()
    assert child.exited("by stop").returncode == -signal.SIGTERM


def test_stop_leaves_strangers_alone(shell: Start, tmp_path: Path) -> None:
    stranger = ChildProcess("stranger", ["/bin/sh", "-c", FOR_EVER], log=tmp_path / "s.log")
    shell(FOR_EVER).stop()
    assert stranger.is_running()
    stranger.stop()


def test_poll_asks_at_least_once_and_says_whether_it_became_true() -> None:
    answers = iter([False, False, True])
    assert poll(lambda: next(answers), timeout=LONG)
    assert not poll(lambda: False, timeout=0.05)
    assert poll(lambda: True, timeout=0)


def test_poll_lets_errors_through() -> None:
    def broken() -> bool:
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        poll(broken, timeout=LONG)


def test_the_tail_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    assert tail(log, 3) == ""
    log.write_bytes(b"one\ntwo\nthree \xff\n")
    assert tail(log, 2) == "two\nthree \ufffd"
    assert tail(log, 9) == "one\ntwo\nthree \ufffd"
