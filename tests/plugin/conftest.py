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

VERSIONED = f"""
{CONFTEST}
import pathlib

@pytest.fixture(scope="session")
def _kdelve_debugged(pytestconfig, tmp_path_factory):
    version = pytestconfig.getoption("kdelve_kubernetes")
    source = pathlib.Path(version, "source.go")
    if source.exists():
        pathlib.Path("source.go").write_text(source.read_text())
    with debugged(tmp_path_factory.mktemp("fake"), pytestconfig.stash[STARTUP]) as fake:
        fake.version = f"v{{version}}"
        yield fake

@pytest.fixture
def is_new(apiserver):
    return apiserver.version == "v1.37.2"
"""
OLD = "package a\n\nfunc get() {\n\tgetter()\n\tgone()\n}\n"
NEW = "package a\n\n// get gets.\nfunc get() {\n\tcheck()\n\tgetter()\n}\n"


@pytest.fixture(autouse=True)
def _nothing_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No binaries of the one who runs these tests are taken."""
    for name in ("APISERVER", "DLV", "ETCD"):
        monkeypatch.delenv(f"KDELVE_{name}", raising=False)
    monkeypatch.setenv("KDELVE_CACHE", f"{tmp_path}/cache")
    monkeypatch.setenv("KDELVE_STATE", f"{tmp_path}/state")
    monkeypatch.setenv("PATH", "/nowhere")


@pytest.fixture
def checkout(pytester: pytest.Pytester) -> Path:
    """What looks like a checkout of kubernetes, in the folder ``kubernetes``."""
    folder = pytester.path / "kubernetes"
    for name in ("cmd/kube-apiserver/apiserver.go", "staging/src/k8s.io/apiserver/go.mod"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).touch()
    (folder / "go.mod").write_text("module k8s.io/kubernetes\n", encoding="utf-8")
    return folder


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


@pytest.fixture
def tests(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with the source of two versions."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    temporary = pytester.mkdir("temporary")
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setenv("COLUMNS", "92")
    pytester.makeconftest(VERSIONED)
    for version, text in (("1.36.4", OLD), ("1.37.2", NEW)):
        pytester.mkdir(version).joinpath("source.go").write_text(text)
    return pytester
