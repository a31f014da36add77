"""What starts nothing: looking, planning, and tests that want nothing of this plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("no_process")
TESTS = """
    import pytest, unittest

    @pytest.mark.hits('a.go:1')
    def test_marked(): pass

    @pytest.mark.hits('main.main', during='startup')
    def test_startup(apiserver): pass

    def test_fixtures(apiserver, credentials, api, kube_client, kdelve, namespace): pass

    class TestCase(unittest.TestCase):
        @pytest.mark.not_hits('a.go:1')
        def test_one(self): pass
"""


@pytest.mark.parametrize("option", ["--collect-only", "--setup-plan", "--help", "--fixtures"])
@pytest.mark.parametrize(
    "way",
    [
        "",
        "--kdelve-takeover=auto",
        "--kdelve-attach=1",
        "--kdelve-connect=:1",
        "--kdelve-reuse",
        "--kdelve-keep=always",
    ],
)
def test_looking_starts_nothing(
    pytester: pytest.Pytester, tmp_path: Path, option: str, way: str
) -> None:
    pytester.makepyfile(TESTS)
    result = pytester.runpytest(option, *filter(None, [way]))
    assert result.ret == pytest.ExitCode.OK
    assert not (tmp_path / "cache").exists()
    assert not (tmp_path / "state").exists()


def test_its_twin_starts(pytester: pytest.Pytester) -> None:
    """So the tests above could fail."""
    pytester.makepyfile(TESTS)
    pytester.runpytest().assert_outcomes(errors=4)


def test_tests_without_markers_and_fixtures_start_nothing(
    pytester: pytest.Pytester, tmp_path: Path
) -> None:
    pytester.makepyfile("""
        import unittest
        def test_one(): pass
        class TestCase(unittest.TestCase):
            def test_one(self): pass
    """)
    pytester.runpytest().assert_outcomes(passed=2)
    assert not (tmp_path / "cache").exists()


def test_without_the_plugin_nothing_of_it_is_there(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_one(api): pass")
    result = pytester.runpytest("-p", "no:kdelve")
    result.stdout.fnmatch_lines(["E *fixture 'api' not found"])
    result = pytester.runpytest("-p", "no:kdelve", "--markers")
    result.stdout.no_fnmatch_line("*hits(*")
    result = pytester.runpytest("-p", "no:kdelve", "--help")
    result.stdout.no_fnmatch_line("*kdelve-*")
    result = pytester.runpytest("-p", "no:kdelve", "--kdelve-listen=:12345")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
