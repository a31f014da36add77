"""What is not taken over, with the reason and the way out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from pytest_kdelve.controlplane import refusals, running
from pytest_kdelve.errors import BinaryError, UsageError
from pytest_kdelve.process import poll

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kdelve.controlplane.running import ProcessSpec

OWN = "0::/user.slice/user-1000.slice/session-3.scope\n"
ID = "3f6a1c0b9d2e4f57a8b6c1d0e3f2a5b4c7d6e9f80a1b2c3d4e5f60718293a4b5"
HASH = "5d0d0e1af2b3c4d5e6f708192a3b4c5d"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    sleep = shutil.which("sleep")
    assert sleep
    return Path(shutil.copy(sleep, tmp_path / "program"))


@pytest.fixture
def process(program: Path, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    folder = tmp_path / "folder"
    folder.mkdir()
    with subprocess.Popen([program, "60"], cwd=folder) as process:
        # It has no command line in the middle of the exec.
        cmdline = Path("/proc", str(process.pid), "cmdline")
        assert poll(lambda: bool(cmdline.read_bytes()), timeout=20)
        yield process
        process.kill()


@pytest.fixture
def spec(process: subprocess.Popen[bytes]) -> ProcessSpec:
    return running.read(process.pid)


def test_what_is_in_the_same_surroundings_as_we_is_allowed(spec: ProcessSpec) -> None:
    """Also where both are in one container, as on a machine of CI."""
    refusals.check(spec)


@pytest.mark.parametrize(
    ("cgroup", "said"),
    [
        (
            f"0::/kubepods/burstable/pod{HASH}/{ID}",
            (
                f"is the container 3f6a1c0b9d2e of the pod {HASH}, which a kubelet starts again as "
                "soon as it ends; move its manifest away (of a static pod: "
                "/etc/kubernetes/manifests/kube-apiserver.yaml) and start the same command by hand"
                "; "
            ),
        ),
        (
            f"0::/system.slice/docker-{ID}.scope",
            (
                "is in the container docker 3f6a1c0b9d2e, and its runtime would take its end "
                "for the "
                "container's; run pytest in that container; "
            ),
        ),
        (
            "0::/system.slice/kube.service",
            (
                "is of the systemd unit kube.service, and systemd decides when that runs; "
                "`systemctl "
                "stop kube.service`, start its command by hand, and `systemctl start kube.service` "
                "afterwards, or put dlv into the unit by `systemctl edit kube.service` and use "
                "--kdelve-connect=HOST:PORT; "
            ),
        ),
        (
            "0::/user.slice/user-1000.slice/user@1000.service/app.slice/kube.service",
            (
                "is of the systemd unit kube.service, and systemd decides when that runs; "
                "`systemctl "
                "--user stop kube.service`, start its command by hand, and `systemctl --user start "
                "kube.service` afterwards, or put dlv into the unit by `systemctl --user edit "
                "kube.service` and use --kdelve-connect=HOST:PORT; "
            ),
        ),
    ],
)
def test_what_others_start_is_refused(spec: ProcessSpec, cgroup: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        refusals.check_surroundings(spec, cgroup=cgroup, own_cgroup=OWN, other=set())
    pid = spec.pid
    attach = f"--kdelve-attach={pid} debugs it without a restart"
    assert str(refused.value) == f"process {pid} {said}{attach}"
    refusals.check_surroundings(spec, cgroup=cgroup, own_cgroup=cgroup, other=set())


@pytest.mark.parametrize("names", [{"pid", "mnt"}, {"net"}])
def test_other_namespaces_are_refused(spec: ProcessSpec, names: set[str]) -> None:
    with pytest.raises(UsageError) as refused:
        refusals.check_surroundings(spec, cgroup=OWN, own_cgroup=OWN, other=names)
    inside = " ".join(f"--{name}" for name in sorted(names))
    assert f"({', '.join(sorted(names))})" in str(refused.value)
    assert f"`nsenter --target {spec.pid} {inside}`" in str(refused.value)


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("unshare"), reason="needs root")
@pytest.mark.parametrize("name", ["net", "mount", "uts"])
def test_a_process_in_another_namespace_is_noticed(name: str) -> None:
    script = "import sys; print(flush=True); sys.stdin.read()"
    argv = ["unshare", f"--{name}", sys.executable, "-c", script]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        with pytest.raises(UsageError, match="runs in namespaces other than ours"):
            refusals.check(running.read(process.pid))
        process.kill()


def test_the_first_process_is_refused(spec: ProcessSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    first = msgspec.structs.replace(spec, pid=1)
    monkeypatch.setattr(running.ProcessSpec, "is_running", lambda _spec: True)
    with pytest.raises(UsageError, match=r"process 1 is the first one .*--kdelve-attach=1"):
        refusals.check(first)


def test_one_that_is_debugged_is_refused(spec: ProcessSpec) -> None:
    refusals.check_tracer(spec.pid, 0)
    with pytest.raises(UsageError) as refused:
        refusals.check_tracer(spec.pid, os.getpid())
    assert f"is debugged already, by process {os.getpid()} (" in str(refused.value)
    assert "--kdelve-connect=HOST:PORT" in str(refused.value)


def test_rights_that_cannot_be_given_again_are_refused(spec: ProcessSpec) -> None:
    others = msgspec.structs.replace(spec, uids=(65534,) * 3, capabilities=0)
    refusals.check_identity(others)
    with pytest.raises(UsageError, match=r"CapEff 0000000000000400.*--secure-port above 1023"):
        refusals.check_identity(msgspec.structs.replace(others, capabilities=1 << 10))


def test_an_executable_that_was_removed_is_refused(
    process: subprocess.Popen[bytes], program: Path
) -> None:
    program.unlink()
    with pytest.raises(BinaryError, match=rf"{program}, was removed or replaced since"):
        refusals.check(running.read(process.pid))


def test_an_executable_that_was_replaced_is_refused(
    process: subprocess.Popen[bytes], program: Path
) -> None:
    """As a new release is installed."""
    other = program.with_name("new")
    shutil.copy(program, other)
    other.rename(program)
    with pytest.raises(BinaryError, match="removed or replaced"):
        refusals.check(running.read(process.pid))


def test_a_working_directory_that_was_removed_is_refused(
    process: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    (tmp_path / "folder").rmdir()
    with pytest.raises(UsageError, match=r"working directory of process .* was removed"):
        refusals.check(running.read(process.pid))


def test_one_that_has_ended_is_refused(spec: ProcessSpec, process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    with pytest.raises(UsageError, match="has ended; look its pid up again"):
        refusals.check(spec)
