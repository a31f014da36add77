"""The Go that builds, and what is said where it fails or there is none."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.controlplane import build, releases
from pytest_kdelve.errors import BuildError
from tests.unit.builds import ALL_FOUR, Recorder, install_go

if TYPE_CHECKING:
    from tests.unit.builds import World


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
