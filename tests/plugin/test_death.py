"""What tests say when the kube-apiserver ends while they run."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("expected", ['hits("a.go:1")', 'not_hits("a.go:1")'])
def test_the_apiservers_death_after_its_answer(faked: pytest.Pytester, expected: str) -> None:
    """It fails the test that it happens in, whatever that expects; later ones are errors."""
    faked.makepyfile(f"""
        import pytest

        @pytest.mark.{expected}
        def test_one(api):
            assert api.get("/die-later").ok

        @pytest.mark.hits("a.go:1")
        def test_two(api): pass
    """)
    result = faked.runpytest("--kdelve-timeout=60")
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*__ test_one __*",
            "kube-apiserver ended with status 2",
            "  last lines of its log:",
            "    panic: Bearer (redacted)",
            "",
            "This test's requests:",
            "    GET /die-later -> 200 OK",
        ],
        consecutive=True,
    )
    result.stdout.fnmatch_lines(["*ERROR at setup of test_two*", "kube-apiserver ended with*"])
    result.stdout.no_fnmatch_line("*aB1.cD2*")


def test_the_apiservers_death_instead_of_an_answer(faked: pytest.Pytester) -> None:
    """A test that fails for it says so beside its own failure."""
    faked.makepyfile("""
        import pytest

        @pytest.mark.hits("a.go:1")
        def test_one(api):
            api.get("/die")
    """)
    result = faked.runpytest("--kdelve-timeout=60")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *ConnectionError: *",
            "*- Captured kdelve call -*",
            "GET /die -> ConnectionError",
            "kube-apiserver ended with status 2",
            "    panic: Bearer (redacted)",
        ]
    )
    result.stdout.no_fnmatch_line("*aB1.cD2*")


def test_the_apiservers_death_while_a_hit_is_awaited(faked: pytest.Pytester) -> None:
    """That nothing was hit until then does not fulfil what was to be watched for longer."""
    faked.makepyfile("""
        import threading
        import pytest
        from pytest_kdelve.errors import TargetExitedError

        @pytest.mark.not_hits("a.go:1", timeout=0.5)
        def test_one(_kdelve_debugged):
            error = TargetExitedError("the debugged process is gone", status=2)
            end = lambda: setattr(_kdelve_debugged.recorder, "ended", error)
            threading.Timer(0.1, end).start()
    """)
    result = faked.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["kube-apiserver ended with status 2"])
