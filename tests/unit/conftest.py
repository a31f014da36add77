"""What several unit tests need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.controlplane import certificates
from tests.unit.builds import World, install_go
from tests.unit.fake_http import FakeApiserver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ORIGINAL = (
    "module k8s.io/kubernetes\n\ngo 1.26.0\n\nreplace k8s.io/api => ./staging/src/k8s.io/api\n"
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> certificates.Certificates:
    """Keys and certificates of a CA."""
    return certificates.create(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def fake(files: certificates.Certificates) -> Iterator[FakeApiserver]:
    """An HTTPS server of that CA."""
    with FakeApiserver().serving(files) as fake:
        yield fake


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path, monkeypatch)
    (tmp_path / "calls").touch()
    (tmp_path / "original.mod").write_text(ORIGINAL, encoding="utf-8")
    (tmp_path / "scripts").mkdir()
    monkeypatch.setattr("sysconfig.get_path", lambda _name: str(tmp_path / "scripts"))
    install_go(tmp_path / "path")
    world.set(
        FAKE_GO=str(tmp_path),
        FAKE_GO_VERSION="go1.26.8",
        FAKE_GO_BUILD="succeed",
        GOFLAGS="",
        KDELVE_STATE=str(tmp_path / "state"),
        PATH=str(tmp_path / "path"),
    )
    yield world
    left = world.processes()
    for process in left:
        process.kill()
    assert left == []
