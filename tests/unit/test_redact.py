"""Secrets do not reach what is printed; ordinary text does."""

from __future__ import annotations

import pytest

from pytest_kdelve.report.redact import redact

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJl-_x"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKCAQ\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (f"Authorization: Bearer {JWT}", "Authorization: Bearer (redacted)"),
        ("Authorization: Bearer wrong", "Authorization: Bearer (redacted)"),
        ("authorization: opaque", "authorization: (redacted)"),
        ("{'Authorization': ['Bearer abc']}", "{'Authorization': ['Bearer (redacted)']}"),
        ("map[Authorization:[Bearer abc] A:[b]]", "map[Authorization:[Bearer (redacted)] A:[b]]"),
        ("'Bearer abc.DEF~1+/='", "'Bearer (redacted)'"),
        ("bearer ABCDEF", "bearer (redacted)"),
        ("bearer aaaaaaaaaaaaaaaaa", "bearer (redacted)"),
        ("Basic YWRtaW46cGFzcw==", "Basic (redacted)"),
        (f"token={JWT} and more", "token=(redacted) and more"),
        (f"b'{JWT}'", "b'(redacted)'"),
        (f"'{JWT[:40]}…", "'(redacted)…"),
        (f"before\n{KEY}\nafter", "before\n(redacted)\nafter"),
        (KEY.replace("RSA ", "").replace("\n", "\\n") + "'", "(redacted)'"),
        (f"{KEY} and {KEY}", "(redacted) and (redacted)"),
        (f"{KEY[:50]}\nlost its end", "(redacted)"),
        (f"Bearer\n  {JWT}\nnext", "Bearer\n  (redacted)\nnext"),
    ],
)
def test_secrets_are_blotted_out(text: str, redacted: str) -> None:
    assert redact(text) == redacted
    assert redact(redacted) == redacted, "redacting twice changes nothing"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "GET /api/v1/namespaces/default/services/kubernetes -> 200 OK",
        "the bearer of news",
        "invalid bearer token",
        "Basic authentication is gone",
        "endpoints/filters/authorization.go:74",
        "--authorization-mode=RBAC",
        "RBAC: allowed by ClusterRoleBinding kdelve",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "keyJson.data.value",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redact(text) == text
