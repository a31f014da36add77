"""The plugin beside pytest-rerunfailures and pytest-timeout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.plugin.test_junit import hit, properties

if TYPE_CHECKING:
    from collections.abc import Callable


ROOT = Path(__file__).parents[2]


def test_a_test_that_runs_again_begins_anew(
    faked: pytest.Pytester, history: Callable[[], list[str]]
) -> None:
    """Neither hits nor requests of an earlier run are left, and start-up hits still count."""
    faked.makepyfile("""
        import itertools, pytest

        runs = itertools.count(1)

        @pytest.mark.hits("s.go:1", during="startup", count=1)
        @pytest.mark.hits("a.go:1", count=1)
        @pytest.mark.not_hits("b.go:1")
        def test_one(api, namespace):
            api.get("/reach/a.go")
            if next(runs) < 3:
                api.get("/reach/b.go")
    """)
    result = faked.runpytest("--reruns=2", "--kdelve-timeout=0")
    result.assert_outcomes(passed=1)
    assert result.parseoutcomes()["rerun"] == 2
    assert history().count("set /src/a.go") == history().count("cleared /src/a.go") == 3


def test_one_that_fails_again_says_what_it_did_the_last_time(faked: pytest.Pytester) -> None:
    faked.makepyfile("""
        import itertools, pytest

        runs = itertools.count(1)

        @pytest.mark.hits("a.go:1")
        def test_one(api):
            api.get(f"/run/{next(runs)}")
    """)
    result = faked.runpytest("--reruns=2", "--kdelve-timeout=0")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["This test's requests:", "    GET /run/3 -> 200 OK", "*= *"], consecutive=True
    )


def test_a_place_that_does_not_exist_stays_an_error(faked: pytest.Pytester) -> None:
    faked.makepyfile("""
        import pytest

        @pytest.mark.hits("missing.go:1")
        def test_one(api): pass
    """)
    result = faked.runpytest("--reruns=1")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["missing.go:1: the binary has no source file of this name"])


def test_hits_of_an_earlier_run_are_no_properties(faked: pytest.Pytester) -> None:
    faked.makepyfile("""
        import itertools, pytest

        runs = itertools.count(1)

        @pytest.mark.hits("a.go:1", locals={"run": "3"})
        def test_one(api):
            api.get("/reach/a.go", params={"run": next(runs)})

        @pytest.fixture
        def flaky(api):
            api.get("/reach/a.go", params={"run": next(runs)})
            raise KeyError("flaky")

        @pytest.mark.hits("a.go:1", locals={"run": "5"})
        def test_two(flaky): pass
    """)
    assert properties(faked, "--reruns=2", "-k", "test_one") == {
        "test_one": [hit("a.go", " with run == '3'")]
    }
    assert properties(faked, "--reruns=1", "-k", "test_two") == {
        "test_two": [hit("a.go", " with run == '2'")]
    }


@pytest.mark.parametrize("method", ["signal", "thread"])
@pytest.mark.parametrize(("counted", "passes"), [("uncounted()", True), ("nothing()", False)])
def test_what_a_test_does_for_all_is_not_counted(
    pytester: pytest.Pytester,
    *,
    method: str,
    counted: str,
    passes: bool,
) -> None:
    """Else a test with a timeout could never be the first one, which builds and starts."""
    pytester.makeconftest(f"""
        import contextlib, pytest, time
        from pytest_kdelve.plugin.state import HOOKS

        @pytest.fixture(scope="session")
        def started(pytestconfig):
            nothing = contextlib.nullcontext
            uncounted = pytestconfig.stash[HOOKS].uncounted
            with {counted}:
                time.sleep(1.5)
    """)
    pytester.makepyfile("""
        import pytest, time

        @pytest.mark.parametrize("number", range(2))
        def test_one(started, number):
            time.sleep(0.1)
    """)
    result = pytester.runpytest_subprocess("--timeout=1", f"--timeout-method={method}")
    assert (result.ret == 0) is passes
    assert ("2 passed in" in result.stdout.str()) is passes


def test_a_test_that_takes_too_long_leaves_no_breakpoint(
    faked: pytest.Pytester, history: Callable[[], list[str]]
) -> None:
    """In a watch, or while its hits are awaited; and the next one goes on."""
    faked.makepyfile("""
        import pytest, signal

        @pytest.mark.timeout(0.5)
        @pytest.mark.hits("a.go:1")
        def test_hangs(api, kdelve):
            api.get("/reach/a.go")
            with kdelve.watch("b.go:1"):
                signal.pause()

        @pytest.mark.timeout(0.5)
        @pytest.mark.hits("c.go:1", timeout=60)
        def test_awaits(api):
            pass

        @pytest.mark.hits("a.go:1", count=1)
        def test_next(api):
            api.get("/reach/a.go")
    """)
    # In a process of its own, since there is one alarm in each.
    result = faked.runpytest_subprocess()
    result.assert_outcomes(failed=2, passed=1)
    result.stdout.fnmatch_lines(
        [
            "*__ test_hangs __*",
            "E *Failed: Timeout (>0.5s) from pytest-timeout.",
            "*- Captured kdelve call -*",
            "GET /reach/a.go -> 200 OK",
            "*__ test_awaits __*",
            "E *Failed: Timeout (>0.5s) from pytest-timeout.",
        ]
    )
    for file in ("a.go", "b.go", "c.go"):
        done = history()
        assert done.count(f"set /src/{file}") == done.count(f"cleared /src/{file}") > 0
