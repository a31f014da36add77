"""The marker ``hits_in_order``: what it refuses, and how its tests end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

PLAIN = """
import pytest
from pytest_kdelve import at

@pytest.mark.{mark}
def test_one(api):
    pass
"""
USAGE = (
    "write hits_in_order(first, second, …), each a location or pytest_kdelve.at(location, text, "
    "locals=…)"
)
TOO_FEW = f"at least two places have an order; {USAGE}"
WRONG = {
    "no parentheses": ("hits_in_order", TOO_FEW),
    "no places": ("hits_in_order()", TOO_FEW),
    "one place": ("hits_in_order('a.go:1')", TOO_FEW),
    "keyword": (
        "hits_in_order('a.go:1', 'b.go:1', count=2)",
        f"it takes places, and no count; {USAGE}",
    ),
    "a list of places": (
        "hits_in_order(['a.go:1', 'b.go:1'], 'c.go:1')",
        (
            "['a.go:1', 'b.go:1'] is no place; write each a location or "
            "pytest_kdelve.at(location, text, locals=…)"
        ),
    ),
    "a file only": (
        "hits_in_order('a.go:1', 'b.go')",
        "'b.go' names a file only; add a line, or at='text of the line'",
    ),
    "at of a number": (
        "hits_in_order('a.go:1', at(120))",
        "location=120; it is a text, and not an empty one",
    ),
    "at without text": (
        "hits_in_order('a.go:1', at('b.go', ' '))",
        "at=' '; it is a text, and not an empty one",
    ),
    "locals of another form": (
        "hits_in_order('a.go:1', at('b.go:1', locals=['x']))",
        "locals=['x']; it is a dict of Delve expressions and their values",
    ),
}


@pytest.mark.parametrize(("mark", "text"), WRONG.values(), ids=WRONG)
def test_a_wrong_marker_is_a_collection_error(
    pytester: pytest.Pytester, mark: str, text: str
) -> None:
    pytester.makepyfile(PLAIN.format(mark=mark))
    result = pytester.runpytest("--collect-only")
    result.assert_outcomes(errors=1)
    said = "\n".join(result.outlines)
    assert "::test_one: @pytest.mark.hits_in_order(" in said
    assert f"): {text}\n" in said
    assert "Traceback" not in said


def test_reached_in_order(faked: pytest.Pytester, history: Callable[[], list[str]]) -> None:
    """Each place has one breakpoint of the marker, however often it is named."""
    faked.makepyfile("""
        import pytest
        from pytest_kdelve import at

        @pytest.mark.hits_in_order("a.go:1", at("b.go", "text", locals={"n": "1"}), "a.go:1")
        @pytest.mark.hits("a.go:1", count=3)
        def test_one(api, kdelve):
            api.get("/reach/a.go/b.go", params={"n": "2"})
            api.get("/reach/a.go/c.go/b.go/a.go", params={"n": "1"})
            assert len(kdelve.hits("a.go:1")) == 6
            assert [hit.values["n"] for hit in kdelve.hits("b.go")] == ["2", "1"]
    """)
    faked.runpytest("--kdelve-timeout=0").assert_outcomes(passed=1)
    places = ["/src/a.go", "/src/b.go", "/src/a.go"]
    assert [line for line in history() if line.startswith("set")] == [f"set {p}" for p in places]


def test_not_reached_in_order(faked: pytest.Pytester) -> None:
    """The twin of the one above, with the whole text."""
    faked.makepyfile("""
        import pytest
        from pytest_kdelve import at

        B = at("b.go", "text", locals={"n": "1"})

        @pytest.mark.hits_in_order("a.go:1", B, "a.go:1")
        def test_one(api):
            api.get("/reach/b.go", params={"n": "1"})
            api.get("/reach/a.go/b.go/b.go", params={"n": "2"})
            api.get("/reach/a.go/a.go/b.go", params={"n": "1"})
            api.get("/reach/a.go/a.go/b.go", params={"n": "1"})
    """)
    result = faked.runpytest("--kdelve-timeout=0")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*__ test_one __*",
            "Expected one request of this test's to reach these places in this order, but none*:",
            "  1. a.go:1",
            "     is /src/a.go:1 in handlers.get",
            "  2. b.go at 'text'",
            "       with n == '1'",
            "     is /src/b.go:1 in handlers.get",
            "  3. a.go:1",
            "     is /src/a.go:1 in handlers.get",
            "  GET /reach/b.go",
            "    expected 1 → 2 → 3",
            "    seen     2",
            "    It did not reach 1.",
            "  GET /reach/a.go/b.go/b.go",
            "    expected 1 → 2 → 3",
            "    seen     1 → 2 with other values (2 times)",
            "    It reached 2 after 1 with other values:",
            "      n",
            "        expected '1'",
            "        was      '2'",
            "  GET /reach/a.go/a.go/b.go (2 requests)",
            "    expected 1 → 2 → 3",
            "    seen     1 (2 times) → 2",
            "    It did not reach 3 after 2.",
            "",
            "This test's requests:",
            "    GET /reach/b.go -> 200 OK",
            "    GET /reach/a.go/b.go/b.go -> 200 OK",
            "    GET /reach/a.go/a.go/b.go -> 200 OK (2 times)",
            "*= short test summary info =*",
        ],
        consecutive=True,
    )


def test_no_place_of_an_order_was_reached(faked: pytest.Pytester) -> None:
    faked.makepyfile("""
        import pytest

        @pytest.mark.hits_in_order("inner.go:1", "b.go:1")
        def test_one(api):
            api.get("/others/inner.go/b.go")
            api.get("/reach/entry.go/exit.go")

        @pytest.mark.hits_in_order("a.go:1", "b.go:1")
        def test_without_requests(api):
            pass
    """)
    result = faked.runpytest("--kdelve-timeout=0")
    result.assert_outcomes(failed=2)
    assert """
  2. b.go:1
     is /src/b.go:1 in handlers.get
  No request of this test's reached any of them.
  handlers.getResourceHandler.func1 (line 60) was entered, but
    left after line 69 by
      GET /reach/entry.go/exit.go

This test's requests:
""" in str(result.stdout)
    assert """
     is /src/b.go:1 in handlers.get
  No request of this test's reached any of them.

This test made no request through `api` or `kube_client`.
""" in str(result.stdout)


def test_a_place_that_is_reached_late_is_waited_for(faked: pytest.Pytester) -> None:
    faked.makepyfile("""
        import pytest, threading

        @pytest.mark.hits_in_order("a.go:1", "b.go:1")
        def test_one(api, request, _kdelve_debugged):
            settle = _kdelve_debugged.recorder.settle
            sender = threading.Thread(target=api.get, args=["/reach/a.go/b.go"])
            request.addfinalizer(sender.join)

            def settle_and_send():
                _kdelve_debugged.recorder.settle = settle
                sender.start()

            _kdelve_debugged.recorder.settle = settle_and_send
    """)
    faked.runpytest("--kdelve-timeout=60").assert_outcomes(passed=1)


def test_a_place_that_cannot_be_resolved(faked: pytest.Pytester) -> None:
    faked.makepyfile("""
        import pytest

        @pytest.mark.hits_in_order("a.go:1", "missing.go:1")
        def test_one(api):
            pass
    """)
    result = faked.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["missing.go:1: the binary has no source file of this name"])
