"""What is known of environments that stay, and what is said where they are not what is wanted."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from filelock import FileLock

from pytest_kdelve.cli import main
from pytest_kdelve.controlplane import kept, releases
from pytest_kdelve.controlplane.checkout import Checkout
from pytest_kdelve.controlplane.journal import JournalFile, Owner, RemoveFolder
from pytest_kdelve.controlplane.kept import DEFAULT_NAME, Kept, Wanted
from pytest_kdelve.controlplane.progress import for_stream
from pytest_kdelve.errors import ProcessError, UsageError
from tests.unit.runs import RUN, ended_owner, write_journal

PLAIN = Wanted.of(releases.choose())


SOMETHING = Kept(
    name="default",
    run=RUN,
    wanted=PLAIN,
    processes={},
    url="https://127.0.0.1:6443",
    address="127.0.0.1:12345",
    directory="/nowhere",
    argv=("/bin/kube-apiserver", "--v=1"),
    version="v1.37.2",
    obtained="somehow",
    main_source="/src/cmd/kube-apiserver/apiserver.go",
)


@dataclass
class Folder:
    """The state folder of a user, and the folder of one environment."""

    path: Path

    def keep(self, name: str, **changes: Any) -> Kept:
        owner = Owner.of(os.getpid())
        assert owner
        directory = self.path / name
        directory.mkdir(parents=True, exist_ok=True)
        processes = {"etcd": owner, "dlv": owner, "kube-apiserver": owner}
        own = {"name": name, "processes": processes, "directory": str(directory)}
        found = msgspec.structs.replace(SOMETHING, **{**own, **changes})
        file = self.path / "environments" / f"{name}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(msgspec.json.encode(found))
        return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setenv("KDELVE_STATE", str(tmp_path))
    return Folder(tmp_path)


def test_what_is_wanted_otherwise_is_told_in_words() -> None:
    older = releases.choose("1.36.4", delve="1.26.0")
    there = Wanted.of(older, apiserver_args=("--v=1",), listen="127.0.0.1:1")
    assert list(PLAIN.differences(there)) == [
        "kubernetes: kept 1.36.4, wanted 1.37.2",
        f"delve: kept 1.26.0, wanted {releases.DELVE_VERSION}",
        'apiserver args: kept ["--v=1"], wanted []',
    ]
    at_a_port = msgspec.structs.replace(PLAIN, listen="127.0.0.1:2")
    assert next(at_a_port.differences(there)) == "kubernetes: kept 1.36.4, wanted 1.37.2"
    assert "listen: kept 127.0.0.1:1, wanted 127.0.0.1:2" in list(at_a_port.differences(there))
    assert list(PLAIN.differences(PLAIN)) == []


def test_an_environment_of_a_checkout_goes_stale() -> None:
    def of(folder: str, digest: str) -> Wanted:
        found = Checkout(
            folder=folder, version="1.37.2", git_version="v1.37.2", commit="c" * 40, digest=digest
        )
        return msgspec.structs.replace(PLAIN, checkout=found)

    def staleness(there: Wanted, wanted: Wanted) -> str:
        return msgspec.structs.replace(SOMETHING, wanted=there).staleness(wanted)

    assert staleness(of("/src", "a"), of("/src", "a")) == ""
    text = "/src (v1.37.2, commit cccccccccccc, not edited)"
    assert staleness(of("/src", "a"), of("/src", "b")) == (
        f"it is stale: built from {text}, which was edited since"
    )
    # Another one is not meant.
    assert staleness(of("/src", "a"), of("/other", "b")) == ""
    assert staleness(PLAIN, of("/src", "b")) == ""
    assert staleness(of("/src", "a"), PLAIN) == ""
    assert list(PLAIN.differences(of("/src", "a"))) == [f"checkout: kept {text}, wanted null"]


def test_it_is_found_as_it_was_kept(folder: Folder) -> None:
    assert kept.find("default") is None
    one = folder.keep("default")
    assert kept.find("default") == one
    assert kept.running() == one
    assert one.problem() == ""


def test_ended_processes_are_named(folder: Folder) -> None:
    processes = {"etcd": ended_owner(), "dlv": ended_owner(), "kube-apiserver": ended_owner()}
    one = folder.keep("default", processes=processes)
    each = " and ".join(f"{name} (pid {process.pid})" for name, process in processes.items())
    assert one.problem() == f"{each} ended"
    assert str(one).splitlines()[0] == (
        f"default: Kubernetes 1.37.2, of no use any more: {one.problem()}; `kdelve down default`"
    )
    with pytest.raises(UsageError, match="no environment is kept; start one by `kdelve up`"):
        kept.running()


def test_a_folder_that_is_gone(folder: Folder) -> None:
    one = folder.keep("default")
    (folder.path / "default").rmdir()
    assert one.problem() == f"its folder {folder.path}/default is gone"


def test_a_binary_that_was_built_again(folder: Folder) -> None:
    """What runs is the old one, and its source may not be what is on the disk now."""
    binary = folder.path / "kube-apiserver"
    shutil.copy("/bin/sleep", binary)
    with subprocess.Popen([binary, "60"]) as process:
        owner = Owner.of(process.pid)
        assert owner
        one = folder.keep("default", processes={"kube-apiserver": owner})
        assert one.problem() == ""
        shutil.copy("/bin/sleep", folder.path / "new")
        (folder.path / "new").rename(binary)
        problem = one.problem()
        process.kill()
    assert problem == f"its kube-apiserver, {binary}, was replaced or removed since it was started"


def test_which_one_is_meant(folder: Folder) -> None:
    folder.keep("kept-1")
    assert kept.running().name == "kept-1"
    folder.keep("kept-2")
    with pytest.raises(UsageError) as raised:
        kept.running()
    assert str(raised.value) == (
        "several environments are kept: kept-1, kept-2; choose one by --name, or end all but one "
        "by `kdelve down NAME`"
    )
    assert kept.running("kept-1").name == "kept-1"
    with pytest.raises(UsageError, match="no environment kept-3 is kept and runs; there is kept-1"):
        kept.running("kept-3")
    folder.keep("default")
    assert kept.running().name == "default"


@pytest.mark.parametrize("content", ["", "{", '{"name": "default"}'])
def test_a_file_of_another_version(folder: Folder, content: str) -> None:
    folder.keep("default")
    file = folder.path / "environments" / "default.json"
    file.write_text(content)
    with pytest.raises(UsageError) as raised:
        kept.find("default")
    assert str(raised.value).startswith(f"{file} cannot be read: ")
    assert "end that environment's processes, and remove the file" in str(raised.value)


class Started(Exception):  # noqa: N818 - it is none
    """A new one would be started now."""


class TestSeveralProcesses:
    @pytest.fixture(autouse=True)
    def no_start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def new(*_: object, **__: object) -> None:
            raise Started

        monkeypatch.setattr(kept, "new", new)

    def up(self, folder: Folder) -> None:
        progress = for_stream(io.StringIO())
        kept.up(DEFAULT_NAME, PLAIN, cache=folder.path / "cache", progress=progress)

    def ended(self, folder: Folder) -> tuple[Kept, JournalFile]:
        one = folder.keep(DEFAULT_NAME, processes={"kube-apiserver": ended_owner()})
        return one, write_journal(RemoveFolder(one.directory), kept=True)

    def lock(self, folder: Folder) -> FileLock:
        """Return what a run of pytest holds that uses it, and who starts it."""
        environments = folder.path / "environments"
        environments.mkdir(exist_ok=True)
        return FileLock(environments / f"{DEFAULT_NAME}.lock", timeout=0)

    def test_up_ends_what_is_left_of_one_that_is_of_no_use(self, folder: Folder) -> None:
        """Else nobody would know of it any more: its file is written over."""
        one, file = self.ended(folder)
        with pytest.raises(Started):
            self.up(folder)
        assert not Path(one.directory).exists()
        assert file.read() is None
        assert kept.find(DEFAULT_NAME) is None

    def test_up_leaves_one_that_runs_alone(self, folder: Folder) -> None:
        """Whoever uses it holds the lock."""
        one = folder.keep(DEFAULT_NAME)
        with self.lock(folder), pytest.raises(UsageError, match="up already, dlv at"):
            self.up(folder)
        assert Path(one.directory).exists()

    def test_two_that_start_the_same(self, folder: Folder) -> None:
        with self.lock(folder), pytest.raises(UsageError, match="another process starts or"):
            self.up(folder)
        with pytest.raises(Started):
            self.up(folder)

    def test_two_that_end_the_same(self, folder: Folder) -> None:
        one, file = self.ended(folder)
        with file.lock, pytest.raises(ProcessError, match="another process ends"):
            kept.down(one)
        kept.down(one)
        assert not Path(one.directory).exists()


class TestCommands:
    def test_status(self, folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["status"]) == 1
        assert capsys.readouterr().out == "no environment is kept; `kdelve up` starts one\n"
        one = folder.keep("default")
        assert main(["status"]) == 0
        assert capsys.readouterr().out == f"{one}\n"
        folder.keep("kept-1", processes={**one.processes, "dlv": ended_owner()})
        assert main(["status", "--json"]) == 1
        said = json.loads(capsys.readouterr().out)
        assert [said[name]["state"] for name in ("default", "kept-1")] == ["running", "ended"]
        assert said["default"]["processes"]["etcd"] == os.getpid()

    def test_down_of_what_is_not_there(
        self, folder: Folder, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder.keep("default")
        assert main(["down", "other"]) == 2
        assert capsys.readouterr().err == (
            "kdelve: no environment other is kept; there is default\n"
        )

    def test_down_of_what_has_ended(
        self, folder: Folder, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder.keep("default", processes={"kube-apiserver": ended_owner()})
        assert main(["down"]) == 0
        assert capsys.readouterr().out == "default: ended\n"
        assert kept.find_all() == []

    def test_up_where_it_is_up(self, folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
        folder.keep("default")
        assert main(["up"]) == 2
        assert capsys.readouterr().err == (
            "kdelve: the environment 'default' is up already, dlv at 127.0.0.1:12345\n"
        )

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--kubernetes=1.37"], "'1.37' is no Kubernetes version"),
            (["--listen=dlv"], "'dlv' is no address"),
        ],
    )
    def test_up_of_what_cannot_be(
        self,
        folder: Folder,
        capsys: pytest.CaptureFixture[str],
        arguments: list[str],
        said: str,
    ) -> None:
        assert main(["up", *arguments]) == 2
        assert said in capsys.readouterr().err
        assert not list(folder.path.glob("environments/*.json"))
