"""The marker ``kubernetes``: which versions a test is for, and what is said of the others."""

from __future__ import annotations

import pytest

TESTS = """
    import pytest

    @pytest.mark.kubernetes(">=1.30", reason="there was none before")
    def test_new(): pass

    @pytest.mark.kubernetes("<1.30")
    def test_old(): pass

    @pytest.mark.kubernetes(">=1.30,<1.37")
    class TestBetween:
        @pytest.mark.kubernetes("!=1.36.0", reason="it was broken")
        def test_one(self): pass
"""


@pytest.mark.usefixtures("no_process")
@pytest.mark.parametrize(
    ("version", "passed", "reasons"),
    [
        (
            "1.24.0",
            ["test_old"],
            [
                "for Kubernetes >=1.30, not 1.24.0: there was none before",
                "for Kubernetes <1.37,>=1.30, not 1.24.0",
            ],
        ),
        ("1.30.14", ["test_new", "test_one"], ["for Kubernetes <1.30, not 1.30.14"]),
        (
            "1.36.0",
            ["test_new"],
            [
                "for Kubernetes <1.30, not 1.36.0",
                "for Kubernetes !=1.36.0, not 1.36.0: it was broken",
            ],
        ),
        (
            "1.37.2",
            ["test_new"],
            ["for Kubernetes <1.30, not 1.37.2", "for Kubernetes <1.37,>=1.30, not 1.37.2"],
        ),
    ],
)
def test_a_test_runs_with_its_versions(
    pytester: pytest.Pytester, version: str, passed: list[str], reasons: list[str]
) -> None:
    """Nothing is started to find that out."""
    pytester.makepyfile(TESTS)
    result = pytester.runpytest("-v", "-rs", f"--kdelve-kubernetes={version}")
    result.assert_outcomes(passed=len(passed), skipped=3 - len(passed))
    result.stdout.fnmatch_lines_random([f"*::{name} PASSED*" for name in passed])
    found = [line for line in result.outlines if line.startswith("SKIPPED [")]
    assert sorted(line.split(": ", 1)[1] for line in found) == sorted(reasons)
    assert all("test_a_test_runs_with_its_versions.py:" in line for line in found)


def test_what_runs_already_is_asked_for_its_version(faked: pytest.Pytester) -> None:
    """The fake one is of 1.37.2, whatever would be built."""
    faked.makepyfile("""
        import pytest

        @pytest.mark.kubernetes(">=1.37", reason="it is new")
        def test_new(api): pass

        @pytest.mark.kubernetes("<1.37", reason="it went")
        @pytest.mark.hits("gone.go:1")
        def test_old(api): pass
    """)
    faked.mkdir("bin").joinpath("kube-apiserver").touch(mode=0o755)
    result = faked.runpytest("-rs", "--kdelve-apiserver=bin/kube-apiserver")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines("SKIPPED*: for Kubernetes <1.37, not 1.37.2: it went")


def test_a_version_that_runs_counts_without_its_suffix(faked: pytest.Pytester) -> None:
    faked.makepyfile("""
        import pytest

        @pytest.fixture(scope="session", autouse=True)
        def alpha(_kdelve_debugged):
            _kdelve_debugged.version = "v1.38.0-alpha.1.23+abcdef-dirty"

        @pytest.mark.kubernetes(">=1.38")
        def test_new(api): pass

        @pytest.mark.kubernetes("<1.38")
        def test_old(api): pass
    """)
    faked.mkdir("bin").joinpath("kube-apiserver").touch(mode=0o755)
    result = faked.runpytest("-rs", "--kdelve-apiserver=bin/kube-apiserver")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines("SKIPPED*: for Kubernetes <1.38, not 1.38.0")


@pytest.mark.parametrize(
    ("mark", "problem"),
    [
        ("kubernetes", "missing 1 required positional argument: 'versions'"),
        ("kubernetes()", "missing 1 required positional argument: 'versions'"),
        ("kubernetes('1.30')", "Invalid specifier: '1.30'"),
        ("kubernetes('newest')", "Invalid specifier: 'newest'"),
        ("kubernetes('')", "'' is no text with versions"),
        ("kubernetes(',')", "',' is no text with versions"),
        ("kubernetes(1.30)", "1.3 is no text with versions"),
        ("kubernetes('>=1.30', 'why')", "takes 1 positional argument but 2 were given"),
        ("kubernetes('>=1.30', reason=None)", "reason=None is no text"),
    ],
)
def test_a_wrong_marker_is_a_collection_error(
    pytester: pytest.Pytester, mark: str, problem: str
) -> None:
    pytester.makepyfile(f"import pytest\n@pytest.mark.{mark}\ndef test_one(): pass\n")
    result = pytester.runpytest("--collect-only")
    result.assert_outcomes(errors=1)
    said = "\n".join(result.outlines)
    assert "::test_one: @pytest.mark.kubernetes(" in said
    assert problem in said
    assert "; write kubernetes(versions, *, reason='') with versions such as '>=1.30'" in said
    assert "Traceback" not in said


def test_a_wrong_marker_that_a_hook_adds_is_an_error(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("""
        import pytest

        def pytest_collection_modifyitems(items):
            items[0].add_marker(pytest.mark.kubernetes("newest"))
    """)
    pytester.makepyfile("def test_one(): pass")
    result = pytester.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines("*@pytest.mark.kubernetes('newest'): Invalid specifier*")
