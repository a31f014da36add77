"""pytest runs of their own, in which no Delve and no kube-apiserver is started."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.plugin import fake_debugged

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
#: Processes of their own, such as workers, would not find the tests' modules else.
CONFTEST = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import pytest
from pytest_kdelve.plugin.state import STARTUP
from {fake_debugged.__name__} import debugged

@pytest.fixture(scope="session")
def _kdelve_debugged(pytestconfig, tmp_path_factory):
    with debugged(tmp_path_factory.mktemp("fake"), pytestconfig.stash[STARTUP]) as fake:
        yield fake
"""


@pytest.fixture(autouse=True)
def _nothing_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No binaries of the one who runs these tests are taken."""
    for name in ("APISERVER", "DLV", "ETCD"):
        monkeypatch.delenv(f"KDELVE_{name}", raising=False)
    monkeypatch.setenv("KDELVE_CACHE", f"{tmp_path}/cache")
    monkeypatch.setenv("KDELVE_STATE", f"{tmp_path}/state")
    monkeypatch.setenv("PATH", "/nowhere")


@pytest.fixture
def faked(pytester: pytest.Pytester) -> pytest.Pytester:
    """A pytest whose apiserver is a fake."""
    pytester.makeconftest(CONFTEST)
    return pytester


@pytest.fixture
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts a child process fails."""

    def refuse(*args: object, **_kwargs: object) -> None:
        raise AssertionError(f"a process was started: {args}")

    monkeypatch.setattr(subprocess, "Popen", refuse)


@pytest.fixture
def history(pytester: pytest.Pytester) -> Callable[[], list[str]]:
    """What the fake was asked for, in its order."""
    return lambda: (pytester.path / "history").read_text().splitlines()
