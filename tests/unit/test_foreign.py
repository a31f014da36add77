"""What is said of a kube-apiserver that was not built here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_kdelve.controlplane import foreign
from pytest_kdelve.delve.inspection import BuildInfo, Inspection, Module

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

BUILT = BuildInfo(
    modules=(
        Module("k8s.io/kubernetes", "v1.37.2"),
        Module("k8s.io/apiserver", "v0.0.0", Module("k8s.io/apiserver", "v0.37.2")),
        Module("k8s.io/apimachinery", "v0.0.0", Module("./staging/apimachinery", "")),
    )
)


def inspection(**fields: Any) -> Inspection:
    usual: dict[str, Any] = {
        "go_version": "1.26.8",
        "build": BUILT,
        "optimised": (),
        "debuggable": ("main.main",),
        "is_trimmed": False,
    }
    return Inspection(**{**usual, **fields})


def test_one_that_hides_nothing_is_one_line() -> None:
    [line] = foreign.notes(inspection(), "/x/kube-apiserver")
    assert line == (
        "/x/kube-apiserver: built by Go 1.26.8 from k8s.io/kubernetes v1.37.2, k8s.io/apiserver "
        "v0.37.2, k8s.io/apimachinery v0.0.0 => ./staging/apimachinery"
    )


def test_one_that_says_nothing_of_its_modules() -> None:
    found = foreign.notes(inspection(build=BuildInfo()), "/x/kube-apiserver")
    assert found == ("/x/kube-apiserver: built by Go 1.26.8",)


def test_a_checkout_with_changes() -> None:
    settings = {"vcs.revision": "0123456789abcdef", "vcs.modified": "true"}
    built = BuildInfo(modules=(Module("k8s.io/kubernetes", "(devel)"),), settings=settings)
    line, edited = foreign.notes(inspection(build=built), "kas")
    assert edited.startswith("built from source that may be edited: ")
    assert line.endswith("from k8s.io/kubernetes (devel), commit 0123456789ab, modified")
    trimmed = foreign.notes(inspection(build=built, is_trimmed=True), "kas")
    assert [text.partition(":")[0] for text in trimmed[1:]] == ["built with -trimpath"]
    unchanged = BuildInfo(settings={**settings, "vcs.modified": "false"})
    assert foreign.notes(inspection(build=unchanged), "kas")[0].endswith("commit 0123456789ab")


def test_what_optimisation_means_is_said() -> None:
    _, line = foreign.notes(inspection(optimised=("main.main",), debuggable=()), "kas")
    assert line.startswith("optimised: ")
    assert line.endswith("Built with -gcflags='all=-N -l', nothing of Kubernetes is hidden")
    _, line = foreign.notes(inspection(optimised=("net/http.F", "a.B")), "kas")
    assert line.startswith("optimised in part (net/http.F, a.B): ")


def test_what_trimpath_means_is_said() -> None:
    _, line = foreign.notes(inspection(is_trimmed=True), "kas")
    assert line.startswith("built with -trimpath: its source is looked for in Go's module cache")


def test_what_was_built_here_is_not_foreign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDELVE_CACHE", str(tmp_path / "cache"))
    assert not foreign.is_foreign(str(tmp_path / "cache" / "bin" / "a" / "kube-apiserver"))
    assert foreign.is_foreign(str(tmp_path / "kube-apiserver"))
    assert foreign.is_foreign("kube-apiserver")
    assert foreign.is_foreign(str(tmp_path / "cache" / "bin" / "a" / "etcd")), "no kube-apiserver"
