"""A kube-apiserver that was not built here: what it was built from, and what that means."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_kdelve.controlplane import build
from pytest_kdelve.controlplane.binaries import KUBERNETES_MODULE
from pytest_kdelve.controlplane.running import NAME

if TYPE_CHECKING:
    from pytest_kdelve.delve.inspection import BuildInfo, Inspection, Module

_STAGED = ("k8s.io/apiserver", "k8s.io/apimachinery")
_REVISION = 12
_OPTIMISED = (
    "{what}: a line may have no statement left, or several, and one that only computes a value may "
    "run where the source does not come to it, so mark lines that call something. A value is "
    "unreadable where the compiler kept none, and where the function assigns the variable more "
    "than once, since it may be an earlier one. Built with -gcflags='all=-N -l', nothing of "
    "Kubernetes is hidden"
)
_TRIMMED = (
    "built with -trimpath: its source is looked for in Go's module cache and in GOROOT, so at= "
    "needs the same versions there"
)
_LOCAL = (
    "built from source that may be edited: what stands now where it was compiled is read. at= is "
    "refused for a file that is newer than the binary, or in which functions have moved; another "
    "edit is not noticed where the binary was copied after it"
)


def is_foreign(program: str) -> bool:
    """Whether a program is no kube-apiserver that was built here, which needs no second look."""
    path = Path(program)
    return not build.is_kept(path) or path.name != NAME


def notes(inspection: Inspection, program: str) -> tuple[str, ...]:
    """Return what the user should know of a binary, each ready to print."""
    origin = _origin(inspection.build)
    found = [f"{program}: built by Go {inspection.go_version}{origin and f' from {origin}'}"]
    if inspection.optimised:
        what = "optimised"
        if inspection.debuggable:
            what = f"optimised in part ({', '.join(inspection.optimised)})"
        found.append(_OPTIMISED.format(what=what))
    if inspection.build.is_editable and not inspection.is_trimmed:
        found.append(_LOCAL)
    if inspection.is_trimmed:
        found.append(_TRIMMED)
    return tuple(found)


def _origin(info: BuildInfo) -> str:
    """Return the modules of Kubernetes; empty where the binary does not tell."""
    paths = KUBERNETES_MODULE, *_STAGED
    modules = [_taken(each) for path in paths if (each := info.module(path))]
    revision = info.settings.get("vcs.revision", "")[:_REVISION]
    if revision:
        state = ", modified" if info.settings.get("vcs.modified") == "true" else ""
        modules.append(f"commit {revision}{state}")
    return ", ".join(modules)


def _taken(module: Module) -> str:
    """Return what was built; a mere other version needs no word of the one that it replaces."""
    other = module.replaced_by
    return str(other if other and other.path == module.path else module)
