"""A kube-apiserver that was started by hand is debugged for a while, and put back."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import psutil
import pytest

from pytest_kdelve.controlplane import (
    apiserver,
    build,
    certificates,
    etcd,
    ports,
    running,
    takeover,
)
from pytest_kdelve.controlplane.access import Access
from pytest_kdelve.controlplane.environment import answers_ok
from pytest_kdelve.controlplane.running import ProcessSpec
from pytest_kdelve.delve import Headless, Session
from pytest_kdelve.errors import DelveTimeoutError
from pytest_kdelve.process import poll

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kdelve.delve import Server

NOBODY = 65534
READY = 120.0
#: All of them are good ones for a kube-apiserver.
DIFFICULT = (
    r"--cors-allowed-origins=^https?://[a-z]+\.example\.(com|org)(:[0-9]+)?$,//localhost(:|$)",
    '--etcd-prefix=/it\'s "quoted" $HOME `date` & two  words; \\',
    "--audit-log-path=",
    f"--cors-allowed-origins=//{'x' * 10240}$",
)


class Original:
    """A kube-apiserver with an etcd of its own, which a shell could have started."""

    def __init__(self, binaries: build.Binaries, folder: Path, stack: ExitStack) -> None:
        locks = build.cache_folder() / "ports"
        client, peer, self.port = stack.enter_context(ports.reserve(3, locks=locks))
        self.certificates = certificates.create(folder)
        store = etcd.start(
            binaries.etcd,
            self.certificates,
            data=folder / "etcd",
            log=folder / "etcd.log",
            client_port=client,
            peer_port=peer,
        )
        stack.callback(store.stop)
        self.program = Path(shutil.copy(binaries.kube_apiserver, folder))
        self.arguments = apiserver.arguments(
            self.certificates,
            etcd_servers=f"https://127.0.0.1:{client}",
            port=self.port,
            extra=DIFFICULT,
        )
        self.log = folder / "kube-apiserver.log"

    def start(self, user: int, stack: ExitStack) -> subprocess.Popen[bytes]:
        argv = [str(self.program), *self.arguments]
        environ = {**os.environb, b"TWO WORDS": b"a\nb", b"BYTES": b"\xff\xfe", b"EMPTY": b""}
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                argv, env=environ, cwd="/usr", stdout=log, stderr=log, user=user, group=user
            )
        stack.callback(process.wait)
        stack.callback(process.kill)
        return process

    def is_ready(self) -> bool:
        access = Access.by_certificate(f"https://127.0.0.1:{self.port}", self.certificates)
        with access.session() as session:
            return answers_ok(session, f"{access.url}/readyz")


@pytest.fixture
def original(kdelve_binaries: build.Binaries) -> Iterator[Original]:
    with ExitStack() as stack:
        # pytest's own folders are closed for other users.
        folder = Path(tempfile.mkdtemp(prefix="take-", dir="/tmp"))
        stack.callback(shutil.rmtree, folder)
        yield Original(kdelve_binaries, folder, stack)


def through_json(spec: ProcessSpec) -> ProcessSpec:
    return msgspec.json.decode(msgspec.json.encode(spec), type=ProcessSpec)


def run(server: Server) -> None:
    with server.connect() as client, pytest.raises(DelveTimeoutError):
        Session(client).continue_(timeout=0.1)


@pytest.mark.skipif(os.getuid() != 0, reason="only root starts what is another user's")
def test_it_is_debugged_as_it_was_and_put_back(
    original: Original, kdelve_binaries: build.Binaries, tmp_path: Path
) -> None:
    folder = original.log.parent
    for path in (folder, *folder.glob("*.*")):
        os.chown(path, NOBODY, NOBODY)
    with ExitStack() as stack:
        process = original.start(NOBODY, stack)
        assert poll(original.is_ready, timeout=READY), original.log.read_text(encoding="utf-8")
        spec = running.find(process.pid)
        cmdline = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        environ = Path(f"/proc/{process.pid}/environ").read_bytes()
        headless = Headless(dlv=kdelve_binaries.dlv, log=tmp_path / "dlv.log")

        takeover.check(
            spec, headless, ["main.main", "k8s.io/kubernetes/cmd/kube-apiserver/app.Run"]
        )
        assert original.is_ready(), "it was left alone"
        takeover.stop(spec)
        assert process.wait(READY) == 0

        server = stack.enter_context(
            takeover.under_dlv(spec, headless, log=tmp_path / "kube-apiserver.log")
        )
        assert Path(f"/proc/{server.target_pid}/cmdline").read_bytes() == cmdline
        debugged = running.read(server.target_pid)
        assert (debugged.uids, debugged.cwd) == (spec.uids, b"/usr") == ((NOBODY,) * 3, b"/usr")
        assert debugged.environ == (*spec.environ, b"GODEBUG=tracebackancestors=8")
        run(server)
        assert poll(original.is_ready, timeout=READY)
        server.stop()

        started = takeover.start_again(through_json(spec))
        stack.callback(psutil.Process(started.pid).kill)
        assert started.notes == ()
        assert Path(f"/proc/{started.pid}/cmdline").read_bytes() == cmdline
        assert Path(f"/proc/{started.pid}/environ").read_bytes() == environ
        again = running.read(started.pid)
        same = {"pid": 0, "start_ticks": 0}
        assert msgspec.structs.replace(again, **same) == msgspec.structs.replace(spec, **same)
        assert poll(original.is_ready, timeout=READY)
