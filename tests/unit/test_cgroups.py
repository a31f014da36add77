"""What a process's cgroups say of who started it; the paths are those of real systems."""

from __future__ import annotations

import pytest

from pytest_kdelve.controlplane.cgroups import Container, Unit, container_of, unit_of

ID = "3f6a1c0b9d2e4f57a8b6c1d0e3f2a5b4c7d6e9f80a1b2c3d4e5f60718293a4b5"
INNER = "9c" * 32
UID = "2f3b8c1e-6a4d-4b1f-9e0c-7d5a3b2c1f0e"
SLICE = UID.replace("-", "_")
#: That of a static pod, a hash of its manifest.
HASH = "5d0d0e1af2b3c4d5e6f708192a3b4c5d"
POD_SLICE = f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{SLICE}.slice"

SESSION = "0::/user.slice/user-1000.slice/session-3.scope\n"
V1 = ("cpu,cpuacct", "memory", "pids", "name=systemd")
USER = "/user.slice/user-1000.slice/user@1000.service"


def v1(path: str) -> str:
    lines = [f"{number}:{name}:{path}" for number, name in enumerate(V1, start=2)]
    return "\n".join([*lines, "0::/", ""])


def v2(path: str) -> str:
    return f"0::{path}\n"


IN_CONTAINERS = {
    "containerd, systemd driver": (
        f"{POD_SLICE}/cri-containerd-{ID}.scope",
        Container("cri-containerd 3f6a1c0b9d2e", UID),
    ),
    "cri-o": (f"{POD_SLICE}/crio-{ID}.scope", Container("crio 3f6a1c0b9d2e", UID)),
    "cri-o with a group of its own in it": (
        f"{POD_SLICE}/crio-{ID}.scope/container",
        Container("crio 3f6a1c0b9d2e", UID),
    ),
    "cri-dockerd": (f"{POD_SLICE}/docker-{ID}.scope", Container("docker 3f6a1c0b9d2e", UID)),
    "guaranteed": (
        f"/kubepods.slice/kubepods-pod{SLICE}.slice/cri-containerd-{ID}.scope",
        Container("cri-containerd 3f6a1c0b9d2e", UID),
    ),
    "a static pod": (
        (
            f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{HASH}.slice/"
            f"cri-containerd-{ID}.scope"
        ),
        Container("cri-containerd 3f6a1c0b9d2e", HASH),
    ),
    "cgroupfs driver": (f"/kubepods/burstable/pod{UID}/{ID}", Container("3f6a1c0b9d2e", UID)),
    "cgroupfs driver, a static pod": (
        f"/kubepods/burstable/pod{HASH}/{ID}",
        Container("3f6a1c0b9d2e", HASH),
    ),
    "cgroupfs driver, guaranteed": (f"/kubepods/pod{UID}/{ID}", Container("3f6a1c0b9d2e", UID)),
    "drivers that do not fit": (
        f"/system.slice/containerd.service/kubepods-burstable-pod{SLICE}.slice:cri-containerd:{ID}",
        Container("cri-containerd 3f6a1c0b9d2e", UID),
    ),
    "kind": (
        (
            "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
            f"kubelet-kubepods-burstable-pod{HASH}.slice/cri-containerd-{ID}.scope"
        ),
        Container("cri-containerd 3f6a1c0b9d2e", HASH),
    ),
    "relative to our own namespace": (
        f"/../../kubepods-burstable-pod{SLICE}.slice/cri-containerd-{ID}.scope",
        Container("cri-containerd 3f6a1c0b9d2e", UID),
    ),
    "docker": (f"/docker/{ID}", Container("3f6a1c0b9d2e")),
    "docker, systemd driver": (
        f"/system.slice/docker-{ID}.scope",
        Container("docker 3f6a1c0b9d2e"),
    ),
    "docker in docker": (f"/docker/{ID}/docker/{INNER}", Container("9c9c9c9c9c9c")),
    "podman": (
        f"/machine.slice/libpod-{ID}.scope/container",
        Container("libpod 3f6a1c0b9d2e"),
    ),
    "podman without root": (
        f"{USER}/user.slice/libpod-{ID}.scope/container",
        Container("libpod 3f6a1c0b9d2e"),
    ),
    "nerdctl": (f"/default/{ID}", Container("3f6a1c0b9d2e")),
    "lxc": ("/lxc.payload.one/system.slice/ssh.service", Container("lxc.payload.one")),
    "lxc of old": ("/lxc/one", Container("one")),
    "nspawn": (
        "/machine.slice/machine-one.scope/payload/system.slice/kube-apiserver.service",
        Container("machine-one.scope"),
    ),
}


