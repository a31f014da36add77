"""Whose hit it is, in the real kube-apiserver."""

from __future__ import annotations

import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import requests
from kubernetes import client as k8s
from kubernetes import watch as k8s_watch

from pytest_kdelve.hits.model import Attribution

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_kdelve.controlplane.credentials import Credentials
    from pytest_kdelve.plugin.fixtures import Apiserver
    from pytest_kdelve.plugin.handle import Kdelve
    from pytest_kdelve.plugin.http import ApiSession

SERVICE = "/api/v1/namespaces/default/services/kubernetes"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
GETTER, GETTER_CALL = "endpoints/handlers/get.go", "getter(ctx, name, req)"
#: Lines that hold no request; each is reached in a way of its own.
IN_A_WATCHS_GOROUTINE = "cacher.(*cacheWatcher).processInterval"
IN_A_FINISHERS_GOROUTINE = "etcd3.(*store).GuaranteedUpdate"
IN_A_LOOKUPS_GOROUTINE = "token/cache/cached_token_authenticator.go"
IN_EVERYBODYS_GOROUTINE = "cacher.(*Cacher).dispatchEvent"


class Somebody:
    """Another client, which makes the same request again and again."""

    def __init__(self, apiserver: Apiserver, credentials: Credentials, path: str) -> None:
        self._url = f"{apiserver.url}{path}"
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(apiserver.ca_file)
        self._session.headers["Authorization"] = f"Bearer {credentials.token}"
        self._stopping = threading.Event()
        self._answered = threading.Condition()
        self._count = 0
        self._thread = threading.Thread(target=self._run)

    def start(self, *, a_second: float) -> None:
        self._interval = 1 / a_second
        self._thread.start()

    def wait_for(self, more: int) -> None:
        """Wait until so many more requests have been answered."""
        with self._answered:
            wanted = self._count + more
            assert self._answered.wait_for(lambda: self._count >= wanted, 60)

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(60)
        self._session.close()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stopping.is_set():
            assert self._session.get(self._url, timeout=60).ok
            with self._answered:
                self._count += 1
                self._answered.notify_all()
            due += self._interval
            self._stopping.wait(max(0.0, due - time.monotonic()))


@pytest.fixture
def somebody(apiserver: Apiserver, credentials: Credentials) -> Iterator[Callable[..., Somebody]]:
    """Let other clients send requests in the background."""
    working = []

    def start(path: str, *, a_second: float) -> Somebody:
        one = Somebody(apiserver, credentials, path)
        working.append(one)
        one.start(a_second=a_second)
        return one

    yield start
    for one in working:
        one.stop()


@pytest.fixture
def config_map(api: ApiSession) -> Iterator[str]:
    """The path of a ConfigMap; what makes and removes it is the test's own work, too."""
    made = api.post(CONFIG_MAPS, json={"metadata": {"generateName": "whose-"}})
    path = f"{CONFIG_MAPS}/{made.json()['metadata']['name']}"
    yield path
    api.delete(path)


def test_two_requests_of_a_test_are_told_apart(api: ApiSession, kdelve: Kdelve) -> None:
    """The apiserver gives the Audit-ID back, so each answer finds its hits."""
    with kdelve.watch(GETTER, at=GETTER_CALL) as hits:
        answers = [api.get(SERVICE), api.get(f"{CONFIG_MAPS}/kube-root-ca.crt")]
    found = {hit.request.audit_id: hit.request.path for hit in hits if hit.request}
    assert found == {
        answer.headers["Audit-Id"]: path
        for answer, path in zip(answers, [SERVICE, f"{CONFIG_MAPS}/kube-root-ca.crt"], strict=True)
    }


