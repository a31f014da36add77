"""The build information that a program carries."""

from __future__ import annotations

import pytest

from pytest_kdelve.delve.inspection import BuildInfo, Module

TEXT = """path\tk8s.io/kubernetes/cmd/kube-apiserver
mod\tkdelve.build\t(devel)\t
dep\tk8s.io/api\tv0.0.0\th1:old=
=>\tk8s.io/api\tv0.37.2\th1:new=
dep\tk8s.io/apiserver\tv0.0.0
=>\t./staging/src/k8s.io/apiserver\t(devel)\t
dep\tk8s.io/kubernetes\tv1.37.2\th1:abc=
build\t-buildmode=exe
build\t-gcflags="all=-N -l"
build\t-trimpath=true
build\t-ldflags="-X \\"main.a=b c\\""
build\tvcs.modified=true
build\tEMPTY=
news\tof a later Go
\x86\x18 r
"""


def test_what_a_binary_says_of_itself() -> None:
    found = BuildInfo.parse(TEXT)
    assert found.package == "k8s.io/kubernetes/cmd/kube-apiserver"
    assert found.modules == (
        Module("kdelve.build", "(devel)"),
        Module("k8s.io/api", "v0.0.0", Module("k8s.io/api", "v0.37.2")),
        Module("k8s.io/apiserver", "v0.0.0", Module("./staging/src/k8s.io/apiserver", "(devel)")),
        Module("k8s.io/kubernetes", "v1.37.2"),
    )
    assert found.settings == {
        "-buildmode": "exe",
        "-gcflags": "all=-N -l",
        "-trimpath": "true",
        "-ldflags": '-X "main.a=b c"',
        "vcs.modified": "true",
        "EMPTY": "",
    }


def test_a_module_by_its_path() -> None:
    found = BuildInfo.parse(TEXT)
    assert str(found.module("k8s.io/kubernetes")) == "k8s.io/kubernetes v1.37.2"
    assert str(found.module("k8s.io/api")) == "k8s.io/api v0.0.0 => k8s.io/api v0.37.2"
    assert found.module("k8s.io/kube") is None


def test_what_was_replaced_by_what() -> None:
    local = Module("k8s.io/apiserver", "v0.0.0", Module("/src/apiserver", ""))
    assert BuildInfo(modules=(local,)).replacements == {"k8s.io/apiserver@v0.0.0": "/src/apiserver"}
    assert BuildInfo.parse(TEXT).replacements == {
        "k8s.io/api@v0.0.0": "k8s.io/api@v0.37.2",
        "k8s.io/apiserver@v0.0.0": "./staging/src/k8s.io/apiserver",
    }


@pytest.mark.parametrize("text", ["", "=>\tk8s.io/api\tv1", "path", "build"])
def test_what_was_built_without_modules_says_nothing(text: str) -> None:
    found = BuildInfo.parse(text)
    assert found.package == ""
    assert found.modules == ()
