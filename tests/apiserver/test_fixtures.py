"""The fixtures, on the session's own kube-apiserver."""

from __future__ import annotations

import concurrent.futures
import stat
import threading
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import requests
from kubernetes import client as k8s
from kubernetes import config as k8s_config

from pytest_kdelve.delve.rpc import Connection
from pytest_kdelve.errors import DelveError, KdelveError, LocationError, UsageError
from pytest_kdelve.hits.model import Attribution

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_kdelve.controlplane.credentials import Credentials
    from pytest_kdelve.plugin.fixtures import Apiserver
    from pytest_kdelve.plugin.handle import Kdelve
    from pytest_kdelve.plugin.http import ApiSession

GETTER = "endpoints/handlers/get.go"
GETTER_CALL = "getter(ctx, name, req)"
SERVICE = "/api/v1/namespaces/default/services/kubernetes"


def test_the_apiserver_says_what_it_is(apiserver: Apiserver) -> None:
    assert apiserver.version == "v1.37.2"
    assert apiserver.mode == "started"
    assert apiserver.url.startswith("https://127.0.0.1:")
    assert apiserver.argv[0].endswith("/kube-apiserver")
    assert psutil.Process(apiserver.pid).cmdline() == list(apiserver.argv)
    assert "Serving securely on 127.0.0.1" in apiserver.log_tail(10_000)


def test_everything_listens_on_loopback_only(apiserver: Apiserver) -> None:
    dlv = psutil.Process(apiserver.pid).parent()
    assert dlv is not None
    assert dlv.name() == "dlv"
    for process in (dlv, psutil.Process(apiserver.pid)):
        listening = [c for c in process.net_connections() if c.status == psutil.CONN_LISTEN]
        assert {c.laddr.ip for c in listening} == {"127.0.0.1"}


def test_the_credentials_come_from_the_token_controller(
    credentials: Credentials, apiserver: Apiserver, api: ApiSession
) -> None:
    secret = api.get("/api/v1/namespaces/default/secrets/kdelve").json()
    assert secret["type"] == "kubernetes.io/service-account-token"
    assert secret["data"]["token"]
    assert credentials.ca_crt == apiserver.ca_file.read_text()
    assert "token controller" in credentials.obtained


def test_the_controller_manager_is_stopped_once_there_are_credentials(
    credentials: Credentials, apiserver: Apiserver
) -> None:
    assert credentials.token
    folder = apiserver.kubeconfig.parent
    assert (folder / "kube-controller-manager.log").exists()
    running = [p.info["cmdline"] or [] for p in psutil.process_iter(["cmdline"])]
    assert not any(str(folder) in arg for argv in running for arg in argv if "manager" in argv[0])


def test_the_session_reviews_as_the_service_account(api: ApiSession) -> None:
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = api.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json=review)
    assert answer.json()["status"]["userInfo"]["username"] == "system:serviceaccount:default:kdelve"


def test_etcd_answers_nobody_without_a_certificate(apiserver: Apiserver) -> None:
    """Every user of the machine reaches loopback, and etcd has the token."""
    [servers] = [a.partition("=")[2] for a in apiserver.argv if a.startswith("--etcd-servers=")]
    with requests.Session() as stranger:
        stranger.trust_env = False
        with pytest.raises((requests.exceptions.SSLError, requests.exceptions.ConnectionError)):
            stranger.get(f"{servers}/health", verify=str(apiserver.ca_file), timeout=10)


def test_the_ca_is_verified(api: ApiSession, apiserver: Apiserver) -> None:
    assert api.get("/api").ok
    with requests.Session() as stranger:
        stranger.trust_env = False
        with pytest.raises(requests.exceptions.SSLError):
            stranger.get(f"{apiserver.url}/api", timeout=10)


def test_the_kubeconfig_works_and_is_for_its_owner_only(apiserver: Apiserver) -> None:
    assert stat.S_IMODE(apiserver.kubeconfig.stat().st_mode) == 0o600
    load: Callable[[str], k8s.ApiClient] = k8s_config.new_client_from_config
    with load(str(apiserver.kubeconfig)) as client:
        service = k8s.CoreV1Api(client).read_namespaced_service("kubernetes", "default")
    assert service.kind == "Service"


