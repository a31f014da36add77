"""The fixtures."""

from __future__ import annotations

import warnings
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.controlplane.reaping import reap
from pytest_kdelve.errors import DelveConnectionError, KdelveError, TargetExitedError
from pytest_kdelve.hits.requests import RequestLog
from pytest_kdelve.plugin import header, http, markers, modes, selecting, signals
from pytest_kdelve.plugin.debugged import Debugged
from pytest_kdelve.plugin.expecting import Expecting
from pytest_kdelve.plugin.handle import Kdelve
from pytest_kdelve.plugin.pausing import PAUSES, Pauses
from pytest_kdelve.plugin.remembered import Remembered
from pytest_kdelve.plugin.state import EXPECTATIONS, EXPECTING, HOOKS, REQUESTS, SETTINGS, STARTUP
from pytest_kdelve.report.redact import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from kubernetes import client as kubernetes_client

    from pytest_kdelve.controlplane.credentials import Credentials
    from pytest_kdelve.controlplane.environment import Mode

#: Seconds, once a test is over, for the answers to what it has sent in the background.
_LAST_ANSWER = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Apiserver:
    """The debugged server, as tests see it.

    ``argv`` is its command line, ``mode`` how it came to be debugged; ``log_tail(n)`` returns the
    last ``n`` lines of its log.
    """

    url: str
    version: str
    ca_file: Path
    kubeconfig: Path
    argv: tuple[str, ...]
    pid: int
    mode: Mode
    log_tail: Callable[[int], str]


@pytest.fixture(scope="session")
def kdelve_apiserver_args() -> Sequence[str]:
    """Override it to give the kube-apiserver more arguments."""
    return ()


@pytest.fixture(scope="session")
def kdelve_environment() -> Mapping[str, str]:
    """Override it to give the kube-apiserver more environment variables."""
    return {}


@pytest.fixture(scope="session")
def kdelve_cluster_role() -> str:
    """Override it to bind the tests' ServiceAccount to another ClusterRole."""
    return "cluster-admin"


@pytest.fixture(scope="session")
def _kdelve_debugged(
    request: pytest.FixtureRequest,
    pytestconfig: pytest.Config,
    kdelve_apiserver_args: Sequence[str],
    kdelve_environment: Mapping[str, str],
    kdelve_cluster_role: str,
) -> Iterator[Debugged]:
    with signals.as_interrupts():
        with pytestconfig.stash[HOOKS].uncounted(), _readable_errors():
            _reap()
            wanted = modes.wanted(
                pytestconfig,
                args=kdelve_apiserver_args,
                variables=kdelve_environment,
                cluster_role=kdelve_cluster_role,
            )
            environment = modes.environment(pytestconfig, wanted)
            startup = pytestconfig.stash[STARTUP]
            debugged = Debugged(environment, cluster_role=kdelve_cluster_role, startup=startup)
            debugged.start()
        header.note(pytestconfig, debugged)
        yield debugged
        try:
            with _readable_errors(debugged):
                if _is_to_stay(request.session):
                    header.note_kept(pytestconfig, debugged.keep(wanted))
        finally:
            with _readable_errors():
                debugged.stop()
                header.note_left(pytestconfig, debugged.left)


def _is_to_stay(session: pytest.Session) -> bool:
    settings = session.config.stash[SETTINGS]
    has_failed = settings.keep == "on-failure" and session.testsfailed > 0
    return settings.mode == "started" and (settings.keep == "always" or has_failed)


def _reap() -> None:
    for problem in reap():
        text = f"something is left of an earlier run, and could not be undone: {problem}"
        warnings.warn(pytest.PytestWarning(text), stacklevel=1)


@pytest.fixture(scope="session")
def apiserver(_kdelve_debugged: Debugged) -> Apiserver:
    """Return the kube-apiserver under Delve."""
    return Apiserver(
        url=_kdelve_debugged.url,
        version=_kdelve_debugged.version,
        ca_file=_kdelve_debugged.credentials.ca_file,
        kubeconfig=_kdelve_debugged.kubeconfig,
        argv=_kdelve_debugged.argv,
        pid=_kdelve_debugged.pid,
        mode=_kdelve_debugged.mode,
        log_tail=_kdelve_debugged.log_tail,
    )


@pytest.fixture(scope="session")
def credentials(_kdelve_debugged: Debugged) -> Credentials:
    """Return the ServiceAccount's token and CA."""
    return _kdelve_debugged.credentials


@pytest.fixture
def _kdelve_requests(request: pytest.FixtureRequest, _kdelve_debugged: Debugged) -> RequestLog:
    with _readable_errors(_kdelve_debugged):
        _kdelve_debugged.recorder.check()
    request.node.stash[REQUESTS] = log = RequestLog()
    return log


