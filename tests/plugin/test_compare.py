"""What ``kdelve compare`` shows of two versions."""

from __future__ import annotations

import json
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from tests.plugin.comparing import compare, found
from tests.plugin.conftest import NEW

if TYPE_CHECKING:
    import pytest

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJrZGVsdmUifQ.c2lnbmF0dXJl"


def changes(test: dict[str, Any]) -> list[tuple[str, str, list[str]]]:
    return [(place["asked_by"], place["location"], place["changes"]) for place in test["places"]]


def test_nothing_differs(tests: pytest.Pytester) -> None:
    tests.makepyfile("""
        import pytest

        @pytest.mark.hits("source.go", at="getter()", locals={"name": "a"})
        def test_one(api):
            api.get("/reach/source.go", params={"name": "a"})
    """)
    done = compare(tests, "-W", "error", new="1.36.4")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "Nothing differs between Kubernetes 1.36.4 and 1.36.4: 1 test, 1 place.\n"
    )
    assert done.stderr.startswith("kdelve: the tests with Kubernetes 1.36.4\n=")
    assert done.stderr.count("= 1 passed in ") == 2


def test_what_differs_is_side_by_side(tests: pytest.Pytester) -> None:
    tests.makepyfile(
        test_reading="""
        import pytest

        @pytest.mark.hits("source.go", at="getter()", locals={"name": "a"})
        def test_one(api, is_new):
            api.get("/reach/source.go", params={"name": "b" if is_new else "a"})

        @pytest.mark.hits("a.go:1")
        def test_same(api):
            api.get("/reach/a.go")
    """
    )
    done = compare(tests, "--kdelve-timeout=0")
    assert done.returncode == 1, done.stderr
    assert done.stdout == dedent("""\
        test_reading.py::test_one: passed → failed
          hits source.go at 'getter()': moved, source changed, values changed
            1.36.4 handlers.get                         │ 1.37.2 handlers.get
            /src/source.go:4                            │ /src/source.go:6
                 3 | func get() {                       │      4 | func get() {
                                                        │ +    5 |   check()
            >    4 |   getter()                         │ >    6 |   getter()
            -    5 |   gone()                           │
                 6 | }                                  │      7 | }
            name was 'a'                                │ name was 'b'

        Kubernetes 1.36.4 and 1.37.2: 2 tests, 2 places; tests with another outcome: 1, moved: 1,
        source changed: 1, values changed: 1, the same: 1.
    """)
    assert "= 2 passed in " in done.stderr
    assert "= 1 failed, 1 passed in " in done.stderr


def test_what_becomes_of_places(tests: pytest.Pytester) -> None:
    """Of a test whose set-up fails, too, since one of them is gone."""
    tests.makepyfile("""
        import pytest
        from pytest_kdelve import at

        @pytest.mark.hits("source.go", at="getter()")
        @pytest.mark.hits("a.go:1", count=range(1, 3))
        @pytest.mark.not_hits("b.go:1", by="anyone")
        def test_reached(api, is_new):
            api.get("/reach/source.go/a.go" + ("/a.go" if is_new else ""))
            if is_new:
                api.get("/reach/b.go")

        @pytest.mark.hits("a.go:1")
        @pytest.mark.hits("source.go:5")
        @pytest.mark.hits_in_order("a.go:1", at("source.go", "getter()"))
        def test_gone(api):
            api.get("/reach/a.go/source.go")

        @pytest.mark.hits("missing.go:1")
        def test_nowhere(api): pass

        def test_looked(api, kdelve):
            with kdelve.watch("source.go", at="getter()"):
                api.get("/reach/source.go")
            with kdelve.pause("source.go:6"):
                pass
            with kdelve.watch("missing.go:1"):
                pass
    """)
    tests.path.joinpath("1.37.2/source.go").write_text(NEW.replace("\tcheck()\n", "\n"))
    comparison = found(tests)
    moved = ["moved", "source changed"]
    assert {name: changes(test) for name, test in comparison.items()} == {
        "test_reached": [
            ("hits", "source.go at 'getter()'", moved),
            ("hits", "a.go:1", ["another number of hits"]),
            ("not_hits", "b.go:1", ["newly reached"]),
        ],
        "test_gone": [
            ("hits", "a.go:1", []),
            ("hits", "source.go:5", ["gone"]),
            ("hits_in_order, step 1", "a.go:1", []),
            ("hits_in_order, step 2", "source.go at 'getter()'", moved),
        ],
        "test_nowhere": [("hits", "missing.go:1", [])],
        "test_looked": [
            ("kdelve.watch", "source.go at 'getter()'", moved),
            ("kdelve.pause", "source.go:6", ["line changed"]),
            ("kdelve.watch", "missing.go:1", []),
        ],
    }
    gone = comparison["test_gone"]["places"][1]
    assert gone["old"]["source"]["text"] == "gone()"
    assert gone["new"]["source"] is None
    assert gone["new"]["error"].startswith("source.go:5: line 5 has no statement\nWith v1.36.4, ")


