"""What a debugged apiserver says of itself before it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_kdelve.controlplane.build import Binaries
from pytest_kdelve.controlplane.started import ControlPlane, Plan
from pytest_kdelve.errors import UsageError
from pytest_kdelve.plugin.debugged import Debugged
from tests.unit.builders import expect

NOWHERE = Path("/nowhere")
PLAN = Plan(
    binaries=Binaries(
        dlv=NOWHERE, etcd=NOWHERE, kube_apiserver=NOWHERE, kube_controller_manager=NOWHERE
    ),
    locks=NOWHERE,
)


def test_startup_code_that_nobody_watched() -> None:
    """Some hook added the marker too late."""
    debugged = Debugged(ControlPlane(PLAN), cluster_role="cluster-admin", startup=[])
    with pytest.raises(UsageError) as raised:
        debugged.startup(expect(during="startup"))
    assert str(raised.value) == (
        "handlers/get.go at 'getter(ctx, name, req)': a marker with during='startup' was added "
        "after collection, when start-up code was no longer watched"
    )
