"""What a failure says beyond what was expected: how values differ, and how far requests came."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.unit.builders import FUNCTION

if TYPE_CHECKING:
    from collections.abc import Callable

LONG = """
    import pytest

    EXPECTED = {"app": "a" * 50, "env": "b" * 50}

    @pytest.mark.hits("a.go:1", locals={"labels": EXPECTED})
    def test_one(api):
        labels = '{"app": "%s", "env": "%s"}' % ("a" * 50, "c" * 50)
        api.get("/reach/a.go", params={"labels": labels})
"""


def test_long_values_differ_as_in_an_assertion_of_pytest(faked: pytest.Pytester) -> None:
    faked.makepyfile(LONG)
    result = faked.runpytest("--kdelve-timeout=0")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "      labels, seen == expected:",
            "        {'app': 'aaa*} == {'app': 'aaa*}",
            "*Omitting 1 identical items, use -vv to show",
            "        Differing items:",
            f"        {{'env': '{'c' * 50}'}} != {{'env': '{'b' * 50}'}}",
            "        Use -v to get more diff",
            "",
            "This test's requests:",
        ]
    )


def test_verbosity_has_its_usual_effect(faked: pytest.Pytester) -> None:
    faked.makepyfile(LONG)
    result = faked.runpytest("--kdelve-timeout=0", "-vv")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "        Full diff:*",
            "          {",
            f"              'app': '{'a' * 50}',",
            f"        -     'env': '{'b' * 50}',",
            f"        +     'env': '{'c' * 50}',",
            "          }",
        ]
    )


def test_users_explain_differences_of_their_own(faked: pytest.Pytester) -> None:
    """Their hook is asked as for ``assert seen == expected``."""
    faked.makeconftest(
        (faked.path / "conftest.py").read_text()
        + """
class Wanted:
    def __eq__(self, other): return False
    def __hash__(self): return 0
    def __repr__(self): return "<Wanted>"

def pytest_assertrepr_compare(op, left, right):
    if isinstance(right, Wanted):
        return [f"{left} {op} {right}", "since nothing is\\nwanted"]

@pytest.fixture(autouse=True)
def _wanted(request):
    pass
"""
    )
    faked.makepyfile("""
        import pytest
        from conftest import Wanted

        @pytest.mark.hits("a.go:1", locals={"name": Wanted()})
        def test_one(api):
            api.get("/reach/a.go", params={"name": "a"})
    """)
    result = faked.runpytest("--kdelve-timeout=0")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "      name, seen == expected:",
            "        a == <Wanted>",
            "        since nothing is\\nwanted",
            "",
        ],
        consecutive=True,
    )


def test_a_long_difference_is_cut_unless_more_is_asked_for(faked: pytest.Pytester) -> None:
    faked.makepyfile("""
        import pytest

        @pytest.mark.hits("a.go:1", locals={"items": [str(n) * 3 for n in range(200)]})
        def test_one(api):
            api.get("/reach/a.go", params={"items": '["x"]'})
    """)
    faked.makeini("[pytest]\ntruncation_limit_lines = 0\ntruncation_limit_chars = 0\n")
    result = faked.runpytest("--kdelve-timeout=0", "-v")
    result.stdout.fnmatch_lines(
        ["        … and * more lines, with -vv", "", "This test's requests:"]
    )
    result = faked.runpytest("--kdelve-timeout=0", "-vv")
    result.stdout.no_fnmatch_line("*more lines, with -vv")


def test_colours_are_no_part_of_a_difference(faked: pytest.Pytester) -> None:
    faked.makepyfile(LONG)
    result = faked.runpytest("--kdelve-timeout=0", "--color=yes", "-vv")
    result.stdout.fnmatch_lines([f"        -     'env': '{'b' * 50}',"])


def test_a_secret_is_blotted_out_before_a_difference_is_shortened(faked: pytest.Pytester) -> None:
    faked.makepyfile("""
        import pytest

        TOKEN = "eyJhbGciOiJSUzI1NiIsImtpZCI6IiJ9." + "x" * 300 + ".c2ln"

        @pytest.mark.hits("a.go:1", locals={"header": {"Token": ["expected"] * 9}})
        def test_one(api):
            api.get("/reach/a.go", params={"header": '{"Token": ["%s"]}' % TOKEN})
    """)
    result = faked.runpytest("--kdelve-timeout=0", "-vv")
    result.stdout.fnmatch_lines(["*(redacted)*"])
    result.stdout.no_fnmatch_line("*xxxx*")


def test_how_far_a_request_came(faked: pytest.Pytester, history: Callable[[], list[str]]) -> None:
    """The function around the place is watched for the test, too, and says where it was left."""
    faked.makepyfile("""
        import pytest

        @pytest.mark.hits("inner.go:1")
        def test_entered(api):
            api.get("/others/entry.go/exit.go")
            api.get("/reach/entry.go/exit.go")
            api.get("/reach/entry.go")

        @pytest.mark.hits("inner.go:1")
        @pytest.mark.hits("a.go:1")
        def test_not_entered(api):
            api.get("/reach/a.go")

        @pytest.mark.hits("inner.go:1", count=2)
        def test_reached_once(api):
            api.get("/reach/entry.go/inner.go/exit.go")

        @pytest.mark.hits("inner.go:1")
        def test_reached(api):
            api.get("/reach/entry.go/inner.go/exit.go")
    """)
    result = faked.runpytest("--kdelve-timeout=0")
    result.assert_outcomes(failed=3, passed=1)
    said = str(result.stdout)
    assert (
        """
  Nothing reached it.
  handlers.getResourceHandler.func1 (line 60) was entered, but
    left after line 69 by
      GET /reach/entry.go/exit.go
    not seen to be left, by
      GET /reach/entry.go

