"""What a machine lacks to debug a kube-apiserver, and what to do about it.

Nothing is changed, and nothing is started that lives longer than its answer; no network is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_kdelve.controlplane import build
from pytest_kdelve.controlplane.doctor import firewall, listening, machine, permission, tools
from pytest_kdelve.controlplane.doctor.check import Check, State, worst
from pytest_kdelve.controlplane.doctor.stale import check_stale

if TYPE_CHECKING:
    from pytest_kdelve.delve import Address

__all__ = ["Check", "State", "examine", "worst"]


def examine(listen: Address | None = None) -> list[Check]:
    """Return what was found; ``listen`` is where dlv shall listen, if that is fixed."""
    found = tools.examine(build.cache_folder())
    sockets = listening.listeners()
    return [
        tools.check_go(found),
        tools.check_delve(found),
        tools.check_kept(found),
        permission.check_ptrace(),
        machine.check_disk(found),
        machine.check_memory(),
        listening.check_ports(sockets, listen),
        listening.check_listeners(sockets),
        check_stale(),
        firewall.check_firewall(listening.ports_of_interest(sockets)),
    ]
