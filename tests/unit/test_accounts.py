"""Removing the tests' ServiceAccount from a cluster of somebody else's."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.controlplane import accounts, certificates
from pytest_kdelve.errors import CredentialsError
from tests.unit.fake_http import Answer, FakeApiserver

if TYPE_CHECKING:
    from pathlib import Path

PATHS = [
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/kdelve-1",
    "/api/v1/namespaces/default/secrets/kdelve-1",
    "/api/v1/namespaces/default/serviceaccounts/kdelve-1",
]


@pytest.fixture
def kubeconfig(fake: FakeApiserver, files: certificates.Certificates, tmp_path: Path) -> str:
    authority = base64.b64encode(files.ca.read_bytes()).decode()
    cluster = {"server": fake.url, "certificate-authority-data": authority}
    config = {
        "clusters": [{"name": "a", "cluster": cluster}],
        "users": [{"name": "a", "user": {"token": "to.ke.n"}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "current-context": "a",
    }
    path = tmp_path / "config"
    path.write_text(json.dumps(config), encoding="utf-8")
    return str(path)


def test_all_three_are_removed(fake: FakeApiserver, kubeconfig: str) -> None:
    accounts.remove(kubeconfig, "kdelve-1")
    assert [(one.method, one.path) for one in fake.received] == [("DELETE", p) for p in PATHS]


def test_what_is_gone_already(fake: FakeApiserver, kubeconfig: str) -> None:
    fake.answers = {f"DELETE {path}": Answer(404) for path in PATHS}
    accounts.remove(kubeconfig, "kdelve-1")
    assert len(fake.received) == len(PATHS)


def test_an_apiserver_that_comes_back_is_waited_for(fake: FakeApiserver, kubeconfig: str) -> None:
    """The kubernetes client itself tries a few times."""
    answer = Answer(0)
    fake.answers = {f"DELETE {path}": answer for path in PATHS}
    respond, tries = fake.respond, []

    def once_again(*args: object) -> Answer:
        tries.append(args)
        if len(tries) > 5:
            fake.answers = {}
        return respond(*args)  # type: ignore[arg-type]

    fake.respond = once_again  # type: ignore[method-assign, assignment]
    accounts.remove(kubeconfig, "kdelve-1")
    assert {one.path for one in fake.received} == set(PATHS)


def test_what_may_not_be_removed(fake: FakeApiserver, kubeconfig: str) -> None:
    fake.answers = {f"DELETE {PATHS[0]}": Answer(403, {"message": "forbidden: no"})}
    with pytest.raises(CredentialsError, match="could not remove the ClusterRoleBinding kdelve-1"):
        accounts.remove(kubeconfig, "kdelve-1")


def test_nobody_answers(
    fake: FakeApiserver, kubeconfig: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "_TIMEOUT", 0.2)
    fake.answers = {f"DELETE {PATHS[0]}": Answer(0)}
    with pytest.raises(CredentialsError) as raised:
        accounts.remove(kubeconfig, "kdelve-1")
    assert str(raised.value).endswith(
        "; remove what is left by `kubectl --namespace=default delete "
        "clusterrolebinding/kdelve-1 serviceaccount/kdelve-1 secret/kdelve-1`"
    )
