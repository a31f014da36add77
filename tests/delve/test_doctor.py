"""What ``kdelve doctor`` says of the real dlv."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_kdelve.controlplane import build, releases
from pytest_kdelve.controlplane.doctor import tools
from pytest_kdelve.controlplane.doctor.check import State
from pytest_kdelve.controlplane.doctor.listening import Listener, check_listeners, listeners
from pytest_kdelve.delve import Address

if TYPE_CHECKING:
    import pytest

    from pytest_kdelve.delve import Server
    from tests.delve.conftest import Debug
    from tests.delve.toolchains import Toolchain


def of(server: Server) -> list[Listener]:
    return [each for each in listeners() or () if each.port == server.address.port]


def test_a_dlv_that_all_can_reach_is_warned_about(debug: Debug) -> None:
    found = of(debug("behave", listen=Address("0.0.0.0")))  # noqa: S104 - that is the danger
    assert [each.name for each in found] == ["dlv"]
    check = check_listeners(found)
    assert check.state is State.WARNING
    assert check.seen[0].endswith("(all addresses of this machine)")
    assert "can run any code as its user" in check.do[0]


def test_a_dlv_on_loopback_is_not(debug: Debug) -> None:
    server = debug("behave")
    check = check_listeners(of(server))
    assert check.state is State.OK
    assert check.seen[0].startswith("dlv (pid ")
    assert check.seen[0].endswith(f" at {server.address} (loopback)")


def test_the_real_dlv_says_its_version(
    toolchain: Toolchain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kubernetes is built with the Go of this machine, which the old one cannot debug."""
    monkeypatch.setenv("KDELVE_DLV", str(toolchain.dlv))
    check = tools.check_delve(tools.examine(build.cache_folder()))
    is_old = toolchain.delve == (1, 9)
    version = "1.9.1" if is_old else releases.DELVE_VERSION
    assert f"Delve {version}, given: {toolchain.dlv}" in check.seen[0]
    assert check.state is (State.PROBLEM if is_old else State.OK)
