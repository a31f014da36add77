"""What is built from which module, and the go.mod that is generated for it."""

from __future__ import annotations

from textwrap import dedent

import pytest

from pytest_kdelve.controlplane import binaries, releases

ORIGINAL = dedent("""\
    // This is a generated file. Do not edit directly.
    module k8s.io/kubernetes

    go 1.26.0

    godebug default=go1.26

    require (
    \tgithub.com/go-logr/logr v1.4.3
    \tk8s.io/api v0.0.0
    )

    require github.com/kylelemons/godebug v1.1.0 // indirect

    replace (
    \tk8s.io/api => ./staging/src/k8s.io/api // beside it
    \tk8s.io/kubelet => ./staging/src/k8s.io/kubelet
    \tgithub.com/old/thing => github.com/new/thing v1.2.3
    \texample.com/local => ../local
    )

    replace sigs.k8s.io/one v0.1.0 => sigs.k8s.io/one v0.2.0
    """)


def test_the_go_mod_turns_staging_folders_into_released_modules() -> None:
    assert binaries.kubernetes_go_mod(ORIGINAL, "1.37.2") == dedent("""\
        module kdelve.build
        go 1.26.0
        godebug default=go1.26
        require k8s.io/kubernetes v1.37.2
        replace k8s.io/api => k8s.io/api v0.37.2
        replace k8s.io/kubelet => k8s.io/kubelet v0.37.2
        replace github.com/old/thing => github.com/new/thing v1.2.3
        replace sigs.k8s.io/one v0.1.0 => sigs.k8s.io/one v0.2.0
        """)


def test_a_block_of_godebug_lines_is_repeated() -> None:
    original = "go 1.26.0\n\ngodebug (\n\tdefault=go1.26\n\twinsymlink=0\n)\n"
    lines = binaries.kubernetes_go_mod(original, "1.37.2").splitlines()
    assert lines[2:4] == ["godebug default=go1.26", "godebug winsymlink=0"]


@pytest.mark.parametrize(
    ("go", "line"), [("1.26", "1.26.0"), ("1.26.8", "1.26.8"), ("1.20", "1.20"), ("1.21", "1.21.0")]
)
def test_other_modules_are_built_for_the_go_that_is_wanted(go: str, line: str) -> None:
    *_, etcd, dlv = binaries.recipes(releases.choose())
    assert binaries.go_mod(etcd, go=go) == (
        f"module kdelve.build\n\ngo {line}\n\nrequire go.etcd.io/etcd/server/v3 v3.7.3\n"
    )
    assert "require github.com/go-delve/delve v1.27.2\n" in binaries.go_mod(dlv, go=go)


def test_each_binary_has_a_go() -> None:
    versions = releases.choose("1.24.0")
    goes = {recipe.name: binaries.go_of(recipe, versions) for recipe in binaries.recipes(versions)}
    assert goes == {
        "kube-apiserver": "1.18",
        "kube-controller-manager": "1.18",
        "etcd": "1.26",
        "dlv": "1.18",
    }


def test_both_programs_of_kubernetes_share_flags_that_keep_them_debuggable() -> None:
    apiserver, manager, *_ = binaries.recipes(releases.choose("1.36.1"))
    assert apiserver.flags == manager.flags
    assert "-gcflags=all=-N -l" in apiserver.flags
    assert apiserver.flags[-1] == (
        "-ldflags=-compressdwarf=false"
        " -X k8s.io/client-go/pkg/version.gitVersion=v1.36.1"
        " -X k8s.io/client-go/pkg/version.gitMajor=1"
        " -X k8s.io/client-go/pkg/version.gitMinor=36"
        " -X k8s.io/component-base/version.gitVersion=v1.36.1"
        " -X k8s.io/component-base/version.gitMajor=1"
        " -X k8s.io/component-base/version.gitMinor=36"
    )
