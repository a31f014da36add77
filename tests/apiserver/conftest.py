"""The real kube-apiserver: the session's own, and runs of pytest that start another one."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.controlplane import build, releases
from pytest_kdelve.controlplane.progress import for_stream
from tests.apiserver.running import Footprint, Runner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HOME = os.environ.get("HOME", "/")


@pytest.fixture
def runner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Runner:
    # pytester gives its runs another home; what is built is kept in the real one.
    monkeypatch.setenv("HOME", _HOME)
    return Runner(pytester, Footprint(monkeypatch, tmp_path))


@pytest.fixture(scope="session")
def kdelve_binaries() -> build.Binaries:
    """Return what the session's control plane is made of."""
    return build.ensure(
        releases.choose(), cache=build.cache_folder(), progress=for_stream(sys.stderr)
    )


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Set up before the session's apiserver, so it is over when that has been stopped."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        footprint = Footprint(monkeypatch, tmp_path_factory.mktemp("session"))
        yield
        assert footprint.processes() == []
        assert footprint.folders() == []
        assert footprint.journals() == []
