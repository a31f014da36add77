"""Running pytest as a user does, against a real kube-apiserver of its own."""

from __future__ import annotations

import re
import tempfile
import uuid
from pathlib import Path

import psutil
import pytest

from pytest_kdelve.controlplane import build, releases

ROOT = Path(__file__).parents[2]
#: Inherited by all that a run starts, so that what it left is told from everybody else's.
MARK = "KDELVE_TEST_RUN"


class Footprint:
    """The processes and temporary folders of one run of pytest."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
        self._run = uuid.uuid4().hex
        self._temporary = temporary
        monkeypatch.setenv(MARK, self._run)
        monkeypatch.setenv("TMPDIR", str(temporary))
        monkeypatch.setenv("KDELVE_STATE", str(temporary / "state"))
        monkeypatch.setattr(tempfile, "tempdir", str(temporary))

    def processes(self) -> list[psutil.Process]:
        """Return the processes that were started since, and have not ended."""
        return [process for process in psutil.process_iter() if self._has_mark(process)]

    def folders(self) -> list[Path]:
        """Return the control planes' temporary folders."""
        return list(self._temporary.glob("kdelve-*"))

    def journals(self) -> list[Path]:
        """Return what is kept of runs until they are over."""
        return list((self._temporary / "state/runs").glob("*"))

    def _has_mark(self, process: psutil.Process) -> bool:
        try:
            is_over = process.status() == psutil.STATUS_ZOMBIE
            return not is_over and process.environ().get(MARK) == self._run
        except psutil.Error:
            return False  # It has ended.


class Runner:
    """Runs pytest on its own, as a user does, and checks that it leaves nothing behind."""

    def __init__(self, pytester: pytest.Pytester, footprint: Footprint) -> None:
        self.pytester = pytester
        self.footprint = footprint

    def run(self, *args: str, timeout: float = 300) -> pytest.RunResult:
        """Run pytest in a process of its own, and prove that nothing is left of it."""
        result = self.pytester.runpytest_subprocess(*args, timeout=timeout)
        self.check_nothing_is_left()
        return result

    def run_file(self, source: str, *args: str) -> pytest.RunResult:
        """Run pytest on one file with this text."""
        self.pytester.makepyfile(source)
        return self.run(*args)

    def check_nothing_is_left(self) -> None:
        """Fail where processes or temporary folders are left."""
        assert self.footprint.processes() == []
        assert self.footprint.folders() == []
        assert self.footprint.journals() == []


def if_kept(version: str) -> pytest.MarkDecorator:
    """Skip a test of a Kubernetes that takes minutes to build, unless that has been done here."""
    kept = build.kept(releases.choose(version), cache=build.cache_folder())
    reason = f"`kdelve build --kubernetes {version}` has not been run here"
    return pytest.mark.skipif(not all(kept.values()), reason=reason)


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
