"""A checkout is built as it is, and again once it was edited."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.controlplane import build, releases
from pytest_kdelve.controlplane.checkout import Checkout
from pytest_kdelve.errors import BuildError
from tests.unit.builds import ALL_FOUR, Recorder

if TYPE_CHECKING:
    from tests.unit.builds import World


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
