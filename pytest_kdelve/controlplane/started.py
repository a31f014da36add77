"""A control plane of our own: etcd, and a kube-apiserver under Delve."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_kdelve.controlplane import apiserver, certificates, etcd, kubeconfig, ports
from pytest_kdelve.controlplane.access import Access
from pytest_kdelve.controlplane.credentials import Credentials, ServiceAccountMaker
from pytest_kdelve.controlplane.environment import Environment
from pytest_kdelve.delve import Address, Headless, Server, Target, exec_
from pytest_kdelve.errors import CredentialsError
from pytest_kdelve.process import ChildProcess

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_kdelve.controlplane.build import Binaries
    from pytest_kdelve.delve import Client

_TOKEN_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to start. ``locks`` is a folder that all processes of this user share."""

    binaries: Binaries
    locks: Path
    listen: Address = field(default_factory=Address)
    extra_args: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class ControlPlane(Environment):
    """A running control plane in a temporary folder of its own."""

    mode = "started"

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._plan = plan
        self.dlv = plan.binaries.dlv
        self.notes = plan.notes
        self._certificates: certificates.Certificates
        self._server: Server

    def _start(self) -> None:
        plan, resources = self._plan, self._resources
        self._begin()
        self._certificates = certificates.create(self.directory)
        client, peer, secure = resources.enter_context(ports.reserve(3, locks=plan.locks))
        self._store = etcd.start(
            plan.binaries.etcd,
            self._certificates,
            data=self.directory / "etcd",
            log=self.directory / "etcd.log",
            client_port=client,
            peer_port=peer,
            env=self._variables,
        )
        resources.callback(self._store.stop)
        self.access = Access.by_certificate(f"https://127.0.0.1:{secure}", self._certificates)
        self.log = self.directory / "kube-apiserver.log"
        arguments = apiserver.arguments(
            self._certificates,
            etcd_servers=f"https://127.0.0.1:{client}",
            port=secure,
            extra=plan.extra_args,
        )
        self.argv = (str(plan.binaries.kube_apiserver), *arguments)
        headless = Headless(
            dlv=plan.binaries.dlv,
            log=self.directory / "dlv.log",
            listen=plan.listen,
            env=apiserver.environment(
                {**self._variables, **plan.environment, **self._guardian.environment}
            ),
        )
        target = Target(args=arguments, stdout=self.log.with_suffix(".out"), stderr=self.log)
        self._server = exec_(headless, plan.binaries.kube_apiserver, target=target)
        resources.callback(self._server.stop)
        self.address, self.pid = self._server.address, self._server.target_pid

    def release(self) -> None:
        """Leave all of it as it is, also at ``stop``; ``undo_all`` of its journal ends it."""
        self._resources.pop_all()
        self._resources.callback(self._let_run)
        self._guardian.release()
        self._guardian.stop()

    @property
    def run(self) -> str:
        """The run's id, which is that of its journal."""
        return self._guardian.run

    @property
    def processes(self) -> Mapping[str, int]:
        """The process ids by name."""
        dlv = self._server.process.pid
        return {"etcd": self._store.pid, "dlv": dlv, "kube-apiserver": self.pid}

    def connect(self) -> Client:
        """Open one more connection to Delve."""
        return self._server.connect()

    def make_credentials(self, cluster_role: str) -> Credentials:
        """Create the ServiceAccount and have the token controller fill its Secret.

        The controller-manager runs only for that time.
        """
        with ServiceAccountMaker(self.access) as maker, ExitStack() as running:
            maker.create(cluster_role)
            manager = self._start_controller_manager()
            running.callback(manager.stop)
            credentials = _wait_for_token(maker, manager, cluster_role)
        if credentials.ca_crt != self._certificates.ca.read_text():
            raise CredentialsError("the Secret's ca.crt is not the CA of this apiserver")
        self.write_kubeconfig(credentials)
        return credentials

    def _start_controller_manager(self) -> ChildProcess:
        files = self._certificates
        admin = {"client-certificate": str(files.admin_cert), "client-key": str(files.admin_key)}
        config = self.directory / "controller-manager.kubeconfig"
        kubeconfig.write(config, url=self.url, ca=files.ca, user=admin)
        controllers = (
            "serviceaccount-token",
            "root-ca-cert-publisher",
            "serviceaccount",
            "clusterrole-aggregation",
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
        return ChildProcess("kube-controller-manager", argv, log=log, env=self._variables)


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
