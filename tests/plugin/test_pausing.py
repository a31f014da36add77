"""A paused server in a test: every way out resumes it, and no timeout counts it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

#: Ends the file of each test: the server runs, and its breakpoints are those of the test.
NEXT = """
def test_next(api, kdelve):
    with kdelve.watch("a.go:1") as hits:
        assert api.get("/reach/a.go", timeout=5).ok
    assert len(hits) == 1
"""


def make(pytester: pytest.Pytester, source: str) -> None:
    """Make a file of tests, with one more."""
    pytester.makepyfile(f"{textwrap.dedent(source)}\n{NEXT}")


def test_a_paused_server(faked: pytest.Pytester, history: Callable[[], list[str]]) -> None:
    make(
        faked,
        """
        def test_one(api, kdelve):
            with kdelve.pause("a.go:1") as pause:
                answer = api.background.get("/reach/a.go")
                stop = pause.wait()
                assert stop.hit.request.path == "/reach/a.go"
                assert not answer.done()
                stop.resume()
                assert answer.result().ok""",
    )
    faked.runpytest("-W", "error").assert_outcomes(passed=2)
    assert history() == [
        "set /src/a.go",
        "GET /reach/a.go",
        "cleared /src/a.go",
        "set /src/a.go",
        "GET /reach/a.go",
        "cleared /src/a.go",
    ]


def test_whose_hit_pauses(faked: pytest.Pytester) -> None:
    """The test's own, and where the condition is true; or anyone's."""
    make(
        faked,
        """
        import pytest
        from pytest_kdelve.errors import KdelveError, LocationError, UsageError

        def test_own(api, kdelve):
            with kdelve.pause("a.go:1", when="x > 1") as pause:
                assert api.get("/others/a.go", params={"x": "2"}, timeout=5).ok
                with pytest.raises(KdelveError) as caught:
                    pause.wait(timeout=0.1)
            assert str(caught.value).splitlines()[1:] == [
                "This test's requests:",
                "    GET /others/a.go -> 200 OK",
            ]

        def test_when(api, kdelve):
            with kdelve.pause("a.go:1", when="x > 1") as pause:
                assert api.get("/reach/a.go", timeout=5).ok
                with pytest.raises(KdelveError, match="when='x > 1' could not be evaluated in 1"):
                    pause.wait(timeout=0.1)

        def test_anyone(api, kdelve):
            with kdelve.pause("a.go:1", by="anyone") as pause:
                answer = api.background.get("/others/a.go")
                assert not pause.wait().hit.is_own
            assert answer.result().ok

        def test_nothing(kdelve):
            with kdelve.pause("a.go:1") as pause:
                with pytest.raises(KdelveError, match="This test made no request"):
                    pause.wait(timeout=0.1)

        def test_usage(kdelve):
            with pytest.raises(LocationError):
                kdelve.pause("missing.go:1")
            with pytest.raises(UsageError, match="it is 'test' or 'anyone'"):
                kdelve.pause("a.go:1", by="nobody")""",
    )
    faked.runpytest("-W", "error").assert_outcomes(passed=6)


WAYS = {
    "passes": ("pass", {"passed": 2}),
    "fails": ("assert False", {"failed": 1, "passed": 1}),
    "raises": ("raise KeyError", {"failed": 1, "passed": 1}),
    "skips": ("pytest.skip('no')", {"skipped": 1, "passed": 1}),
    "xfails": ("pytest.xfail('no')", {"xfailed": 1, "passed": 1}),
    "is told to fail": ("pytest.fail('no')", {"failed": 1, "passed": 1}),
    "exits": ("raise SystemExit(3)", {"failed": 1, "passed": 1}),
    "takes too long": ("time.sleep(60)", {"failed": 1, "passed": 1}),
}


@pytest.mark.parametrize(
    ("way", "waits"),
    # Once it has waited, the time does not count.
    [*((way, False) for way in WAYS), *((way, True) for way in WAYS if way != "takes too long")],
)
def test_each_way_out_of_a_block_resumes(faked: pytest.Pytester, way: str, *, waits: bool) -> None:
    """Also where pytest-timeout ends the test, whose time does not count what was waited for."""
    statement, outcome = WAYS[way]
    waiting = "pause.wait()" if waits else "until_held(pause)"
    make(
        faked,
        f"""
        import time
        import pytest

        def until_held(pause):
            while not pause.is_holding:
                time.sleep(0.01)

        @pytest.mark.timeout(2)
        def test_one(api, kdelve):
            with kdelve.pause("a.go:1") as pause:
                answer = api.background.get("/reach/a.go")
                {waiting}
                {statement}""",
    )
    result = faked.runpytest("-W", "error", "-p", "no:randomly")
    result.assert_outcomes(**outcome)
    result.stdout.no_fnmatch_line("*still held the kube-apiserver*")


FORGETTING = """
import contextlib
import time
import pytest

