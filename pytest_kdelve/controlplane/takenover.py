"""A kube-apiserver that ran already, and runs under Delve for as long as the tests last."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pytest_kdelve.controlplane import apiserver, running, takeover
from pytest_kdelve.controlplane.existing import Existing
from pytest_kdelve.controlplane.journal import KillMarked, StartAgain
from pytest_kdelve.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_kdelve.controlplane.running import ProcessSpec
    from pytest_kdelve.delve import Address, Client, Server


class TakenOver(Existing):
    """A kube-apiserver that is stopped, run with the same argv under Delve, and put back.

    ``pid`` is None for the only one that runs. The guardian puts the original back, at the end or
    as soon as this process is gone.
    """

    mode = "takeover"
    is_running_before = False

    def __init__(self, pid: int | None, *, dlv: Path, listen: Address, kubeconfig: str) -> None:
        super().__init__(kubeconfig)
        self._original = pid
        self.dlv = dlv
        self._listen = listen
        self._server: Server
        self._spec: ProcessSpec

    def _debug(self) -> None:
        self._check_way_in()
        self._spec = spec = running.find(self._original)
        mark = self._guardian.environment
        headless = self._headless(self._listen)
        found = takeover.check(spec, headless, apiserver.SAMPLE_FUNCTIONS, environment=mark)
        apiserver.check(found.build, os.fsdecode(spec.exe))
        self.notes += takeover.losses(spec)
        original = StartAgain(spec)
        self._guardian.entrust(original)
        # Once more, since it comes before the original is started again.
        self._resources.enter_context(self._guardian.undoing(KillMarked()))
        try:
            takeover.stop(spec)
        except UsageError:  # It had ended by itself, so somebody wanted that.
            self._guardian.forget(original)
            raise
        self._server = takeover.under_dlv(
            spec, headless, log=self.directory / "kube-apiserver.log", environment=mark
        )
        self._resources.callback(self._server.stop)
        self.address, self.pid = self._server.address, self._server.target_pid

    @property
    def left(self) -> str:
        """The process that is the original now."""
        pids = " or ".join(map(str, takeover.same_as(self._spec)))
        return f"your kube-apiserver runs again, as pid {pids}" if pids else ""

    def connect(self) -> Client:
        """Open one more connection to Delve."""
        return self._server.connect()
