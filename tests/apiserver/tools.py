"""Clients that the tests run: got once, and kept beside what kdelve builds."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from filelock import FileLock

from pytest_kdelve.controlplane import build, golang
from pytest_kdelve.controlplane.binaries import KUBERNETES_MODULE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

NEWMAN = "6.2.2"
_INSTALL_TIMEOUT = 300


def kubectl(kube_apiserver: Path) -> Path:
    """Return the kubectl of a kept kube-apiserver's version, built from the same modules.

    With the same flags it takes half a minute on 2 cores, since most of it is compiled already.
    """
    made_from = build.record(kube_apiserver)
    title = f"kubectl-{made_from['version']}"
    return _built(title, "kubectl", made_from["version"], flags=made_from["flags"])


def optimised(kube_apiserver: Path) -> Path:
    """Return a kube-apiserver like a kept one, but optimised; the first takes minutes to build."""
    made_from = build.record(kube_apiserver)
    flags = [flag for flag in made_from["flags"] if not flag.startswith("-gcflags")]
    title = f"optimised-{made_from['version']}-{made_from['go']}"
    return _built(title, "kube-apiserver", made_from["version"], flags=flags)


def _built(title: str, command: str, version: str, *, flags: Sequence[str]) -> Path:
    modules = build.cache_folder() / "modules" / f"kubernetes-{version}" / "go.mod"

    def make(folder: Path) -> None:
        shutil.copy(modules, folder)
        golang.build(
            golang.inspect(golang.candidates()[0], folder),
            work=folder,
            package=f"{KUBERNETES_MODULE}/cmd/{command}",
            flags=flags,
            out=folder / command,
            tick=lambda: None,
        )

    return _kept(title, make) / command


def newman() -> Path:
    """Return Postman's runner of collections, from its npm package."""

    def make(folder: Path) -> None:
        argv = [installed("npm"), "install", "--no-audit", "--no-fund", f"newman@{NEWMAN}"]
        subprocess.run(argv, cwd=folder, check=True, timeout=_INSTALL_TIMEOUT)

    return _kept(f"newman-{NEWMAN}", make) / "node_modules" / ".bin" / "newman"


def installed(name: str) -> str:
    """Return the path of a program that the machine has to have."""
    path = shutil.which(name)
    assert path, f"{name} is not on PATH; install it by the system's packages (apt-get install ...)"
    return path


def _kept(title: str, make: Callable[[Path], None]) -> Path:
    folder = build.cache_folder() / "clients" / title
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            partial = folder.with_name(f".partial-{title}")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            make(partial)
            partial.rename(folder)
    return folder
