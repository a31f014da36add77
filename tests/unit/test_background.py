"""Requests from threads of their own, and what is known of their answers."""

from __future__ import annotations

import threading
import time
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
import requests
from requests.adapters import HTTPAdapter

from pytest_kdelve.controlplane.credentials import Credentials
from pytest_kdelve.errors import PausedError
from pytest_kdelve.hits.clock import Clock
from pytest_kdelve.hits.requests import RequestLog
from pytest_kdelve.plugin.http import ApiSession
from tests.unit.fake_http import Answer, FakeApiserver

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LONG = 30.0


@dataclass
class GatedApiserver(FakeApiserver):
    """Answers when ``go_on`` is set."""

    go_on: threading.Event = field(default_factory=threading.Event)

    def respond(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.go_on.wait(LONG)
        return super().respond(method, path, headers, body)


@dataclass(eq=False)
class Somebody:
    thread: threading.Thread


@pytest.fixture
def server() -> Iterator[GatedApiserver]:
    with GatedApiserver().serving() as server:
        assert isinstance(server, GatedApiserver)
        yield server
        server.go_on.set()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log() -> RequestLog:
    return RequestLog()


@pytest.fixture
def api(
    server: GatedApiserver, clock: Clock, log: RequestLog, tmp_path: Path
) -> Iterator[ApiSession]:
    credentials = Credentials(
        name="kdelve",
        namespace="default",
        token="aB1.cD2",  # noqa: S106 - not a real one
        ca_crt="",
        ca_file=tmp_path,
        obtained="by hand",
    )
    with ApiSession(server.url, credentials, log, clock) as session:
        yield session


def test_several_requests_wait_for_their_answers(
    api: ApiSession, server: GatedApiserver, log: RequestLog
) -> None:
    """They are the test's own, and are known before their answers have come."""
    background = api.background
    answers = [
        background.get("/api"),
        background.post("/api", json={"a": 1}),
        background.put("/api", json={"a": 2}),
        background.delete("/api"),
        background.request("GET", "/apis", params={"token": "secret"}),
    ]
    with pytest.raises(TimeoutError):
        answers[0].result(0.1)
    assert not any(answer.done() for answer in answers)
    server.go_on.set()
    assert [answer.result(LONG).status_code for answer in answers] == [200] * 5
    assert all(one.headers["Audit-ID"].startswith(log.prefix) for one in server.received)
    assert log.unanswered == ()
    assert sorted(map(str, log.exchanges))[2] == "GET /apis -> 200 OK"


def test_what_was_set_in_the_session_is_sent(api: ApiSession, server: GatedApiserver) -> None:
    """Until then; the session itself is not changed by what the others do."""
    server.go_on.set()
    server.answers["GET /a"] = Answer(headers={"Set-Cookie": "a=b"})
    api.headers["X-Before"] = "1"
    adapter = HTTPAdapter()
    api.mount("http://", adapter)
    answer = api.background.get("/a", headers={"X-Own": "2"})
    api.headers["X-After"] = "3"
    answer.result(LONG)
    headers = server.received[0].headers
    assert (headers["X-Before"], headers["X-Own"], "X-After" in headers) == ("1", "2", False)
    assert headers["Authorization"] == "Bearer aB1.cD2"
    assert len(api.cookies) == 0
    assert api.adapters["http://"] is adapter


def test_an_error_is_raised_for_who_asks(api: ApiSession, server: GatedApiserver) -> None:
    server.go_on.set()
    server.answers["GET /api"] = Answer(status=0)
    answer = api.background.get("/api")
    assert isinstance(answer.exception(), requests.ConnectionError)
    with pytest.raises(requests.ConnectionError):
        answer.result()
    assert api.background.close(0) == []


def test_who_has_to_resume_the_server_gets_no_answer_before(
    api: ApiSession, server: GatedApiserver, clock: Clock
) -> None:
    """Without an end of its own the wait would be a deadlock; with one it is waited for."""
    holder = Somebody(threading.current_thread())
    clock.stop(holder)
    answer = api.background.get("/api")
    for ask in (answer.result, answer.exception):
        with pytest.raises(PausedError, match="the result of GET /api would wait for ever"):
            ask()
        with pytest.raises(TimeoutError):
            ask(0.2)
    clock.go(holder)
    server.go_on.set()
    assert answer.result().ok
    assert answer.exception() is None


def test_an_answer_that_is_there_already(
    api: ApiSession, server: GatedApiserver, clock: Clock
) -> None:
    server.go_on.set()
    answer = api.background.get("/api")
    assert answer.result(LONG).ok
    clock.stop(Somebody(threading.current_thread()))
    assert answer.result().ok


def test_the_end_waits_for_answers_and_says_what_failed_unseen(
    api: ApiSession, server: GatedApiserver
) -> None:
    server.answers["GET /api"] = Answer(status=0)
    for path in ("/api", "/apis"):
        api.background.get(path, params={"token": "secret"})
    threading.Timer(0.2, server.go_on.set).start()
    said = api.background.close(LONG)
    assert said == ["GET /api failed with ConnectionError; ask for its result()"]
    assert len(server.received) == 2


def test_the_end_comes_in_any_case(api: ApiSession, server: GatedApiserver) -> None:
    answer = api.background.get("/api")
    began = time.monotonic()
    assert api.background.close(0.2) == ["GET /api had no answer when the test was over"]
    assert time.monotonic() - began < LONG / 3
    server.go_on.set()
    assert answer.result(LONG).ok


def test_a_cancelled_request_is_no_failure(api: ApiSession) -> None:
    """It may have been sent by then, and then it cannot be cancelled."""
    answer = api.background.get("/api")
    if answer.cancel():
        with pytest.raises(CancelledError):
            answer.result()
        assert api.background.close(0) == []
    else:
        assert not answer.cancelled()
