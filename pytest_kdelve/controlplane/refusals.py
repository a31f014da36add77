"""What must not be taken over, and what to do instead; nothing is touched here."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from pytest_kdelve.controlplane import cgroups, running
from pytest_kdelve.errors import BinaryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_kdelve.controlplane.running import ProcessSpec

_CONTAINERS = frozenset({"mnt", "pid"})
_OTHERS = frozenset({"ipc", "net", "user", "uts"})
_STATIC_POD = "/etc/kubernetes/manifests/kube-apiserver.yaml"


def check(spec: ProcessSpec) -> None:
    """Raise ``UsageError`` for a process that could not be put back as it was."""
    if not spec.is_running():
        raise UsageError(f"process {spec.pid} has ended; look its pid up again")
    if spec.pid == 1:
        raise UsageError(
            "process 1 is the first one of this machine or container, which all others end with; "
            f"start the {running.NAME} from a shell of the container, or use --kdelve-attach=1"
        )
    check_tracer(spec.pid, running.tracer(spec.pid))
    theirs, ours = _namespaces(spec.pid), _namespaces(os.getpid())
    check_surroundings(
        spec,
        cgroup=_cgroup(spec.pid),
        own_cgroup=_cgroup(os.getpid()),
        other={name for name in ours if theirs.get(name) != ours[name]},
    )
    check_identity(spec)
    check_files(spec)


def check_tracer(pid: int, tracer: int) -> None:
    """Raise ``UsageError`` for a process that has a debugger."""
    if tracer:
        name = "another user's"
        with suppress(psutil.Error):
            name = psutil.Process(tracer).name()
        raise UsageError(
            f"process {pid} is debugged already, by process {tracer} ({name}); end that, or use "
            "--kdelve-connect=HOST:PORT if it is a headless dlv"
        )


def check_surroundings(spec: ProcessSpec, *, cgroup: str, own_cgroup: str, other: set[str]) -> None:
    """Raise ``UsageError`` for what another program runs, and starts again in its own way.

    ``cgroup`` and ``own_cgroup`` are texts of ``/proc/PID/cgroup``, of it and of us; ``other`` are
    the names of the namespaces that are not ours. What is in the same container as we are, or in
    the same unit, such as that of a CI's runner, is as good as started by hand.
    """
    attach = f"--kdelve-attach={spec.pid} debugs it without a restart"
    if container := cgroups.container_of(cgroup, own=own_cgroup):
        raise UsageError(_container(spec.pid, container, attach))
    if unit := cgroups.unit_of(cgroup, own=own_cgroup):
        raise UsageError(_unit(spec.pid, unit, attach))
    if names := sorted(other & (_CONTAINERS | _OTHERS)):
        listed = ", ".join(names)
        inside = " ".join(f"--{name}" for name in names)
        raise UsageError(
            f"process {spec.pid} runs in namespaces other than ours ({listed}), as in a container, "
            f"and could not be started there again; run pytest in there, as with `nsenter "
            f"--target {spec.pid} {inside}`, or in the container's own way; {attach}"
        )


def _container(pid: int, container: cgroups.Container, attach: str) -> str:
    if container.pod:
        return (
            f"process {pid} is the container {container.name} of the pod {container.pod}, which a "
            "kubelet starts again as soon as it ends; move its manifest away (of a static pod: "
            f"{_STATIC_POD}) and start the same command by hand; {attach}"
        )
    return (
        f"process {pid} is in the container {container.name}, and its runtime would take its end "
        f"for the container's; run pytest in that container; {attach}"
    )


def _unit(pid: int, unit: cgroups.Unit, attach: str) -> str:
    systemctl = "systemctl --user" if unit.is_user else "systemctl"
    return (
        f"process {pid} is of the systemd unit {unit.name}, and systemd decides when that runs; "
        f"`{systemctl} stop {unit.name}`, start its command by hand, and `{systemctl} start "
        f"{unit.name}` afterwards, or put dlv into the unit by `{systemctl} edit {unit.name}` and "
        f"use --kdelve-connect=HOST:PORT; {attach}"
    )


def check_identity(spec: ProcessSpec) -> None:
    """Raise ``UsageError`` where it has rights that its user alone does not give.

    It got them from who started it, or from its file, and neither counts under a debugger.
    """
    if spec.uids[1] != 0 and spec.capabilities:
        user = running.user_name(spec.uids[1])
        raise UsageError(
            f"process {spec.pid} has capabilities beyond those of its user {user} (CapEff "
            f"{spec.capabilities:016x}), which it would not have under dlv; start it without them, "
            "with --secure-port above 1023"
        )


def check_files(spec: ProcessSpec) -> None:
    """Raise ``BinaryError`` or ``UsageError`` where what it was started from is gone."""
    exe = Path(os.fsdecode(spec.exe))
    try:
        is_same = exe.samefile(f"/proc/{spec.pid}/exe")
    except OSError:
        is_same = False
    if not is_same:
        path = os.fsdecode(spec.exe.removesuffix(b" (deleted)"))
        raise BinaryError(
            f"the executable of process {spec.pid}, {path}, was removed or replaced since it "
            "started, or cannot be reached by this user, so the same one cannot be started again; "
            "restart it with the file that is there now"
        )
    if not os.access(spec.cwd, os.X_OK):
        raise UsageError(
            f"the working directory of process {spec.pid} was removed, or cannot be reached by "
            f"this user: {os.fsdecode(spec.cwd)}; restart it in one that exists"
        )


def _namespaces(pid: int) -> Mapping[str, str]:
    found = {}
    for name in _CONTAINERS | _OTHERS:
        # A kernel need not have all of them.
        with suppress(FileNotFoundError):
            found[name] = str(Path("/proc", str(pid), "ns", name).readlink())
    return found


def _cgroup(pid: int) -> str:
    return Path("/proc", str(pid), "cgroup").read_text(encoding="utf-8", errors="replace")
