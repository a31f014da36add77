"""Both ends of the range: the newest Delve with the Go that is here, and 1.9.1 with Go 1.18.2."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_kdelve.controlplane import build, golang, releases
from pytest_kdelve.controlplane.progress import PlainProgress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_BUILD_TIMEOUT = 480


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolchain:
    """A Delve, and the Go whose programs it debugs; versions are pairs of numbers."""

    dlv: Path
    delve: tuple[int, int]
    go: tuple[int, int]
    environment: Mapping[str, str]

    def build(self, module: Path, *, flags: Sequence[str], out: Path, package: str = ".") -> None:
        """Build a package of the module that is in the folder ``module``."""
        argv = [str(golang.candidates()[0]), "build", *flags, "-o", str(out), package]
        run(argv, self.environment, cwd=module)


def newest() -> Toolchain:
    progress = PlainProgress(sys.stderr)
    binaries = build.ensure(releases.choose(), cache=build.cache_folder(), progress=progress)
    environment = _environment()
    return Toolchain(
        dlv=binaries.dlv,
        delve=_pair(releases.DELVE_VERSION),
        go=_go_version(environment),
        environment=environment,
    )


def oldest() -> Toolchain:
    """Return what Kubernetes 1.24.0 is built and debugged with."""
    environment = _environment() | {"GOTOOLCHAIN": "go1.18.2"}
    dlv = build.ensure_delve(
        releases.choose("1.24.0"), cache=build.cache_folder(), progress=PlainProgress(sys.stderr)
    )
    return Toolchain(dlv=dlv, delve=(1, 9), go=_go_version(environment), environment=environment)


def go(*arguments: str, workspace: Path | None = None) -> str:
    """Run the newest toolchain's ``go`` and return what it prints."""
    variables = {"GOWORK": str(workspace)} if workspace else {}
    return run([str(golang.candidates()[0]), *arguments], {**_environment(), **variables})


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "CGO_ENABLED": "0",
        "GO111MODULE": "on",
        "GOFLAGS": "-buildvcs=false",
        "GOWORK": "off",
        "PATH": f"{golang.candidates()[0].parent}{os.pathsep}{os.environ['PATH']}",
    }


def _go_version(environment: Mapping[str, str]) -> tuple[int, int]:
    answer = run([str(golang.candidates()[0]), "env", "GOVERSION"], environment)
    return _pair(answer.strip().removeprefix("go"))


def _pair(version: str) -> tuple[int, int]:
    major, minor, *_ = version.split(".")
    return int(major), int(minor)


def run(argv: Sequence[str], environment: Mapping[str, str], *, cwd: Path | None = None) -> str:
    """Run a program to its end and return what it printed."""
    done = subprocess.run(
        argv,
        env=environment,
        cwd=cwd,
        timeout=_BUILD_TIMEOUT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
