"""Reaching a debugged server from another machine."""

from __future__ import annotations

import getpass
import shlex
import shutil
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.controlplane.doctor import firewall
from pytest_kdelve.controlplane.doctor.check import State

if TYPE_CHECKING:
    from pathlib import Path

PORTS = [6443, 12345]
#: As each of these programs takes it, of the versions that the module names.
COMMANDS = {
    "ufw": "ufw allow proto tcp from 192.0.2.7 to any port 6443,12345",
    "firewall-cmd": (
        "firewall-cmd --timeout=1h "
        """--add-rich-rule='rule family="ipv4" source address="192.0.2.7" """
        """port port="6443" protocol="tcp" accept' """
        """--add-rich-rule='rule family="ipv4" source address="192.0.2.7" """
        """port port="12345" protocol="tcp" accept'"""
    ),
    "nft": (
        "nft insert rule inet filter input ip saddr 192.0.2.7 tcp dport '{ 6443, 12345 }' accept"
    ),
    "iptables": (
        "iptables -I INPUT -p tcp -s 192.0.2.7 -m multiport --dports 6443,12345 -j ACCEPT"
    ),
}


@pytest.mark.parametrize("program", COMMANDS)
def test_the_command_of_each_program(program: str) -> None:
    check = firewall.describe(PORTS, [program])
    ssh, opening = check.do
    assert check.state is State.OK
    assert opening.splitlines()[1:] == [f"sudo {COMMANDS[program]}"]
    assert shlex.split(opening.splitlines()[1])[1] == program
    assert "can run any code" in opening
    assert ssh.splitlines()[1].startswith("ssh -N -L 6443:127.0.0.1:6443 -L 12345:127.0.0.1:12345 ")


def test_without_any_program_nft_is_shown() -> None:
    check = firewall.describe(PORTS, [])
    assert check.seen == ("firewall programs here: none",)
    assert check.do[1].splitlines()[1:] == [f"sudo {COMMANDS['nft']}"]
    assert "`sudo nft list chains`" in check.do[1]
    assert "nft" not in firewall.describe(PORTS, ["ufw"]).do[1]


def test_all_that_is_installed_is_found_beyond_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    monkeypatch.setattr(firewall, "_FOLDERS", (str(tmp_path),))
    assert firewall.installed() == []
    for name in ("iptables", "ufw", "other"):
        shutil.copy("/bin/true", tmp_path / name)
    assert firewall.installed() == ["ufw", "iptables"]


def test_one_rule_takes_fifteen_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firewall, "installed", lambda: ["iptables"])
    check = firewall.check_firewall(range(1, 100))
    assert check.do[1].endswith(
        "-m multiport --dports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15 -j ACCEPT"
    )


def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr(getpass, "getuser", fail)
    assert " USER@" in firewall.describe(PORTS, []).do[0]
