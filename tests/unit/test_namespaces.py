"""A namespace is made so that it can be used, and removed without a controller."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from pytest_kdelve.controlplane.namespaces import Namespaces
from pytest_kdelve.errors import NamespaceError
from tests.unit.fake_http import Answer, FakeApiserver

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "kdelve-x7b2c"
PATH = f"/api/v1/namespaces/{NAME}"
NOT_FOUND = Answer(404, {"kind": "Status", "reason": "NotFound"})
FORBIDDEN = Answer(403, {"message": "no"})
EVERYTHING = ["create", "delete", "list"]


def resource(name: str, *, namespaced: bool = True, verbs: list[str] | None = None) -> object:
    return {"name": name, "namespaced": namespaced, "verbs": verbs or EVERYTHING}


def resources(*of_version: object) -> Answer:
    return Answer(body={"resources": list(of_version)})


def listed(*metadata: object) -> Answer:
    return Answer(body={"items": [{"metadata": each} for each in metadata]})


@pytest.fixture
def fake() -> Iterator[FakeApiserver]:
    """Return an apiserver with one namespace that has nothing in it."""
    groups = [
        {
            "name": "apps",
            "versions": [{"groupVersion": "apps/v1"}, {"groupVersion": "apps/v1beta1"}],
        }
    ]
    answers = {
        "POST /api/v1/namespaces": Answer(201, {"metadata": {"name": NAME}}),
        "GET /api": Answer(body={"versions": ["v1"]}),
        "GET /apis": Answer(body={"groups": groups}),
        "GET /api/v1": resources(
            resource("configmaps"),
            resource("nodes", namespaced=False),
            resource("bindings", verbs=["create"]),
            resource("pods/log", verbs=["get"]),
        ),
        "GET /apis/apps/v1": resources(resource("deployments")),
        "GET /apis/apps/v1beta1": resources(resource("deployments"), resource("olds")),
    }
    with FakeApiserver(answers=answers).serving() as serving:
        yield serving


@pytest.fixture
def namespaces(fake: FakeApiserver) -> Iterator[Namespaces]:
    with requests.Session() as admin:
        admin.trust_env = False
        yield Namespaces(fake.url, admin)


def sent(fake: FakeApiserver) -> list[str]:
    """Return what was sent, without what was asked to find out what there is."""
    discovery = {"/api", "/apis", "/api/v1", "/apis/apps/v1", "/apis/apps/v1beta1"}
    return [f"{one.method} {one.path}" for one in fake.received if one.path not in discovery]


def test_it_is_made_with_the_service_account_that_pods_need(
    fake: FakeApiserver, namespaces: Namespaces
) -> None:
    assert namespaces.create() == NAME
    first, second = fake.received
    assert (first.path, first.body) == (
        "/api/v1/namespaces",
        {"metadata": {"generateName": "kdelve-"}},
    )
    assert (second.path, second.body) == (
        f"{PATH}/serviceaccounts",
        {"metadata": {"name": "default"}},
    )


def test_no_request_is_a_tests(fake: FakeApiserver, namespaces: Namespaces) -> None:
    namespaces.remove(namespaces.create())
    assert fake.received
    assert not any("Audit-ID" in one.headers for one in fake.received)


def test_it_is_closed_before_it_is_emptied_and_let_go(
    fake: FakeApiserver, namespaces: Namespaces
) -> None:
    """Each resource once, though two versions have it; none that cannot be listed."""
    namespaces.remove(NAME)
    assert sent(fake) == [
        f"DELETE {PATH}",
        f"GET {PATH}/configmaps",
        f"GET /apis/apps/v1/namespaces/{NAME}/deployments",
        f"GET /apis/apps/v1beta1/namespaces/{NAME}/olds",
        f"PUT {PATH}/finalize",
    ]
    assert fake.received[-1].body == {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAME},
        "spec": {"finalizers": []},
    }


def test_objects_go_at_once_whatever_finalizers_they_have(
    fake: FakeApiserver, namespaces: Namespaces
) -> None:
    kept = {"name": "kept", "finalizers": ["example.com/kept"]}
    fake.answers[f"GET {PATH}/configmaps"] = listed({"name": "plain"}, kept)
    fake.answers[f"DELETE {PATH}/configmaps/kept"] = NOT_FOUND
    namespaces.remove(NAME)
    assert sent(fake)[2:5] == [
        f"DELETE {PATH}/configmaps/plain",
        f"PATCH {PATH}/configmaps/kept",
        f"DELETE {PATH}/configmaps/kept",
    ]
    plain, patch = [one for one in fake.received if f"{PATH}/configmaps/" in one.path][:2]
    assert plain.body == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "gracePeriodSeconds": 0,
        "propagationPolicy": "Background",
    }
    assert patch.headers["Content-Type"] == "application/merge-patch+json"
    assert patch.body == {"metadata": {"finalizers": None}}


def test_one_that_is_gone_is_left_alone(fake: FakeApiserver, namespaces: Namespaces) -> None:
    fake.answers[f"DELETE {PATH}"] = NOT_FOUND
    namespaces.remove(NAME)
    assert [one.method for one in fake.received] == ["DELETE"]


@pytest.mark.parametrize("status", [404, 503])
@pytest.mark.parametrize(
    "request_", ["GET /apis/apps/v1", f"GET /apis/apps/v1/namespaces/{NAME}/deployments"]
)
def test_what_another_server_has_does_not_matter(
    fake: FakeApiserver, namespaces: Namespaces, request_: str, status: int
) -> None:
    """Behind the aggregator there may be none; a definition may go while it is asked for."""
    fake.answers[request_] = Answer(status)
    namespaces.remove(NAME)
    assert sent(fake)[-1] == f"PUT {PATH}/finalize"


REFUSED = {
    "creating": ("POST /api/v1/namespaces", "create a namespace"),
    "its ServiceAccount": (f"POST {PATH}/serviceaccounts", "create a namespace"),
    "closing it": (f"DELETE {PATH}", f"remove the namespace {NAME}"),
    "discovery": ("GET /apis", f"remove the namespace {NAME}"),
    "listing": (f"GET {PATH}/configmaps", f"remove the namespace {NAME}"),
    "deleting": (f"DELETE {PATH}/configmaps/one", f"remove the namespace {NAME}"),
    "letting go": (f"PUT {PATH}/finalize", f"remove the namespace {NAME}"),
}


@pytest.mark.parametrize(("request_", "what"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_said_with_the_answer(
    fake: FakeApiserver, namespaces: Namespaces, request_: str, what: str
) -> None:
    fake.answers[f"GET {PATH}/configmaps"] = listed({"name": "one"})
    fake.answers[request_] = FORBIDDEN
    with pytest.raises(NamespaceError) as raised:
        namespaces.remove(namespaces.create())
    assert str(raised.value) == f'could not {what}: {request_}: 403 Forbidden: {{"message": "no"}}'


def test_a_half_made_one_is_removed(fake: FakeApiserver, namespaces: Namespaces) -> None:
    fake.answers[f"POST {PATH}/serviceaccounts"] = FORBIDDEN
    with pytest.raises(NamespaceError):
        namespaces.create()
    assert sent(fake)[-1] == f"PUT {PATH}/finalize"


def test_no_answer_is_said_with_the_reason(fake: FakeApiserver, namespaces: Namespaces) -> None:
    fake.answers[f"DELETE {PATH}"] = Answer(0)
    with pytest.raises(NamespaceError) as raised:
        namespaces.remove(NAME)
    assert str(raised.value) == (
        f"could not remove the namespace {NAME}: DELETE {PATH}: ('Connection aborted.', "
        "RemoteDisconnected('Remote end closed connection without response'))"
    )
    assert isinstance(raised.value.__cause__, requests.ConnectionError)
