"""What is kept, as its file tells: whom it belongs to, and who may start or end it."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

import msgspec
import pytest
from filelock import FileLock

from pytest_kdelve.controlplane import kept
from pytest_kdelve.controlplane.journal import JournalFile, Owner, RemoveFolder, runs_folder
from pytest_kdelve.controlplane.kept import DEFAULT_NAME, Kept, Wanted
from pytest_kdelve.controlplane.progress import for_stream
from pytest_kdelve.errors import ProcessError, UsageError
from tests.unit.runs import RUN, ended_owner, write_journal

if TYPE_CHECKING:
    from pathlib import Path

WANTED = Wanted(kubernetes="1.37.2")


class Started(Exception):  # noqa: N818 - it is none
    """A new one would be started now."""


@pytest.fixture(autouse=True)
def no_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def new(*_: object, **__: object) -> None:
        raise Started

    monkeypatch.setenv("KDELVE_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(kept, "new", new)


def write(directory: Path, owner: Owner | None) -> JournalFile:
    """Write what is kept of an environment with this process, and its journal."""
    directory.mkdir()
    assert owner
    written = Kept(
        name=DEFAULT_NAME,
        run=RUN,
        wanted=WANTED,
        processes={"kube-apiserver": owner},
        url="https://127.0.0.1:1",
        address="127.0.0.1:2",
        directory=str(directory),
        argv=("kube-apiserver",),
        version="v1.37.2",
        obtained="",
        main_source="",
    )
    (folder() / f"{DEFAULT_NAME}.json").write_bytes(msgspec.json.encode(written))
    return write_journal(RemoveFolder(str(directory)), kept=True)


def folder() -> Path:
    path = runs_folder().with_name("environments")
    path.mkdir(exist_ok=True)
    return path


def lock() -> FileLock:
    """Return what a run of pytest holds that uses it, and who starts it."""
    return FileLock(folder() / f"{DEFAULT_NAME}.lock", timeout=0)


def up(cache: Path) -> None:
    kept.up(DEFAULT_NAME, WANTED, cache=cache, progress=for_stream(io.StringIO()))


def test_up_ends_what_is_left_of_one_that_is_of_no_use(tmp_path: Path) -> None:
    """Else nobody would know of it any more: its file is written over."""
    file = write(tmp_path / "old", ended_owner())
    with pytest.raises(Started):
        up(tmp_path)
    assert not (tmp_path / "old").exists()
    assert file.read() is None
    assert kept.find(DEFAULT_NAME) is None


def test_up_leaves_one_that_runs_alone(tmp_path: Path) -> None:
    """Whoever uses it holds the lock."""
    write(tmp_path / "old", Owner.of(os.getpid()))
    with lock(), pytest.raises(UsageError, match="up already, dlv at"):
        up(tmp_path)
    assert (tmp_path / "old").exists()


def test_two_that_start_the_same(tmp_path: Path) -> None:
    with lock(), pytest.raises(UsageError, match="another process starts or"):
        up(tmp_path)
    with pytest.raises(Started):
        up(tmp_path)


def test_two_that_end_the_same(tmp_path: Path) -> None:
    file = write(tmp_path / "old", ended_owner())
    found = kept.find(DEFAULT_NAME)
    assert found
    with file.lock, pytest.raises(ProcessError, match="another process ends"):
        kept.down(found)
    kept.down(found)
    assert not (tmp_path / "old").exists()
