"""The session's apiserver: a control plane and the recorder of its hits."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.controlplane import apiserver, foreign, kept
from pytest_kdelve.controlplane.lifecycle import Lifecycle
from pytest_kdelve.controlplane.namespaces import Namespaces
from pytest_kdelve.controlplane.started import ControlPlane
from pytest_kdelve.delve.versions import go_number, numbers
from pytest_kdelve.errors import KdelveError, LocationError, TargetExitedError, UsageError
from pytest_kdelve.hits.bodies import Bodies
from pytest_kdelve.hits.breakpoints import Subscription
from pytest_kdelve.hits.clock import Clock
from pytest_kdelve.hits.collected import Collected
from pytest_kdelve.hits.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_kdelve.controlplane.credentials import Credentials
    from pytest_kdelve.controlplane.environment import Environment, Mode
    from pytest_kdelve.controlplane.kept import Kept, Wanted
    from pytest_kdelve.delve import Address
    from pytest_kdelve.delve.inspection import Inspection
    from pytest_kdelve.delve.locations import Place
    from pytest_kdelve.hits.expectations import Expectation


@dataclass(frozen=True, slots=True)
class Watched:
    """An expectation, the place that it means in this binary, and what was collected there."""

    expectation: Expectation
    place: Place
    collected: Collected


class Debugged(Lifecycle):
    """A kube-apiserver that runs under Delve, ready for requests, with credentials.

    ``version`` is the one of Kubernetes, such as "v1.37.2"; ``go_version`` is of the Go that built
    it, "1.26.8", and ``delve_version`` is "1.27.2". ``binary_notes`` say what it was built from,
    and what that means, where that was not done here.
    """

    def __init__(
        self, environment: Environment, *, cluster_role: str, startup: Sequence[Expectation]
    ) -> None:
        super().__init__()
        self._environment = environment
        self._cluster_role = cluster_role
        self._startup: dict[int, Watched | LocationError] = {}
        self._startup_expectations = tuple(startup)
        self.clock = Clock()
        self.recorder: Recorder
        self.bodies = Bodies(lambda: self.recorder.client)
        self.credentials: Credentials
        self.version = ""
        self.go_version = ""
        self.delve_version = ""
        self.binary_notes: tuple[str, ...] = ()

    def _start(self) -> None:
        environment = self._environment
        environment.start()
        self._resources.callback(environment.stop)
        self.recorder = Recorder(environment.connect)
        self._resources.callback(self.recorder.close)
        inspection = self._inspect()
        environment.check_access()
        versions = self.recorder.client.get_version()
        self.go_version = go_number(versions.target_go_version)
        self.delve_version = ".".join(map(str, numbers(versions.delve_version)))
        with self.recorder.recording(self._watch_startup()):
            self.recorder.start()
            environment.wait_ready(self.recorder.check)
        if inspection and not inspection.build.package:
            # Of one that can be loaded anywhere (-buildmode=pie), it is known once it runs.
            inspection = self._inspect()
        if inspection:
            self.binary_notes = foreign.notes(inspection, self._program)
        self.version = environment.version()
        self.credentials = environment.make_credentials(self._cluster_role)

    @property
    def _program(self) -> str:
        return self.argv[0] if self.argv else f"the program of dlv at {self.address}"

    def _inspect(self) -> Inspection | None:
        """Look at a binary from elsewhere; raises ``BinaryError`` for what nobody can debug."""
        if self.argv and not foreign.is_foreign(self.argv[0]):
            return None
        return apiserver.inspect(self.recorder.client, self._program)

    def _watch_startup(self) -> list[Subscription]:
        subscriptions: list[Subscription] = []
        if self._environment.is_running_before:
            return subscriptions
        for expectation in self._startup_expectations:
            try:
                watched = self.watch(expectation)
            except LocationError as error:
                self._startup[id(expectation)] = error
                continue
            self._startup[id(expectation)] = watched
            subscriptions.append(subscription(watched, owner=""))
        return subscriptions

    def startup(self, expectation: Expectation) -> Watched:
        """Return what start-up code hit for an expectation that was known before the start.

        Raises ``LocationError`` if its location has no meaning here, and ``UsageError`` if it was
        not known. Where start-up was over before, the test is skipped.
        """
        if self._environment.is_running_before:
            reason = f"during='startup': the kube-apiserver ran before (mode {self.mode})"
            raise pytest.skip.Exception(f"{expectation.location}: {reason}")
        watched = self._startup.get(id(expectation))
        if watched is None:
            raise UsageError(
                f"{expectation.location}: a marker with during='startup' was added after "
                "collection, when start-up code was no longer watched"
            )
        if isinstance(watched, LocationError):
            raise watched
        return watched

    def watch(self, expectation: Expectation) -> Watched:
        """Resolve an expectation's location; nothing is recorded yet."""
        by_anyone = expectation.by == "anyone" or expectation.during == "startup"
        place = self.recorder.resolve(expectation.location)
        return Watched(expectation, place, Collected(by_anyone=by_anyone))

    def keep(self, wanted: Wanted) -> Kept:
        """Let the apiserver stay when this is stopped, for an IDE and others; how to reach it."""
        environment = self._environment
        assert isinstance(environment, ControlPlane)  # noqa: S101 - the options see to it
        [main_source] = self.recorder.client.list_sources(kept.MAIN_SOURCE)
        return kept.keep(
            f"kept-{environment.run[:6]}",
            wanted,
            environment,
            obtained=self.credentials.obtained,
            main_source=main_source,
        )

    def explain(self, error: KdelveError) -> KdelveError:
        """Return a better error where the apiserver's own log has more to say."""
        if isinstance(error, TargetExitedError):
            return self._environment.explain_exit(error)
        return error

    @contextmanager
    def namespaces(self) -> Iterator[Namespaces]:
        """Lend what makes and removes namespaces, as the administrator."""
        with self._environment.access.session() as admin:
            yield Namespaces(self.url, admin)

    @property
    def mode(self) -> Mode:
        """How the apiserver came to be debugged."""
        return self._environment.mode

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know at the end."""
        return self._environment.notes

    @property
    def url(self) -> str:
        """``https://HOST:PORT``."""
        return self._environment.url

    @property
    def dlv_connect(self) -> str:
        """The command by which others get at its Delve."""
        return f"{self._environment.dlv} connect {self.address}"

    @property
    def left(self) -> str:
        """What is there when this is stopped, ready to print."""
        return self._environment.left

    @property
    def address(self) -> Address:
        """Where Delve listens."""
        return self._environment.address

    @property
    def argv(self) -> tuple[str, ...]:
        """The kube-apiserver's command line."""
        return self._environment.argv

    @property
    def pid(self) -> int:
        """The kube-apiserver's process id."""
        return self._environment.pid

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig with the ServiceAccount's token."""
        return self._environment.kubeconfig

    def log_tail(self, lines: int) -> str:
        """Return the last lines of the kube-apiserver's log."""
        return self._environment.log_tail(lines)


def subscription(watched: Watched, *, owner: str) -> Subscription:
    """Return what the recorder needs to collect an expectation's hits."""
    expectation = watched.expectation
    return Subscription(
        place=watched.place,
        expressions=expectation.expressions,
        load_frame=False,
        owner=owner,
        by_anyone=expectation.by == "anyone" or expectation.during == "startup",
        sink=watched.collected.add,
        coverage=watched.collected.coverage,
    )
