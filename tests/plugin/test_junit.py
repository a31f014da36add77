"""The hits of markers in JUnit files."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    import pytest

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJrZGVsdmUifQ.c2lnbmF0dXJl"
FUNCTION = "k8s.io/apiserver/pkg/endpoints/handlers.GetResource.func1"
PLACE = f"k8s.io/apiserver/pkg/endpoints/handlers/get.go:74 {FUNCTION}"


def properties(pytester: pytest.Pytester, *arguments: str) -> dict[str, list[tuple[str, str]]]:
    """Return the properties of each test case of a run, by the name of the test."""
    pytester.runpytest("--kdelve-timeout=0", "--junitxml=junit.xml", *arguments)
    cases = ET.parse(pytester.path / "junit.xml").getroot().iter("testcase")  # noqa: S314 - ours
    return {
        case.attrib["name"]: [
            (each.attrib["name"], each.attrib["value"]) for each in case.iter("property")
        ]
        for case in cases
    }


def hit(file: str, rest: str = "") -> tuple[str, str]:
    return ("kdelve_hit", f"/src/{file}:74 {FUNCTION} by GET /reach/{file}{rest}")


def test_each_hit_is_a_property(faked: pytest.Pytester) -> None:
    """In the order of time, whatever becomes of the test; others' hits are none."""
    faked.makepyfile("""
        import pytest

        @pytest.mark.hits("a.go:1", locals={"name": "a"})
        @pytest.mark.hits("b.go:1")
        def test_passes(api, request):
            request.node.user_properties.append(("mine", 1))
            api.get("/reach/a.go", params={"name": "a"})
            api.get("/others/a.go")
            api.get("/reach/b.go")
            api.get("/reach/a.go", params={"name": "b"})

        @pytest.mark.hits("a.go:1", count=2)
        def test_unfulfilled(api):
            api.get("/reach/a.go")

        @pytest.mark.hits("a.go:1")
        def test_fails(api):
            api.get("/reach/a.go")
            assert False

        @pytest.fixture
        def broken(api):
            api.get("/reach/a.go")
            raise KeyError

        @pytest.mark.hits("a.go:1")
        def test_errors(broken): pass

        @pytest.mark.hits("a.go:1", during="startup", locals={"name": "etcd"})
        def test_startup(): pass

        @pytest.mark.hits("a.go:1", by="anyone")
        def test_anyone(api):
            api.get("/others/a.go")

        @pytest.mark.not_hits("a.go:1")
        def test_none(api): pass

        def test_plain(api):
            api.get("/reach/a.go")
    """)
    one = [hit("a.go")]
    assert properties(faked) == {
        "test_passes": [
            ("mine", "1"),
            hit("a.go", " with name == 'a'"),
            hit("b.go"),
            hit("a.go", " with name == 'b'"),
        ],
        "test_unfulfilled": one,
        "test_fails": one,
        "test_errors": one,
        "test_startup": [("kdelve_hit", f"{PLACE} with name == 'etcd'")],
        "test_anyone": [("kdelve_hit", f"/src/a.go:74 {FUNCTION} by GET /others/a.go")],
        "test_none": [],
        "test_plain": [],
    }


def test_they_come_from_workers_too(faked: pytest.Pytester) -> None:
    faked.makepyfile("""
        import pytest

        @pytest.mark.hits("a.go:1")
        @pytest.mark.parametrize("number", range(4))
        def test_one(api, number):
            api.get("/reach/a.go")
    """)
    found = properties(faked, "-n2")
    assert found == {f"test_one[{number}]": [hit("a.go")] for number in range(4)}


def test_many_long_and_secret_ones(faked: pytest.Pytester) -> None:
    faked.makepyfile(f"""
        import pytest

        @pytest.mark.hits("a.go:1", locals={{"name": "a"}})
        def test_many(_kdelve_debugged, api):
            api.get("/reach/a.go")
            owned = _kdelve_debugged.received[-1].headers["Audit-ID"]
            for number in range(200):
                _kdelve_debugged.recorder.reach("a.go", {{"name": number}}, owned)

        @pytest.mark.hits("a.go:1", locals={{"name": "a", "b": 1, "c": 1, "d": 1, "e": 1, "f": 1}})
        def test_long(api):
            api.get("/reach/a.go", params={{name: "x" * 999 for name in ("name", *"bcdef")}})

        @pytest.mark.hits("a.go:1", locals={{"name": "a"}})
        def test_secret(api, request):
            request.node.user_properties.append(("mine", {{"token": "{JWT}"}}))
            api.get("/reach/a.go", params={{"name": "x" * 180 + " {JWT}"}})
    """)
    found = properties(faked)
    many = [value for _, value in found["test_many"]]
    assert len(many) == 101
    assert many[1] == hit("a.go", " with name == 0")[1]
    assert many[-2:] == [hit("a.go", " with name == 98")[1], "… and 101 more hits"]
    [(_, long)] = found["test_long"]
    assert len(long) == 1000
    assert f" with name == '{'x' * 198}…, b == '" in long
    mine, (_, secret) = found["test_secret"]
    assert mine == ("mine", "{'token': '(redacted)'}")
    assert secret.endswith(f" with name == '{'x' * 180} (redacted)'")