def test_how_tests_end(tests: pytest.Pytester) -> None:
    tests.makepyfile("""
        import pytest

        def test_fails(is_new):
            assert not is_new, "it is new"

        def test_skips(is_new):
            if is_new:
                pytest.skip("needs an older one")

        @pytest.mark.xfail(reason="as expected")
        def test_xfails(is_new):
            assert not is_new

        @pytest.fixture
        def broken(is_new):
            yield
            assert not is_new

        def test_errors(broken): pass

        def test_same(api): pass

        @pytest.mark.hits("a.go:1")
        @pytest.mark.skip(reason="never")
        def test_never(): pass
    """)
    comparison = found(tests)
    ends = {name: [t["old"]["outcome"], t["new"]["outcome"]] for name, t in comparison.items()}
    assert ends == {
        "test_fails": ["passed", "failed"],
        "test_skips": ["passed", "skipped"],
        "test_xfails": ["xpassed", "xfailed"],
        "test_errors": ["passed", "error"],
        "test_same": ["passed", "passed"],
        "test_never": ["skipped", "skipped"],
    }
    texts = {name: test["new"]["text"] for name, test in comparison.items()}
    assert "AssertionError: it is new" in texts.pop("test_fails")
    assert "assert not is_new" in texts.pop("test_errors")
    assert texts == {
        "test_skips": "needs an older one",
        "test_xfails": "as expected",
        "test_same": "",
        "test_never": "never",
    }


def test_what_workers_found(tests: pytest.Pytester) -> None:
    """Each of pytest-xdist's has an apiserver of its own; what is secret stays so."""
    tests.makepyfile(f"""
        import re
        import pytest

        @pytest.mark.parametrize("number", range(4))
        @pytest.mark.hits("a.go:1", locals={{"name": re.compile("^n|^m"), "token": re.compile("")}})
        def test_one(api, number, is_new):
            token = {{"token": "{JWT}"}}
            api.get("/reach/a.go", params={{"name": f"n{{number}}", **token}})
            if is_new and number == 3:
                api.get("/reach/a.go", params={{"name": "m", **token}})
                assert False, token
    """)
    comparison = found(tests, "-n2")
    assert sorted(comparison) == [f"test_one[{number}]" for number in range(4)]
    failed = comparison.pop("test_one[3]")
    assert not any(test["differs"] for test in comparison.values())
    assert changes(failed) == [("hits", "a.go:1", ["values changed"])]
    [place] = failed["places"]
    assert place["values"] == {"name": {"old": ["'n3'"], "new": ["'n3'", "'m'"]}}
    assert place["new"]["requests"] == ["GET /reach/a.go"] * 2
    assert failed["new"]["text"].startswith("api = <")
    assert "(redacted)" in failed["new"]["text"]
    assert "eyJ" not in json.dumps(failed)
