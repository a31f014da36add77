"""A test's requests, known by their Audit-ID."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from pytest_kdelve.hits.requests import RequestLog


def test_each_request_has_an_id_of_its_own_that_the_apiserver_keeps() -> None:
    log = RequestLog()
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda _: log.new_audit_id(), range(500)))
    assert len(set(given)) == 500
    assert all(audit_id.startswith(log.prefix) for audit_id in given)
    assert max(map(len, given)) <= 64


def test_two_logs_have_nothing_in_common() -> None:
    one, other = RequestLog(), RequestLog()
    assert not one.new_audit_id().startswith(other.prefix)
    assert len(one.prefix) == len(other.prefix)


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
