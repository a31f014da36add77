"""A program in a repository of Kubernetes' shape, built in each way that people build it."""

from __future__ import annotations

import enum
import os
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_kdelve.controlplane import golang
from tests.delve.toolchains import run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.delve.toolchains import Toolchain

PROGRAM = Path(__file__).parents[1] / "programs" / "checkout"
DEBUGGABLE = "-gcflags=all=-N -l"
LIBRARY = "example.com/lib"
THIRD_PARTY = "example.com/Third"
_REPLACE = f"\nreplace {LIBRARY} => ./staging/src/{LIBRARY}\n"
_WORK = f"go 1.18\n\nuse (\n\t.\n\t./staging/src/{LIBRARY}\n)\n"


class Layout(enum.Enum):
    """Where the compiler gets the library and the third party's module from."""

    MODULES = "both from the module cache"
    VENDOR = "both from vendor, which has a symbolic link to the library in staging"
    REPLACE = "the library from staging, by go.mod"
    WORKSPACE = "the library from staging, by go.work"


@dataclass(frozen=True, slots=True)
class Checkout:
    """A copy of the repository, and the module cache that it is built with."""

    folder: Path
    module_cache: Path
    go: Path
    environment: Mapping[str, str]

    @property
    def goroot(self) -> Path:
        return self.go.parents[1]

    def build(self, command: str = "server", *, flags: Sequence[str] = ()) -> Path:
        """Build a program of cmd/; returns its path, which is not in the repository."""
        out = self.folder.parents[1] / command
        argv = [str(self.go), "build", DEBUGGABLE, *flags, "-o", str(out), f"./cmd/{command}"]
        run(argv, self.environment, cwd=self.folder)
        return out


def make(toolchain: Toolchain, folder: Path, layout: Layout) -> Checkout:
    """Copy the repository to ``folder`` and change it to a layout."""
    repository, cache, proxy = folder / "example.com/checkout", folder / "cache", folder / "proxy"
    shutil.copytree(PROGRAM, repository)
    module, vendor = repository / "go.mod", repository / "vendor"
    environment = {
        **toolchain.environment,
        "GOTOOLCHAIN": "local",
        "GOMODCACHE": str(cache),
        "GOPROXY": proxy.as_uri(),
        "GOSUMDB": "off",
        "GOFLAGS": "-buildvcs=false -modcacherw",
    }
    # Go modules have no symbolic links, and git and archives only on some systems.
    library = vendor / LIBRARY
    library.symlink_to(os.path.relpath(repository / "staging" / "src" / LIBRARY, library.parent))
    _publish(proxy, vendor / THIRD_PARTY, THIRD_PARTY, "v1.0.0")
    _publish(proxy, library, LIBRARY, "v0.0.0")
    if layout is not Layout.VENDOR:
        shutil.rmtree(vendor)
    if layout is Layout.MODULES:
        module.write_text(module.read_text().replace(_REPLACE, ""))
    if layout is Layout.WORKSPACE:
        (repository / "go.work").write_text(_WORK)
        environment["GOWORK"] = str(repository / "go.work")
    elif layout is not Layout.VENDOR:
        environment["GOFLAGS"] += " -mod=mod"
    return Checkout(repository, cache, _go(toolchain), environment)


def _go(toolchain: Toolchain) -> Path:
    """Return the client itself, which another module cache does not hide."""
    argv = [str(golang.candidates()[0]), "env", "GOROOT"]
    return Path(run(argv, toolchain.environment).strip()) / "bin" / "go"


def _publish(proxy: Path, folder: Path, module: str, version: str) -> None:
    """Write a version of a module as GOPROXY serves it (https://go.dev/ref/mod#goproxy-protocol)."""
    escaped = "".join(f"!{c.lower()}" if c.isupper() else c for c in module)
    versions = proxy / escaped / "@v"
    versions.mkdir(parents=True)
    go_mod = f"module {module}\n\ngo 1.18\n"
    (versions / f"{version}.mod").write_text(go_mod)
    (versions / f"{version}.info").write_text(f'{{"Version": "{version}"}}')
    with zipfile.ZipFile(versions / f"{version}.zip", "w") as archive:
        archive.writestr(f"{module}@{version}/go.mod", go_mod)
        for file in folder.rglob("*.go"):
            archive.write(file, f"{module}@{version}/{file.relative_to(folder)}")
