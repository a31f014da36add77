"""What is stopped for a takeover, and what is put back."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.controlplane import certificates, kubeconfig, takeover
from pytest_kdelve.controlplane.journal import runs_folder
from pytest_kdelve.controlplane.takenover import TakenOver
from pytest_kdelve.delve import Address
from pytest_kdelve.delve.inspection import BuildInfo, Inspection, Module
from pytest_kdelve.errors import BinaryError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def inspection(build: BuildInfo) -> Inspection:
    return Inspection(go_version="", build=build, optimised=(), debuggable=(), is_trimmed=False)


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

        def end_it(*_: object, **__: object) -> Inspection:
            process.communicate()
            return inspection(BuildInfo())

        monkeypatch.setattr(takeover, "check", end_it)
        monkeypatch.setattr(TakenOver, "_check_way_in", lambda _: None)
        dlv = tmp_path / "dlv"
        over = TakenOver(process.pid, dlv=dlv, listen=Address(), kubeconfig=str(config))
        with pytest.raises(UsageError, match="has ended by itself"):
            over.start()
    assert starts.read_text() == "started\n"
    assert list(runs_folder().iterdir()) == []


def test_another_program_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDELVE_STATE", str(tmp_path / "state"))
    config = tmp_path / "config"
    ca = certificates.create(tmp_path).ca
    kubeconfig.write(config, url="https://127.0.0.1:1", ca=ca, user={"token": "to.ke.n"})
    package = "example.com/other/cmd"
    build = BuildInfo(package=package, modules=(Module("example.com/other", "v1.0.0"),))
    monkeypatch.setattr(takeover, "check", lambda *_, **__: inspection(build))
    monkeypatch.setattr(TakenOver, "_check_way_in", lambda _: None)
    with subprocess.Popen(["/bin/sh", "-c", "read line"], stdin=subprocess.PIPE) as process:
        dlv = tmp_path / "dlv"
        over = TakenOver(process.pid, dlv=dlv, listen=Address(), kubeconfig=str(config))
        with pytest.raises(BinaryError, match=f"but was built by Go from {package}"):
            over.start()
        assert process.poll() is None
        process.communicate()
    assert list(runs_folder().iterdir()) == []
