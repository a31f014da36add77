"""Which ports are taken, and who listens where."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import psutil
import pytest

from pytest_kdelve.controlplane.doctor import listening
from pytest_kdelve.controlplane.doctor.check import State
from pytest_kdelve.controlplane.doctor.listening import (
    Listener,
    check_listeners,
    check_ports,
    listeners,
    ports_of_interest,
)
from pytest_kdelve.delve import Address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Start = Callable[[str, str], Listener]

TIMEOUT = 30.0
#: Listens at the given host, says at which port, and lives until its stdin is closed.
SERVER = """
import socket, sys
host = sys.argv[1]
family = socket.AF_INET6 if ":" in host else socket.AF_INET
with socket.create_server((host, 0), family=family) as server:
    print(server.getsockname()[1], flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a program of a given name that listens; all are ended afterwards."""
    started: list[subprocess.Popen[str]] = []

    def start_one(name: str, host: str) -> Listener:
        program = tmp_path / name
        program.write_text(f"#!{sys.executable}\n{SERVER}", encoding="utf-8")
        program.chmod(0o755)
        process = subprocess.Popen(
            [str(program), host], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        port = int(process.stdout.readline())
        return Listener(host=host, port=port, name=name, pid=process.pid)

    yield start_one
    for process in started:
        process.communicate(timeout=TIMEOUT)


def listener(name: str, host: str, port: int = 12345, pid: int | None = 7) -> Listener:
    return Listener(host=host, port=port, name=name, pid=pid)


@pytest.mark.parametrize("name", ["dlv", "kube-apiserver", "etcd"])
def test_a_real_listener_is_found_with_its_name(start: Start, name: str) -> None:
    running = start(name, "127.0.0.1")
    found = listeners()
    assert found is not None
    assert running in found
    check = check_listeners([each for each in found if each.pid == running.pid])
    assert check.state is State.OK
    assert check.seen == (f"{name} (pid {running.pid}) at 127.0.0.1:{running.port} (loopback)",)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104 - that is what is warned about
def test_a_dlv_that_all_can_reach_is_warned_about(start: Start, host: str) -> None:
    running = start("dlv", host)
    found = [each for each in listeners() or () if each.pid == running.pid]
    check = check_listeners(found)
    assert check.state is State.WARNING
    assert check.seen[0].endswith(f"{running.port} (all addresses of this machine)")
    assert "can run any code as its user" in check.do[0]
    assert f"127.0.0.1:{running.port}" in check.do[0]


def test_only_a_dlv_is_dangerous_and_only_off_loopback() -> None:
    open_to_all = [listener("kube-apiserver", "0.0.0.0"), listener("etcd", "::")]  # noqa: S104
    assert check_listeners(open_to_all).state is State.OK
    assert check_listeners([listener("python3", "0.0.0.0")]).state is State.OK  # noqa: S104
    assert check_listeners([listener("dlv", "127.0.0.2"), listener("dlv", "::1")]).do == ()
    elsewhere = check_listeners([listener("dlv", "192.0.2.1")])
    assert elsewhere.state is State.WARNING
    assert "192.0.2.1:12345 (reachable from other machines)" in elsewhere.seen[0]


def test_what_nobody_may_see_is_said() -> None:
    found = [listener("", "0.0.0.0", pid=None), listener("sshd", "::")]  # noqa: S104
    assert check_listeners(found).seen == (
        "no dlv, kube-apiserver or etcd",
        "1 more sockets, of other users (root sees whose) or PID namespaces",
    )
    assert check_listeners([]).seen == ("no dlv, kube-apiserver or etcd",)
    unknown = check_listeners(None)
    assert unknown.state is State.WARNING
    assert unknown.seen[0].startswith("not known")


@pytest.mark.parametrize("error", [FileNotFoundError("/proc/net/tcp"), psutil.AccessDenied(1)])
def test_without_proc_the_listeners_are_not_known(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(**_kind: str) -> None:
        raise error

    monkeypatch.setattr(psutil, "net_connections", fail)
    assert listeners() is None


def test_free_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Address, "check_free", lambda _self: None)
    check = check_ports([], None)
    assert check.state is State.OK
    assert check.seen == (
        "127.0.0.1:12345 for dlv: free",
        "6443 of kube-apiserver: free",
        "2379 of etcd: free",
    )
    taken = check_ports([listener("kube-apiserver", "::", port=6443)], None)
    assert taken.state is State.OK, "a test takes free ports for these"
    assert "taken by kube-apiserver (pid 7) at [::]:6443 (all addresses" in taken.seen[1]
    assert check_ports(None, None).seen[1] == "6443 of kube-apiserver: not known"


def test_a_taken_port_of_dlv_is_a_problem_where_it_is_asked_for(start: Start) -> None:
    running = start("holder", "0.0.0.0")  # noqa: S104 - this takes the port of loopback, too
    check = check_ports(listeners(), Address(port=running.port))
    assert check.state is State.PROBLEM
    assert f"taken by holder (pid {running.pid}) at 0.0.0.0:{running.port}" in check.seen[0]
    assert "Address already in use; end what listens there" in check.do[0]


def test_without_an_address_asked_for_a_taken_port_is_a_warning(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = start("holder", "127.0.0.1").port
    monkeypatch.setitem(listening.USUAL, "dlv", port)
    assert check_ports(listeners(), None).state is State.WARNING


def test_a_port_of_another_user_and_an_address_of_another_machine() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        hidden = [listener("", "127.0.0.1", port=port, pid=None)]
        check = check_ports(hidden, Address(port=port))
    assert "taken by a process that only root sees at 127.0.0.1" in check.seen[0]
    elsewhere = check_ports([], Address("192.0.2.1", 12345))
    assert elsewhere.state is State.PROBLEM
    assert elsewhere.seen[0] == "192.0.2.1:12345 for dlv: cannot be taken"
    assert "give another address" in elsewhere.do[0]


def test_the_ports_of_interest_are_those_in_use() -> None:
    assert ports_of_interest(None) == [6443, 12345]
    found = [
        listener("dlv", "127.0.0.1", port=40001),
        listener("dlv", "::1", port=40001),
        listener("dlv", "127.0.0.1", port=40002),
        listener("etcd", "127.0.0.1", port=40003),
    ]
    assert ports_of_interest(found) == [6443, 40001, 40002]
