"""The form in which a value is compared with that of another run."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from unittest.mock import ANY

import pytest

from pytest_kdelve.delve.structs import Struct, Time
from pytest_kdelve.delve.values import Constant, Incomplete, Unreadable
from pytest_kdelve.report.forms import form

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJrZGVsdmUifQ.c2lnbmF0dXJl"


def time(second: int) -> Time:
    since = datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC) - datetime(1, 1, 1, tzinfo=UTC)
    return Time("time.Time", {"wall": 0, "ext": since.days * 86400 + since.seconds, "loc": None})


#: Pairs of values that differ by their nature: expression, expected, in one run, in another.
ALIKE = {
    "uuids": (
        "id",
        ANY,
        "a 4f1c1a0e-3f52-4c1e-9a63-0d8b1c9e7f10",
        "a 00000000-0000-4000-8000-000000000000",
    ),
    "times as text": ("at", ANY, "at 2026-01-01T00:00:00Z", "at 2026-01-02 10:11:12.5+02:00"),
    "times": ("at", ANY, time(1), time(2)),
    "ports": ("host", ANY, "127.0.0.1:40123", "127.0.0.1:39001"),
    "generated names": ("name", ANY, "/configmaps/default/a-bcd2f", "/configmaps/default/a-zx9w4"),
    "names by uuid4": ("name", ANY, "reading-1a2b3c4d", "reading-00000000"),
    "temporary folders": ("file", ANY, "/tmp/kdelve-ab_cde1z/ca", "/tmp/kdelve-qqqq1111/ca"),  # noqa: S108 - no file
    "Audit-IDs": ("id", ANY, ["kdelve-0123456789abcdef-1"], ["kdelve-fedcba9876543210-12"]),
    "versions in a path": ("uri", ANY, "/a?resourceVersion=12&b", "/a?resourceVersion=3&b"),
    "numbers by their name": ("obj.ObjectMeta.ResourceVersion", ANY, "12", "345"),
    "versions in JSON": ("data", ANY, b'{"resourceVersion":"12"}', b'{"resourceVersion":"345"}'),
    "names that end so": ("existingResourceVersion", ANY, 12, 345),
    "numbers of a name": ("rv", ANY, 12, 345),
    "fields by their name": (
        "obj",
        ANY,
        Struct("v1.ObjectMeta", {"UID": "ab", "Name": "a"}),
        Struct("v1.ObjectMeta", {"UID": "cd", "Name": "a"}),
    ),
    "headers by their name": ("req.Header", ANY, {"Audit-Id": ["x"]}, {"Audit-Id": ["y"]}),
    "the order of a map": ("labels", ANY, {"a": "1", "b": "2"}, {"b": "2", "a": "1"}),
    "what no pattern matches": ("reason", re.compile("RBAC: a"), "RBAC: ab", "RBAC: ac"),
    "what a pattern does not match within": (
        "users",
        [{"Name": re.compile("^sys")}],
        [Struct("user.Info", {"Name": "system:a"})],
        [Struct("user.Info", {"Name": "system:b"})],
    ),
    "a constant by number": (
        "timeout",
        10**9,
        Constant(10**9, "Second"),
        Constant(10**9, "Period"),
    ),
    "a constant by name": ("authorized", "Allow", Constant(1, "Allow"), Constant(2, "Allow")),
    "bytes": ("data", re.compile(b"^ab"), b"abc", b"abd"),
    "fields that are not asked for": (
        "user",
        {"Name": "admin"},
        Struct("user.Info", {"Name": "admin", "Groups": ["a"]}),
        Struct("user.Info", {"Name": "admin", "Groups": ["b"]}),
    ),
}
#: Pairs of values that differ.
OTHER = {
    "texts": ("name", "a", "a", "b"),
    "numbers": ("len(groups)", lambda count: count > 10, 31, 33),
    "lengths of what varies": ("len(x.UID)", ANY, 7, 9),
    "long numbers in texts": ("line", ANY, "limit=104857600", "limit=209715200"),
    "long numbers": ("limit", ANY, 16777216, 33554432),
    "names that begin so": ("uidFilter", ANY, "a", "b"),
    "names that have a part so": ("druid", ANY, "a", "b"),
    "nil": ("rv", ANY, None, "12"),
    "an empty one": ("uid", ANY, "", "ab"),
    "the numbers of constants": ("timeout", 5, Constant(5, "Second"), Constant(6, "Second")),
    "the names of constants": ("authorized", "Allow", Constant(1, "Allow"), Constant(1, "Deny")),
    "what a pattern matches": ("version", re.compile(r"v1\.\d+"), "v1.36.4", "v1.37.2"),
    "where a pattern matches no longer": ("reason", re.compile("RBAC"), "RBAC: a", "webhook: a"),
    "a pattern of text for bytes": ("data", re.compile("a"), b"abc", b"abd"),
    "the keys of a map": ("labels", {"a": "1"}, {"a": "1"}, {"a": "1", "b": "2"}),
    "fields that are asked for": (
        "user",
        {"Name": "admin"},
        Struct("user.Info", {"Name": "admin"}),
        Struct("user.Info", {"Name": "somebody"}),
    ),
    "a field that is gone": (
        "user",
        {"Name": "admin"},
        Struct("user.Info", {"Name": "admin"}),
        Struct("user.Info", {"Username": "admin"}),
    ),
    "items": ("names", ["a", "b"], ["a", "b"], ["b", "a"]),
    "lengths": ("names", ["a"], ["a"], ["a", "b"]),
    "what cannot be read": ("name", "a", "a", Unreadable("could not find symbol value for name")),
    "what is not whole": ("name", ANY, Incomplete("a", 9), Incomplete("a", 10)),
}


@pytest.mark.parametrize("pair", ALIKE.values(), ids=ALIKE)
def test_what_differs_by_its_nature_has_one_form(pair: tuple[str, object, object, object]) -> None:
    expression, expected, one, other = pair
    assert form(expression, expected, one) == form(expression, expected, other)
    assert repr(one) != repr(other)


@pytest.mark.parametrize("pair", OTHER.values(), ids=OTHER)
def test_what_differs_otherwise_has_two(pair: tuple[str, object, object, object]) -> None:
    expression, expected, one, other = pair
    assert form(expression, expected, one) != form(expression, expected, other)


def test_a_form_can_be_read() -> None:
    user = Struct("user.Info", {"Name": "admin", "UID": "1", "Extra": {"b": (1, None)}})
    assert (
        form("user", ANY, user) == "{'Extra': {'b': [1, None]}, 'Name': 'admin', 'UID': (varies)}"
    )
    assert form("a", ANY, "at 127.0.0.1:1") == "'at 127.0.0.1:(port)'"


def test_secrets_are_no_part_of_it() -> None:
    secret = Struct("k8s.io/api/core/v1.Secret", {"Data": {"key": b"swordfish"}, "Type": "Opaque"})
    assert form("obj", ANY, secret) == "{'Data': (redacted), 'Type': 'Opaque'}"
    assert "eyJ" not in form("token", ANY, JWT)
    header = {"Authorization": ["Bearer aB1.cD2"]}
    assert "aB1" not in form("req.Header", ANY, header)
    assert "aB1" not in form('req.Header["Authorization"]', ANY, ["Bearer aB1.cD2"])