def test_a_watch_is_the_tests_by_its_context(
    api: ApiSession, kdelve: Kdelve, config_map: str
) -> None:
    """Its events are sent from a goroutine that has no request, but the request's context."""
    name = config_map.rpartition("/")[2]
    watching = {"watch": "1", "fieldSelector": f"metadata.name={name}", "timeoutSeconds": "1"}
    with kdelve.watch(IN_A_WATCHS_GOROUTINE) as hits:
        api.get(CONFIG_MAPS, params=watching)
    assert str(hits.only.request) == f"GET {CONFIG_MAPS}"
    assert hits.only.attribution is Attribution.CONTEXT


def test_a_watch_by_the_kubernetes_client_is_the_tests(
    kube_client: k8s.ApiClient, kdelve: Kdelve
) -> None:
    core = k8s.CoreV1Api(kube_client)
    watch: Any = k8s_watch.Watch()  # type: ignore[no-untyped-call]
    with kdelve.watch(IN_A_WATCHS_GOROUTINE) as hits:
        for event in watch.stream(
            core.list_namespaced_config_map, "default", timeout_seconds=5, limit=1
        ):
            assert event["object"].metadata.namespace == "default"
            watch.stop()
    assert {hit.request.path for hit in hits if hit.request} == {CONFIG_MAPS}


def test_what_a_finisher_does_is_the_tests_by_its_context(
    api: ApiSession, kdelve: Kdelve, config_map: str
) -> None:
    with kdelve.watch(IN_A_FINISHERS_GOROUTINE, locals=["key"]) as hits:
        assert api.put(config_map, json={"metadata": {"name": config_map.rpartition("/")[2]}}).ok
    assert hits.only.attribution is Attribution.CONTEXT
    assert str(hits.only.request) == f"PUT {config_map}"


def test_a_lookup_of_a_token_is_the_tests_by_its_ancestors(api: ApiSession, kdelve: Kdelve) -> None:
    """Its result is shared, so its context has no request, but the test's one has started it."""

    def unknown_token(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {uuid.uuid4()}"
        return request

    with kdelve.watch(IN_A_LOOKUPS_GOROUTINE, at="= a.authenticator.AuthenticateToken(") as hits:
        assert api.get("/api", auth=unknown_token).status_code == 401
    assert hits.only.attribution is Attribution.ANCESTOR
    assert str(hits.only.request) == "GET /api"


def test_what_is_done_for_all_watches_is_nobodys(
    api: ApiSession, kdelve: Kdelve, config_map: str
) -> None:
    """The test caused it, but nothing in the goroutine says so."""
    with kdelve.watch(IN_EVERYBODYS_GOROUTINE, by="anyone") as hits:
        api.patch(
            config_map,
            json={"data": {"a": "b"}},
            headers={"Content-Type": "application/merge-patch+json"},
        )
        hits.wait(1)
    assert {hit.attribution for hit in hits} == {Attribution.NONE}
    assert not any(hit.is_own for hit in hits)


@pytest.mark.hits(GETTER, at=GETTER_CALL, locals={"name": "kubernetes"}, count=1)
@pytest.mark.hits("registry.(*Store).Get", locals={"name": "kubernetes"}, count=1)
def test_count_holds_while_others_make_the_same_request(
    api: ApiSession, somebody: Callable[..., Somebody]
) -> None:
    """The first place has the request in the frame, the second one in an outer one."""
    others = somebody(SERVICE, a_second=20)
    others.wait_for(20)
    assert api.get(SERVICE).ok
    others.wait_for(20)


@pytest.mark.hits("cacher.(*Cacher).GetList", count=1)
def test_a_hot_line_lets_the_test_end_and_loses_none_of_its_hits(
    api: ApiSession, kdelve: Kdelve, somebody: Callable[..., Somebody]
) -> None:
    """While others ask for lists as fast as they can; the apiserver itself seldom does."""
    others = somebody(CONFIG_MAPS, a_second=1000)
    with kdelve.watch("cacher.(*Cacher).GetList", by="anyone") as hits:
        others.wait_for(20)
        assert api.get(CONFIG_MAPS).ok
        others.wait_for(20)
    assert sum(hit.is_own for hit in hits) == 1
    assert len(hits) > 20
