"""--pdb: what failed can be looked at where it failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

DEBUGGER = """
from tests.plugin.fake_debugged import FakeRecorder

class Pdb:
    quitting = False
    def __init__(self, *args, **kwargs): pass
    def reset(self): pass
    def interaction(self, frame, traceback):
        recorder = FakeRecorder.latest
        print("entered with", len(recorder.subscriptions), "set,", recorder.loop.holding, "held")
"""
PAUSED = """
def test_paused(api, kdelve):
    with kdelve.pause("a.go:1") as pause:
        answer = api.background.get("/reach/a.go")
        assert pause.wait().hit.line {check} 74
    assert answer.result().ok

def test_next(api, kdelve):
    with kdelve.watch("a.go:1") as hits:
        assert api.get("/reach/a.go", timeout=5).ok
    assert len(hits) == 1
"""


@pytest.fixture
def with_pdb(faked: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    # pytest-timeout counts no more, in the whole process, once somebody is in a debugger.
    monkeypatch.setattr("pytest_timeout.SUPPRESS_TIMEOUT", False)
    faked.makepyfile(debugger=DEBUGGER)
    faked.syspathinsert()
    return faked


def run(with_pdb: pytest.Pytester, source: str) -> pytest.RunResult:
    with_pdb.makepyfile(test_one=source)
    return with_pdb.runpytest(
        "--kdelve-timeout=0", "--pdb", "--pdbcls=debugger:Pdb", "-W", "error", "test_one.py"
    )


def test_the_breakpoints_are_still_set(with_pdb: pytest.Pytester) -> None:
    """Of an expectation that is not fulfilled as of any other failure."""
    result = run(
        with_pdb,
        """
        import pytest

        @pytest.mark.hits("a.go:1")
        def test_reaches(api): api.get("/reach/a.go")

        @pytest.mark.hits("b.go:1")
        def test_does_not(api): api.get("/reach/a.go")
        """,
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["Expected at least 1 hit*", "entered with 1 set, 0 held"])
    result.stdout.no_fnmatch_line("*dlv connect*")


def test_a_pause_goes_on(with_pdb: pytest.Pytester, history: Callable[[], list[str]]) -> None:
    """An IDE can look at it, as the prompt says; the next test has a server that runs."""
    result = run(with_pdb, PAUSED.format(check="!="))
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "kdelve.pause('a.go:1') holds the kube-apiserver at /src/a.go:74 *",
            "Others may look, too, by `/bin/dlv connect 127.0.0.1:40123` (and leave it *",
            "entered with 1 set, 1 held",
        ]
    )
    result.stdout.no_fnmatch_line("*still held the kube-apiserver*")
    assert history().count("cleared /src/a.go") == 2


def test_a_pause_of_a_test_that_passes_ends_with_its_block(with_pdb: pytest.Pytester) -> None:
    result = run(with_pdb, PAUSED.format(check="=="))
    result.assert_outcomes(passed=2)
    result.stdout.no_fnmatch_line("entered with*")


@pytest.mark.parametrize("way", ["skip", "xfail", "exit"])
def test_where_nobody_is_to_look_it_ends_with_its_block(
    with_pdb: pytest.Pytester, history: Callable[[], list[str]], way: str
) -> None:
    source = f"""
        import pytest

        def test_one(api, kdelve):
            with kdelve.pause("a.go:1") as pause:
                answer = api.background.get("/reach/a.go")
                pause.wait()
                pytest.{way}("enough")
    """
    run(with_pdb, source).stdout.no_fnmatch_line("entered with*")
    assert history()[-1] == "cleared /src/a.go"
