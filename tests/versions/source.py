"""A checkout of kubernetes, put together from the modules that its release consists of."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

from pytest_kdelve.controlplane import build
from tests.delve import toolchains

#: Examples for readers, of which releases may lack the module.
_NOT_NEEDED = "module k8s.io/{name}\n\ngo 1.26.0\n"
_USER = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.com")


def assemble(version: str) -> Path:
    """Return a repository with one commit, tagged as the release, and a vendor folder, as it has.

    It is always at the same place, so that what was compiled of it once is not compiled again.
    """
    folder = build.cache_folder() / "checkouts" / f"kubernetes-{version}"
    shutil.rmtree(folder, ignore_errors=True)
    released = _module("k8s.io/kubernetes", f"v{version}")
    assert released
    _copy(released, folder)
    shutil.rmtree(folder / "vendor")
    workspace = (folder / "go.work").read_text(encoding="utf-8")
    for name in re.findall(r"\./staging/src/k8s\.io/(\S+)", workspace):
        staged = folder / "staging/src/k8s.io" / name
        found = _module(f"k8s.io/{name}", f"v0.{version.partition('.')[2]}")
        if found:
            _copy(found, staged)
        else:
            staged.mkdir()
            (staged / "go.mod").write_text(_NOT_NEEDED.format(name=name), encoding="utf-8")
    toolchains.go("-C", str(folder), "work", "vendor", workspace=folder / "go.work")
    git(folder, "init", "--quiet")
    git(folder, "-c", "core.safecrlf=false", "add", "--all")
    git(folder, "commit", "--quiet", f"--message=Kubernetes {version}")
    git(folder, "tag", f"v{version}")
    return folder


def git(folder: Path, *arguments: str) -> str:
    """Run git there and return what it prints."""
    argv = ["git", "-C", str(folder), *_USER, *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=120).stdout


def _copy(module: Path, folder: Path) -> None:
    """Copy without the modes, which keep Go's module cache from being written to."""
    shutil.copytree(module, folder, copy_function=shutil.copyfile, dirs_exist_ok=True)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _module(name: str, version: str) -> Path | None:
    try:
        answer = toolchains.go("mod", "download", "-json", f"{name}@{version}")
    except AssertionError:
        return None
    return Path(json.loads(answer)["Dir"])
