"""A namespace of the real apiserver, in which no controller runs."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kdelve.controlplane.namespaces import Namespaces
    from pytest_kdelve.plugin.debugged import Debugged
    from pytest_kdelve.plugin.fixtures import Apiserver
    from pytest_kdelve.plugin.http import ApiSession

CREATE = "registry/core/namespace/storage.(*REST).Create"
FINALIZERS = {"finalizers": ["example.com/kept"]}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
#: What a resource needs beside a name. A pod of a node ends gracefully, which nobody would do here.
SPECS = {
    "configmaps": {},
    "pods": {"nodeName": "node", "containers": [{"name": "one", "image": "image"}]},
    "services": {"ports": [{"port": 80}]},
    "persistentvolumeclaims": CLAIM,
}


@pytest.fixture
def namespaces(request: pytest.FixtureRequest) -> Iterator[Namespaces]:
    debugged: Debugged = request.getfixturevalue("_kdelve_debugged")
    with debugged.namespaces() as lent:
        yield lent


def fill(api: ApiSession, namespace: str) -> None:
    for resource, spec in SPECS.items():
        new = {"metadata": {"name": "one", **FINALIZERS}, "spec": spec}
        answer = api.post(f"/api/v1/namespaces/{namespace}/{resource}", json=new)
        assert answer.status_code == 201, answer.text


def keys(apiserver: Apiserver, namespace: str) -> list[str]:
    """Return the keys in etcd that are of a namespace."""
    [servers] = [a.partition("=")[2] for a in apiserver.argv if a.startswith("--etcd-servers=")]
    folder = apiserver.kubeconfig.parent
    wanted = {"key": base64.b64encode(b"/registry/").decode(), "keys_only": True}
    wanted["range_end"] = base64.b64encode(b"/registry0").decode()
    with requests.Session() as etcd:
        etcd.trust_env = False
        etcd.verify = str(apiserver.ca_file)
        etcd.cert = (str(folder / "admin.crt"), str(folder / "admin.key"))
        answer = etcd.post(f"{servers}/v3/kv/range", json=wanted, timeout=10)
    found = [base64.b64decode(each["key"]).decode() for each in answer.json()["kvs"]]
    assert "/registry/namespaces/default" in found
    return [key for key in found if namespace in key]


@pytest.mark.not_hits(CREATE, by="anyone")
def test_it_can_be_used_and_its_making_is_nobodys_hit(api: ApiSession, namespace: str) -> None:
    fill(api, namespace)


@pytest.mark.hits(CREATE, count=1)
@pytest.mark.hits(CREATE, by="anyone", count=1)
def test_one_that_the_test_makes_is_its_hit(
    api: ApiSession, namespace: str, namespaces: Namespaces
) -> None:
    name = f"{namespace}-own"
    assert api.post("/api/v1/namespaces", json={"metadata": {"name": name}}).status_code == 201
    namespaces.remove(name)
    assert api.get(f"/api/v1/namespaces/{name}").status_code == 404


@pytest.mark.parametrize("deleted_before", [False, True])
def test_its_removal_leaves_nothing(
    api: ApiSession,
    namespace: str,
    apiserver: Apiserver,
    namespaces: Namespaces,
    *,
    deleted_before: bool,
) -> None:
    fill(api, namespace)
    assert len(keys(apiserver, namespace)) > len(SPECS)
    if deleted_before:
        assert api.delete(f"/api/v1/namespaces/{namespace}").json()["status"]["phase"] == (
            "Terminating"
        )
    namespaces.remove(namespace)
    assert keys(apiserver, namespace) == []
    namespaces.remove(namespace)
