"""What the text of a ``/proc/PID/cgroup`` says of a process: a container's, a systemd unit's.

Each line is ``hierarchy:controllers:path`` (cgroups(7)). With cgroup v1 there is a line for each
hierarchy, and systemd's own is called ``name=systemd``; with v2 there is one line, ``0::path``;
both is possible. What is here of paths is from these sources: the kubelet's
``pkg/kubelet/cm/cgroup_manager_linux.go`` and ``helpers_linux.go``, the names that containerd,
Docker, CRI-O and Podman give, and systemd's "Control Group APIs and Delegation" and "Desktop
Environment Integration".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ID = re.compile(r"(?:(?P<runtime>[a-z][a-z-]*?)[-:])?(?P<id>[0-9a-f]{64})(?:\.scope)?$")
#: A pod's uid is a UUID, with underscores in the name of a slice; that of a static pod a hash.
_POD = re.compile(
    r"(?:^|-)pod(?P<uid>[0-9a-f]{32}|[0-9a-f]{8}(?:[-_][0-9a-f]{4,12}){4})(?:\.slice|$)"
)
#: LXC, and systemd-nspawn.
_MACHINE = re.compile(r"^(?:lxc\.payload\..+|machine-.+\.scope|systemd-nspawn@.+\.service)$")
_USER_MANAGER = re.compile(r"^user@\d+\.service$")


@dataclass(frozen=True, slots=True)
class Container:
    """A container that a process is in. ``pod`` is the pod's uid, or empty."""

    name: str
    pod: str = ""


@dataclass(frozen=True, slots=True)
class Unit:
    """A service of systemd. ``is_user`` tells whether it is one of a user's own manager."""

    name: str
    is_user: bool = False


def container_of(text: str, *, own: str) -> Container | None:
    """Return the container that a process is in, and we are not.

    ``own`` is the text of our own process: a container that we are in is no other world, and does
    not start its processes again.
    """
    ours = {part for path in _paths(own) for part in _parts(path)}
    found = None
    for path in _paths(text):
        before, pod = "", ""
        for part in _parts(path):
            if match := _POD.search(part):
                pod = match["uid"].replace("_", "-")
            if part not in ours and (name := _container_name(before, part)):
                found = Container(name, pod)
            before = part
        if found and found.pod:
            break
    return found


def unit_of(text: str, *, own: str) -> Unit | None:
    """Return the service of systemd that a process is in, and we are not.

    A scope is none, since systemd does not start its processes, nor is what a desktop starts as
    ``app-….service``: neither comes back by itself.
    """
    path = _systemd_path(text)
    if path == _systemd_path(own):
        return None
    parts = _parts(path)
    is_user = False
    found = None
    for part in parts:
        if _USER_MANAGER.match(part):
            is_user, found = True, None
        elif part.endswith(".service"):
            found = Unit(part, is_user=is_user)
    if found and found.is_user and found.name.startswith("app-"):
        return None
    return found


def _container_name(before: str, part: str) -> str:
    """Return what its tools call a container, ids in their short form; empty for none."""
    if match := _ID.search(part):
        short = match["id"][:12]
        return f"{match['runtime']} {short}" if match["runtime"] else short
    return part if _MACHINE.match(part) or before == "lxc" else ""


def _systemd_path(text: str) -> str:
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "name=systemd" and path != "/":
            return path
    return next((line[3:] for line in text.splitlines() if line.startswith("0::")), "/")


def _paths(text: str) -> list[str]:
    return [line.split(":", 2)[2] for line in text.splitlines()]


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]
