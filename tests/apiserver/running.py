"""Running pytest as a user does, against a real kube-apiserver of its own."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    import pytest

REAL_PARTS = {"dlv", "etcd", "kube-apiserver", "kube-controller"}
ROOT = Path(__file__).parents[2]


def real_parts() -> set[int]:
    """Return the pids of all parts of a control plane that run on this machine."""
    return {
        process.pid
        for process in psutil.process_iter(["name", "status"])
        if process.info["name"] in REAL_PARTS and process.info["status"] != psutil.STATUS_ZOMBIE
    }


def kdelve_folders() -> set[Path]:
    """Return the temporary folders of control planes."""
    return set(Path(tempfile.gettempdir()).glob("kdelve-*"))


class Runner:
    """Runs pytest on its own, as a user does, and checks that it leaves nothing behind."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester

    def run(self, *args: str, timeout: float = 300) -> pytest.RunResult:
        """Run pytest in a process of its own, and prove that nothing is left of it."""
        processes, folders = real_parts(), kdelve_folders()
        result = self.pytester.runpytest_subprocess(*args, timeout=timeout)
        assert real_parts() <= processes
        assert kdelve_folders() <= folders
        return result

    def run_file(self, source: str, *args: str) -> pytest.RunResult:
        """Run pytest on one file with this text."""
        self.pytester.makepyfile(source)
        return self.run(*args)


def failure_of(result: pytest.RunResult, test: str) -> str:
    """Return what pytest printed under the heading of one failed test."""
    heading = re.compile(rf"^_+ (?:ERROR at setup of )?{test} _+$")
    lines = iter(result.outlines)
    for line in lines:
        if heading.match(line):
            break
    found = []
    for line in lines:
        if re.match(r"^(_+ .* _+|=+ .* =+)$", line):
            break
        found.append(line)
    return "\n".join(found)
