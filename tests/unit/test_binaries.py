"""What is built from which module, and the go.mod that is generated for it."""

from __future__ import annotations

from textwrap import dedent

import pytest

from pytest_kdelve.controlplane import binaries
from pytest_kdelve.errors import UsageError

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


def test_other_modules_are_built_for_the_go_version_of_kubernetes() -> None:
    kubernetes = binaries.kubernetes_go_mod(ORIGINAL, "1.37.2")
    *_, etcd, dlv = binaries.recipes(kubernetes="1.37.2", etcd="3.7.3", delve="1.27.2")
    assert binaries.go_mod(etcd, kubernetes) == (
        "module kdelve.build\n\ngo 1.26.0\n\nrequire go.etcd.io/etcd/server/v3 v3.7.3\n"
    )
    assert "require github.com/go-delve/delve v1.27.2\n" in binaries.go_mod(dlv, kubernetes)


def test_both_programs_of_kubernetes_share_flags_that_keep_them_debuggable() -> None:
    apiserver, manager, *_ = binaries.recipes(kubernetes="1.36.1", etcd="3.7.3", delve="1.27.2")
    assert apiserver.flags == manager.flags
    assert "-gcflags=all=-N -l" in apiserver.flags
    assert apiserver.flags[-1] == (
        "-ldflags=-compressdwarf=false"
        " -X k8s.io/component-base/version.gitVersion=v1.36.1"
        " -X k8s.io/component-base/version.gitMajor=1"
        " -X k8s.io/component-base/version.gitMinor=36"
    )


@pytest.mark.parametrize("text", ["1.37.2", "v1.37.2"])
def test_a_version_is_three_numbers_with_or_without_v(text: str) -> None:
    assert binaries.parse_kubernetes_version(text) == "1.37.2"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1.37",
        "1.37.2.1",
        "latest",
        "1.37.2-rc.1",
        " 1.37.2",
        "1.37.2\n",
        "../1.2.3",
        "\u0661.\u0662.\u0663",
    ],
)
def test_anything_else_is_no_version(text: str) -> None:
    with pytest.raises(UsageError, match=r"write all three numbers, such as 1\.37\.2"):
        binaries.parse_kubernetes_version(text)
