"""A test's requests, known by their Audit-ID."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_kdelve.hits.requests import RequestLog


def test_each_request_has_an_id_of_its_own_that_the_apiserver_keeps() -> None:
    log = RequestLog()
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda _: log.new_audit_id(), range(500)))
    assert len(set(given)) == 500
    assert all(map(log.owns, given))
    assert max(map(len, given)) <= 64


@pytest.mark.parametrize("audit_id", ["", "kdelve-", "9d8c1d5c-0000-4000-8000-000000000000"])
def test_other_ids_are_not_owned(audit_id: str) -> None:
    assert not RequestLog().owns(audit_id)


def test_a_test_does_not_own_the_requests_of_another_one() -> None:
    assert not RequestLog().owns(RequestLog().new_audit_id())


def test_what_was_sent_is_known_until_it_is_answered() -> None:
    """Two that look alike are two."""
    log = RequestLog()
    for _ in range(2):
        log.sent("GET", "/api")
    log.sent("GET", "/apis")
    log.answered("GET", "/api", "200 OK")
    assert list(map(str, log.unanswered)) == [
        "GET /api -> no answer yet",
        "GET /apis -> no answer yet",
    ]


def test_exchanges_are_kept_in_order() -> None:
    log = RequestLog()
    log.answered("GET", "/api", "200 OK")
    before = log.exchanges
    log.answered("POST", "/apis", "ConnectionError")
    assert list(map(str, log.exchanges)) == ["GET /api -> 200 OK", "POST /apis -> ConnectionError"]
    assert len(before) == 1, "what was given does not grow"