This test's requests:
"""
        in said
    )
    assert (
        f"""
  Nothing reached it.
  No request of this test's entered handlers.getResourceHandler.func1.
  The last of this test's places that each request reached:
    GET /reach/a.go (goroutine 7): /src/a.go:74 {FUNCTION}

This test's requests:
"""
        in said
    )
    assert (
        """
  1 hit as described:
    GET /reach/entry.go/inner.go/exit.go (goroutine 7)

This test's requests:
"""
        in said
    )
    files = ["/src/inner.go", "/src/entry.go", "/src/exit.go"]
    assert history()[:3] == [f"set {file}" for file in files]


@pytest.mark.parametrize(
    "mark",
    [
        "not_hits('inner.go:1')",
        "hits('inner.go:1', count=range(0, 2))",
        "hits('inner.go:1', by='anyone', count=0)",
        "hits('inner.go:1', by='anyone')",
        "hits('inner.go:1', during='startup')",
        "hits('a.go:1')",
    ],
)
def test_where_it_does_not_matter_how_far_requests_come(
    faked: pytest.Pytester, history: Callable[[], list[str]], mark: str
) -> None:
    """There are no more breakpoints than the marker's."""
    faked.makepyfile(f"""
        import pytest

        @pytest.mark.{mark}
        def test_one(api): pass
    """)
    faked.runpytest("--kdelve-timeout=0")
    assert "set /src/entry.go" not in history()


def test_without_these_breakpoints_the_test_goes_on(faked: pytest.Pytester) -> None:
    faked.makepyfile("""
        import pytest
        from pytest_kdelve.errors import RPCError

        @pytest.fixture(autouse=True, scope="session")
        def _refusing(_kdelve_debugged):
            recorder = _kdelve_debugged.recorder
            add = recorder.add

            def refuse(subscriptions):
                if any(one.place.file == "/src/entry.go" for one in subscriptions):
                    raise RPCError("CreateBreakpoint", "no more breakpoints")
                add(subscriptions)

            recorder.add = refuse

        @pytest.mark.hits("inner.go:1")
        def test_reached(api):
            api.get("/reach/entry.go/inner.go/exit.go")

        @pytest.mark.hits("inner.go:1")
        def test_not_reached(api):
            api.get("/reach/entry.go/exit.go")
    """)
    result = faked.runpytest("--kdelve-timeout=0")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["  Nothing reached it."])
    result.stdout.no_fnmatch_line("*entered*")


def test_a_breakpoint_that_was_switched_off(faked: pytest.Pytester) -> None:
    """Nobody waits for what can no longer come."""
    faked.makepyfile("""
        import pytest

        from pytest_kdelve.plugin.state import EXPECTING

        def switch_off(request):
            for watching in request.node.stash[EXPECTING]._watching:
                kept = getattr(watching, "_sightings", None) or watching._watched.collected
                kept.coverage.switched_off = "switched off after 9 hits"
                kept.coverage.is_over = True

        @pytest.mark.hits("a.go:1")
        def test_reached(api, request):
            api.get("/reach/a.go")
            switch_off(request)

        @pytest.mark.not_hits("a.go:1")
        def test_not_hits(request):
            switch_off(request)

        @pytest.mark.hits_in_order("a.go:1", "b.go:1")
        def test_order(request):
            switch_off(request)
    """)
    result = faked.runpytest("--kdelve-timeout=60", "--durations=1", "--durations-min=5")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.no_fnmatch_line("*s call*")
    result.stdout.fnmatch_lines(
        [
            "Expected no hit by this test's requests, but that cannot be judged:",
            "  Its breakpoint was switched off after 9 hits",
            "  Nothing reached it until then.",
            "Expected one request * in this order, but that cannot be judged:",
            "  A breakpoint was switched off after 9 hits",
        ]
    )


def test_another_client_that_had_the_server_is_named(faked: pytest.Pytester) -> None:
    """It may be why nothing was reached; nobody else had it before or after."""
    faked.makepyfile("""
        import pytest

        @pytest.mark.hits("a.go:1")
        def test_before(api):
            pass

        @pytest.mark.hits("a.go:1")
        def test_beside(api):
            api.get("/ide")

        @pytest.mark.hits("a.go:1")
        def test_by_itself(api):
            api.get("/ide")
            raise TimeoutError

        @pytest.mark.hits("a.go:1")
        def test_after(api):
            pass
    """)
    result = faked.runpytest("--kdelve-timeout=0")
    result.assert_outcomes(failed=4)
    _, before, beside, by_itself, after = re.split(r"(?m)^_+ test_\w+ _+$", str(result.stdout))
    assert "Nothing reached it." in beside
    assert "\n\nAn IDE had it.\n" in beside
    assert "\nAn IDE had it.\n" in by_itself
    assert "An IDE" not in before + after
