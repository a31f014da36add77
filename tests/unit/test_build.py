"""Binaries are given, kept or built once, under what they were made from."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.controlplane import binaries, build, releases
from pytest_kdelve.errors import BinaryError, BuildError
from tests.unit.builds import ALL_FOUR, Recorder

if TYPE_CHECKING:
    from pytest_kdelve.controlplane.releases import Versions
    from tests.unit.builds import World


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