@pytest.fixture
def stack():
    return contextlib.ExitStack().__enter__()

@pytest.fixture
def paused(api, kdelve):
    with kdelve.pause("a.go:1", when="x") as pause:
        yield pause
"""


@pytest.mark.parametrize("owner", ["fixture", "stack"])
@pytest.mark.parametrize("way", WAYS)
def test_a_test_that_forgot_to_resume(
    faked: pytest.Pytester, history: Callable[[], list[str]], way: str, owner: str
) -> None:
    """It fails for that where it did not fail by itself; what it said stays."""
    statement, outcome = WAYS[way]
    if way == "takes too long":
        statement = "stop.hit; time.sleep(0.1)"
        outcome = WAYS["passes"][1]
    if outcome == {"passed": 2}:
        outcome = {"failed": 1, "passed": 1}
    enter = {
        "fixture": "paused",
        "stack": "stack.enter_context(kdelve.pause('a.go:1'))",
    }[owner]
    faked.makepyfile(
        FORGETTING.replace(', when="x"', "")
        + f"""
def test_one(request, api, kdelve, stack, {"paused" if owner == "fixture" else "tmp_path"}):
    pause = {enter}
    answer = api.background.get("/reach/a.go")
    stop = pause.wait()
    {statement}
{NEXT}
"""
    )
    result = faked.runpytest("-W", "error")
    result.assert_outcomes(**outcome)
    if way in {"passes", "takes too long"}:
        result.stdout.fnmatch_lines(
            [
                "*__ test_one __*",
                "kdelve.pause('a.go:1') still held the kube-apiserver when the test was over; *",
                "  It stood at /src/a.go:74 *handlers.GetResource.func1",
                "  in GET /reach/a.go (goroutine 7)",
                "  since ??:??:??, for ?.? s.",
                "Call resume() on what wait() returns, or leave the block of the pause:",
                "  with kdelve.pause(...) as pause:",
                "*= short test summary info =*",
            ],
            consecutive=True,
        )
    elif "failed" in outcome:
        result.stdout.fnmatch_lines(
            ["*- Captured kdelve pause call -*", "kdelve.pause('a.go:1') still held*"]
        )
    assert history().count("cleared /src/a.go") == 2


def test_who_forgot_to_resume_is_failed_for_that_alone(faked: pytest.Pytester) -> None:
    """An expectation is not waited for, and the answer is there for those who clean up."""
    faked.makepyfile("""
        import pytest

        @pytest.fixture
        def answers(api):
            answers = []
            yield answers
            assert answers[0].result(5).ok

        @pytest.mark.hits("a.go:1")
        @pytest.mark.hits("b.go:1", timeout=60)
        def test_one(api, kdelve, answers):
            pause = kdelve.pause("a.go:1").__enter__()
            answers.append(api.background.get("/reach/a.go"))
            pause.wait()
    """)
    result = faked.runpytest("-W", "error", "--durations=1", "--durations-min=5")
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*s call*")
    result.stdout.no_fnmatch_line("Expected*")
    result.stdout.fnmatch_lines(["kdelve.pause('a.go:1') still held*"])


def test_a_pause_that_a_fixture_forgot(faked: pytest.Pytester) -> None:
    """At set-up, where the test never ran, and at tear-down; the answers come then."""
    make(
        faked,
        """
        import pytest

        @pytest.fixture
        def breaks(api, kdelve):
            pause = kdelve.pause("a.go:1").__enter__()
            answer = api.background.get("/reach/a.go")
            pause.wait()
            raise KeyError("broken")

        def test_set_up(breaks): pass

        @pytest.fixture
        def forgets(kdelve, api):
            yield
            pause = kdelve.pause("a.go:1").__enter__()
            api.background.get("/reach/a.go")
            pause.wait()

        def test_tear_down(forgets): pass""",
    )
    result = faked.runpytest("-W", "error")
    result.assert_outcomes(errors=3, passed=2)
    result.stdout.fnmatch_lines(
        [
            "E *KeyError: 'broken'",
            "*ERROR at teardown of test_set_up*",
            "*'a.go:1') still held*",
            "*ERROR at teardown of test_tear_down*",
            "*'a.go:1') still held*",
        ]
    )
    result.stdout.no_fnmatch_line("*nobody asked for*")


def test_a_pause_that_a_fixture_forgot_beside_kube_client(faked: pytest.Pytester) -> None:
    """It waits for its own threads when it is closed, so the server has to go on before."""
    make(
        faked,
        """
        import pytest

        @pytest.fixture
        def breaks(kdelve, apiserver, kube_client):
            pause = kdelve.pause("a.go:1").__enter__()
            get = ("GET", f"{apiserver.url}/reach/a.go")
            kube_client.pool.apply_async(kube_client.rest_client.request, get)
            pause.wait()
            raise KeyError("broken")

        def test_set_up(breaks): pass""",
    )
    result = faked.runpytest_subprocess("-W", "error", timeout=45)
    result.assert_outcomes(errors=2, passed=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_set_up*", "*'a.go:1') still held*"])


def test_an_interrupt_resumes(faked: pytest.Pytester, history: Callable[[], list[str]]) -> None:
    faked.makepyfile("""
        def test_one(api, kdelve):
            pause = kdelve.pause("a.go:1").__enter__()
            answer = api.background.get("/reach/a.go")
            pause.wait()
            raise KeyboardInterrupt
    """)
    result = faked.runpytest_subprocess()
    result.stdout.fnmatch_lines(["*KeyboardInterrupt*"])
    assert result.duration < 15
    assert history()[-1] == "cleared /src/a.go"


def test_a_request_that_pauses_the_thread_that_waits_for_it(faked: pytest.Pytester) -> None:
    """Over http there is no patient socket; what waits for a future is told nevertheless."""
    make(
        faked,
        """
        import pytest
        from pytest_kdelve.errors import PausedError

        def test_one(api, kdelve):
            with kdelve.pause("a.go:1") as pause:
                answer = api.background.get("/reach/a.go")
                pause.wait()
                with pytest.raises(PausedError, match="the result of GET /reach/a.go"):
                    answer.result()
            assert answer.result().ok""",
    )
    faked.runpytest("-W", "error").assert_outcomes(passed=2)


def test_a_request_that_failed_unseen_is_a_warning(faked: pytest.Pytester) -> None:
    """As pytest warns of an exception in a thread; with -W error the test errors."""
    faked.makepyfile("""
        import pytest

        def test_unseen(api):
            api.background.get("http://127.0.0.1:9/api?token=secret")

        def test_seen(api):
            with pytest.raises(Exception):
                api.background.get("http://127.0.0.1:9/api").result()
    """)
    result = faked.runpytest("-W", "default")
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(
        [
            "*PytestWarning: what nobody asked for in api.background:",
            "*GET /api failed with ConnectionError; ask for its result()",
        ]
    )
    faked.runpytest("-W", "error").assert_outcomes(passed=2, errors=1)


def test_the_end_of_the_server_while_it_is_paused(faked: pytest.Pytester) -> None:
    faked.makepyfile("""
        def test_one(api, kdelve, _kdelve_debugged):
            pause = kdelve.pause("a.go:1").__enter__()
            api.background.get("/reach/a.go", timeout=1)
            pause.wait()
            from pytest_kdelve.errors import TargetExitedError
            _kdelve_debugged.recorder.ended = TargetExitedError("it is gone", status=2)
    """)
    result = faked.runpytest("-W", "default")
    result.assert_outcomes(failed=1, warnings=1)
    result.stdout.fnmatch_lines(["kdelve.pause('a.go:1') could not be ended: it is gone"])
    result.stdout.no_fnmatch_line("*it was resumed*")


class TestTimeout:
    """pytest-timeout."""

    @pytest.mark.parametrize(
        ("method", "func_only"), [("signal", "false"), ("signal", "true"), ("thread", "false")]
    )
    def test_the_time_of_a_pause_does_not_count(
        self, faked: pytest.Pytester, method: str, func_only: str
    ) -> None:
        """Nor that of a second one, nor that of one within another."""
        make(
            faked,
            """
            import time

            def test_one(api, kdelve):
                for _ in range(2):
                    with kdelve.pause("a.go:1") as outer, kdelve.pause("b.go:1") as inner:
                        api.background.get("/reach/a.go")
                        outer.wait()
                        api.background.get("/reach/b.go")
                        inner.wait().resume()
                        time.sleep(1.2)""",
        )
        result = faked.runpytest_subprocess(
            "-W",
            "error",
            "--timeout=2",
            f"--timeout-method={method}",
            "-o",
            f"timeout_func_only={func_only}",
        )
        result.assert_outcomes(passed=2)

    @pytest.mark.parametrize("method", ["signal", "thread"])
    def test_a_pause_that_a_fixture_holds_does_not_count_either(
        self, faked: pytest.Pytester, method: str
    ) -> None:
        """Where only the function counts, its time begins during the pause."""
        faked.makepyfile("""
            import time
            import pytest

            @pytest.fixture
            def stop(api, kdelve):
                with kdelve.pause("a.go:1") as pause:
                    api.background.get("/reach/a.go")
                    yield pause.wait()

            def test_one(stop):
                time.sleep(1.5)
                stop.resume()

            def test_two(stop):
                stop.resume()
                time.sleep(60)
        """)
        result = faked.runpytest_subprocess(
            "--timeout=1", f"--timeout-method={method}", "-o", "timeout_func_only=true", timeout=30
        )
        if method == "signal":
            result.assert_outcomes(passed=1, failed=1)
            result.stdout.fnmatch_lines(["*Failed: Timeout (>1.0s) from pytest-timeout."])
        else:
            result.stdout.fnmatch_lines(["*+ Timeout +*", "*, in test_two"])

    @pytest.mark.parametrize("method", ["signal", "thread"])
    def test_the_time_after_a_pause_counts(self, faked: pytest.Pytester, method: str) -> None:
        """What was left when the pause began; it is said as it was given."""
        make(
            faked,
            """
            import time

            def test_one(api, kdelve):
                with kdelve.pause("a.go:1") as pause:
                    api.background.get("/reach/a.go")
                    pause.wait()
                    time.sleep(2.1)
                print("resumed")
                time.sleep(60)""",
        )
        result = faked.runpytest_subprocess(
            "-s", "--timeout=2", f"--timeout-method={method}", timeout=30
        )
        assert "resumed" in result.stdout.str()
        if method == "signal":
            result.assert_outcomes(failed=1, passed=1)
            result.stdout.fnmatch_lines(["*Failed: Timeout (>2.0s) from pytest-timeout."])
        else:
            assert result.ret == 1
            result.stdout.fnmatch_lines(["*+ Timeout +*"])

    def test_a_timer_is_not_set_for_a_test_that_is_over(self, faked: pytest.Pytester) -> None:
        """It would end the next one."""
        faked.makepyfile("""
            import time
            import pytest

            @pytest.fixture
            def paused_late(api, kdelve):
                yield
                with kdelve.pause("a.go:1") as pause:
                    api.background.get("/reach/a.go")
                    pause.wait()

            def test_one(paused_late):
                pass

            @pytest.mark.timeout(0)
            def test_two():
                time.sleep(1.5)
        """)
        result = faked.runpytest_subprocess("-o", "timeout_func_only=true", "--timeout=1")
        result.assert_outcomes(passed=2)

    def test_it_need_not_be_there(self, faked: pytest.Pytester) -> None:
        make(
            faked,
            """
            def test_one(api, kdelve):
                with kdelve.pause("a.go:1") as pause:
                    answer = api.background.get("/reach/a.go")
                    pause.wait()
                assert answer.result().ok""",
        )
        faked.runpytest_subprocess("-W", "error", "-p", "no:timeout").assert_outcomes(passed=2)
