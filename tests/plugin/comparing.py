"""``kdelve compare``, with a fake apiserver that is of the version which pytest is given."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.commands import KDELVE

if TYPE_CHECKING:
    import pytest

TIMEOUT = 60.0


def compare(
    tests: pytest.Pytester,
    *arguments: str,
    options: tuple[str, ...] = (),
    old: str = "1.36.4",
    new: str = "1.37.2",
) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does, and prove that it leaves no file."""
    argv = [sys.executable, "-c", KDELVE, "compare", *options, old, new, *arguments]
    done = subprocess.run(
        argv, cwd=tests.path, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    assert list((tests.path / "temporary").glob("kdelve-*")) == []
    assert "Traceback (most recent call last)" not in done.stderr
    return done


def found(tests: pytest.Pytester, *arguments: str) -> dict[str, Any]:
    """Return the comparison of the tests as objects, by their names."""
    done = compare(tests, "-q", "--kdelve-timeout=0", *arguments, options=("--json",))
    assert done.returncode == 1, done.stderr
    comparison = json.loads(done.stdout)
    assert (comparison["old"], comparison["new"]) == ("1.36.4", "1.37.2")
    return {each["test"].partition("::")[2]: each for each in comparison["tests"]}
