"""The tests' clients: a requests session and the kubernetes package's."""

from __future__ import annotations

import inspect
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import requests
from kubernetes import client as k8s
from kubernetes.client.exceptions import ApiException
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from pytest_kdelve.controlplane import certificates
from pytest_kdelve.controlplane.credentials import Credentials
from pytest_kdelve.hits.clock import Clock
from pytest_kdelve.hits.requests import RequestLog
from pytest_kdelve.plugin import http
from tests.unit.fake_http import Answer, FakeApiserver

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "eyJ.very.secret"  # noqa: S105 - not a real one


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> certificates.Certificates:
    return certificates.create(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def credentials(files: certificates.Certificates) -> Credentials:
    return Credentials(
        name="kdelve",
        namespace="default",
        token=TOKEN,
        ca_crt=files.ca.read_text(),
        ca_file=files.ca,
        obtained="by hand",
    )


@pytest.fixture(autouse=True)
def _unfriendly_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever takes a proxy or a CA from here fails."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.crt")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)


@pytest.fixture
def fake(files: certificates.Certificates) -> Iterator[FakeApiserver]:
    with FakeApiserver().serving(files) as fake:
        yield fake


@pytest.fixture
def log() -> RequestLog:
    return RequestLog()


@pytest.fixture
def api(
    fake: FakeApiserver, credentials: Credentials, log: RequestLog
) -> Iterator[http.ApiSession]:
    with http.ApiSession(fake.url, credentials, log, Clock()) as session:
        yield session


@pytest.fixture
def core(fake: FakeApiserver, credentials: Credentials, log: RequestLog) -> Iterator[k8s.CoreV1Api]:
    with http.kube_client(fake.url, credentials, log, Clock()) as client:
        yield k8s.CoreV1Api(client)


def audit_ids(fake: FakeApiserver) -> list[str]:
    return [one.headers["Audit-ID"] for one in fake.received]


def answers(log: RequestLog) -> list[str]:
    return list(map(str, log.exchanges))


def test_a_path_is_sent_to_the_apiserver_with_the_token(
    api: http.ApiSession, fake: FakeApiserver
) -> None:
    """It verifies the server by the CA that it was given; nothing comes from the environment."""
    fake.answers["GET /api"] = Answer(body={"kind": "APIVersions"})
    assert api.get("/api").json() == {"kind": "APIVersions"}
    assert fake.received[0].headers["Authorization"] == f"Bearer {TOKEN}"


def test_a_server_of_another_ca_is_refused(
    fake: FakeApiserver,
    credentials: Credentials,
    log: RequestLog,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    other = certificates.create(tmp_path_factory.mktemp("other"))
    with http.ApiSession(fake.url, credentials, log, Clock()) as session:
        session.verify = str(other.ca)
        with pytest.raises(requests.exceptions.SSLError):
            session.get("/api")
    assert answers(log) == ["GET /api -> SSLError"]
    assert fake.received == []


def test_a_whole_url(api: http.ApiSession, fake: FakeApiserver) -> None:
    assert api.get(f"{fake.url}/apis").ok
    assert fake.received[0].path == "/apis"


def test_what_a_test_sends_is_kept(api: http.ApiSession, fake: FakeApiserver) -> None:
    api.post("/api/v1/namespaces", json={"a": 1}, headers={"X": "y"})
    assert fake.received[0].body == {"a": 1}
    assert fake.received[0].headers["X"] == "y"


def test_each_request_has_an_audit_id_of_the_test(
    api: http.ApiSession, fake: FakeApiserver, log: RequestLog
) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: api.get("/api"), range(12)))
    assert len(set(audit_ids(fake))) == 12
    assert all(audit_id.startswith(log.prefix) for audit_id in audit_ids(fake))


def test_a_prepared_request_is_marked_too(
    api: http.ApiSession, fake: FakeApiserver, log: RequestLog
) -> None:
    api.send(api.prepare_request(requests.Request("GET", f"{fake.url}/api")))
    assert audit_ids(fake)[0].startswith(log.prefix)


def test_redirected_requests_are_marked_and_kept_in_their_order(
    api: http.ApiSession, fake: FakeApiserver, log: RequestLog
) -> None:
    fake.answers["GET /old"] = Answer(302, headers={"Location": "/new"})
    assert api.get("/old").url == f"{fake.url}/new"
    assert len(set(audit_ids(fake))) == 2
    assert all(audit_id.startswith(log.prefix) for audit_id in audit_ids(fake))
    assert answers(log) == ["GET /old -> 302 Found", "GET /new -> 200 OK"]


def test_retried_requests_are_marked(
    api: http.ApiSession, fake: FakeApiserver, log: RequestLog
) -> None:
    """An adapter that somebody mounts does not change that."""
    fake.answers["GET /busy"] = Answer(503)
    retry = Retry(2, status_forcelist=[503], raise_on_status=False)
    api.mount("https://", HTTPAdapter(max_retries=retry))
    assert api.get("/busy").status_code == 503
    assert len(fake.received) == 3
    assert all(audit_id.startswith(log.prefix) for audit_id in audit_ids(fake))


def test_exchanges_have_no_query(
    api: http.ApiSession, fake: FakeApiserver, log: RequestLog
) -> None:
    fake.answers["DELETE /api/v1/pods"] = Answer(405)
    api.delete("/api/v1/pods", params={"token": "secret"})
    assert answers(log) == ["DELETE /api/v1/pods -> 405 Method Not Allowed"]


