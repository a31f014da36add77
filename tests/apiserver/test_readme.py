"""The README tells the truth: its examples run, and print what it says they print."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.apiserver.running import ROOT, failure_of

if TYPE_CHECKING:
    from tests.apiserver.running import Runner

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """Return the README's code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def as_printed(text: str) -> list[str]:
    """Return lines for comparison: without trailing white space and the goroutine's number."""
    return [re.sub(r"goroutine \d+", "goroutine", line).rstrip() for line in text.splitlines()]


def test_the_readmes_tests_do_what_it_says(runner: Runner) -> None:
    result = runner.run_file("\n".join(blocks("python")))
    result.assert_outcomes(failed=1, passed=2)
    failure = as_printed(failure_of(result, "test_a_get_reaches_the_getter"))
    heading, *picture = as_printed(blocks("text")[0])
    assert "test_a_get_reaches_the_getter" in heading
    assert failure == picture


def test_ci_runs_the_readmes_test_command() -> None:
    _reading, tests, *_ = blocks("sh")
    assert (ROOT / ".ci" / "run").read_text().endswith(f"\n{tests}")
