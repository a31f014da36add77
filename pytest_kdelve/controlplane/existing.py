"""A kube-apiserver that runs already, and goes on when the tests are over."""

from __future__ import annotations

import secrets
from abc import abstractmethod
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import requests

from pytest_kdelve.controlplane import accounts, refusals, running
from pytest_kdelve.controlplane.access import Access
from pytest_kdelve.controlplane.credentials import DEFAULT_NAME, ServiceAccountMaker
from pytest_kdelve.controlplane.environment import RunningBefore
from pytest_kdelve.controlplane.journal import Detach, RemoveObjects
from pytest_kdelve.controlplane.listening import listeners_at
from pytest_kdelve.delve import Headless, attach, connect
from pytest_kdelve.errors import DelveConnectionError, UsageError
from pytest_kdelve.process import poll

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kdelve.controlplane.credentials import Credentials
    from pytest_kdelve.delve import Address, Client

#: Seconds for the cluster's token controller; where there is one, it takes less than two.
_TOKEN_TIMEOUT = 5.0
#: Seconds in which an apiserver answers that does not stand still.
_ANSWER_TIMEOUT = 2.0
#: The same for one that has much to do.
_TIMEOUT = 10.0
_REMEDY = "name an administrator's kubeconfig of the debugged one by --kdelve-kubeconfig"


class Existing(RunningBefore):
    """A kube-apiserver that was not started here, with its administrator's kubeconfig.

    ``kubeconfig`` is as in KUBECONFIG. The ServiceAccount of the tests is removed at the end.
    """

    def __init__(self, kubeconfig: str) -> None:
        super().__init__()
        self._given_kubeconfig = kubeconfig
        self._name = f"{DEFAULT_NAME}-{secrets.token_hex(4)}"
        self._account = RemoveObjects(kubeconfig=kubeconfig, name=self._name)
        self._has_account = False

    def _start(self) -> None:
        self._begin()
        self.access = Access.by_kubeconfig(self._given_kubeconfig, files=self.directory)
        # What comes after it is undone before it, so that the apiserver runs then.
        self._guardian.entrust(self._account)
        self._resources.callback(self._forget_account)
        self._debug()
        if self.pid:
            self.argv, self.log = _command_line(self.pid), _log(self.pid)

    @abstractmethod
    def _debug(self) -> None:
        """Reach the apiserver by Delve; sets ``address`` and ``pid``."""

    def _headless(self, listen: Address) -> Headless:
        """Return how a dlv of ours is started."""
        log = self.directory / "dlv.log"
        return Headless(dlv=self.dlv, log=log, listen=listen, env=self._variables)

    def _check_way_in(self) -> None:
        """Raise ``UsageError`` where the kubeconfig leads nowhere, or is refused there.

        For the time when the apiserver runs, before anything is done to it.
        """
        with self.access.session() as session:
            try:
                answer = session.get(f"{self.url}/version", timeout=_TIMEOUT)
            except requests.exceptions.SSLError as error:
                problem = f"does not fit what listens at {self.url}: {error}"
            except requests.RequestException as error:
                problem = f"leads to {self.url}, which does not answer: {error}"
            else:
                if answer.status_code != requests.codes.unauthorized:
                    return
                problem = f"has a user whom {self.url} does not know (401 {answer.reason})"
        raise UsageError(f"the kubeconfig {self._given_kubeconfig} {problem}; {_REMEDY}")

    def check_access(self) -> None:
        """Raise ``UsageError`` where the kubeconfig leads to another apiserver.

        The debugged one stands still, or does not listen yet, so it does not answer.
        """
        with self.access.session() as session:
            try:
                answer = session.get(f"{self.url}/version", timeout=_ANSWER_TIMEOUT)
            except requests.exceptions.SSLError as error:
                said = str(error)
            except requests.RequestException:
                return
            else:
                if answer.status_code >= requests.codes.server_error:  # A load balancer's.
                    return
                said = f"{answer.status_code} {answer.reason}"
        raise UsageError(
            f"the kubeconfig {self._given_kubeconfig} leads to {self.url}, which answers "
            f"({said}) while the kube-apiserver that is debugged stands still: it is another one; "
            f"{_REMEDY}"
        )

    def make_credentials(self, cluster_role: str) -> Credentials:
        """Create a ServiceAccount of a name of its own; where nobody fills its Secret, ask."""
        with ServiceAccountMaker(self.access, name=self._name) as maker:
            self._resources.callback(self._remove_account, maker)
            maker.create(cluster_role)
            found: list[Credentials] = []

            def filled() -> bool:
                found.extend(filter(None, [maker.read()]))
                return bool(found)

            filled_in_time = poll(filled, timeout=_TOKEN_TIMEOUT)
            credentials = found[0] if filled_in_time else maker.request_token()
        self.write_kubeconfig(credentials)
        return credentials

    def _remove_account(self, maker: ServiceAccountMaker) -> None:
        """Remove it if the apiserver runs; else it is for the guardian, who may start it again."""
        # Who may not create it may not remove it, either.
        self._has_account = maker.has_begun
        if self._let_run() and maker.has_begun:
            accounts.remove(self._given_kubeconfig, self._name)
            self._has_account = False

    def _forget_account(self) -> None:
        if not self._has_account:
            self._guardian.forget(self._account)


