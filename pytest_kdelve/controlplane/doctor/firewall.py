"""How to reach a debugged server from another machine: ssh, or a port opened to one address.

The commands were tried with nftables 1.0.6, iptables 1.8.9 (both kinds), and against the parsers
of ufw 0.36.2 and firewalld 1.3.3.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
from typing import TYPE_CHECKING

from pytest_kdelve.controlplane.doctor.check import Check, State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Where they are, though a user's PATH often does not say so.
_FOLDERS = ("/usr/sbin", "/sbin", "/usr/local/sbin")
#: What stands for the address of the other machine; it is one of RFC 5737's, for documentation.
_CLIENT = "192.0.2.7"
_OPENING = (
    f"else let in one address, for which {_CLIENT} stands (a server on loopback stays out of "
    "reach; whoever reaches that of dlv can run any code as its user)"
)
#: As many ports as one rule of ufw and of iptables' multiport takes.
_MOST_PORTS = 15


def _ufw(ports: Sequence[int]) -> str:
    return f"sudo ufw allow proto tcp from {_CLIENT} to any port {_joined(ports)}"


def _firewalld(ports: Sequence[int]) -> str:
    """Let the rules go by themselves after an hour."""
    rules = [
        f"""--add-rich-rule='rule family="ipv4" source address="{_CLIENT}" """
        f"""port port="{port}" protocol="tcp" accept'"""
        for port in ports
    ]
    return " ".join(["sudo firewall-cmd --timeout=1h", *rules])


def _nft(ports: Sequence[int]) -> str:
    numbers = ", ".join(map(str, ports))
    return (
        f"sudo nft insert rule inet filter input ip saddr {_CLIENT} "
        f"tcp dport '{{ {numbers} }}' accept"
    )


def _iptables(ports: Sequence[int]) -> str:
    return (
        f"sudo iptables -I INPUT -p tcp -s {_CLIENT} "
        f"-m multiport --dports {_joined(ports)} -j ACCEPT"
    )


_COMMANDS: dict[str, Callable[[Sequence[int]], str]] = {
    "ufw": _ufw,
    "firewall-cmd": _firewalld,
    "nft": _nft,
    "iptables": _iptables,
}


def installed() -> list[str]:
    """Return which of the programs there are, the most convenient first."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_FOLDERS])
    return [name for name in _COMMANDS if shutil.which(name, path=path)]


def check_firewall(ports: Sequence[int]) -> Check:
    """Say how the ports are reached from elsewhere."""
    return describe(ports[:_MOST_PORTS], installed())


def describe(ports: Sequence[int], programs: Sequence[str]) -> Check:
    """Say how the ports are reached from elsewhere, with these programs."""
    seen = f"firewall programs here: {', '.join(programs) or 'none'}"
    opening = [_COMMANDS[name](ports) for name in programs or ["nft"]]
    hint = (
        "; nft: `sudo nft list chains` shows the names of yours"
        if any("nft" in each for each in opening)
        else ""
    )
    do = (
        f"the safe way, from the other machine; nothing is opened:\n{_ssh(ports)}",
        "\n".join([f"{_OPENING}{hint}:", *opening]),
    )
    return Check(name="elsewhere", state=State.OK, seen=(seen,), do=do)


def _ssh(ports: Sequence[int]) -> str:
    forwards = [f"-L {port}:127.0.0.1:{port}" for port in ports]
    return " ".join(["ssh -N", *forwards, f"{_user()}@{socket.gethostname()}"])


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # A user id without a name: OSError from Python 3.13 on.
        return "USER"


def _joined(ports: Sequence[int]) -> str:
    return ",".join(map(str, ports))
