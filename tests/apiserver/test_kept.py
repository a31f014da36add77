"""Environments that stay: kdelve up, status and down, --kdelve-reuse and --kdelve-keep."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from pytest_kdelve.delve import Address, api, connect
from pytest_kdelve.process import poll
from tests.apiserver.running import failure_of
from tests.apiserver.test_deaths import LIMIT, STANDS, started, wait_until_it_stands

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.apiserver.running import Runner

TESTS = """
    import pytest

    @pytest.mark.hits("endpoints/handlers/get.go", at="getter(ctx, name, req)",
                      locals={"name": "kubernetes", "namespace": "default"})
    def test_get(api, apiserver):
        print(f"mode {apiserver.mode}, pid {apiserver.pid}")
        assert api.get("/api/v1/namespaces/default/services/kubernetes").status_code == 200

    @pytest.mark.hits("main.main", during="startup")
    def test_startup():
        raise AssertionError("it is skipped")

    def test_pause(api, kdelve):
        with kdelve.pause("endpoints/handlers/get.go", at="getter(ctx, name, req)") as pause:
            answer = api.background.get("/api/v1/namespaces/default")
            assert pause.wait().eval("name") == "default"
        assert answer.result(10).status_code == 200
"""


def kdelve(*arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
    program = "import sys; from pytest_kdelve.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done


@pytest.fixture
def keeping(runner: Runner) -> Iterator[Runner]:
    """Let runs keep something, and prove that `kdelve down` ends all of it."""
    runner.pytester.makepyfile(TESTS)
    yield runner
    kdelve("down")
    runner.check_nothing_is_left()


def run(keeping: Runner, *arguments: str) -> pytest.RunResult:
    return keeping.pytester.runpytest_subprocess("-rPs", *arguments, timeout=200)


def test_up_is_used_again_by_who_wants_the_same(keeping: Runner) -> None:
    up = json.loads(kdelve("up", "--apiserver-arg=--v=1", "--json").stdout)
    pid = up["processes"]["kube-apiserver"]
    assert kdelve("status").stdout.splitlines()[:3] == [
        "default: Kubernetes 1.37.2, running",
        f"  apiserver   {up['url']} (pid {pid})",
        f"  debugger    {psutil.Process(up['processes']['dlv']).exe()} connect {up['dlv']}",
    ]
    for _ in range(2):
        result = run(keeping, "--kdelve-reuse", "--kdelve-apiserver-arg=--v=1")
        result.assert_outcomes(passed=2, skipped=1)
        result.stdout.fnmatch_lines(
            [f"mode reuse, pid {pid}", "*'startup': the kube-apiserver ran before (mode reuse)"]
        )
        with connect(Address.parse(up["dlv"])) as client:
            assert poll(lambda: client.state(non_blocking=True).running, timeout=10)

    result = run(keeping, "--kdelve-reuse", "-k", "get")
    result.assert_outcomes(errors=1)
    assert failure_of(result, "test_get").splitlines() == [
        "the environment 'default' that is kept is not the one that this run wants:",
        '  apiserver args: kept ["--v=1"], wanted []',
        "end it by `kdelve down`, or run with the same options and fixtures",
    ]
    assert "up already" in kdelve("up", expect=2).stderr

    arguments = ["curl", "--silent", "--max-time", "30"]
    command = kdelve("credentials", "curl").stdout.split()
    assert command[0] == "curl"
    answer = subprocess.run([*arguments, *command[1:]], capture_output=True, check=True)
    assert json.loads(answer.stdout)["kind"] == "APIGroupList"
    assert Path(kdelve("ide", "vscode").stdout.strip()).is_file()


def test_what_has_ended_is_replaced_and_said_so(keeping: Runner) -> None:
    run(keeping, "--kdelve-reuse", "-k", "get").assert_outcomes(passed=1)
    [old] = json.loads(kdelve("status", "--json").stdout).values()
    dlv = old["processes"]["dlv"]
    psutil.Process(dlv).kill()
    assert poll(lambda: not psutil.pid_exists(dlv) or is_zombie(dlv), timeout=10)
    ended = kdelve("status", expect=1).stdout.splitlines()[0]
    assert ended.startswith("default: Kubernetes 1.37.2, of no use any more: dlv (pid ")
    assert "no environment is kept" in kdelve("ide", "vscode", expect=2).stderr

    result = run(keeping, "--kdelve-reuse", "-k", "get")
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*is of no use any more, and is replaced: dlv (pid *"])
    [new] = json.loads(kdelve("status", "--json").stdout).values()
    assert new["directory"] != old["directory"]
    assert not Path(old["directory"]).exists()


def is_zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_pytest_is_killed_while_the_apiserver_stands(keeping: Runner) -> None:
    """It goes on without the test's breakpoints, for those who use it beside pytest."""
    up = json.loads(kdelve("up", "--json").stdout)
    with started(keeping, STANDS, "--kdelve-reuse") as killed:
        wait_until_it_stands(keeping)
        killed.kill()
        with connect(Address.parse(up["dlv"])) as client:
            assert poll(lambda: client.state(non_blocking=True).running, timeout=LIMIT)
            client.halt()
            assert [each for each in client.list_breakpoints() if each.id > 0] == []
            client.send_command(api.CommandName.CONTINUE)
        keeping.pytester.makepyfile(TESTS)
        run(keeping, "--kdelve-reuse", "-k", "get").assert_outcomes(passed=1)
        kdelve("down")


@pytest.mark.parametrize("when", ["on-failure", "always"])
def test_a_run_leaves_its_environment(keeping: Runner, when: str) -> None:
    keeping.pytester.makepyfile(test_bad="def test_bad(api): assert api.get('/api').ok is None")
    passing = run(keeping, f"--kdelve-keep={when}", "-q", "-k", "get")
    assert ("kept for you" in passing.stdout.str()) is (when == "always")
    kdelve("down")
    failing = run(keeping, f"--kdelve-keep={when}", "-q", "-k", "bad")
    failing.stdout.fnmatch_lines(["kept for you until `kdelve down kept-*`:", "  debugger *"])
    [kept] = json.loads(kdelve("status", "--json").stdout).values()
    with connect(Address.parse(kept["dlv"])) as client:
        assert client.state(non_blocking=True).running
    kubeconfig = Path(kept["kubeconfig"])
    assert kubeconfig.stat().st_mode & 0o777 == 0o600
    assert kept["state"] == "running"


def test_what_has_ended_is_not_kept(runner: Runner) -> None:
    """All that is left of it is ended when its fixture is, before pytest does."""
    runner.pytester.makeconftest(
        """
        import psutil

        def pytest_sessionfinish():
            print("children:", [each.name() for each in psutil.Process().children()])
        """
    )
    result = runner.run_file(
        """
        import psutil

        def test_kill(apiserver): psutil.Process(apiserver.pid).kill()
        """,
        "--kdelve-keep=always",
        "-s",
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*children: []", "kube-apiserver ended by signal 9"])


def test_workers_have_one_each(keeping: Runner) -> None:
    """Of all of them the summary tells, and each takes its own port."""
    port = 12400
    arguments = ["-n2", "--dist=each", f"--kdelve-listen=:{port}", "--kdelve-reuse", "-k", "get"]
    for _ in range(2):
        result = run(keeping, *arguments)
        result.assert_outcomes(passed=2)
        result.stdout.fnmatch_lines_random(
            [
                f"gw{number}: Kubernetes *, mode reuse, dlv at 127.0.0.1:{port + number}, *"
                for number in range(2)
            ]
        )
    assert list(json.loads(kdelve("status", "--json").stdout)) == ["default-gw0", "default-gw1"]
