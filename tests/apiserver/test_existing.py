"""A kube-apiserver that runs already: attach to it, or connect to the Delve that it runs under."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import psutil
import pytest

from pytest_kdelve.delve import Address, api, connect
from tests.apiserver import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        process = psutil.Process(pid)
        assert process.status() != psutil.STATUS_TRACING_STOP
        assert names(attachable) == []


@pytest.fixture(scope="module")
def under_delve(
    kdelve_binaries: Binaries, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Plain]:
    folder = tmp_path_factory.mktemp("debugged")
    dlv = [str(kdelve_binaries.dlv), "exec", "--headless", "--listen=127.0.0.1:0"]
    dlv += ["--api-version=2", "--accept-multiclient", "--continue"]
    with plain.running(kdelve_binaries, folder, dlv=dlv) as running:
        yield running


def test_connect(runner: Runner, under_delve: Plain) -> None:
    listening = re.search(r"listening at: (\S+)", under_delve.process.log.read_text())
    assert listening
    address = Address.parse(listening[1])
    dlv = psutil.Process(under_delve.process.pid)
    [target] = [each for each in dlv.children() if "kube-apiserver" in each.name()]
    for _ in range(2):
        result = runner.run_file(
            TESTS,
            f"--kdelve-connect={address}",
            f"--kdelve-kubeconfig={under_delve.kubeconfig}",
            "-rPs",
        )
        result.assert_outcomes(passed=3, failed=1, skipped=1)
        result.stdout.fnmatch_lines(
            [
                f"connect {target.pid} TokenRequest for default/kdelve-*, since no token *",
                "*during='startup': the kube-apiserver ran before (mode connect)",
            ]
        )
        assert names(under_delve) == []
        with connect(address) as client:
            assert client.state(non_blocking=True).running
            client.halt()
            assert [each for each in client.list_breakpoints() if each.id > 0] == []
            client.send_command(api.CommandName.CONTINUE)