def test_a_request_without_an_answer(credentials: Credentials, log: RequestLog) -> None:
    with FakeApiserver().serving() as gone:
        pass
    with (
        http.ApiSession(gone.url, credentials, log, Clock()) as session,
        pytest.raises(requests.ConnectionError),
    ):
        session.get("/api?token=secret")
    assert answers(log) == ["GET /api -> ConnectionError"]


def test_a_request_ends(api: http.ApiSession, monkeypatch: pytest.MonkeyPatch) -> None:
    timeouts = []
    send = HTTPAdapter.send

    def spy(self: HTTPAdapter, *args: object, **kwargs: object) -> requests.Response:
        timeouts.append(kwargs["timeout"])
        return send(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(HTTPAdapter, "send", spy)
    api.get("/api")
    api.get("/api", timeout=5)
    assert timeouts == [60.0, 5]


def test_no_token_on_request(api: http.ApiSession, fake: FakeApiserver) -> None:
    api.get("/api", auth=lambda request: request)
    api.get("/api", auth=None)
    assert "Authorization" not in fake.received[0].headers
    assert fake.received[1].headers["Authorization"] == f"Bearer {TOKEN}"


def test_the_token_is_in_no_representation(
    api: http.ApiSession, core: k8s.CoreV1Api, fake: FakeApiserver, log: RequestLog
) -> None:
    answer = api.get("/api")
    seen = [api, api.auth, vars(api), answer.request, answer.request.headers, log]
    seen += [core.api_client.configuration.api_key, core.api_client.configuration.auth_settings()]
    assert "secret" not in repr(seen)
    assert fake.received[0].headers["Authorization"].endswith(TOKEN)


def arguments(error: BaseException | None) -> Iterator[str]:
    """Yield what pytest may show of a traceback's frames, of all chained errors.

    Those of http.client have the header as bytes; they are in the middle, which ``--tb=long`` shows
    only.
    """
    while error:
        for frame, _line in traceback.walk_tb(error.__traceback__):
            if frame.f_globals["__name__"] == "http.client":
                continue
            names, *_, values = inspect.getargvalues(frame)
            yield from (repr(values[name]) for name in names if name in values)
        error = error.__cause__ or error.__context__


def test_the_token_is_in_no_traceback(credentials: Credentials, log: RequestLog) -> None:
    """pytest prints the arguments of some frames; urllib3's have the headers."""
    with FakeApiserver().serving() as gone:
        pass
    with (
        http.ApiSession(gone.url, credentials, log, Clock()) as session,
        pytest.raises(requests.ConnectionError) as caught,
    ):
        session.get("/api")
    with (
        http.kube_client(gone.url, credentials, log, Clock()) as client,
        pytest.raises(HTTPError) as failed,
    ):
        k8s.CoreV1Api(client).list_namespace()
    for error in (caught.value, failed.value):
        said = "".join(arguments(error))
        assert "'(redacted)'" in said
        assert TOKEN not in said


def test_the_kubernetes_client(core: k8s.CoreV1Api, fake: FakeApiserver, log: RequestLog) -> None:
    fake.answers["GET /api/v1/namespaces"] = Answer(body={"items": [{"metadata": {"name": "a"}}]})
    listed = core.list_namespace(limit=5)
    core.create_namespace(k8s.V1Namespace(metadata=k8s.V1ObjectMeta(name="b")))
    assert [one.metadata and one.metadata.name for one in listed.items] == ["a"]
    assert [one.path for one in fake.received] == [
        "/api/v1/namespaces?limit=5",
        "/api/v1/namespaces",
    ]
    assert {one.headers["Authorization"] for one in fake.received} == {f"Bearer {TOKEN}"}
    assert fake.received[1].body == {"metadata": {"name": "b"}}
    assert len(set(audit_ids(fake))) == 2
    assert all(audit_id.startswith(log.prefix) for audit_id in audit_ids(fake))
    assert answers(log) == [
        "GET /api/v1/namespaces -> 200 OK",
        "POST /api/v1/namespaces -> 200 OK",
    ]


def test_a_refusal_to_the_kubernetes_client(
    core: k8s.CoreV1Api, fake: FakeApiserver, log: RequestLog
) -> None:
    fake.answers["GET /api/v1/namespaces/a"] = Answer(404, {"reason": "NotFound"})
    with pytest.raises(ApiException, match="404"):
        core.read_namespace("a")
    assert answers(log) == ["GET /api/v1/namespaces/a -> 404 Not Found"]


def test_the_kubernetes_client_without_an_answer(credentials: Credentials, log: RequestLog) -> None:
    with FakeApiserver().serving() as gone:
        pass
    with http.kube_client(gone.url, credentials, log, Clock()) as client, pytest.raises(HTTPError):
        k8s.CoreV1Api(client).list_namespace()
    assert answers(log) == ["GET /api/v1/namespaces -> MaxRetryError"]


def test_requests_of_the_kubernetes_client_end(
    core: k8s.CoreV1Api, fake: FakeApiserver, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.answers["GET /api/v1/namespaces"] = Answer(body={"items": []})
    timeouts = []
    manager = core.api_client.rest_client.pool_manager
    request = manager.request

    def spy(*args: object, **kwargs: object) -> object:
        timeouts.append(kwargs["timeout"].read_timeout)  # type: ignore[attr-defined]
        return request(*args, **kwargs)

    monkeypatch.setattr(manager, "request", spy)
    core.list_namespace()
    core.list_namespace(_request_timeout=5)
    assert timeouts == [60.0, 5]