class Attached(Existing):
    """A kube-apiserver to which Delve is attached for as long as the tests last."""

    mode = "attach"

    def __init__(self, pid: int, *, dlv: Path, listen: Address, kubeconfig: str) -> None:
        super().__init__(kubeconfig)
        self._target = pid
        self.dlv = dlv
        self._listen = listen

    def _debug(self) -> None:
        refusals.check_tracer(self._target, running.tracer(self._target))
        self._check_way_in()
        self._server = attach(self._headless(self._listen), self._target)
        self._resources.callback(self._server.stop)
        self.address, self.pid = self._server.address, self._server.target_pid
        leave = Detach(host=self.address.host, port=self.address.port)
        self._resources.enter_context(self._guardian.undoing(leave))

    def connect(self) -> Client:
        """Open one more connection to Delve."""
        return self._server.connect()


class Connected(Existing):
    """A kube-apiserver under a headless Delve, both of which somebody else has started."""

    mode = "connect"

    def __init__(self, address: Address, *, kubeconfig: str) -> None:
        super().__init__(kubeconfig)
        self.address = address

    def _debug(self) -> None:
        process = _dlv(self.address)
        if process:
            self.dlv = Path(process.exe())
        if process and "--accept-multiclient" not in process.cmdline():
            raise UsageError(
                f"dlv at {self.address} (pid {process.pid}) was started without "
                "--accept-multiclient: it would end with our connection, and its target with it; "
                "start it with that flag"
            )
        with _explained(), self.connect() as client:
            if client.state(non_blocking=True).running:
                self._check_way_in()
        pid = self._halt()
        # On another machine it says nothing to us.
        self.pid = pid if process else 0

    def connect(self) -> Client:
        """Open one more connection to Delve."""
        return connect(self.address)


@contextmanager
def _explained() -> Iterator[None]:
    """Say of what cannot be reached what it has to be."""
    try:
        yield
    except DelveConnectionError as error:
        raise UsageError(
            f"{error}; --kdelve-connect is for a dlv that runs with --headless "
            "--accept-multiclient --api-version=2, and says where it listens"
        ) from error


def _dlv(address: Address) -> psutil.Process | None:
    """Return the dlv that listens there; None where it does not run on this machine.

    Such as behind the end of a tunnel.
    """
    pids = filter(None, listeners_at(address.port) if _is_local(address) else ())
    processes = [psutil.Process(pid) for pid in pids]
    return next((each for each in processes if "--headless" in each.cmdline()), None)


def _is_local(address: Address) -> bool:
    own = {each.address for addresses in psutil.net_if_addrs().values() for each in addresses}
    return address.is_loopback or address.host in own


def _command_line(pid: int) -> tuple[str, ...]:
    # psutil would split at spaces.
    raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    return tuple(each.decode(errors="backslashreplace") for each in raw.split(b"\0")[:-1])


def _log(pid: int) -> Path | None:
    """Return the file to which the process writes its errors, if it is one."""
    path = Path(f"/proc/{pid}/fd/2").resolve()
    return path if path.is_file() else None