def test_no_file_is_for_others_and_no_command_line_has_the_token(
    apiserver: Apiserver, credentials: Credentials
) -> None:
    folder = apiserver.kubeconfig.parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = [path for path in folder.iterdir() if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    for process in psutil.process_iter(["cmdline"]):
        assert not any(credentials.token in arg for arg in process.info["cmdline"] or [])


def test_the_token_is_in_no_representation(
    apiserver: Apiserver, credentials: Credentials, api: ApiSession, kube_client: k8s.ApiClient
) -> None:
    for thing in (apiserver, credentials, api, vars(api), kube_client):
        assert credentials.token not in repr(thing)


def test_a_watch_collects_the_hits_of_the_test(api: ApiSession, kdelve: Kdelve) -> None:
    with kdelve.watch(GETTER, at=GETTER_CALL, locals=["name", "req.Method"]) as hits:
        assert api.get(SERVICE).ok
    hit = hits.only
    assert hit.values == {"name": "kubernetes", "req.Method": "GET"}
    assert hit.source == "result, err := getter(ctx, name, req)"
    assert hit.request is not None
    assert (hit.request.method, hit.request.path) == ("GET", SERVICE)
    assert hit.attribution is Attribution.FRAME
    assert hit.is_own
    assert "endpoints.restfulGetResource" in hit.stack
    assert "handlers.createHandler" not in hit.stack


def test_a_watch_without_names_loads_arguments_and_locals(api: ApiSession, kdelve: Kdelve) -> None:
    with kdelve.watch(GETTER, at=GETTER_CALL) as hits:
        assert api.get(SERVICE).ok
    assert hits.only.locals["namespace"] == "default"
    assert set(hits.only.args) >= {"w", "req"}


def test_a_hit_without_a_request_in_its_frame_is_found_by_an_outer_one(
    api: ApiSession, kdelve: Kdelve
) -> None:
    new = {"metadata": {"generateName": "outer-"}}
    with kdelve.watch("etcd3.(*store).Create", locals=["key"]) as hits:
        assert api.post("/api/v1/namespaces/default/configmaps", json=new).status_code == 201
    assert hits.only.attribution is Attribution.OUTER_FRAME
    assert hits.only.request is not None
    assert str(hits.only.request) == "POST /api/v1/namespaces/default/configmaps"


@pytest.fixture
def config_map(api: ApiSession) -> str:
    """Return the path of a new ConfigMap."""
    path = "/api/v1/namespaces/default/configmaps"
    answer = api.post(path, json={"metadata": {"generateName": "parent-"}})
    return f"{path}/{answer.json()['metadata']['name']}"


@pytest.mark.parametrize(
    ("method", "location"),
    [
        ("PUT", "etcd3.(*store).GuaranteedUpdate"),
        ("PATCH", "etcd3.(*store).GuaranteedUpdate"),
        ("DELETE", "registry.(*Store).Delete"),
    ],
)
def test_a_hit_in_a_goroutine_without_a_request_is_found_by_its_context(
    api: ApiSession, kdelve: Kdelve, config_map: str, method: str, location: str
) -> None:
    new = {"metadata": {"name": config_map.rpartition("/")[2]}, "data": {"a": "b"}}
    merge = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else {}
    with kdelve.watch(location, locals=[]) as hits:
        assert api.request(method, config_map, json=new, headers=merge).ok
    assert hits.only.attribution is Attribution.CONTEXT
    assert str(hits.only.request) == f"{method} {config_map}"


def test_a_request_of_the_kubernetes_client_is_the_tests_own(
    kube_client: k8s.ApiClient, kdelve: Kdelve
) -> None:
    with kdelve.watch(GETTER, at=GETTER_CALL, locals=["name"]) as hits:
        k8s.CoreV1Api(kube_client).read_namespaced_service("kubernetes", "default")
    assert hits.only.values == {"name": "kubernetes"}


def test_a_condition_chooses_hits(api: ApiSession, kdelve: Kdelve) -> None:
    with kdelve.watch(GETTER, at=GETTER_CALL, locals=["name"], when='name == "kdelve"') as hits:
        api.get(SERVICE)
        api.get("/api/v1/namespaces/default/serviceaccounts/kdelve")
    assert hits.only.values["name"] == "kdelve"


def test_a_condition_that_cannot_be_evaluated_is_an_error(api: ApiSession, kdelve: Kdelve) -> None:
    watching = kdelve.watch(GETTER, at=GETTER_CALL, when="nothing == 1")
    with pytest.raises(KdelveError, match="could not find symbol value for nothing"), watching:
        api.get(SERVICE)


def test_two_watches_at_one_place_both_see_the_hit(api: ApiSession, kdelve: Kdelve) -> None:
    with (
        kdelve.watch(GETTER, at=GETTER_CALL, locals=["name"]) as first,
        kdelve.watch(GETTER, at=GETTER_CALL, locals=["namespace"], stack=False) as second,
    ):
        api.get(SERVICE)
    assert first.only.values == {"name": "kubernetes"}
    assert second.only.values == {"namespace": "default"}
    assert first.only.stack
    assert not second.only.stack


@pytest.mark.hits(GETTER, at=GETTER_CALL, locals={"name": "kubernetes"})
@pytest.mark.hits(GETTER, at=GETTER_CALL, locals={"namespace": "default"}, count=1)
def test_several_marks_and_a_watch_share_a_line(api: ApiSession, kdelve: Kdelve) -> None:
    with kdelve.watch(GETTER, at=GETTER_CALL, locals=["req.Method"]) as hits:
        api.get(SERVICE)
    assert hits.only.values == {"req.Method": "GET"}
    assert [hit.values for hit in kdelve.hits()] == [
        {"name": "kubernetes"},
        {"namespace": "default"},
    ]
    assert len(kdelve.hits(GETTER)) == 2
    assert kdelve.hits("somewhere.go:1") == []


def test_a_watch_at_a_place_that_does_not_exist_is_an_error(kdelve: Kdelve) -> None:
    with (
        pytest.raises(LocationError, match="no line of it has this text"),
        kdelve.watch(GETTER, at="getter(nothing)"),
    ):
        pytest.fail("the block must not be entered")


def test_a_watch_of_nobody_is_an_error(kdelve: Kdelve) -> None:
    nobody: Any = "nobody"
    with pytest.raises(UsageError, match="it is 'test' or 'anyone'"), kdelve.watch("f", by=nobody):
        pytest.fail("the block must not be entered")


@pytest.fixture
def noise(apiserver: Apiserver, credentials: Credentials) -> Iterator[threading.Event]:
    """Send the test's request over and over as somebody else; set when the first is answered."""
    answered, over = threading.Event(), threading.Event()

    def send() -> None:
        with requests.Session() as session:
            session.trust_env = False
            session.verify = str(credentials.ca_file)
            session.headers["Authorization"] = f"Bearer {credentials.token}"
            while not over.wait(0.05):
                session.get(apiserver.url + SERVICE, timeout=30).raise_for_status()
                answered.set()

    with concurrent.futures.ThreadPoolExecutor() as pool:
        sending = pool.submit(send)
        try:
            assert answered.wait(30)
            yield answered
        finally:
            over.set()
        sending.result(30)


@pytest.mark.hits(GETTER, at=GETTER_CALL, locals={"name": "kubernetes"}, count=1)
@pytest.mark.usefixtures("noise")
def test_others_requests_of_the_same_kind_do_not_count(api: ApiSession, kdelve: Kdelve) -> None:
    with kdelve.watch(GETTER, at=GETTER_CALL, by="anyone", locals=["name"]) as everyone:
        everyone.wait(3, timeout=30)
        api.get(SERVICE)
    assert sum(hit.is_own for hit in everyone) == 1
    assert len(everyone) > 3


@pytest.mark.not_hits(GETTER, at=GETTER_CALL)
def test_what_another_test_requests_does_not_count(
    apiserver: Apiserver, credentials: Credentials
) -> None:
    headers = {"Authorization": f"Bearer {credentials.token}", "Audit-ID": "kdelve-other-1"}
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(
            apiserver.url + SERVICE, headers=headers, verify=str(credentials.ca_file), timeout=30
        )
    assert answer.ok


def test_many_requests_at_once_are_all_hits(api: ApiSession, kdelve: Kdelve) -> None:
    """Several goroutines can stop at one breakpoint in one stop; each counts."""
    with (
        kdelve.watch(GETTER, at=GETTER_CALL, locals=["name"]) as hits,
        concurrent.futures.ThreadPoolExecutor(16) as pool,
    ):
        answers = list(pool.map(lambda _: api.get(SERVICE), range(48)))
    assert all(answer.ok for answer in answers)
    assert len(hits) == 48
    requests_seen = {hit.request.audit_id for hit in hits if hit.request}
    assert len(requests_seen) == 48


def test_the_client_speaks_to_delve_while_the_server_runs(kdelve: Kdelve, api: ApiSession) -> None:
    assert kdelve.client.get_version().api_version == 2
    assert any(path.endswith(GETTER) for path in kdelve.client.list_sources("handlers/get.go$"))
    with pytest.raises(DelveError, match="keeps the target running"):
        kdelve.client.continue_()
    assert api.get("/api").ok


@pytest.mark.parametrize(
    ("location", "attribution"),
    [
        ("handlers.getResourceHandler.func1", Attribution.FRAME),
        ("registry.(*Store).Get", Attribution.OUTER_FRAME),
    ],
)
def test_a_hit_costs_one_rpc_once_the_place_is_known(
    api: ApiSession,
    kdelve: Kdelve,
    monkeypatch: pytest.MonkeyPatch,
    location: str,
    attribution: Attribution,
) -> None:
    called: list[str] = []
    call = Connection.call

    def count(self: Connection, method: str, *args: Any, **kwargs: Any) -> object:
        called.append(method)
        return call(self, method, *args, **kwargs)

    with kdelve.watch(location, locals=["name"]) as hits:
        api.get(SERVICE)
        monkeypatch.setattr(Connection, "call", count)
        for _ in range(10):
            api.get(SERVICE)
        monkeypatch.undo()
    assert {hit.attribution for hit in hits} == {attribution}
    assert len(hits) == 11
    more = [method for method in called if method != "Command"]
    # An outer frame takes a few more where one of the apiserver's own requests stops with it.
    assert len(more) <= (0 if attribution is Attribution.FRAME else 9)


def test_the_data_of_a_secret_is_there_and_not_shown(
    api: ApiSession, kdelve: Kdelve, namespace: str
) -> None:
    new = {"metadata": {"name": "one"}, "stringData": {"password": "of the test"}}
    with kdelve.watch("registry.(*Store).Create") as hits:
        assert api.post(f"/api/v1/namespaces/{namespace}/secrets", json=new).ok
    obj = hits.only.args["obj"]
    assert obj == {"Data": {"password": b"of the test"}}
    assert "Data: (redacted)" in repr(obj)
    assert "of the test" not in repr(hits.only.args)
