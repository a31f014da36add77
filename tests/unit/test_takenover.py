"""What is stopped for a takeover, and what is put back."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.controlplane import certificates, kubeconfig, takeover
from pytest_kdelve.controlplane.journal import runs_folder
from pytest_kdelve.controlplane.takenover import TakenOver
from pytest_kdelve.delve import Address
from pytest_kdelve.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def test_what_ends_by_itself_meanwhile_is_not_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDELVE_STATE", str(tmp_path / "state"))
    starts, config = tmp_path / "starts", tmp_path / "config"
    ca = certificates.create(tmp_path).ca
    kubeconfig.write(config, url="https://127.0.0.1:1", ca=ca, user={"token": "to.ke.n"})
    argv = ["/bin/sh", "-c", f"echo started | tee -a {starts}; read line"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()

        def end_it(*_: object, **__: object) -> None:
            process.communicate()

        monkeypatch.setattr(takeover, "check", end_it)
        monkeypatch.setattr(TakenOver, "_check_way_in", lambda _: None)
        dlv = tmp_path / "dlv"
        over = TakenOver(process.pid, dlv=dlv, listen=Address(), kubeconfig=str(config))
        with pytest.raises(UsageError, match="has ended by itself"):
            over.start()
    assert starts.read_text() == "started\n"
    assert list(runs_folder().iterdir()) == []
