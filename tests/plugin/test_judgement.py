"""How a test ends, with its expectations judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.builders import FUNCTION

if TYPE_CHECKING:
    from collections.abc import Callable


def test_fulfilled(faked: pytest.Pytester, history: Callable[[], list[str]]) -> None:
    """Breakpoints are set before the first request, those of fixtures included."""
    faked.makepyfile("""
        import pytest

        @pytest.fixture
        def prepared(api):
            api.get("/reach/a.go", params={"name": "a"})

        @pytest.mark.hits("a.go:1", locals={"name": "a"}, count=2)
        @pytest.mark.not_hits("a.go:1", locals={"name": "b"})
        @pytest.mark.not_hits("b.go:1")
        def test_one(prepared, api):
            api.get("/reach/a.go", params={"name": "a"})
            api.get("/others/b.go")

        @pytest.mark.hits("b.go:1", by="anyone")
        def test_two(api):
            api.get("/others/b.go")
    """)
    faked.runpytest().assert_outcomes(passed=2)
    one = ["/src/a.go", "/src/a.go", "/src/b.go"]
    assert history() == [
        *(f"set {file}" for file in one),
        "GET /reach/a.go?name=a",
        "GET /reach/a.go?name=a",
        "GET /others/b.go",
        *(f"cleared {file}" for file in one),
        "set /src/b.go",
        "GET /others/b.go",
        "cleared /src/b.go",
    ]


def test_unfulfilled(faked: pytest.Pytester, history: Callable[[], list[str]]) -> None:
    """The test fails, it does not error, with the text and nothing else."""
    faked.makepyfile("""
        import pytest

        @pytest.mark.hits("a.go:1", locals={"name": "a"})
        @pytest.mark.hits("b.go:1")
        @pytest.mark.hits("c.go:1")
        def test_one(api):
            api.get("/reach/a.go", params={"name": "Bearer aB1.cD2"})
            api.get("/others/b.go")
            api.get("/reach/c.go")
    """)
    result = faked.runpytest("--kdelve-timeout=0")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*__ test_one __*",
            "Expected at least 1 hit by this test's requests, but there was none:",
            "  a.go:1",
            "    with name == 'a'",
            "  is /src/a.go:1 in handlers.get",
            "  1 hit with other values:",
            "    GET /reach/a.go (goroutine 7)",
            "      name",
            "        expected 'a'",
            "        was      'Bearer (redacted)'",
            "",
            "Expected at least 1 hit by this test's requests, but there was none:",
            "  b.go:1",
            "  is /src/b.go:1 in handlers.get",
            "  Only others reached it: 1 hit by other requests or goroutines.",
            "  The last of this test's places that each request reached:",
            f"    GET /reach/a.go (goroutine 7): /src/a.go:74 {FUNCTION}",
            f"    GET /reach/c.go (goroutine 7): /src/c.go:74 {FUNCTION}",
            "",
            "This test's requests:",
            "    GET /reach/a.go -> 200 OK",
            "    GET /others/b.go -> 200 OK",
            "    GET /reach/c.go -> 200 OK",
            "*= short test summary info =*",
        ],
        consecutive=True,
    )
    assert history().count("cleared /src/a.go") == 1


def test_reached_although_it_must_not_be(faked: pytest.Pytester) -> None:
    faked.makepyfile("""
        import pytest

        @pytest.mark.not_hits("a.go:1", locals={"name": "a"})
        def test_reached(api):
            api.get("/reach/a.go", params={"name": "a"})

        @pytest.mark.not_hits("a.go:1", locals={"name": "a"})
        def test_unknown(api):
            api.get("/reach/a.go")

        @pytest.mark.hits("a.go:1", count=1)
        def test_twice(api):
            api.get("/reach/a.go")
            api.get("/reach/a.go")

        @pytest.mark.not_hits("a.go:1", locals={"name": "a"})
        def test_not_reached(api):
            api.get("/reach/a.go", params={"name": "b"})
    """)
    result = faked.runpytest("--kdelve-timeout=0")
    result.assert_outcomes(failed=3, passed=1)
    result.stdout.fnmatch_lines(
        [
            "Expected no hit by this test's requests, but there was 1 hit:",
            "      name: it could not be evaluated",
            "Expected exactly 1 hit by this test's requests, but there were 2 hits:",
        ]
    )


def test_a_place_that_cannot_be_resolved(
    faked: pytest.Pytester, history: Callable[[], list[str]]
) -> None:
    """It is an error at set-up, before any request, and without a traceback."""
    faked.makepyfile("""
        import pytest

        @pytest.fixture
        def prepared(api):
            api.get("/api")

        @pytest.mark.hits("a.go:1")
        @pytest.mark.hits("missing.go:1")
        def test_one(prepared):
            pass
    """)
    result = faked.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "*__ ERROR at setup of test_one __*",
            "missing.go:1: the binary has no source file of this name",
            "*= short test summary info =*",
        ],
        consecutive=True,
    )
    assert history() == []


def test_a_test_that_fails_by_itself(
    faked: pytest.Pytester, history: Callable[[], list[str]]
) -> None:
    """Its own failure stays; what was seen stands beside it."""
    faked.makepyfile("""
        import pytest

        @pytest.mark.hits("a.go:1")
        @pytest.mark.hits("b.go:1")
        def test_one(api):
            assert api.get("/reach/a.go").status_code == 500
    """)
    result = faked.runpytest("--kdelve-timeout=60")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *assert 200 == 500",
            "*- Captured kdelve call -*",
            "/src/a.go:74 k8s.io/apiserver/pkg/endpoints/handlers.GetResource.func1",
            "GET /reach/a.go -> 200 OK",
        ]
    )
    result.stdout.no_fnmatch_line("Expected*")
    assert history()[-2:] == ["cleared /src/a.go", "cleared /src/b.go"]


def test_pytest_fail_is_a_failure_of_its_own(faked: pytest.Pytester) -> None:
    faked.makepyfile("""
        import pytest

        @pytest.mark.hits("a.go:1")
        def test_one(api):
            api.get("/api")
            pytest.fail("by itself")
    """)
    result = faked.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*by itself", "*- Captured kdelve call -*", "GET /api -> 200 OK"])


def test_skipped_and_xfailed_tests_are_not_judged(
    faked: pytest.Pytester, history: Callable[[], list[str]]
) -> None:
    """A long timeout would be waited for."""
    faked.makepyfile("""
        import pytest, unittest

        @pytest.mark.skip
        @pytest.mark.hits("a.go:1")
        def test_not_run(): pass

        @pytest.mark.hits("a.go:1")
        def test_skips(): pytest.skip("no")

        @pytest.mark.hits("a.go:1")
        def test_xfails(): pytest.xfail("no")

        @pytest.mark.xfail
        @pytest.mark.hits("a.go:1")
        def test_fails(): assert False

        @pytest.mark.xfail(strict=True)
        @pytest.mark.hits("a.go:1", timeout=0)
        def test_is_expected_not_to_reach_it(): pass
    """)
    result = faked.runpytest("--kdelve-timeout=60", "--durations=1", "--durations-min=5")
    result.assert_outcomes(skipped=2, xfailed=3)
    result.stdout.no_fnmatch_line("*s call*")
    assert history() == ["set /src/a.go", "cleared /src/a.go"] * 4


def test_a_unittest_is_judged(faked: pytest.Pytester, history: Callable[[], list[str]]) -> None:
    faked.makepyfile("""
        import pytest, unittest

        class TestCase(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _api(self, api):
                self.api = api

            @pytest.mark.hits("a.go:1")
            def test_fulfilled(self):
                self.api.get("/reach/a.go")

            @pytest.mark.hits("a.go:1")
            def test_unfulfilled(self):
                pass

            @pytest.mark.hits("a.go:1")
            def test_fails(self):
                self.fail("by itself")

            @pytest.mark.hits("a.go:1")
            def test_skips(self):
                self.skipTest("no")
    """)
    result = faked.runpytest("--kdelve-timeout=0")
    result.assert_outcomes(passed=1, failed=2, skipped=1)
    result.stdout.fnmatch_lines(["*AssertionError: by itself", "Expected at least 1 hit*"])
    assert history().count("cleared /src/a.go") == 4


def test_breakpoints_are_removed_where_a_fixture_fails(
    faked: pytest.Pytester, history: Callable[[], list[str]]
) -> None:
    faked.makepyfile("""
        import pytest

        @pytest.fixture
        def broken(api): raise KeyError("broken")

        @pytest.fixture
        def broken_later(api):
            yield
            raise KeyError("broken later")

        @pytest.mark.hits("a.go:1")
        def test_one(broken): pass

        @pytest.mark.hits("b.go:1", timeout=0, count=0)
        def test_two(broken_later): pass
    """)
    faked.runpytest().assert_outcomes(errors=2, passed=1)
    assert history() == ["set /src/a.go", "cleared /src/a.go", "set /src/b.go", "cleared /src/b.go"]


def test_startup(faked: pytest.Pytester, history: Callable[[], list[str]]) -> None:
    """Hits of the start are there before the first test, and nobody waits for more."""
    faked.makepyfile("""
        import pytest

        @pytest.mark.hits("a.go:1", during="startup", locals={"name": "etcd"}, count=1)
        def test_fulfilled(): pass

        @pytest.mark.hits("a.go:1", during="startup", locals={"name": "other"})
        def test_unfulfilled(): pass
    """)
    result = faked.runpytest("--kdelve-timeout=60", "--durations=1", "--durations-min=5")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.no_fnmatch_line("*s call*")
    result.stdout.fnmatch_lines(["Expected at least 1 hit during start-up, but there was none:"])
    result.stdout.no_fnmatch_line("*This test made no request*")
    assert history() == []


def test_an_error_of_the_judgement_is_a_failure(
    faked: pytest.Pytester, history: Callable[[], list[str]]
) -> None:
    """Of that test alone; the others go on."""
    faked.makepyfile("""
        import pytest

        class Odd:
            def __eq__(self, other): return False
            def __hash__(self): return 0
            def __repr__(self): raise RuntimeError("no representation")

        @pytest.mark.hits("a.go:1", locals={"name": Odd()})
        def test_one(api):
            api.get("/reach/a.go", params={"name": "a"})

        def test_two(api): pass
    """)
    result = faked.runpytest("--kdelve-timeout=0")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
    assert history()[-1] == "cleared /src/a.go"


def test_a_late_hit_is_waited_for(faked: pytest.Pytester) -> None:
    """It comes while the expectation is judged."""
    faked.makepyfile("""
        import pytest, threading

        @pytest.mark.hits("a.go:1", timeout=60)
        def test_one(api, request, _kdelve_debugged):
            settle = _kdelve_debugged.recorder.settle
            sender = threading.Thread(target=api.get, args=["/reach/a.go"])
            request.addfinalizer(sender.join)

            def settle_and_send():
                _kdelve_debugged.recorder.settle = settle
                sender.start()

            _kdelve_debugged.recorder.settle = settle_and_send
    """)
    faked.runpytest("--kdelve-timeout=0").assert_outcomes(passed=1)


def test_a_late_hit_is_waited_for_at_a_hot_line(faked: pytest.Pytester) -> None:
    """The breakpoint is switched off for others only."""
    faked.makepyfile("""
        import pytest, threading

        @pytest.mark.hits("a.go:1")
        @pytest.mark.hits_in_order("a.go:1", "b.go:1")
        def test_one(api, request, _kdelve_debugged):
            recorder = _kdelve_debugged.recorder
            settle = recorder.settle
            sender = threading.Thread(target=api.get, args=["/reach/a.go/b.go"])
            request.addfinalizer(sender.join)
            for subscription in recorder.subscriptions:
                subscription.coverage.switched_off = "switched off for others"

            def settle_and_send():
                recorder.settle = settle
                sender.start()

            recorder.settle = settle_and_send
    """)
    faked.runpytest("--kdelve-timeout=60").assert_outcomes(passed=1)


def test_a_failure_reaches_junit(faked: pytest.Pytester) -> None:
    faked.makepyfile("""
        import pytest

        @pytest.mark.hits("a.go:1")
        def test_one(api): api.get("/api")
    """)
    faked.runpytest("--kdelve-timeout=0", "--junitxml=junit.xml", "-o", "junit_family=xunit2")
    text = (faked.path / "junit.xml").read_text()
    assert '<failure message="Failed: Expected at least 1 hit by this test' in text
    assert "GET /api -&gt; 200 OK" in text


class LateMarker:
    """Somebody's plugin that marks tests when they are about to run."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        item.add_marker(pytest.mark.hits("a.go:1"))


def test_a_marker_that_a_hook_adds_is_judged(faked: pytest.Pytester) -> None:
    faked.makepyfile("""
        def test_one(api):
            api.get("/reach/b.go")
    """)
    result = faked.runpytest_inprocess("--kdelve-timeout=0", plugins=[LateMarker()])
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["  Nothing reached it."])
