"""One control plane: etcd, and a kube-apiserver under Delve."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_kdelve.controlplane import apiserver, certificates, etcd, kubeconfig, ports
from pytest_kdelve.controlplane.credentials import Credentials, ServiceAccountMaker
from pytest_kdelve.controlplane.lifecycle import Lifecycle
from pytest_kdelve.delve import Address, Headless, Server, Target, exec_
from pytest_kdelve.errors import (
    CredentialsError,
    ProcessExitedError,
    ProcessTimeoutError,
    TargetExitedError,
)
from pytest_kdelve.process import ChildProcess, ending, explain, poll, tail

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_kdelve.controlplane.build import Binaries

_READY_TIMEOUT = 120.0
_TOKEN_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to start. ``locks`` is a folder that all processes of this user share."""

    binaries: Binaries
    locks: Path
    listen: Address = field(default_factory=Address)
    extra_args: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


class ControlPlane(Lifecycle):
    """A running control plane in a temporary folder of its own.

    ``start`` leaves the kube-apiserver at its first instruction, so that breakpoints in its
    start-up code can be set; it is for the caller to continue it, and then to ``wait_ready``.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._plan = plan
        self.argv: tuple[str, ...] = ()
        self.url = ""
        self.server: Server
        self.certificates: certificates.Certificates
        self.directory: Path

    def _start(self) -> None:
        plan, resources = self._plan, self._resources
        self.directory = Path(tempfile.mkdtemp(prefix="kdelve-"))
        resources.callback(shutil.rmtree, self.directory)
        self.certificates = certificates.create(self.directory)
        client, peer, secure = resources.enter_context(ports.reserve(3, locks=plan.locks))
        store = etcd.start(
            plan.binaries.etcd,
            self.certificates,
            data=self.directory / "etcd",
            log=self.directory / "etcd.log",
            client_port=client,
            peer_port=peer,
        )
        resources.callback(store.stop)
        self.url = f"https://127.0.0.1:{secure}"
        arguments = apiserver.arguments(
            self.certificates,
            etcd_servers=f"https://127.0.0.1:{client}",
            port=secure,
            extra=plan.extra_args,
        )
        self.argv = (str(plan.binaries.kube_apiserver), *arguments)
        headless = Headless(
            dlv=plan.binaries.dlv,
            log=self.directory / "dlv.log",
            listen=plan.listen,
            env=apiserver.environment({**os.environ, **plan.environment}),
        )
        target = Target(args=arguments, stdout=self._log.with_suffix(".out"), stderr=self._log)
        self.server = exec_(headless, plan.binaries.kube_apiserver, target=target)
        resources.callback(self.server.stop)

    @property
    def _log(self) -> Path:
        return self.directory / "kube-apiserver.log"

    def log_tail(self, lines: int) -> str:
        """Return the last lines that the kube-apiserver wrote to stderr."""
        return tail(self._log, lines)

    def explain_exit(self, error: TargetExitedError) -> ProcessExitedError:
        """Return the error that says how the kube-apiserver ended."""
        message = f"kube-apiserver ended {ending(error.status)}"
        return ProcessExitedError(
            explain(message, argv=self.argv, log=self._log), returncode=error.status
        )

    def wait_ready(self, check_running: Callable[[], None]) -> None:
        """Wait until ``/readyz`` answers 200.

        ``check_running`` raises ``TargetExitedError`` when the target is gone, which becomes a
        ``ProcessExitedError`` with argv and log; ``ProcessTimeoutError`` has them, too.
        """
        url = f"{self.url}/readyz"
        with self.certificates.admin_session() as session:

            def ready() -> bool:
                check_running()
                return etcd.answers_ok(session, url)

            try:
                is_ready = poll(ready, timeout=_READY_TIMEOUT)
            except TargetExitedError as error:
                raise self.explain_exit(error) from error
        if not is_ready:
            message = f"kube-apiserver did not answer GET {url} with 200 in {_READY_TIMEOUT:g} s"
            raise ProcessTimeoutError(explain(message, argv=self.argv, log=self._log))

    def version(self) -> str:
        """Return the Kubernetes version that the apiserver gives, such as ``v1.37.2``."""
        with self.certificates.admin_session() as session:
            answer = session.get(f"{self.url}/version", timeout=30)
        return str(answer.json()["gitVersion"])

    def make_credentials(self, cluster_role: str) -> Credentials:
        """Create the ServiceAccount and have the token controller fill its Secret.

        The controller-manager runs only for that time. Raises ``CredentialsError`` or
        ``ProcessError``.
        """
        maker = ServiceAccountMaker(self.url, self.certificates)
        try:
            maker.create(cluster_role)
            with ExitStack() as running:
                manager = self._start_controller_manager()
                running.callback(manager.stop)
                credentials = _wait_for_token(maker, manager, cluster_role)
        finally:
            maker.close()
        if credentials.ca_crt != self.certificates.ca.read_text():
            raise CredentialsError("the Secret's ca.crt is not the CA of this apiserver")
        self._write_kubeconfig(self.kubeconfig, {"token": credentials.token})
        return credentials

    @property
    def kubeconfig(self) -> Path:
        """The ServiceAccount's kubeconfig, once there are credentials."""
        return self.directory / "kubeconfig"

    def _start_controller_manager(self) -> ChildProcess:
        files = self.certificates
        admin = {"client-certificate": str(files.admin_cert), "client-key": str(files.admin_key)}
        config = self.directory / "controller-manager.kubeconfig"
        self._write_kubeconfig(config, admin)
        controllers = (
            "serviceaccount-token-controller",
            "root-ca-certificate-publisher-controller",
            "serviceaccount-controller",
            "clusterrole-aggregation-controller",
        )
        argv = [
            str(self._plan.binaries.kube_controller_manager),
            f"--kubeconfig={config}",
            f"--controllers={','.join(controllers)}",
            "--leader-elect=false",
            f"--root-ca-file={files.ca}",
            f"--service-account-private-key-file={files.service_account_key}",
            "--secure-port=0",
        ]
        log = self.directory / "kube-controller-manager.log"
        return ChildProcess("kube-controller-manager", argv, log=log)

    def _write_kubeconfig(self, path: Path, user: Mapping[str, str]) -> None:
        kubeconfig.write(path, url=self.url, ca=self.certificates.ca, user=user)


def _wait_for_token(
    maker: ServiceAccountMaker, manager: ChildProcess, cluster_role: str
) -> Credentials:
    found: list[Credentials] = []

    def filled() -> bool:
        found.extend(filter(None, [maker.read()]))
        return bool(found) and maker.has_rules(cluster_role)

    what = f"it fills the Secret's token and the rules of the ClusterRole {cluster_role}"
    manager.wait_until(filled, what=what, timeout=_TOKEN_TIMEOUT)
    return found[0]
