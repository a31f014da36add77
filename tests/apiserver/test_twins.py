"""Each example has a twin with a wrong expectation, which fails and says exactly why."""

from __future__ import annotations

import ast
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.apiserver import twins
from tests.apiserver.running import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.apiserver.running import Runner

EXAMPLES = ROOT / "examples"
EXPECTED = twins.failures(twins.EXPECTED.read_text())


def examples() -> Iterator[str]:
    """Yield the names of the tests in the examples."""
    for path in sorted(EXAMPLES.glob("test_*.py")):
        for statement in ast.parse(path.read_text()).body:
            if isinstance(statement, ast.FunctionDef) and statement.name.startswith("test_"):
                yield statement.name


def test_each_example_has_a_twin_and_a_message() -> None:
    names = sorted(examples())
    assert len(names) >= 30
    assert names == sorted(twins.TWINS)
    assert names == sorted(EXPECTED)


@pytest.fixture(scope="module")
def failed() -> dict[str, str]:
    """Return what the twins printed, once they have run."""
    return {}


@pytest.fixture
def printed(failed: dict[str, str], runner: Runner) -> Mapping[str, str]:
    """Run all twins, in one run of pytest, for the first test that asks."""
    if not failed:
        shutil.copytree(EXAMPLES, runner.pytester.path / EXAMPLES.name)
        shutil.copy(twins.__file__, runner.pytester.path / "conftest.py")
        result = runner.run(*twins.OPTIONS)
        failed.update(twins.failures(result.stdout.str()))
        result.assert_outcomes(failed=len(twins.TWINS))
    return failed


@pytest.mark.parametrize("test", twins.TWINS)
def test_a_twin_fails_and_says_why(test: str, printed: Mapping[str, str]) -> None:
    assert printed[test] == EXPECTED[test]
