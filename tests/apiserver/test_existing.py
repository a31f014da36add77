"""A kube-apiserver that runs already: attach to it, or connect to the Delve that it runs under."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import psutil
import pytest

from pytest_kdelve.controlplane import kubeconfig
from pytest_kdelve.controlplane.credentials import ServiceAccountMaker
from pytest_kdelve.controlplane.reaping import reap
from pytest_kdelve.delve import Address, api, connect
from pytest_kdelve.process import ChildProcess, poll
from tests.apiserver import plain
from tests.apiserver.running import MARK
from tests.apiserver.test_deaths import (
    STANDS,
    assert_nothing_is_left,
    kill_with_guardian,
    started,
    wait_until_it_stands,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_kdelve.controlplane.build import Binaries
    from tests.apiserver.plain import Plain
    from tests.apiserver.running import Runner

TESTS = """
    import pytest

    from pytest_kdelve.delve import api as delve_api

    @pytest.mark.hits("endpoints/handlers/get.go", at="getter(ctx, name, req)",
                      locals={"name": "kubernetes", "namespace": "default"})
    def test_get(api, apiserver, credentials):
        print(f"{apiserver.mode} {apiserver.pid} {credentials.obtained}")
        assert "--authorization-mode=RBAC" in apiserver.argv
        assert api.get("/api/v1/namespaces/default/services/kubernetes").status_code == 200

    @pytest.mark.hits("main.main", during="startup")
    def test_startup():
        raise AssertionError("it is skipped")

    @pytest.mark.hits("handlers.createHandler")
    def test_not_reached(api):
        api.get("/api")

    def test_pause(api, kdelve):
        with kdelve.pause("endpoints/handlers/get.go", at="getter(ctx, name, req)") as pause:
            answer = api.background.get("/api/v1/namespaces/default")
            assert pause.wait().eval("name") == "default"
        assert answer.result(10).status_code == 200

    def test_left_alone(kdelve):
        location = kdelve.client.find_location("handlers.createHandler")[0]
        kdelve.client.create_breakpoint(delve_api.Breakpoint(addrs=[location.pc]))
"""


@pytest.fixture(scope="module")
def attachable(
    kdelve_binaries: Binaries, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Plain]:
    with plain.running(kdelve_binaries, tmp_path_factory.mktemp("plain")) as running:
        yield running


def names(running: Plain) -> list[str]:
    """Return the names of what the tests' credentials are made of."""
    paths = (
        "/api/v1/namespaces/default/serviceaccounts",
        "/api/v1/namespaces/default/secrets",
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    )
    with running.access.session() as session:
        answers = [session.get(f"{running.access.url}{path}", timeout=30) for path in paths]
    found = [item["metadata"]["name"] for answer in answers for item in answer.json()["items"]]
    return [name for name in found if "kdelve" in name]


def killed(runner: Runner, *arguments: str, with_guardian: bool) -> None:
    """Run pytest until it holds the apiserver, and kill it; wait until nothing is left of it.

    Where its guardian is killed, too, that is what the next run does, or ``kdelve down``.
    """
    with started(runner, STANDS, *arguments) as run:
        wait_until_it_stands(runner)
        if with_guardian:
            kill_with_guardian(runner, run)
            assert reap() == []
        run.kill()
        assert_nothing_is_left(runner)


def test_attach(runner: Runner, attachable: Plain) -> None:
    pid = attachable.process.pid
    for _ in range(2):
        result = runner.run_file(
            TESTS, f"--kdelve-attach={pid}", f"--kdelve-kubeconfig={attachable.kubeconfig}", "-rPs"
        )
        result.assert_outcomes(passed=3, failed=1, skipped=1)
        result.stdout.fnmatch_lines(
            [
                f"attach {pid} TokenRequest for default/kdelve-*, since no token controller *",
                "*during='startup': the kube-apiserver ran before (mode attach)",
            ]
        )
        assert names(attachable) == []
        assert psutil.Process(pid).status() != psutil.STATUS_TRACING_STOP


def test_a_kubeconfig_that_may_do_nothing(
    runner: Runner, attachable: Plain, tmp_path: Path
) -> None:
    """What it may not create it need not remove, and the next run has nothing to say."""
    with ServiceAccountMaker(attachable.access, name="nobody") as maker:
        maker.create("system:discovery")
        token = maker.request_token().token
        path = tmp_path / "nobody"
        user = {"token": token}
        kubeconfig.write(path, url=attachable.access.url, ca=attachable.access.ca, user=user)
        result = runner.run_file(
            "def test_one(api): pass",
            f"--kdelve-attach={attachable.process.pid}",
            f"--kdelve-kubeconfig={path}",
        )
        maker.remove()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["could not read the ClusterRole 'cluster-admin': 403 Forbidden*"])


