"""The plugin beside pytest's own options."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

THREE = """
    import pytest

    @pytest.mark.hits("a.go:1")
    def test_a(api): api.get("/reach/a.go")

    @pytest.mark.hits("b.go:1")
    def test_b(api): api.get("/reach/none.go")

    @pytest.mark.hits("c.go:1")
    def test_c(api): api.get("/reach/c.go")
"""


def places(history: list[str]) -> list[str]:
    """Return where breakpoints were set, after checking that each was cleared."""
    done = [tuple(line.split()) for line in history if not line.startswith("GET")]
    set_ = [file for verb, file in done if verb == "set"]
    assert set_ == [file for verb, file in done if verb == "cleared"]
    return [file.removeprefix("/src/") for file in set_]


def test_strict_markers(faked: pytest.Pytester) -> None:
    """Ours are known, so that a misspelt one is told."""
    faked.makepyfile("""
        import pytest

        @pytest.mark.hits("a.go:1")
        @pytest.mark.not_hits("b.go:1")
        def test_one(api): api.get("/reach/a.go")
    """)
    faked.runpytest("--strict-markers").assert_outcomes(passed=1)
    faked.makepyfile("import pytest\n@pytest.mark.hit('a.go:1')\ndef test_one(api): pass")
    result = faked.runpytest("--strict-markers")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["'hit' not found in `markers` configuration option"])


@pytest.mark.usefixtures("no_process")
def test_without_the_plugin(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests that do not need it run; of the others, pytest says what it says of any plugin's."""
    pytester.makepyfile("""
        import pytest

        def test_plain(): pass
        def test_fixture(namespace): pass
    """)
    result = pytester.runpytest("-p", "no:kdelve", "--strict-markers")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["E *fixture 'namespace' not found"])
    pytester.makepyfile("import pytest\n@pytest.mark.hits('a.go:1')\ndef test_marked(): pass")
    monkeypatch.setattr(pytest.mark, "_markers", set())  # pytest remembers those of earlier runs
    result = pytester.runpytest("-p", "no:kdelve", "--strict-markers")
    result.stdout.fnmatch_lines(["'hits' not found in `markers` configuration option"])


def test_set_up_only(faked: pytest.Pytester, history: Callable[[], list[str]]) -> None:
    """Fixtures are set up, tests are not run, and nothing is expected of them."""
    faked.makepyfile(THREE)
    result = faked.runpytest("--setup-only")
    result.assert_outcomes()
    assert result.ret == pytest.ExitCode.OK
    assert places(history()) == ["a.go", "b.go", "c.go"]


@pytest.mark.parametrize(
    ("arguments", "chosen", "passed"),
    [
        (["-k", "test_a or test_c"], ["a.go", "c.go"], 2),
        (["--deselect", "test_one.py::test_b"], ["a.go", "c.go"], 2),
        (["-x"], ["a.go", "b.go"], 1),
        (["test_one.py::test_c"], ["c.go"], 1),
    ],
)
def test_choosing(
    faked: pytest.Pytester,
    history: Callable[[], list[str]],
    arguments: list[str],
    chosen: list[str],
    passed: int,
) -> None:
    faked.makepyfile(test_one=THREE)
    result = faked.runpytest("--kdelve-timeout=0", *arguments)
    assert result.parseoutcomes()["passed"] == passed
    assert places(history()) == chosen


@pytest.mark.parametrize(
    ("option", "chosen"), [("--lf", ["b.go"]), ("--ff", ["b.go", "a.go", "c.go"])]
)
def test_what_failed_last(
    faked: pytest.Pytester, history: Callable[[], list[str]], option: str, chosen: list[str]
) -> None:
    faked.makepyfile(test_one=THREE)
    faked.runpytest("--kdelve-timeout=0").assert_outcomes(passed=2, failed=1)
    faked.runpytest("--kdelve-timeout=0", option).assert_outcomes(passed=len(chosen) - 1, failed=1)
    assert places(history()) == chosen


def test_startup_code_is_watched_for_what_is_chosen_only(faked: pytest.Pytester) -> None:
    """One that cannot be resolved would be told at its test alone."""
    faked.makepyfile("""
        import pytest

        @pytest.mark.hits("missing.go:1", during="startup")
        def test_a(): pass

        @pytest.mark.hits("b.go:1", during="startup")
        def test_b(pytestconfig):
            from pytest_kdelve.plugin.state import STARTUP
            assert [str(one.location) for one in pytestconfig.stash[STARTUP]] == ["b.go:1"]
    """)
    faked.runpytest("-k", "test_b").assert_outcomes(passed=1, deselected=1)


def test_marks_of_classes_modules_and_parameters_are_judged(faked: pytest.Pytester) -> None:
    faked.makepyfile("""
        import pytest

        pytestmark = pytest.mark.hits("module.go:1")

        @pytest.fixture(autouse=True)
        def sent(api):
            api.get("/reach/module.go")

        @pytest.mark.hits("class.go:1")
        class TestClass:
            def test_right(self, api): api.get("/reach/class.go")
            def test_wrong(self, api): pass

        def with_mark(file):
            return pytest.param(file, marks=pytest.mark.hits(f"{file}:1", count=1))

        @pytest.mark.parametrize("file", [with_mark("a.go"), with_mark("b.go")])
        def test_parameter(api, file): api.get("/reach/a.go")

        @pytest.mark.hits("a.go:1", locals={"name": "a"})
        @pytest.mark.parametrize("name", ["a", "b"])
        def test_same_mark(api, name): api.get("/reach/a.go", params={"name": name})
    """)
    result = faked.runpytest("--kdelve-timeout=0", "-rA")
    result.assert_outcomes(passed=3, failed=3)
    ends = {"test_right": "PASSED", "test_wrong": "FAILED"}
    ends |= {"test_parameter[[]a.go]": "PASSED", "test_parameter[[]b.go]": "FAILED"}
    ends |= {"test_same_mark[[]a]": "PASSED", "test_same_mark[[]b]": "FAILED"}
    result.stdout.fnmatch_lines_random([f"{end} *::{name}*" for name, end in ends.items()])


def test_a_distributed_run(faked: pytest.Pytester) -> None:
    """Each worker has an apiserver of its own, and startup code is watched in each."""
    faked.makepyfile("""
        import pytest

        @pytest.mark.hits("a.go:1", during="startup", locals={"name": "etcd"})
        @pytest.mark.hits("a.go:1")
        @pytest.mark.parametrize("number", range(4))
        def test_one(api, number): api.get("/reach/a.go" if number else "/reach/none.go")
    """)
    result = faked.runpytest("--kdelve-timeout=0", "-n2")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["Expected at least 1 hit by this test's requests*"])
