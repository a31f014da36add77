"""What scripts get to know of an environment that is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_kdelve.controlplane.kept import Kept

NAME_HELP = "which kept environment (default: that of `kdelve up`, or the only one)"


def as_json(kept: Kept) -> dict[str, Any]:
    """Return what a script needs; no secret is in it."""
    return {
        "state": "ended" if kept.problem() else "running",
        "kubernetes": kept.version,
        "url": kept.url,
        "dlv": kept.address,
        "kubeconfig": str(kept.kubeconfig),
        "directory": kept.directory,
        "processes": {name: process.pid for name, process in kept.processes.items()},
        "argv": list(kept.argv),
    }
