"""Builds with a fake ``go``."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from pytest_kdelve.controlplane import build, releases

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

FAKE_GO = Path(__file__).with_name("fake_go.py")
ALL_FOUR = ["kube-apiserver", "kube-controller-manager", "etcd", "dlv"]
TIMEOUT = 30.0

#: Builds in a process of its own, with the progress as lines on stderr.
PROGRAM = """
import sys
from pathlib import Path
from pytest_kdelve.controlplane import build, releases
from pytest_kdelve.controlplane.progress import PlainProgress
cache, progress = Path(sys.argv[1]), PlainProgress(sys.stderr)
build.ensure(releases.choose(), cache=cache, progress=progress)
"""


class Recorder:
    """A progress that remembers what it was told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def started(self, what: str) -> None:
        self.events.append(("started", what))

    def waiting(self, what: str) -> None:
        self.events.append(("waiting", what))

    def tick(self) -> None:
        pass

    def finished(self, what: str, seconds: float) -> None:
        assert seconds >= 0
        self.events.append(("finished", what))

    def failed(self, what: str, seconds: float) -> None:
        assert seconds >= 0
        self.events.append(("failed", what))


@dataclass(frozen=True)
class World:
    """A PATH with nothing but a fake ``go``, and an empty cache."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    def set(self, **variables: str) -> None:
        for name, value in variables.items():
            self.monkeypatch.setenv(name, value)

    def ensure(self, given: Mapping[str, Path] | None = None) -> build.Binaries:
        return build.ensure(
            releases.choose(), cache=self.cache, progress=Recorder(), given=given or {}
        )

    def calls(self, command: str) -> list[dict[str, Any]]:
        lines = (self.folder / "calls").read_text(encoding="utf-8").splitlines()
        calls: list[dict[str, Any]] = [json.loads(line) for line in lines]
        return [call for call in calls if call["argv"][0] == command]

    def built(self) -> list[str]:
        return [Path(call["argv"][-2]).name for call in self.calls("build")]

    def kept(self) -> list[str]:
        """The names of all that lies beside the kept binaries, without versions and keys."""
        names = [path.name for path in (self.cache / "bin").iterdir()]
        return sorted(name.rsplit("-", 2)[0] for name in names)

    def processes(self) -> list[psutil.Process]:
        """Those that the fake go started and did not end, by the cache in their environment."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("GOTMPDIR", "").startswith(str(self.cache))
        except psutil.Error:
            return False

    def file(self, name: str, mode: int = 0o755) -> Path:
        path = self.folder / name
        path.write_text("#!/bin/sh\n", encoding="utf-8")
        path.chmod(mode)
        return path

    def start(self, stderr: str) -> subprocess.Popen[bytes]:
        with (self.folder / stderr).open("wb") as stream:
            return subprocess.Popen([sys.executable, "-c", PROGRAM, str(self.cache)], stderr=stream)

    def stderr(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")


def install_go(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    go = folder / "go"
    text = FAKE_GO.read_text(encoding="utf-8")
    go.write_text(f"#!{sys.executable}\n{text}", encoding="utf-8")
    go.chmod(0o755)
    return go
