"""Binaries are given, kept or built once, and an interrupted build leaves nothing half-made."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from pytest_kdelve.controlplane import binaries, build, releases
from pytest_kdelve.controlplane.checkout import Checkout
from pytest_kdelve.errors import BinaryError, BuildError
from pytest_kdelve.process import poll

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_kdelve.controlplane.releases import Versions

FAKE_GO = Path(__file__).with_name("fake_go.py")
ORIGINAL = (
    "module k8s.io/kubernetes\n\ngo 1.26.0\n\nreplace k8s.io/api => ./staging/src/k8s.io/api\n"
)
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


class InterruptOnceItWorks(Recorder):
    """A progress during which the user presses Ctrl-C."""

    def __init__(self, working: Path) -> None:
        super().__init__()
        self.working = working

    def tick(self) -> None:
        if self.working.exists():
            raise KeyboardInterrupt


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


class SeesProcesses(Recorder):
    """A progress that looks which processes of builds there are meanwhile."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.seen: set[psutil.Process] = set()

    def tick(self) -> None:
        self.seen.update(self.world.processes())


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


def install_go(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    go = folder / "go"
    text = FAKE_GO.read_text(encoding="utf-8")
    go.write_text(f"#!{sys.executable}\n{text}", encoding="utf-8")
    go.chmod(0o755)
    return go


def wait_for(path: Path) -> None:
    assert poll(path.exists, timeout=TIMEOUT), f"{path} did not appear"


# Built, kept, given


def test_all_four_are_built_the_longest_first(world: World) -> None:
    built = world.ensure()
    assert world.built() == ALL_FOUR
    for name, path in asdict(built).items():
        assert path.name == name.replace("_", "-")
        assert os.access(path, os.X_OK)
        assert path.is_relative_to(world.cache / "bin")
    assert "# k8s.io/kubernetes/cmd/kube-apiserver\n" in built.kube_apiserver.read_text()
    assert "replace k8s.io/api => k8s.io/api v0.37.2\n" in built.kube_apiserver.read_text()


def test_what_is_kept_is_not_built_again(world: World) -> None:
    first = world.ensure()
    progress = Recorder()
    second = build.ensure(releases.choose(), cache=world.cache, progress=progress)
    assert second == first
    assert progress.events == []
    assert world.built() == ALL_FOUR
    assert len(world.calls("list")) == 1, "nothing is fetched for what is kept"


def test_the_user_is_told_what_is_built(world: World) -> None:
    progress = Recorder()
    build.ensure(releases.choose("v1.37.2"), cache=world.cache, progress=progress)
    assert progress.events == [
        (event, what)
        for what in [
            "go.mod for Kubernetes 1.37.2",
            "kube-apiserver 1.37.2",
            "kube-controller-manager 1.37.2",
            "etcd 3.7.3",
            "dlv 1.27.2",
        ]
        for event in ("started", "finished")
    ]


def test_a_relative_cache_gives_absolute_paths(world: World) -> None:
    world.monkeypatch.chdir(world.folder)
    built = build.ensure(releases.choose(), cache=Path("cache"), progress=Recorder())
    assert built == world.ensure()
    assert built.dlv.is_absolute()


def test_a_kept_binary_tells_what_it_was_made_from(world: World) -> None:
    record = build.record(world.ensure().kube_apiserver)
    assert record["name"] == "kube-apiserver"
    assert record["version"] == "1.37.2"
    assert record["go"] == "1.26.8"
    assert record["package"] == "k8s.io/kubernetes/cmd/kube-apiserver"
    assert "-gcflags=all=-N -l" in record["flags"]


def test_a_lost_binary_is_built_again(world: World) -> None:
    world.ensure().etcd.unlink()
    assert world.ensure().etcd.exists()
    assert world.built() == [*ALL_FOUR, "etcd"]


def test_given_binaries_are_not_built(world: World) -> None:
    dlv, apiserver = world.file("dlv"), world.file("my-apiserver")
    built = world.ensure({"dlv": dlv, "kube-apiserver": apiserver})
    assert (built.dlv, built.kube_apiserver) == (dlv, apiserver)
    assert world.built() == ["kube-controller-manager", "etcd"]


def test_where_all_are_given_no_go_is_needed(world: World) -> None:
    world.set(PATH="")
    given = {name: world.file(name) for name in ALL_FOUR}
    assert world.ensure(given).etcd == given["etcd"]
    assert world.calls("env") == []


@pytest.mark.parametrize(
    ("name", "option"), [("dlv", "dlv"), ("etcd", "etcd"), ("kube-apiserver", "apiserver")]
)
def test_a_given_binary_must_exist(world: World, name: str, option: str) -> None:
    with pytest.raises(BinaryError, match=f"does not exist.*--kdelve-{option}.*KDELVE_"):
        world.ensure({name: world.folder / "nowhere"})


def test_a_given_binary_must_be_an_executable_file(world: World) -> None:
    for path in (world.file("plain", mode=0o644), world.folder):
        with pytest.raises(BinaryError, match="is not an executable file"):
            world.ensure({"dlv": path})
    assert world.built() == []


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(world: World) -> None:
    cache = world.file("not-a-folder") / "cache"
    with pytest.raises(BuildError, match=r"cannot build into .*cache: .*KDELVE_CACHE can name"):
        build.ensure(releases.choose(), cache=cache, progress=Recorder())


# The key


def test_another_kubernetes_is_kept_beside(world: World) -> None:
    world.ensure()
    build.ensure(releases.choose("1.37.1"), cache=world.cache, progress=Recorder())
    assert world.built() == [*ALL_FOUR, "kube-apiserver", "kube-controller-manager"]
    assert world.ensure().kube_apiserver.exists()


def test_another_go_builds_anew(world: World) -> None:
    first = world.ensure()
    world.set(FAKE_GO_VERSION="go1.26.9")
    second = world.ensure()
    assert world.built() == [*ALL_FOUR, *ALL_FOUR[:2]], "these Delve and etcd do the same"
    assert first.kube_apiserver != second.kube_apiserver
    assert first.kube_apiserver.exists()
    assert first.dlv == second.dlv


def test_a_delve_of_an_older_go_does_not_read_what_a_newer_one_built(world: World) -> None:
    versions = releases.choose("1.34.0", delve="1.26.3")
    world.set(FAKE_GO_VERSION="go1.24.13")
    older = build.ensure_delve(versions, cache=world.cache, progress=Recorder())
    world.set(FAKE_GO_VERSION="go1.26.9")
    versions = releases.choose(delve="1.26.3")
    newer = build.ensure_delve(versions, cache=world.cache, progress=Recorder())
    assert build.record(older)["go"] == "1.24.13"
    assert build.record(newer)["go"] == "1.26.9"


def test_other_flags_build_anew(world: World) -> None:
    world.ensure()
    original = binaries.recipes

    def with_another_flag(versions: Versions, _checkout: None) -> list[binaries.Recipe]:
        return [replace(recipe, flags=("-race",)) for recipe in original(versions)]

    world.monkeypatch.setattr(build, "recipes", with_another_flag)
    world.ensure()
    assert world.built() == ALL_FOUR * 2


def test_the_users_environment_does_not_change_what_is_built(world: World) -> None:
    world.ensure()
    world.set(GOFLAGS="-trimpath -mod=vendor -p=1 -tags=x", GOOS="plan9", GOARCH="mips")
    world.set(GOWORK="/somewhere/go.work", CGO_ENABLED="1", GO111MODULE="off")
    world.ensure()
    assert world.built() == ALL_FOUR, "the key is the same"
    world.ensure().dlv.unlink()
    world.ensure()
    assert world.calls("build")[-1]["env"] == {
        "CGO_ENABLED": "0",
        "GO111MODULE": "on",
        "GOARCH": {"x86_64": "amd64"}.get(platform.machine(), platform.machine()),
        "GOFLAGS": "-mod=mod -p=1",
        "GOOS": "linux",
        "GOTOOLCHAIN": None,
        "GOWORK": "off",
    }


def test_the_cache_folder_is_the_users_or_the_given_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    monkeypatch.delenv("KDELVE_CACHE", raising=False)
    assert build.cache_folder() == Path("/somewhere/pytest-kdelve")
    monkeypatch.setenv("KDELVE_CACHE", "relative")
    assert build.cache_folder() == Path.cwd() / "relative"


# Go


def test_without_any_go_the_error_says_how_to_get_one(world: World) -> None:
    world.set(PATH="")
    with pytest.raises(BuildError) as caught:
        world.ensure()
    text = str(caught.value)
    assert "there is no `go` on PATH" in text
    assert "Put Go 1.21 or newer on PATH" in text
    assert 'pip install "pytest-kdelve[go]"' in text


def test_what_is_kept_serves_without_go(world: World) -> None:
    older = world.ensure()
    world.set(FAKE_GO_VERSION="go1.26.9")
    newer = world.ensure()
    os.utime(older.kube_apiserver, (1, 1))
    world.set(PATH="")
    kept = build.kept(releases.choose(), cache=world.cache)
    assert kept["kube-apiserver"] == ["1.26.9", "1.26.8"]
    assert set(kept) == set(ALL_FOUR)
    of_another = build.kept(releases.choose("1.37.1"), cache=world.cache)
    assert not any(of_another[name] for name in ALL_FOUR[:2])
    with_another_go = build.kept(releases.choose(go="1.26.8"), cache=world.cache)
    assert with_another_go["kube-apiserver"] == ["1.26.8"]
    assert world.ensure().kube_apiserver == newer.kube_apiserver
    newer.kube_apiserver.unlink()
    assert world.ensure().kube_apiserver == older.kube_apiserver
    older.kube_apiserver.unlink()
    with pytest.raises(BuildError, match="there is no `go`"):
        world.ensure()


@pytest.mark.parametrize("version", ["1.25.9", "1.27.1"])
def test_another_go_fetches_the_wanted_one(world: World, version: str) -> None:
    world.set(FAKE_GO_VERSION=f"go{version}", FAKE_GO_FETCHES="1", GOTOOLCHAIN=f"go{version}")
    assert build.record(world.ensure().kube_apiserver)["go"] == "1.26.10"
    assert {call["env"]["GOTOOLCHAIN"] for call in world.calls("build")} == {"go1.26.10"}


@pytest.mark.parametrize("version", ["1.25.9", "1.27.1"])
def test_a_go_that_cannot_fetch_the_wanted_one_is_refused(world: World, version: str) -> None:
    world.set(FAKE_GO_VERSION=f"go{version}")
    with pytest.raises(BuildError) as caught:
        world.ensure()
    text = str(caught.value)
    assert text.startswith("there is no Go 1.26 to build with:\n")
    assert f"  {world.folder}/path/go: is Go {version}\n" in text
    assert f"  {world.folder}/path/go, GOTOOLCHAIN=go1.26.10: is Go {version}\n" in text
    assert "Put Go 1.26 on PATH" in text
    assert world.built() == []


def test_a_patch_that_is_too_old_is_refused(world: World) -> None:
    (world.folder / "original.mod").write_text("go 1.26.9\n", encoding="utf-8")
    with pytest.raises(BuildError, match=r"path/go: is Go 1\.26\.8; 1\.26\.9 is the oldest\n"):
        world.ensure()
    world.set(FAKE_GO_FETCHES="1")
    assert build.record(world.ensure().kube_apiserver)["go"] == "1.26.10"


def test_a_certain_go(world: World) -> None:
    world.set(FAKE_GO_FETCHES="1")
    versions = releases.choose(go="1.27.3")
    built = build.ensure(versions, cache=world.cache, progress=Recorder())
    assert build.record(built.kube_apiserver)["go"] == "1.27.3"


def test_old_releases_are_built_by_old_ones(world: World) -> None:
    world.set(FAKE_GO_FETCHES="1")
    (world.folder / "original.mod").write_text("go 1.16\n", encoding="utf-8")
    built = build.ensure(releases.choose("1.24.0"), cache=world.cache, progress=Recorder())
    records = [build.record(path) for path in asdict(built).values()]
    assert {each["name"]: (each["version"], each["go"]) for each in records} == {
        "dlv": ("1.9.1", "1.18.2"),
        "etcd": ("3.7.3", "1.26.8"),
        "kube-apiserver": ("1.24.0", "1.18.2"),
        "kube-controller-manager": ("1.24.0", "1.18.2"),
    }


def test_the_go_of_the_package_is_taken_where_that_of_path_does_not_fit(world: World) -> None:
    broken = world.file("path/go")
    broken.write_text("#!/bin/sh\necho this go is broken >&2\nexit 3\n", encoding="utf-8")
    with pytest.raises(BuildError, match=r"exit code 3:\n    this go is broken"):
        world.ensure()
    install_go(world.folder / "scripts")
    world.ensure()
    assert world.built() == ALL_FOUR


def test_a_failing_go_shows_its_last_lines_and_how_to_go_on(world: World) -> None:
    world.set(FAKE_GO_BUILD="fail")
    progress = Recorder()
    with pytest.raises(BuildError) as caught:
        build.ensure(releases.choose(), cache=world.cache, progress=progress)
    text = str(caught.value)
    assert "go ended with exit code 1 while building k8s.io/kubernetes/cmd/kube-apiserver" in text
    assert f"{world.folder}/path/go build -buildvcs=false " in text
    assert "compiling package 99" in text
    assert "compiling package 80" not in text
    assert "Free some disk space" in text
    assert progress.events[-1] == ("failed", "kube-apiserver 1.37.2")
    assert world.kept() == []


def test_after_a_failure_only_the_rest_is_built(world: World) -> None:
    world.ensure().dlv.unlink()
    world.set(FAKE_GO_BUILD="fail")
    with pytest.raises(BuildError, match="delve/cmd/dlv"):
        world.ensure()
    world.set(FAKE_GO_BUILD="succeed")
    world.ensure()
    assert world.built() == [*ALL_FOUR, "dlv", "dlv"]


# A checkout


def checkout(world: World, digest: str, *, edited: tuple[str, ...] = ()) -> Checkout:
    folder = world.folder / "kubernetes"
    folder.mkdir(exist_ok=True)
    (folder / "go.mod").write_text("module k8s.io/kubernetes\n\ngo 1.26.0\n")
    dirty = "-dirty" if edited else ""
    return Checkout(
        folder=str(folder),
        version="1.37.2",
        git_version=f"v1.37.2{dirty}",
        commit="c" * 40,
        edited=edited,
        digest=digest,
    )


def of_checkout(world: World, found: Checkout) -> tuple[build.Binaries, Recorder]:
    progress = Recorder()
    built = build.ensure(releases.choose(), cache=world.cache, progress=progress, checkout=found)
    return built, progress


def test_a_checkout_is_built_as_it_is(world: World) -> None:
    found = checkout(world, "one")
    built, progress = of_checkout(world, found)
    assert world.built() == ALL_FOUR
    text = f"{found.folder} (v1.37.2, commit cccccccccccc, not edited)"
    assert progress.events[:4] == [
        ("started", f"kube-apiserver of {text}"),
        ("finished", f"kube-apiserver of {text}"),
        ("started", f"kube-controller-manager of {found.folder}"),
        ("finished", f"kube-controller-manager of {found.folder}"),
    ]
    [apiserver, *_] = world.calls("build")
    assert apiserver["cwd"] == found.folder
    assert apiserver["env"]["GOFLAGS"] == "-buildvcs=false", "no -mod: vendor, if it has one"
    assert apiserver["env"]["GOWORK"] == "off"
    assert "gitVersion=v1.37.2 " in " ".join(apiserver["argv"])
    assert [path.name for path in Path(found.folder).iterdir()] == ["go.mod"]
    assert build.record(built.kube_apiserver)["checkout"]["digest"] == "one"
    assert world.calls("list") == [], "no module of Kubernetes is asked for"


def test_a_checkout_with_a_workspace(world: World) -> None:
    found = checkout(world, "one")
    workspace = Path(found.folder, "go.work")
    workspace.touch()
    world.set(GOWORK="/somewhere/go.work", GOFLAGS="-mod=mod -p=1")
    of_checkout(world, found)
    [apiserver, _, etcd, _] = world.calls("build")
    assert apiserver["env"]["GOWORK"] == str(workspace)
    assert apiserver["env"]["GOFLAGS"] == "-buildvcs=false -p=1"
    assert etcd["env"]["GOWORK"] == "off"


def test_a_stale_build_of_a_checkout_is_noticed(world: World) -> None:
    first, _ = of_checkout(world, checkout(world, "one"))
    again, progress = of_checkout(world, checkout(world, "one"))
    assert (again, progress.events) == (first, [])
    edited = checkout(world, "two", edited=("pkg/a.go",))
    third, progress = of_checkout(world, edited)
    name = f"kube-apiserver of {edited}"
    assert progress.events == [("started", name), ("finished", name)], "the manager only helps"
    assert third == first, "one build is kept of it"
    record = build.record(third.kube_apiserver)
    assert record["checkout"]["edited"] == ["pkg/a.go"]
    assert "gitVersion=v1.37.2-dirty " in record["flags"][-1]


def test_a_checkout_and_its_release_are_kept_beside_each_other(world: World) -> None:
    released = world.ensure()
    built, _ = of_checkout(world, checkout(world, "one"))
    assert built.kube_apiserver != released.kube_apiserver
    assert (built.dlv, built.etcd) == (released.dlv, released.etcd)
    assert world.ensure() == released


def test_a_checkout_needs_a_go_unless_it_is_kept(world: World) -> None:
    first, _ = of_checkout(world, checkout(world, "one"))
    world.set(PATH="")
    assert of_checkout(world, checkout(world, "one"))[0] == first
    with pytest.raises(BuildError, match="there is no `go`"):
        of_checkout(world, checkout(world, "two"))


def test_what_is_edited_during_a_build_is_newer_than_the_binary(world: World) -> None:
    """Nobody knows whether it is in it, so ``at=`` is refused for it."""
    began = time.time()
    built, _ = of_checkout(world, checkout(world, "one"))
    written = built.kube_apiserver.with_name("build.json").stat().st_mtime
    assert began - 1 <= built.kube_apiserver.stat().st_mtime < written


@pytest.mark.parametrize("damaged", ["", "[]", "5", '"go"', "{"])
def test_what_has_a_damaged_record_is_built_again(world: World, damaged: str) -> None:
    built = world.ensure()
    record = built.etcd.with_name("build.json")
    before = record.read_text()
    record.write_text(damaged)
    assert world.ensure() == built
    assert world.built() == [*ALL_FOUR, "etcd"]
    assert record.read_text() == before


# Several processes, interruptions


def test_two_processes_build_once(world: World) -> None:
    world.set(FAKE_GO_BUILD="wait")
    first = world.start("first")
    assert poll(lambda: bool(world.built()), timeout=TIMEOUT)
    second = world.start("second")
    waiting = "waiting for another process that builds kube-apiserver 1.37.2"
    assert poll(lambda: waiting in world.stderr("second"), timeout=TIMEOUT)
    (world.folder / "gate").touch()
    assert (first.wait(TIMEOUT), second.wait(TIMEOUT)) == (0, 0)
    assert sorted(world.built()) == sorted(ALL_FOUR)
    assert "kube-apiserver 1.37.2 is ready" in world.stderr("second")


def test_ctrl_c_leaves_nothing_half_made_and_no_process(world: World) -> None:
    world.set(FAKE_GO_BUILD="hang")
    progress = InterruptOnceItWorks(world.folder / "working")
    with pytest.raises(KeyboardInterrupt):
        build.ensure(releases.choose(), cache=world.cache, progress=progress)
    assert progress.events[-1] == ("failed", "kube-apiserver 1.37.2")
    assert world.kept() == []
    assert world.processes() == []
    world.set(FAKE_GO_BUILD="succeed")
    world.ensure()
    assert world.kept() == sorted(ALL_FOUR)


def test_a_go_that_never_ends_is_ended(world: World) -> None:
    world.set(FAKE_GO_BUILD="hang")
    world.monkeypatch.setattr("pytest_kdelve.controlplane.golang.BUILD_TIMEOUT", 2.0)
    with pytest.raises(BuildError, match=r"go did not build \S+/kube-apiserver in 2 s"):
        world.ensure()
    assert world.kept() == []
    assert world.processes() == []


def test_a_killed_build_ends_with_all_of_its_processes(world: World) -> None:
    world.set(FAKE_GO_BUILD="hang")
    killed = world.start("killed")
    wait_for(world.folder / "working")
    assert len(world.processes()) == 2, "go and its compiler"
    killed.kill()
    killed.wait(TIMEOUT)
    assert poll(lambda: world.processes() == [], timeout=TIMEOUT)
    assert poll(lambda: list((world.folder / "state/runs").iterdir()) == [], timeout=TIMEOUT)


def test_what_a_killed_build_left_is_cleared_by_the_next_one(world: World) -> None:
    """Its guardian was killed, too."""
    world.set(FAKE_GO_BUILD="hang")
    killed = world.start("killed")
    wait_for(world.folder / "working")
    (guardian,) = set(psutil.Process(killed.pid).children()) - set(world.processes())
    guardian.kill()
    killed.kill()
    killed.wait(TIMEOUT)
    assert world.kept() == [".partial-kube-apiserver"], "it was interrupted in the middle"
    orphans = world.processes()
    assert len(orphans) == 2, "go and its compiler go on"
    world.set(FAKE_GO_BUILD="succeed")
    progress = SeesProcesses(world)
    build.ensure(releases.choose(), cache=world.cache, progress=progress)
    assert progress.seen, "the fake go itself is seen"
    assert not progress.seen & set(orphans), "they were ended before a new go was started"
    assert world.kept() == sorted(ALL_FOUR)
    assert world.processes() == []
