"""A kube-apiserver under Delve, in whatever way it came to be debugged."""

from __future__ import annotations

import os
import tempfile
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import requests

from pytest_kdelve.controlplane import kubeconfig
from pytest_kdelve.controlplane.guardian import Guardian
from pytest_kdelve.controlplane.journal import ClearBreakpoints, KillMarked, RemoveFolder
from pytest_kdelve.controlplane.lifecycle import Lifecycle
from pytest_kdelve.controlplane.undo import kill_marked, remove_folder
from pytest_kdelve.delve import Session, api, own
from pytest_kdelve.delve.stops import Stop
from pytest_kdelve.errors import (
    DelveError,
    ProcessExitedError,
    ProcessTimeoutError,
    TargetExitedError,
)
from pytest_kdelve.process import ending, explain, poll, tail

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_kdelve.controlplane.access import Access
    from pytest_kdelve.controlplane.credentials import Credentials
    from pytest_kdelve.delve import Address, Client

Mode = Literal["started", "takeover", "attach", "connect", "reuse"]
_READY_TIMEOUT = 120.0


class Environment(Lifecycle):
    """A kube-apiserver under Delve, and a folder for what is kept of it meanwhile.

    After ``start`` the apiserver stands still: at its first instruction, so that breakpoints in
    its start-up code can be set, or, with ``is_running_before``, where it was. It is for the caller
    to continue it, and then to ``wait_ready``. ``argv`` is its command line, and ``log`` the file
    that it writes its log to; either is empty where that is not known, as ``pid`` is 0. ``notes``
    are what its user should know at the end. ``dlv`` is Delve's executable, or the mere name.
    """

    mode: Mode
    is_running_before = False

    def __init__(self) -> None:
        super().__init__()
        self._guardian = Guardian()
        self.argv: tuple[str, ...] = ()
        self.log: Path | None = None
        self.pid = 0
        self.notes: tuple[str, ...] = ()
        self.dlv = Path("dlv")
        self.address: Address
        self.access: Access
        self.directory: Path

    def _begin(self) -> None:
        """Make the folder, and have a guardian for it and for all processes that are started."""
        guardian, resources = self._guardian, self._resources
        guardian.start()
        resources.callback(guardian.stop)
        self.directory = Path(tempfile.gettempdir(), f"kdelve-{guardian.run}")
        resources.enter_context(guardian.undoing(RemoveFolder(str(self.directory))))
        resources.callback(remove_folder, self.directory)
        self.directory.mkdir(mode=0o700)
        resources.enter_context(guardian.undoing(KillMarked()))
        resources.callback(kill_marked, guardian.run)

    @property
    def _variables(self) -> Mapping[str, str]:
        """The environment for what is started: that of this process, with the run's mark."""
        return {**os.environ, **self._guardian.environment}

    def _let_run(self) -> bool:
        """Resume it where it stands: recording has ended, or did not begin; whether it runs now.

        Where it is gone, or its Delve is, there is nothing to resume.
        """
        try:
            with self.connect() as client:
                if not client.state(non_blocking=True).running:
                    client.send_command(api.CommandName.CONTINUE)
        except DelveError:
            return False
        return True

    def check_access(self) -> None:
        """Raise ``UsageError`` where ``access`` leads elsewhere; for the time when it stands."""

    @property
    def left(self) -> str:
        """What is there after ``stop``, ready to print; empty where nothing is."""
        return ""

    @abstractmethod
    def connect(self) -> Client:
        """Open one more connection to Delve."""

    @abstractmethod
    def make_credentials(self, cluster_role: str) -> Credentials:
        """Create a ServiceAccount with this ClusterRole, and return its credentials.

        Raises ``CredentialsError`` or ``ProcessError``.
        """

    @property
    def url(self) -> str:
        """The apiserver's URL, such as ``https://127.0.0.1:6443``."""
        return self.access.url

    @property
    def kubeconfig(self) -> Path:
        """The ServiceAccount's kubeconfig, once there are credentials."""
        return self.directory / "kubeconfig"

    def write_kubeconfig(self, credentials: Credentials) -> None:
        """Write the ServiceAccount's kubeconfig."""
        user = {"token": credentials.token}
        kubeconfig.write(self.kubeconfig, url=self.url, ca=credentials.ca_file, user=user)

    def log_tail(self, lines: int) -> str:
        """Return the last lines that the kube-apiserver wrote; empty where its log is not known."""
        return tail(self.log, lines) if self.log else ""

    def explain_exit(self, error: TargetExitedError) -> ProcessExitedError:
        """Return the error that says how the kube-apiserver ended."""
        message = f"kube-apiserver ended {ending(error.status)}"
        return ProcessExitedError(
            explain(message, argv=self.argv, log=self.log), returncode=error.status
        )

    def wait_ready(self, check_running: Callable[[], None]) -> None:
        """Wait until ``/readyz`` answers 200.

        ``check_running`` raises ``TargetExitedError`` when the target is gone, which becomes a
        ``ProcessExitedError`` with argv and log; ``ProcessTimeoutError`` has them, too.
        """
        url = f"{self.url}/readyz"
        problem = ""
        with self.access.session() as session:

            def ready() -> bool:
                nonlocal problem
                check_running()
                problem = _problem(session, url)
                return not problem

            try:
                is_ready = poll(ready, timeout=_READY_TIMEOUT)
            except TargetExitedError as error:
                raise self.explain_exit(error) from error
        if not is_ready:
            message = f"kube-apiserver did not answer GET {url} with 200 in {_READY_TIMEOUT:g} s"
            message = f"{message}; at last: {problem}"
            raise ProcessTimeoutError(explain(message, argv=self.argv, log=self.log))

    def version(self) -> str:
        """Return the Kubernetes version that the apiserver gives, such as ``v1.37.2``."""
        with self.access.session() as session:
            answer = session.get(f"{self.url}/version", timeout=30)
        return str(answer.json()["gitVersion"])


class RunningBefore(Environment):
    """A kube-apiserver that runs already, so that its start-up code cannot be watched."""

    is_running_before = True

    def _halt(self) -> int:
        """Have it stand still until the caller continues it, or until the end; return its pid.

        If this process is gone before, the guardian lets it go on, without our breakpoints.
        """
        leave = ClearBreakpoints(host=self.address.host, port=self.address.port)
        self._resources.enter_context(self._guardian.undoing(leave))
        self._resources.callback(self._let_run)
        session = Session(self.connect())
        try:
            if not isinstance(session.status, Stop):
                session.halt()
            # Of an earlier run that was killed.
            own.clear(session.client)
            return session.client.process_pid()
        finally:
            session.close()


def answers_ok(session: requests.Session, url: str) -> bool:
    """Whether a GET is answered with 200 within two seconds."""
    return not _problem(session, url)


def _problem(session: requests.Session, url: str) -> str:
    """Return in words why a GET is not answered with 200; empty where it is."""
    try:
        answer = session.get(url, timeout=2)
    except requests.RequestException as error:
        return str(error)
    is_ok = answer.status_code == requests.codes.ok
    return "" if is_ok else f"{answer.status_code} {answer.reason}"