@pytest.mark.parametrize("version", [v1, v2])
@pytest.mark.parametrize(("path", "container"), IN_CONTAINERS.values(), ids=IN_CONTAINERS)
def test_a_container_is_named(path: str, container: Container, version: object) -> None:
    assert callable(version)
    assert container_of(version(path), own=SESSION) == container


OUTSIDE = {
    "a session": "/user.slice/user-1000.slice/session-4.scope",
    "a unit": "/system.slice/kube-apiserver.service",
    "a unit's template": "/system.slice/system-kube.slice/kube-apiserver@pod1.service",
    "the root": "/",
    "a desktop": f"{USER}/app.slice/app-org.gnome.Terminal.slice/vte-spawn-{UID}.scope",
    "a hash that is no container's id": "/process_api/43b0c96beede68bc8738049a87e70326",
    "a folder of the name": "/pods/podium",
}


@pytest.mark.parametrize("version", [v1, v2])
@pytest.mark.parametrize("path", OUTSIDE.values(), ids=OUTSIDE)
def test_outside_of_containers(path: str, version: object) -> None:
    assert callable(version)
    assert container_of(version(path), own=SESSION) is None


def test_the_container_that_we_are_in_is_none() -> None:
    ours = v1(f"/docker/{ID}")
    assert container_of(ours, own=ours) is None
    assert container_of(v1(f"/docker/{ID}/some/group"), own=ours) is None


def test_one_in_the_container_that_we_are_in_is_one() -> None:
    inner = v1(f"/docker/{ID}/docker/{INNER}")
    assert container_of(inner, own=v1(f"/docker/{ID}")) == Container("9c9c9c9c9c9c")


def test_another_container_of_our_pod_is_one() -> None:
    ours = v2(f"{POD_SLICE}/cri-containerd-{INNER}.scope")
    theirs = v2(f"{POD_SLICE}/cri-containerd-{ID}.scope")
    assert container_of(theirs, own=ours) == Container("cri-containerd 3f6a1c0b9d2e", UID)


def test_one_that_only_one_hierarchy_knows() -> None:
    text = f"3:memory:/docker/{ID}\n1:name=systemd:/\n0::/\n"
    assert container_of(text, own=SESSION) == Container("3f6a1c0b9d2e")


UNITS = {
    "of the system": (
        "/system.slice/kube-apiserver.service",
        Unit("kube-apiserver.service"),
    ),
    "of a template": (
        "/system.slice/system-kube.slice/kube-apiserver@one.service",
        Unit("kube-apiserver@one.service"),
    ),
    "with groups of its own": (
        "/system.slice/k3s.service/init/more",
        Unit("k3s.service"),
    ),
    "of a user": (f"{USER}/app.slice/kube.service", Unit("kube.service", is_user=True)),
    "of a user, without a slice": (f"{USER}/kube.service", Unit("kube.service", is_user=True)),
}


@pytest.mark.parametrize("version", [v1, v2])
@pytest.mark.parametrize(("path", "unit"), UNITS.values(), ids=UNITS)
def test_a_unit_is_named(path: str, unit: Unit, version: object) -> None:
    assert callable(version)
    assert unit_of(version(path), own=SESSION) == unit


def test_a_unit_of_both_versions_at_once() -> None:
    text = "1:name=systemd:/system.slice/kube.service\n0::/system.slice/kube.service\n"
    assert unit_of(text, own="1:name=systemd:/\n0::/\n") == Unit("kube.service")


NO_UNITS = {
    "a login": "/user.slice/user-1000.slice/session-4.scope",
    "a terminal": f"{USER}/app.slice/app-org.gnome.Terminal.slice/vte-spawn-{UID}.scope",
    "tmux": f"{USER}/tmux-spawn-{UID}.scope",
    "a terminal of KDE": f"{USER}/app.slice/app-org.kde.konsole@4711.service",
    "the user manager itself": f"{USER}/init.scope",
    "systemd-run --scope": "/system.slice/run-r4711.scope",
    "the root": "/",
}


@pytest.mark.parametrize("version", [v1, v2])
@pytest.mark.parametrize("path", NO_UNITS.values(), ids=NO_UNITS)
def test_what_systemd_does_not_start_again_is_no_unit(path: str, version: object) -> None:
    assert callable(version)
    assert unit_of(version(path), own=v2("/user.slice/user-1000.slice/session-3.scope")) is None


def test_the_unit_that_we_are_in_is_none() -> None:
    """Such as that of a CI's runner, which has started both."""
    runner = v2("/system.slice/actions.runner.one.service")
    assert unit_of(runner, own=runner) is None
