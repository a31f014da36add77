"""Disk and memory: what is free, and what is needed."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_kdelve.controlplane.doctor.check import Check, State, size, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_kdelve.controlplane.doctor.tools import Tools

_MB, _GB = 10**6, 10**9
#: The most that was seen of each: dlv, kube-apiserver, etcd, kube-controller-manager.
_ENVIRONMENT = (570 + 370 + 35 + 90) * _MB
#: What Kubernetes 1.37 with Go 1.26 takes in Go's folders, and the four binaries in ours.
_BUILD_CACHE, _MODULE_CACHE, _BINARIES = 3.5 * _GB, 1 * _GB, 0.5 * _GB
#: etcd's write-ahead log and database, and logs.
_TEMPORARY = 0.2 * _GB
_CGROUPS = Path("/sys/fs/cgroup")


def check_memory() -> Check:
    """Look at this machine, and at the control groups of this process."""
    available = memory_available(text_of(Path("/proc/meminfo")))
    limited = cgroup_available(text_of(Path("/proc/self/cgroup")), _CGROUPS)
    return judge_memory(available, limited)


def judge_memory(available: int | None, limited: int | None) -> Check:
    """Say whether an environment fits; bytes, None for what is not known or not limited."""
    known = [value for value in (available, limited) if value is not None]
    if not known:
        do = (f"see that {size(_ENVIRONMENT)} are available",)
        return Check(
            name="memory", state=State.WARNING, seen=("not known: no /proc/meminfo",), do=do
        )
    free = min(known)
    source = ", by the limit of the control group" if free == limited else ""
    need = size(_ENVIRONMENT)
    seen = f"{size(free)} available{source}; an environment needs up to {need}"
    if free < _ENVIRONMENT:
        do = ("end other programs, or raise the limit (in a container: --memory)",)
        return Check(name="memory", state=State.PROBLEM, seen=(seen,), do=do)
    workers = f"so pytest-xdist may have up to {free // _ENVIRONMENT} workers"
    return Check(name="memory", state=State.OK, seen=(f"{seen}, {workers}",))


def memory_available(meminfo: str | None) -> int | None:
    """Return the bytes of MemAvailable in the text of /proc/meminfo."""
    found = re.search(r"^MemAvailable:\s*(\d+) kB$", meminfo or "", re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def cgroup_available(membership: str | None, root: Path) -> int | None:
    """Return how many bytes the tightest memory limit of this process's control groups leaves.

    ``membership`` is the text of /proc/self/cgroup, ``root`` where they are mounted. The cache of
    files, which the kernel gives up first, does not count as used. None where nothing is limited.
    """
    left = [limit - max(used - cache, 0) for limit, used, cache in _limits(membership or "", root)]
    return max(min(left), 0) if left else None


def _limits(membership: str, root: Path) -> Iterator[tuple[int, int, int]]:
    """Yield limit, usage and inactive file cache of each level; of versions 1 and 2."""
    for line in membership.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            names = ("memory.max", "memory.current", "inactive_file")
            yield from _levels(root, path, names)
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            yield from _levels(root / "memory", path, names)


def _levels(root: Path, path: str, names: tuple[str, str, str]) -> Iterator[tuple[int, int, int]]:
    """Go up from the group to the root, which in a container is the container's own group."""
    parts = [part for part in path.split("/") if part not in {"", ".."}]
    limit_name, usage_name, cache_name = names
    for depth in range(len(parts), -1, -1):
        folder = root.joinpath(*parts[:depth])
        limit = (text_of(folder / limit_name) or "").strip()
        usage = (text_of(folder / usage_name) or "").strip()
        if limit.isdecimal() and usage.isdecimal():
            statistics = text_of(folder / "memory.stat") or ""
            cache = re.search(rf"^{cache_name} (\d+)$", statistics, re.MULTILINE)
            yield int(limit), int(usage), int(cache[1]) if cache else 0


def check_disk(tools: Tools) -> Check:
    """Look at the folders that are written to."""
    temporary = Path(tempfile.gettempdir())
    needs: dict[Path, float] = {tools.cache: 0, temporary: _TEMPORARY}
    if any(name.startswith("kube-") for name in tools.to_build):
        installed = next((each.installed for each in tools.candidates if each.installed), None)
        build_cache = installed.build_cache if installed else tools.cache
        module_cache = installed.module_cache if installed else tools.cache
        for folder, need in (
            (tools.cache, _BINARIES),
            (build_cache, _BUILD_CACHE),
            (module_cache, _MODULE_CACHE),
        ):
            needs[folder] = needs.get(folder, 0) + need
    problems = [
        text
        for text in (
            _unwritable(tools.cache, "KDELVE_CACHE") if tools.to_build else "",
            _unwritable(temporary, "TMPDIR"),
            _not_executable(tools.cache),
        )
        if text
    ]
    return judge_disk(_by_file_system(needs), problems)


def judge_disk(
    file_systems: Sequence[tuple[Sequence[Path], float, float | None]], problems: Sequence[str]
) -> Check:
    """Say whether all fits: folders of one file system, what they need, what is free there."""
    seen, do = [], list(problems)
    for folders, need, free in file_systems:
        names = ", ".join(map(str, folders))
        left = "not known how much" if free is None else size(free)
        seen.append(f"{left} free, {size(need)} needed: {names}")
        if free is not None and free < need:
            do.append(
                f"free {size(need - free)} there, or put a folder elsewhere "
                "(KDELVE_CACHE, TMPDIR; `go env -w GOCACHE=… GOMODCACHE=…`)"
            )
    state = State.PROBLEM if do else State.OK
    return Check(name="disk", state=state, seen=tuple(seen), do=tuple(do))


def _by_file_system(
    needs: Mapping[Path, float],
) -> list[tuple[Sequence[Path], float, float | None]]:
    groups: dict[int, list[Path]] = {}
    for folder in needs:
        groups.setdefault(_existing(folder).stat().st_dev, []).append(folder)
    return [
        (folders, sum(needs[folder] for folder in folders), _free(folders[0]))
        for folders in groups.values()
    ]


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest of its parents that is there and can be reached."""
    for path in (folder, *folder.parents):
        with suppress(OSError):
            path.stat()
            return path
    return Path("/")


def _free(folder: Path) -> float | None:
    try:
        return shutil.disk_usage(_existing(folder)).free
    except OSError:
        return None


def _unwritable(folder: Path, variable: str) -> str:
    there = _existing(folder)
    if os.access(there, os.W_OK | os.X_OK):
        return ""
    return f"you may not write to {there}: let {variable} name another folder"


def _not_executable(folder: Path) -> str:
    try:
        flags = os.statvfs(_existing(folder)).f_flag
    except OSError:
        return ""
    if not flags & os.ST_NOEXEC:
        return ""
    return f"{folder} is on a file system that runs no programs (noexec): set KDELVE_CACHE"