@pytest.fixture
def _kdelve_pauses(request: pytest.FixtureRequest, _kdelve_debugged: Debugged) -> Iterator[Pauses]:
    """Own the test's pauses, so that no way out of it leaves the apiserver standing."""
    if "_kdelve_namespace" in request.fixturenames:
        # It is removed by requests, so after the pauses have ended.
        request.getfixturevalue("_kdelve_namespace")
    debugged = _kdelve_debugged
    pauses = Pauses(request.node, debugged.clock, dlv_connect=debugged.dlv_connect)
    request.node.stash[PAUSES] = pauses
    yield pauses
    if forgotten := pauses.close():
        raise pytest.fail.Exception(forgotten, pytrace=False)


@pytest.fixture
def api(
    _kdelve_debugged: Debugged, _kdelve_requests: RequestLog, _kdelve_pauses: Pauses
) -> Iterator[http.ApiSession]:
    """Return a requests session for the apiserver, whose requests are this test's."""
    debugged = _kdelve_debugged
    session = http.ApiSession(debugged.url, debugged.credentials, _kdelve_requests, debugged.clock)
    with session:
        yield session
        # A fixture may have left the server standing, so that no answer could come.
        _kdelve_pauses.end()
        if unseen := session.background.close(_LAST_ANSWER):
            text = redact("\n  ".join(["what nobody asked for in api.background:", *unseen]))
            warnings.warn(pytest.PytestWarning(text), stacklevel=1)


@pytest.fixture
def kube_client(
    _kdelve_debugged: Debugged, _kdelve_requests: RequestLog, _kdelve_pauses: Pauses
) -> Iterator[kubernetes_client.ApiClient]:
    """Return a client of the kubernetes package, whose requests are this test's."""
    debugged = _kdelve_debugged
    with http.kube_client(
        debugged.url, debugged.credentials, _kdelve_requests, debugged.clock
    ) as client:
        yield client
        # Its end waits for the answers to what it sends in threads of its own.
        _kdelve_pauses.end()


@pytest.fixture
def _kdelve_namespace(_kdelve_debugged: Debugged) -> Iterator[str]:
    with _readable_errors(_kdelve_debugged):
        _kdelve_debugged.recorder.check()
        with _kdelve_debugged.namespaces() as namespaces:
            name = namespaces.create()
    yield name
    with suppress(TargetExitedError, DelveConnectionError):  # It is gone with its apiserver.
        _kdelve_debugged.recorder.settle()
        with _readable_errors(), _kdelve_debugged.namespaces() as namespaces:
            namespaces.remove(name)


@pytest.fixture
def namespace(_kdelve_namespace: str) -> str:
    """Return the name of a fresh namespace, which is removed with all that is in it.

    It is made before the test's breakpoints are set, and removed after them.
    """
    return _kdelve_namespace


@pytest.fixture
def kdelve(
    request: pytest.FixtureRequest,
    _kdelve_debugged: Debugged,
    _kdelve_requests: RequestLog,
    _kdelve_pauses: Pauses,
) -> Iterator[Kdelve]:
    """Return the debugger."""
    expecting: Expecting | None = request.node.stash.get(EXPECTING, None)
    debugger = Kdelve(_kdelve_debugged, _kdelve_requests, _kdelve_pauses, expecting)
    yield debugger
    # What it set is gone with a target that is gone, which was said.
    with _readable_errors(_kdelve_debugged), suppress(TargetExitedError, DelveConnectionError):
        debugger.close()


@pytest.fixture(autouse=True)
def _kdelve_expectations(request: pytest.FixtureRequest) -> Iterator[None]:
    """Set the breakpoints of a test's markers before its own fixtures make requests."""
    node = request.node
    expectations = list(node.stash.get(EXPECTATIONS, ()))
    with _readable_errors():
        # Somebody's hook may have added markers after collection.
        expectations += [e for e in markers.expectations(node) if e not in expectations]
        selections = list(selecting.selections(node))
    if selections and selecting.known_version(request.config) is None:
        version = request.getfixturevalue("_kdelve_debugged").version
        for selection in selections:
            if refusal := selection.refusal(version):
                raise pytest.skip.Exception(refusal)
    if not expectations:
        yield
        return
    debugged: Debugged = request.getfixturevalue("_kdelve_debugged")
    log: RequestLog = request.getfixturevalue("_kdelve_requests")
    timeout = request.config.stash[SETTINGS].timeout
    with _readable_errors(debugged):
        resolve, version = debugged.recorder.resolve, debugged.version
        remembered = Remembered(request.config, resolve, version)
        expecting = Expecting(debugged, expectations, log, timeout=timeout, remembered=remembered)
        if "_kdelve_namespace" in request.fixturenames:
            request.getfixturevalue("_kdelve_namespace")
        expecting.start()
    node.stash[EXPECTING] = expecting
    yield
    del node.stash[EXPECTING]  # The test may run once more.
    with _readable_errors(debugged):
        expecting.stop()


@contextmanager
def _readable_errors(debugged: Debugged | None = None) -> Iterator[None]:
    """Turn our errors into failures without a traceback: their text is all a user needs."""
    try:
        yield
    except KdelveError as error:
        text = redact(str(debugged.explain(error) if debugged else error))
        raise pytest.fail.Exception(text, pytrace=False) from None
