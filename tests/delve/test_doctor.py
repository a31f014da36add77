"""What ``kdelve doctor`` says of the real dlv."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil

from pytest_kdelve.controlplane import build
from pytest_kdelve.controlplane.doctor import tools
from pytest_kdelve.controlplane.doctor.check import State
from pytest_kdelve.controlplane.doctor.listening import check_listeners, listeners
from pytest_kdelve.delve import Address

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.delve.conftest import Debug


def test_a_dlv_that_all_can_reach_is_warned_about(debug: Debug) -> None:
    server = debug("behave", listen=Address("0.0.0.0"))  # noqa: S104 - that is the danger
    dlv = psutil.Process(server.pid).ppid()
    found = [each for each in listeners() or () if each.pid == dlv]
    check = check_listeners(found)
    assert check.state is State.WARNING
    where = f"dlv (pid {dlv}) at [::]:{server.address.port} (all addresses of this machine)"
    assert check.seen[0].replace("0.0.0.0", "[::]") == where  # noqa: S104 - dlv may take either
    assert "can run any code as its user" in check.do[0]


def test_a_dlv_on_loopback_is_not(debug: Debug) -> None:
    server = debug("behave")
    dlv = psutil.Process(server.pid).ppid()
    check = check_listeners([each for each in listeners() or () if each.pid == dlv])
    assert check.state is State.OK
    assert check.seen == (f"dlv (pid {dlv}) at {server.address} (loopback)",)


def test_the_real_dlv_says_its_version(dlv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDELVE_DLV", str(dlv))
    check = tools.check_delve(tools.examine(build.cache_folder()))
    assert f"Delve {build.DELVE_VERSION}, given: {dlv}" in check.seen[0]
    assert check.state is State.OK
