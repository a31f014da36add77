"""What a user types: options, bad input, and ends of all kinds."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from pytest_kdelve.process import poll
from tests.apiserver.running import failure_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_kdelve.controlplane.build import Binaries
    from tests.apiserver.running import Runner

ONE_TEST = """
    import pytest

    @pytest.mark.hits("endpoints/handlers/get.go", at="getter(ctx, name, req)",
                      locals={"name": "kubernetes", "namespace": "default"})
    def test_get(api):
        assert api.get("/api/v1/namespaces/default/services/kubernetes").status_code == 200
"""
#: Never connected to: the tests only look at what is said of it.
PORT = 12345


def test_the_readmes_first_use(runner: Runner) -> None:
    result = runner.run_file(ONE_TEST, f"--kdelve-listen=:{PORT}", "-W", "error")
    result.assert_outcomes(passed=1)
    listens = f"mode started, dlv at 127.0.0.1:{PORT}"
    result.stdout.fnmatch_lines([f"kdelve: *, {listens}", f"Kubernetes *, {listens}, pid of *"])


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_a_port_in_use_is_named(runner: Runner, taken_port: int) -> None:
    result = runner.run_file(ONE_TEST, f"--kdelve-listen=:{taken_port}")
    result.assert_outcomes(errors=1)
    assert failure_of(result, "test_get") == (
        f"dlv cannot listen at 127.0.0.1:{taken_port}: Address already in use; end what listens "
        "there, or give another port"
    )


def test_an_argument_that_the_apiserver_refuses_is_shown_at_once(runner: Runner) -> None:
    result = runner.run_file(ONE_TEST, "--kdelve-apiserver-arg=--no-such-flag=a b")
    result.assert_outcomes(errors=1)
    error = failure_of(result, "test_get")
    assert "kube-apiserver ended with exit code 1" in error
    assert "'--no-such-flag=a b'" in error
    assert "unknown flag: --no-such-flag" in error


@pytest.mark.parametrize("part", ["etcd", "dlv"])
def test_a_part_that_ends_at_once_is_shown_with_its_end(
    runner: Runner, tmp_path: Path, part: str
) -> None:
    broken = tmp_path / part
    broken.write_text("#!/bin/sh\necho no license found >&2\nexit 3\n")
    broken.chmod(0o755)
    result = runner.run_file(ONE_TEST, f"--kdelve-{part}={broken}")
    result.assert_outcomes(errors=1)
    error = failure_of(result, "test_get")
    assert f"{part} ended with exit code 3 before it was ready" in error
    assert f"argv: {broken} " in error
    assert "no license found" in error


def test_an_argument_reaches_the_apiserver(runner: Runner) -> None:
    result = runner.run_file(
        """
        def test_argument(apiserver, api):
            assert apiserver.argv[-2:] == ("--audit-log-maxage=7", "--v=3")
            assert api.get("/api").ok
        """,
        "--kdelve-apiserver-arg=--audit-log-maxage=7",
        "--kdelve-apiserver-arg=--v=3",
    )
    result.assert_outcomes(passed=1)


def test_the_overridable_fixtures_are_used(runner: Runner) -> None:
    runner.pytester.makeconftest(
        """
        import pytest

        @pytest.fixture(scope="session")
        def kdelve_apiserver_args():
            return ["--v=1"]

        @pytest.fixture(scope="session")
        def kdelve_environment():
            return {"KDELVE_TEST_VARIABLE": "a b"}

        @pytest.fixture(scope="session")
        def kdelve_cluster_role():
            return "view"
        """
    )
    result = runner.run_file(
        """
        import psutil

        def test_overridden(apiserver, api, namespace):
            assert apiserver.argv[-1] == "--v=1"
            assert psutil.Process(apiserver.pid).environ()["KDELVE_TEST_VARIABLE"] == "a b"
            assert api.get("/api/v1/namespaces/default/configmaps").status_code == 200
            assert api.get("/api/v1/namespaces/default/secrets").status_code == 403
            assert api.get(f"/api/v1/namespaces/{namespace}").status_code == 200
        """
    )
    result.assert_outcomes(passed=1)


def test_a_stripped_binary_is_refused(runner: Runner, tmp_path: Path) -> None:
    # Go takes no go.mod in the folder that is TMPDIR.
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "go.mod").write_text("module program\n\ngo 1.21\n")
    (folder / "main.go").write_text("package main\n\nfunc main() { println(1) }\n")
    binary = folder / "program"
    go = shutil.which("go")
    assert go, "Go is on PATH wherever the tests run: the extra brings it"
    argv = [go, "build", "-ldflags=-s -w", "-o", str(binary), "."]
    subprocess.run(argv, cwd=folder, check=True, timeout=300)
    result = runner.run_file(ONE_TEST, f"--kdelve-apiserver={binary}")
    result.assert_outcomes(errors=1)
    assert failure_of(result, "test_get") == (
        f"{binary} has no debug information of Go: it is stripped, or no Go program; build it with "
        "`go build -gcflags='all=-N -l'` and without `-ldflags=-s` or `-w`"
    )


def test_given_binaries_are_used(runner: Runner, kdelve_binaries: Binaries) -> None:
    result = runner.run_file(
        f"""
        def test_given(apiserver):
            assert apiserver.argv[0] == {str(kdelve_binaries.kube_apiserver)!r}
        """,
        f"--kdelve-apiserver={kdelve_binaries.kube_apiserver}",
        f"--kdelve-dlv={kdelve_binaries.dlv}",
        f"--kdelve-etcd={kdelve_binaries.etcd}",
    )
    result.assert_outcomes(passed=1)


def test_a_secret_that_a_test_looks_at_is_not_printed(runner: Runner) -> None:
    result = runner.run_file(
        """
        import pytest

        @pytest.mark.hits("filters/authentication.go", at="auth.AuthenticateRequest(req)",
                          locals={'req.Header["Authorization"]': ["nothing"]})
        def test_token(api, credentials):
            print("the token's end is", len(credentials.token))
            api.get("/api")
        """
    )
    result.assert_outcomes(failed=1)
    failure = failure_of(result, "test_token")
    assert "Bearer (redacted)" in failure
    assert "eyJ" not in result.stdout.str() + result.stderr.str()


def test_an_apiserver_that_dies_is_reported_with_its_end(runner: Runner) -> None:
    result = runner.run_file(
        """
        import os, signal
        import pytest

        def test_kill(apiserver, kdelve, namespace):
            with kdelve.watch("handlers.ListResource"):
                os.kill(apiserver.pid, signal.SIGKILL)

        @pytest.mark.hits("handlers.ListResource")
        def test_after(api):
            api.get("/api")

        def test_without_marks(api):
            api.get("/api")
        """
    )
    result.assert_outcomes(failed=1, errors=2)
    assert "TargetExitedError" in failure_of(result, "test_kill")
    for test in ("test_after", "test_without_marks"):
        error = failure_of(result, test)
        assert "kube-apiserver ended by signal 9" in error
        assert "last lines of its log" in error


#: A job in a shell's background ignores SIGINT, and so does what it starts; so may CI, and a
#: terminal's nohup does the same with SIGHUP.
PYTEST_IN_THE_FOREGROUND = """
import signal, sys, pytest
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
sys.exit(pytest.main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("when", "number"),
    [
        ("while it starts", signal.SIGINT),
        ("in a test", signal.SIGINT),
        ("while it starts", signal.SIGTERM),
        ("in a test", signal.SIGHUP),
    ],
)
def test_an_interrupted_run_leaves_nothing(
    runner: Runner, when: str, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    path = runner.pytester.makepyfile(
        """
        import signal

        def test_waits(api):
            print("in the test")
            signal.pause()
        """
    )
    log = runner.pytester.path / "log"
    with log.open("wb") as output:
        argv = [sys.executable, "-c", PYTEST_IN_THE_FOREGROUND, "-s", str(path)]
        run = subprocess.Popen(argv, stdout=output, stderr=output)
    try:

        def is_time() -> bool:
            if when == "in a test":
                return b"in the test" in log.read_bytes()
            names = {process.name() for process in psutil.Process(run.pid).children(recursive=True)}
            return "kube-apiserver" in names

        assert poll(is_time, timeout=120), log.read_text()
        run.send_signal(number)
        assert run.wait(60) == pytest.ExitCode.INTERRUPTED
    finally:
        run.kill()
        run.wait()
        left = runner.footprint.processes()
        for process in left:
            process.kill()
    assert left == []
    runner.check_nothing_is_left()
