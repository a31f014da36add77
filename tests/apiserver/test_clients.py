"""kubectl, curl and Postman's newman, with the files that are written for them."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_kdelve.controlplane import certificates, clients
from tests.apiserver import tools

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pytest_kdelve.controlplane.build import Binaries
    from pytest_kdelve.controlplane.credentials import Credentials
    from pytest_kdelve.plugin.fixtures import Apiserver

_TIMEOUT = 120


@dataclass(frozen=True, kw_only=True)
class Reached:
    """What the files are written with."""

    folder: Path
    url: str
    ca: Path
    token: str

    def write(self, writer: Callable[..., clients.Written]) -> clients.Written:
        return writer(self.folder, url=self.url, ca=self.ca, token=self.token)


@pytest.fixture
def reached(apiserver: Apiserver, credentials: Credentials, tmp_path: Path) -> Reached:
    return Reached(
        folder=tmp_path, url=apiserver.url, ca=apiserver.ca_file, token=credentials.token
    )


@pytest.fixture
def of_another_ca(reached: Reached) -> Reached:
    folder = reached.folder / "other"
    folder.mkdir()
    return replace(reached, ca=certificates.create(folder).ca)


@pytest.fixture
def of_another_token(reached: Reached) -> Reached:
    return replace(reached, token=f"{reached.token[:-8]}AAAAAAAA")


@pytest.fixture(scope="session")
def kubectl(kdelve_binaries: Binaries) -> Path:
    return tools.kubectl(kdelve_binaries.kube_apiserver)


@pytest.fixture(scope="session")
def newman() -> Path:
    return tools.newman()


Answer = subprocess.CompletedProcess[str]


def run(*argv: str | Path, env: Mapping[str, str] | None = None) -> Answer:
    return subprocess.run(
        argv,
        env={**os.environ, "NO_PROXY": "127.0.0.1", **(env or {})},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        check=False,
    )


def run_kubectl(kubectl: Path, reached: Reached, *args: str) -> Answer:
    """Run kubectl in the environment that the printed command makes, with a cache of its own."""
    command = shlex.split(reached.write(clients.write_kubeconfig).command)
    name, _, value = command[1].partition("=")
    return run(
        kubectl, f"--cache-dir={reached.folder / 'cache'}", *args, env={"HOME": "/", name: value}
    )


def test_kubectl_gets_an_api_group_list(kubectl: Path, reached: Reached) -> None:
    answer = run_kubectl(kubectl, reached, "get", "--raw", "/apis")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["kind"] == "APIGroupList"


def test_kubectl_is_the_service_account(kubectl: Path, reached: Reached) -> None:
    answer = run_kubectl(kubectl, reached, "auth", "whoami", "-o=json")
    assert answer.returncode == 0, answer.stderr
    user = json.loads(answer.stdout)["status"]["userInfo"]
    assert user["username"] == "system:serviceaccount:default:kdelve"


def test_kubectl_verifies_the_ca(kubectl: Path, of_another_ca: Reached) -> None:
    answer = run_kubectl(kubectl, of_another_ca, "get", "--raw", "/apis")
    assert answer.returncode == 1
    assert "certificate signed by unknown authority" in answer.stderr


def test_kubectl_needs_the_token(kubectl: Path, of_another_token: Reached) -> None:
    answer = run_kubectl(kubectl, of_another_token, "get", "--raw", "/apis")
    assert answer.returncode == 1
    assert "Unauthorized" in answer.stderr


def run_curl(reached: Reached, env: Mapping[str, str] | None = None) -> Answer:
    """Run the printed command; without this, curl would read the settings of who runs the tests."""
    command = shlex.split(reached.write(clients.write_curl).command)
    return run(tools.installed(command[0]), *command[1:], env={"CURL_HOME": "/", **(env or {})})


def test_curl_gets_an_api_group_list(reached: Reached) -> None:
    answer = run_curl(reached)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["kind"] == "APIGroupList"


def test_curl_verifies_the_ca_even_if_told_otherwise(of_another_ca: Reached) -> None:
    (of_another_ca.folder / ".curlrc").write_text("insecure\n")
    answer = run_curl(of_another_ca, {"CURL_HOME": str(of_another_ca.folder)})
    assert answer.returncode == 60
    assert answer.stdout == ""


def test_curl_goes_past_a_proxy(reached: Reached) -> None:
    nowhere = {"https_proxy": "http://127.0.0.1:9", "NO_PROXY": "", "no_proxy": ""}
    assert run_curl(reached, nowhere).returncode == 0


def test_curl_needs_the_token(of_another_token: Reached) -> None:
    answer = json.loads(run_curl(of_another_token).stdout)
    assert (answer["kind"], answer["code"]) == ("Status", 401)


def run_newman(newman: Path, reached: Reached) -> tuple[Answer, list[dict[str, Any]]]:
    """Run the printed command; return the requests with their answers, too."""
    command = shlex.split(reached.write(clients.write_postman).command)
    report = reached.folder / "report.json"
    reporters = ["--reporters=cli,json", f"--reporter-json-export={report}", "--color=off"]
    answer = run(newman, *command[1:], *reporters)
    return answer, json.loads(report.read_text())["run"]["executions"]


def test_newman_gets_an_api_group_list(newman: Path, reached: Reached) -> None:
    answer, executions = run_newman(newman, reached)
    assert answer.returncode == 0, answer.stdout
    assert "is an APIGroupList" in answer.stdout
    assert reached.token not in answer.stdout
    assert [one["item"]["name"] for one in executions] == [
        "GET /apis",
        "GET /version",
        "GET /api/v1/namespaces",
    ]
    for one in executions:
        assert one["response"]["code"] == 200
        assert [test.get("error") for test in one["assertions"]] == [None, None]
    body = bytes(executions[0]["response"]["stream"]["data"])
    assert json.loads(body)["kind"] == "APIGroupList"


def test_newman_verifies_the_ca(newman: Path, of_another_ca: Reached) -> None:
    answer, executions = run_newman(newman, of_another_ca)
    assert answer.returncode == 1
    assert not any("response" in one for one in executions)
    assert "unable to verify the first certificate" in answer.stdout


def test_newman_needs_the_token(newman: Path, of_another_token: Reached) -> None:
    answer, executions = run_newman(newman, of_another_token)
    assert answer.returncode == 1
    assert [one["response"]["code"] for one in executions] == [401, 401, 401]
    assert "expected 'Status' to equal 'APIGroupList'" in answer.stdout
