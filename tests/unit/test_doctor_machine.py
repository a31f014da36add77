"""Disk and memory."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.controlplane import releases
from pytest_kdelve.controlplane.doctor import machine
from pytest_kdelve.controlplane.doctor.check import State
from pytest_kdelve.controlplane.doctor.machine import (
    cgroup_available,
    check_disk,
    judge_disk,
    judge_memory,
    memory_available,
)
from pytest_kdelve.controlplane.doctor.tools import Tools

if TYPE_CHECKING:
    from collections.abc import Mapping

MB, GB = 10**6, 10**9
MEMINFO = "MemTotal:       24684092 kB\nMemFree:  1 kB\nMemAvailable:   23869708 kB\n"


def test_meminfo() -> None:
    assert memory_available(MEMINFO) == 23869708 * 1024
    assert memory_available("MemTotal: 1 kB\n") is None
    assert memory_available(None) is None


def group(folder: Path, files: Mapping[str, object]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        (folder / name).write_text(f"{value}\n", encoding="utf-8")


def test_the_tightest_limit_of_version_2_counts(tmp_path: Path) -> None:
    group(tmp_path / "a/b", {"memory.max": "max", "memory.current": 100})
    group(tmp_path / "a", {"memory.max": 1000, "memory.current": 700})
    assert cgroup_available("0::/a/b\n", tmp_path) == 300
    group(tmp_path / "a", {"memory.stat": "anon 600\ninactive_file 80\nactive_file 20"})
    assert cgroup_available("0::/a/b\n", tmp_path) == 380
    group(tmp_path / "a/b", {"memory.max": 150})
    assert cgroup_available("0::/a/b\n", tmp_path) == 50
    group(tmp_path / "a/b", {"memory.max": 90})
    assert cgroup_available("0::/a/b\n", tmp_path) == 0


def test_version_1_is_mounted_as_memory(tmp_path: Path) -> None:
    files = {"memory.limit_in_bytes": 1000, "memory.usage_in_bytes": 400}
    group(tmp_path / "memory/a", files)
    membership = "9:name=systemd:/x\n4:cpu,memory:/a\n0::/\n"
    assert cgroup_available(membership, tmp_path) == 600
    group(tmp_path / "memory/a", {"memory.stat": "inactive_file 1\ntotal_inactive_file 50"})
    assert cgroup_available(membership, tmp_path) == 650


def test_in_a_container_the_root_is_the_own_group(tmp_path: Path) -> None:
    group(tmp_path, {"memory.max": 1000, "memory.current": 400})
    assert cgroup_available("0::/docker/0a1b", tmp_path) == 600
    assert cgroup_available("0::/../../elsewhere", tmp_path) == 600


@pytest.mark.parametrize("membership", [None, "", "0::/a\n", "nonsense\n", "3:cpu:/a\n"])
def test_without_a_limit_there_is_none(membership: str | None, tmp_path: Path) -> None:
    group(tmp_path / "a", {"memory.max": "max", "memory.current": "100"})
    assert cgroup_available(membership, tmp_path) is None


def test_memory_for_an_environment() -> None:
    check = judge_memory(3 * GB, None)
    assert check.state is State.OK
    assert check.seen == (
        (
            "3.0 GB available; an environment needs up to 1.1 GB, "
            "so pytest-xdist may have up to 2 workers"
        ),
    )
    limited = judge_memory(8 * GB, 600 * MB)
    assert limited.state is State.PROBLEM
    assert limited.seen[0].startswith("600 MB available, by the limit of the control group;")
    assert limited.do
    assert judge_memory(1 * GB, 8 * GB).state is State.PROBLEM
    assert judge_memory(None, 8 * GB).state is State.OK
    assert judge_memory(None, None).seen == ("not known: no /proc/meminfo",)


def test_this_machine_has_memory() -> None:
    assert "available" in machine.check_memory().seen[0]


def test_disk_for_what_is_needed() -> None:
    folders = [Path("/a"), Path("/b")]
    assert judge_disk([(folders, 5 * GB, 5 * GB)], []).state is State.OK
    check = judge_disk([(folders, 5 * GB, 2 * GB), ([Path("/c")], 0, 0)], [])
    assert check.state is State.PROBLEM
    assert check.seen == ("2.0 GB free, 5.0 GB needed: /a, /b", "0 MB free, 0 MB needed: /c")
    assert len(check.do) == 1
    assert check.do[0].startswith("free 3.0 GB there")
    unknown = judge_disk([(folders, 5 * GB, None)], [])
    assert unknown.state is State.OK
    assert unknown.seen[0].startswith("not known how much free")
    assert judge_disk([(folders, 0, GB)], ["a problem"]).state is State.PROBLEM


def tools(cache: Path, *, kept: bool) -> Tools:
    names = ("kube-apiserver", "kube-controller-manager", "etcd", "dlv") if kept else ()
    return Tools(
        cache=cache,
        versions=releases.choose(),
        candidates=(),
        given={},
        kept={name: ["1.26.0"] for name in names},
    )


def test_a_build_needs_more_than_what_is_kept(tmp_path: Path) -> None:
    cache = tmp_path / "not/yet"
    seen = check_disk(tools(cache, kept=True)).seen
    assert any("200 MB needed" in line and str(cache) in line for line in seen)
    seen = check_disk(tools(cache, kept=False)).seen
    assert any("5.2 GB needed" in line or "5.0 GB needed" in line for line in seen)


def test_a_folder_that_may_not_be_written_to_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def access(path: object, mode: int) -> bool:
        return str(path) != str(tmp_path) or not mode & os.W_OK

    monkeypatch.setattr(os, "access", access)
    assert check_disk(tools(tmp_path, kept=True)).state is State.OK, "nothing is to be written"
    check = check_disk(tools(tmp_path, kept=False))
    assert f"you may not write to {tmp_path}: let KDELVE_CACHE name another folder" in check.do


def test_a_file_system_that_runs_no_programs_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = {"f_bavail": GB, "f_blocks": GB, "f_bfree": GB, "f_frsize": 1}
    noexec = SimpleNamespace(f_flag=os.ST_NOEXEC, **free)
    monkeypatch.setattr(os, "statvfs", lambda _path: noexec)
    check = check_disk(tools(tmp_path, kept=True))
    assert check.state is State.PROBLEM
    assert "noexec" in check.do[0]
