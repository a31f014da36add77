"""Whatever is killed, nothing is left: no process, no temporary folder, no journal."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from pytest_kdelve.controlplane import guardian
from pytest_kdelve.process import poll
from tests.apiserver.running import failure_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.apiserver.running import Footprint, Runner

#: Seconds until what a killed run has left is gone.
LIMIT = 10.0
ONE_TEST = """
    def test_get(api):
        assert api.get("/api").ok
"""
STANDS = """
    import signal

    def test_stands(api, kdelve):
        with kdelve.pause("handlers.ListResource") as pause:
            api.background.get("/api/v1/namespaces")
            pause.wait()
            print("it stands", flush=True)
            signal.pause()
"""


@contextmanager
def started(runner: Runner, source: str, *args: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run pytest on a file with this text; what it prints is in the file ``log``."""
    path = runner.pytester.makepyfile(source)
    with (
        (runner.pytester.path / "log").open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-m", "pytest", "-s", *args, str(path)], stdout=output, stderr=output
        ) as run,
    ):
        try:
            yield run
        finally:
            run.kill()
            run.wait()
            poll(lambda: not is_anything_left(runner.footprint), timeout=LIMIT)
            for process in runner.footprint.processes():
                process.kill()


def is_anything_left(footprint: Footprint) -> bool:
    return bool(footprint.processes() or footprint.folders() or footprint.journals())


def names(footprint: Footprint) -> set[str]:
    return {process.name() for process in footprint.processes()}


def wait_until_it_stands(runner: Runner) -> None:
    log = runner.pytester.path / "log"
    assert poll(lambda: b"it stands" in log.read_bytes(), timeout=120), log.read_text()


def assert_nothing_is_left(runner: Runner) -> None:
    poll(lambda: not is_anything_left(runner.footprint), timeout=LIMIT)
    runner.check_nothing_is_left()


@pytest.mark.parametrize("part", ["etcd", "kube-apiserver"])
def test_pytest_is_killed_while_it_starts(runner: Runner, part: str) -> None:
    with started(runner, ONE_TEST) as run:
        assert poll(lambda: part in names(runner.footprint), timeout=120)
        run.kill()
        assert_nothing_is_left(runner)


def test_pytest_is_killed_while_the_apiserver_stands(runner: Runner) -> None:
    with started(runner, STANDS) as run:
        wait_until_it_stands(runner)
        run.kill()
        assert_nothing_is_left(runner)


def test_pytest_is_killed_while_it_tears_down(runner: Runner) -> None:
    """Delve has ended by then, and etcd has not."""
    runner.pytester.makeconftest(
        """
        import os, signal
        from pytest_kdelve.process import ChildProcess

        def stop(child, **options):
            if child.name == "etcd":
                print("etcd runs:", child.is_running(), flush=True)
                os.kill(os.getpid(), signal.SIGKILL)
            original(child, **options)

        original, ChildProcess.stop = ChildProcess.stop, stop
        """
    )
    with started(runner, ONE_TEST) as run:
        assert run.wait(120) == -signal.SIGKILL
        assert b"etcd runs: True" in (runner.pytester.path / "log").read_bytes()
        assert_nothing_is_left(runner)


def test_workers_are_killed(runner: Runner) -> None:
    """One by a signal, and one by pytest-timeout, whose thread can only end the process."""
    source = """
        import os, signal
        import pytest

        def test_one(api, kdelve):
            with kdelve.pause("handlers.ListResource") as pause:
                api.background.get("/api/v1/namespaces")
                pause.wait()
                os.kill(os.getpid(), signal.SIGKILL)

        @pytest.mark.timeout(1, method="thread", func_only=True)
        def test_two(api):
            signal.pause()
    """
    runner.pytester.makepyfile(source)
    result = runner.pytester.runpytest_subprocess("-n2", "--max-worker-restart=0", timeout=300)
    result.assert_outcomes(failed=2)
    for test in ("test_one", "test_two"):
        result.stdout.fnmatch_lines([f"*worker 'gw?' crashed while running '*::{test}'"])
    assert_nothing_is_left(runner)


def test_delve_is_killed(runner: Runner) -> None:
    result = runner.run_file(
        """
        import psutil

        def test_kill(apiserver, api, kdelve):
            with kdelve.watch("handlers.ListResource"):
                psutil.Process(apiserver.pid).parent().kill()

        def test_after(api): pass
        """
    )
    result.assert_outcomes(failed=1, errors=1)
    assert "the connection to Delve at 127.0.0.1:" in failure_of(result, "test_kill")


def kill_with_guardian(runner: Runner, run: subprocess.Popen[bytes]) -> None:
    """Kill pytest, and its guardian before it can do anything."""
    left = runner.footprint.processes()
    guards = [process for process in left if guardian.__name__ in process.cmdline()]
    assert len(guards) == 1
    guards[0].kill()
    run.kill()
    psutil.wait_procs([psutil.Process(run.pid), *guards], timeout=LIMIT)
    assert runner.footprint.journals()


def test_a_run_whose_guardian_is_killed_too_is_undone_by_the_next_one(runner: Runner) -> None:
    with started(runner, STANDS) as run:
        wait_until_it_stands(runner)
        kill_with_guardian(runner, run)
        assert {"etcd", "dlv", "kube-apiserver"} <= names(runner.footprint)
        assert len(runner.footprint.folders()) == 1
        # How far it comes itself does not matter.
        result = runner.run_file(ONE_TEST, "-W", "error", "--kdelve-etcd=/bin/false")
        assert "etcd ended with exit code 1" in failure_of(result, "test_get")