def test_a_kubeconfig_of_another_cluster(
    runner: Runner, attachable: Plain, under_delve: Plain
) -> None:
    """Nothing is made there."""
    result = runner.run_file(
        "def test_one(api): pass",
        f"--kdelve-attach={attachable.process.pid}",
        f"--kdelve-kubeconfig={under_delve.kubeconfig}",
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [f"the kubeconfig * leads to {under_delve.access.url}, which answers (200 OK) while *"]
    )
    with under_delve.access.session() as session:
        path = "/api/v1/namespaces/default/serviceaccounts"
        assert session.get(f"{under_delve.access.url}{path}", timeout=30).json()["items"] == []
    assert attachable.process.is_running()


@pytest.mark.parametrize("with_guardian", [False, True])
def test_pytest_is_killed_while_delve_is_attached(
    runner: Runner, attachable: Plain, *, with_guardian: bool
) -> None:
    pid, kubeconfig = attachable.process.pid, f"--kdelve-kubeconfig={attachable.kubeconfig}"
    killed(runner, f"--kdelve-attach={pid}", kubeconfig, with_guardian=with_guardian)
    assert names(attachable) == []
    assert attachable.process.is_running()


@pytest.fixture(scope="module")
def under_delve(
    kdelve_binaries: Binaries, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Plain]:
    folder = tmp_path_factory.mktemp("debugged")
    dlv = [str(kdelve_binaries.dlv), "exec", "--headless", "--listen=127.0.0.1:0"]
    dlv += ["--api-version=2", "--accept-multiclient", "--continue"]
    with plain.running(kdelve_binaries, folder, dlv=dlv) as running:
        yield running


@pytest.fixture
def address(under_delve: Plain) -> Address:
    listening = re.search(r"listening at: (\S+)", under_delve.process.log.read_text())
    assert listening
    return Address.parse(listening[1])


def assert_it_goes_on(under_delve: Plain, address: Address) -> None:
    assert names(under_delve) == []
    with connect(address) as client:
        assert client.state(non_blocking=True).running
        client.halt()
        assert [each for each in client.list_breakpoints() if each.id > 0] == []
        client.send_command(api.CommandName.CONTINUE)


def test_connect(runner: Runner, under_delve: Plain, address: Address) -> None:
    dlv = psutil.Process(under_delve.process.pid)
    [target] = [each for each in dlv.children() if "kube-apiserver" in each.name()]
    kubeconfig = f"--kdelve-kubeconfig={under_delve.kubeconfig}"
    for _ in range(2):
        result = runner.run_file(TESTS, f"--kdelve-connect={address}", kubeconfig, "-rPs")
        result.assert_outcomes(passed=3, failed=1, skipped=1)
        result.stdout.fnmatch_lines(
            [
                f"connect {target.pid} TokenRequest for default/kdelve-*, since no token *",
                "*during='startup': the kube-apiserver ran before (mode connect)",
            ]
        )
        assert_it_goes_on(under_delve, address)


@pytest.mark.parametrize("with_guardian", [False, True])
def test_pytest_is_killed_while_it_is_connected(
    runner: Runner, under_delve: Plain, address: Address, *, with_guardian: bool
) -> None:
    kubeconfig = f"--kdelve-kubeconfig={under_delve.kubeconfig}"
    killed(runner, f"--kdelve-connect={address}", kubeconfig, with_guardian=with_guardian)
    assert_it_goes_on(under_delve, address)


def test_a_delve_that_would_end_with_our_connection_is_left_alone(
    runner: Runner, kdelve_binaries: Binaries, attachable: Plain, tmp_path: Path
) -> None:
    argv = [str(kdelve_binaries.dlv), "exec", "--headless", "--listen=127.0.0.1:0"]
    argv.append(str(kdelve_binaries.dlv))
    # It is none of what the run may leave behind.
    env = {name: value for name, value in os.environ.items() if name != MARK}
    dlv = ChildProcess("dlv", argv, log=tmp_path / "single.log", env=env)
    try:
        found: list[str] = []

        def listens() -> bool:
            found[:] = re.findall(r"listening at: (\S+)", dlv.log.read_text())
            return bool(found)

        assert poll(listens, timeout=30)
        kubeconfig = f"--kdelve-kubeconfig={attachable.kubeconfig}"
        result = runner.run_file(
            "def test_one(api): pass", f"--kdelve-connect={found[0]}", kubeconfig
        )
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["dlv at * was started without --accept-multiclient: *"])
        assert dlv.is_running()
    finally:
        dlv.stop()


def test_nobody_is_there(runner: Runner, attachable: Plain) -> None:
    kubeconfig = f"--kdelve-kubeconfig={attachable.kubeconfig}"
    result = runner.run_file("def test_one(api): pass", "--kdelve-connect=:1", kubeconfig)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*127.0.0.1:1*refused*"])
    result = runner.run_file("def test_one(api): pass", "--kdelve-attach=999999999", kubeconfig)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*no such process*"])
