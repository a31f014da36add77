"""Timeouts of the clients, which do not count the time in which the server is paused."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
import requests
import urllib3
from kubernetes import client as k8s
from urllib3.connection import HTTPSConnection

from pytest_kdelve.controlplane import certificates
from pytest_kdelve.controlplane.credentials import Credentials
from pytest_kdelve.errors import PausedError
from pytest_kdelve.hits.clock import Clock
from pytest_kdelve.hits.requests import RequestLog
from pytest_kdelve.plugin import http
from tests.unit.fake_http import Answer, FakeApiserver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Get = Callable[[float], object]

#: Seconds; the server stands for several times as long as a client waits.
TIMEOUT, STANDING, LONG = 0.3, 1.0, 30.0


@dataclass(eq=False)
class Somebody:
    thread: threading.Thread = field(default_factory=threading.Thread)


@dataclass
class SlowApiserver(FakeApiserver):
    """Answers each request when ``go_on`` is set; ``asked`` is set by the first one."""

    asked: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def respond(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.asked.set()
        self.go_on.wait(LONG)
        return super().respond(method, path, headers, body)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> certificates.Certificates:
    return certificates.create(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def server(files: certificates.Certificates) -> Iterator[SlowApiserver]:
    server = SlowApiserver(answers={"GET /api/v1/namespaces": Answer(body={"items": []})})
    with server.serving(files):
        yield server
        server.go_on.set()


@pytest.fixture
def deaf() -> Iterator[str]:
    """A server that accepts connections and says nothing, as the kernel does for a paused one."""
    with socket.create_server(("127.0.0.1", 0), backlog=4) as listening:
        yield f"https://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def clock() -> Clock:
    return Clock()


def credentials(files: certificates.Certificates) -> Credentials:
    return Credentials(
        name="kdelve",
        namespace="default",
        token="aB1.cD2",  # noqa: S106 - not a real one
        ca_crt=files.ca.read_text(),
        ca_file=files.ca,
        obtained="by hand",
    )


@pytest.fixture(params=["api", "kube_client"])
def client(
    request: pytest.FixtureRequest, files: certificates.Certificates, clock: Clock
) -> Iterator[Callable[[str], Get]]:
    """Return what makes a client of a URL, whose only argument is its timeout."""
    with ExitStack() as stack:

        def api(url: str) -> Get:
            made = http.ApiSession(url, credentials(files), RequestLog(), clock)
            session = stack.enter_context(made)
            return lambda timeout: session.get("/api/v1/namespaces", timeout=timeout)

        def kube_client(url: str) -> Get:
            made = http.kube_client(url, credentials(files), RequestLog(), clock)
            core = k8s.CoreV1Api(stack.enter_context(made))
            return lambda timeout: core.list_namespace(_request_timeout=timeout)

        yield {"api": api, "kube_client": kube_client}[request.param]


@contextmanager
def stands_once_asked(
    server: SlowApiserver, clock: Clock, then: Callable[[], None]
) -> Iterator[None]:
    """Let the server stand when it is asked, for STANDING seconds."""

    def stand() -> None:
        holder = Somebody()
        assert server.asked.wait(LONG)
        clock.stop(holder)
        time.sleep(STANDING)
        clock.go(holder)
        then()

    standing = threading.Thread(target=stand)
    standing.start()
    try:
        yield
    finally:
        standing.join(LONG)


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows by a host with each connection that is made."""
    made: list[str] = []
    connect = HTTPSConnection.connect

    def count(self: HTTPSConnection) -> None:
        made.append(self.host)
        connect(self)

    monkeypatch.setattr(HTTPSConnection, "connect", count)
    return made


#: For a slow machine, and kubernetes' three retries.
MANY_TIMEOUTS = 10 * TIMEOUT
TIMEOUTS = (requests.Timeout, urllib3.exceptions.HTTPError)


def test_a_request_waits_for_as_long_as_the_server_stands(
    server: SlowApiserver, clock: Clock, client: Callable[[str], Get]
) -> None:
    get = client(server.url)
    with stands_once_asked(server, clock, then=server.go_on.set):
        assert get(TIMEOUT)


def test_a_request_does_not_wait_for_a_server_that_is_slow(
    server: SlowApiserver, client: Callable[[str], Get]
) -> None:
    began = time.monotonic()
    with pytest.raises(TIMEOUTS):
        client(server.url)(TIMEOUT)
    assert TIMEOUT <= time.monotonic() - began < MANY_TIMEOUTS


def test_after_a_pause_the_rest_of_the_timeout_counts(
    server: SlowApiserver, clock: Clock, client: Callable[[str], Get]
) -> None:
    get = client(server.url)
    began = time.monotonic()
    with stands_once_asked(server, clock, then=lambda: None), pytest.raises(TIMEOUTS):
        get(TIMEOUT)
    assert STANDING <= time.monotonic() - began < STANDING + MANY_TIMEOUTS


def test_a_connection_that_is_made_meanwhile_waits_too(
    deaf: str, clock: Clock, client: Callable[[str], Get]
) -> None:
    holder = Somebody()
    clock.stop(holder)
    going = threading.Timer(STANDING, clock.go, [holder])
    began = time.monotonic()
    going.start()
    with pytest.raises(TIMEOUTS):
        client(deaf)(TIMEOUT)
    going.join(LONG)
    assert STANDING + TIMEOUT / 2 <= time.monotonic() - began < STANDING + MANY_TIMEOUTS


@pytest.mark.parametrize("when", ["before", "after the connection", "while it waits"])
def test_who_has_to_resume_the_server_is_told_at_once(
    server: SlowApiserver, deaf: str, clock: Clock, client: Callable[[str], Get], when: str
) -> None:
    """Whether the server stood already or not; nothing is left open."""
    holder = Somebody(threading.current_thread())
    get = client(deaf if when == "before" else server.url)

    def stop_once_asked() -> None:
        server.asked.wait(LONG)
        clock.stop(holder)

    stopping = threading.Thread(target=stop_once_asked)
    if when == "before":
        clock.stop(holder)
    elif when == "after the connection":
        server.go_on.set()
        get(LONG)
        server.go_on.clear()
        clock.stop(holder)
    else:
        stopping.start()
    began = time.monotonic()
    with pytest.raises(PausedError, match=r"the answer to a request .* api\.background"):
        get(LONG)
    assert time.monotonic() - began < LONG / 3
    if when == "while it waits":
        stopping.join(LONG)


def test_what_was_idle_during_a_pause_is_not_used_again(
    server: SlowApiserver, clock: Clock, client: Callable[[str], Get], connections: list[str]
) -> None:
    """The server's timers have run on, so it may close such a connection at any moment."""
    server.go_on.set()
    get, holder = client(server.url), Somebody()
    for _ in range(3):
        get(LONG)
    assert len(connections) == 1
    clock.stop(holder)
    clock.go(holder)
    for _ in range(3):
        get(LONG)
    assert len(connections) == 2


def test_a_ca_that_is_wrong_for_one_request_stays_wrong(
    server: SlowApiserver,
    files: certificates.Certificates,
    clock: Clock,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Each connection has a context of its own, so no CA is trusted for another one's sake."""
    other = certificates.create(tmp_path_factory.mktemp("other"))
    server.go_on.set()
    with http.ApiSession(server.url, credentials(files), RequestLog(), clock) as api:
        assert api.get("/api").ok
        with pytest.raises(requests.exceptions.SSLError):
            api.get("/api", verify=str(other.ca))
        with pytest.warns(urllib3.exceptions.InsecureRequestWarning):
            assert api.get("/api", verify=False).ok
        assert api.get("/api").ok
