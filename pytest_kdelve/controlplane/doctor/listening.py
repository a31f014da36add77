"""Which ports are taken, and who of those that matter here listens where."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

import psutil

from pytest_kdelve.controlplane.doctor.check import Check, State
from pytest_kdelve.delve import Address
from pytest_kdelve.errors import PortInUseError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

_DLV = "dlv"
_APISERVER = "kube-apiserver"
_NAMES = (_DLV, _APISERVER, "etcd")
#: Where they listen if nobody says otherwise; dlv has none, this is what people write.
USUAL = {_DLV: 12345, _APISERVER: 6443, "etcd": 2379}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A listening TCP socket; ``pid`` is None where only its owner or root may see it."""

    host: str
    port: int
    name: str
    pid: int | None

    @property
    def address(self) -> Address:
        """Where it listens."""
        return Address(self.host, self.port)

    @property
    def who(self) -> str:
        """The process, as far as it is known."""
        return f"{self.name} (pid {self.pid})" if self.pid else "a process that only root sees"


def listeners() -> list[Listener] | None:
    """Return all of this network namespace, by their ports; None where they are not known."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except (OSError, psutil.Error, RuntimeError):  # Such as no /proc/net.
        return None
    found = {
        (connection.laddr.ip, connection.laddr.port, connection.pid)
        for connection in connections
        if connection.laddr and connection.status == psutil.CONN_LISTEN
    }
    rows = [
        Listener(host=host, port=port, name=_name(pid) if pid else "", pid=pid)
        for host, port, pid in found
    ]
    return sorted(rows, key=lambda row: (row.port, row.host, row.pid or 0))


def check_ports(found: Sequence[Listener] | None, listen: Address | None) -> Check:
    """Say which ports are free; ``listen`` is where dlv shall listen, None for nowhere fixed."""
    wanted = listen or Address(port=USUAL[_DLV])
    obstacle = _obstacle(wanted)
    lines = [f"{wanted} for dlv: {_holder(found, wanted) if obstacle else 'free'}"]
    for name in (_APISERVER, "etcd"):
        port = USUAL[name]
        taken = any(row.port == port for row in found or ())
        free = "free" if found is not None else "not known"
        lines.append(f"{port} of {name}: {_holder(found, Address(port=port)) if taken else free}")
    if obstacle is None:
        return Check(name="ports", state=State.OK, seen=tuple(lines))
    return Check(
        name="ports",
        state=State.PROBLEM if listen else State.WARNING,
        seen=tuple(lines),
        do=(obstacle, "without --kdelve-listen, dlv takes a free port, as the others do"),
    )


def check_listeners(found: Sequence[Listener] | None) -> Check:
    """Say where each dlv, kube-apiserver and etcd listens."""
    if found is None:
        return Check(
            name="listening",
            state=State.WARNING,
            seen=("not known: /proc does not tell",),
            do=("see that no dlv listens on other addresses than loopback: `ss -ltnp`",),
        )
    rows = [row for row in found if row.name in _NAMES]
    lines = [f"{row.who} at {_where(row)}" for row in rows] or ["no dlv, kube-apiserver or etcd"]
    if hidden := sum(row.pid is None for row in found):
        lines.append(f"{hidden} more sockets, of other users (root sees whose) or PID namespaces")
    exposed = [row for row in rows if row.name == _DLV and not row.address.is_loopback]
    return Check(
        name="listening",
        state=State.WARNING if exposed else State.OK,
        seen=tuple(lines),
        do=tuple(_exposed(row) for row in exposed),
    )


def ports_of_interest(found: Sequence[Listener] | None) -> list[int]:
    """Return the ports that one may want to reach from elsewhere: where dlv and apiservers are.

    Those of none that runs are the usual ones.
    """
    ports = [
        {row.port for row in found or () if row.name == name} or {USUAL[name]}
        for name in (_DLV, _APISERVER)
    ]
    return sorted(set().union(*ports))


def _obstacle(address: Address) -> str | None:
    try:
        address.check_free()
    except (PortInUseError, UsageError) as error:
        return str(error)
    return None


def _holder(found: Sequence[Listener] | None, wanted: Address) -> str:
    rows = [
        f"taken by {row.who} at {_where(row)}" for row in found or () if row.port == wanted.port
    ]
    return ", ".join(rows) or "cannot be taken"


def _where(row: Listener) -> str:
    if row.address.is_loopback:
        return f"{row.address} (loopback)"
    if ipaddress.ip_address(row.host).is_unspecified:
        return f"{row.address} (all addresses of this machine)"
    return f"{row.address} (reachable from other machines)"


def _exposed(row: Listener) -> str:
    return (
        f"{row.who}: whoever reaches {_where(row)} can run any code as its user; end it, and "
        f"let it listen at 127.0.0.1:{row.port} (`dlv --listen`, --kdelve-listen)"
    )


def _name(pid: int) -> str:
    """Return the name of the program, also where the process calls itself something else."""
    found = []
    with suppress(psutil.Error, OSError):
        process = psutil.Process(pid)
        found = [process.name()]
        found += [PurePath(path).name for path in (process.exe(), *process.cmdline()[:1])]
    known = [name for name in found if name in _NAMES]
    return (known or found or ["?"])[0]
