"""A target that runs, and is stopped only for moments: the continue loop."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from pytest_kdelve.errors import (
    DelveConnectionError,
    DelveError,
    DelveTimeoutError,
    TargetExitedError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_kdelve.delve import api
    from pytest_kdelve.delve.client import Client

T = TypeVar("T")

#: Seconds for a piece of work on the stopped target, the wait for the stop included.
DEFAULT_TIMEOUT = 60.0
#: Seconds between two halts; the first one is lost if it reaches Delve just before the resume.
_HALT_INTERVAL = 0.2


class _Job(Generic[T]):
    def __init__(self, work: Callable[[Client], T]) -> None:
        self._work = work
        self._result: list[T] = []
        self._error: BaseException | None = None
        self.done = threading.Event()

    def run(self, client: Client) -> None:
        try:
            self._result.append(self._work(client))
        except BaseException as error:  # noqa: BLE001 - it is raised again for the one who asked
            self._error = error
        self.done.set()

    def fail(self, error: BaseException) -> None:
        self._error = error
        self.done.set()

    def result(self) -> T:
        if self._error is not None:
            raise self._error
        return self._result[0]


class Session:
    """Keeps a target running from a thread of its own.

    Only that thread uses the first connection, so no call that needs a stopped target can be
    sent while it runs, which would wedge the connection on Delve's side. A second connection
    carries nothing but halts. The target stands still until ``start``.

    ``on_stop`` is called in that thread with every state in which the target stopped, whatever
    the reason, and returns before the target is resumed.
    """

    def __init__(
        self,
        connect: Callable[[], Client],
        on_stop: Callable[[Client, api.DebuggerState], None],
    ) -> None:
        self._client = connect()
        self._halter = connect()
        self._on_stop = on_stop
        self._jobs: queue.SimpleQueue[_Job[Any]] = queue.SimpleQueue()
        self._resumed = threading.Event()
        self._lock = threading.Lock()
        self._ended: DelveError | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="kdelve-continue", daemon=True)

    def start(self) -> None:
        """Resume the target, and keep it running until it exits or ``close`` is called."""
        self._thread.start()

    def close(self) -> None:
        """End the loop and both connections; the target stays as it is at that moment."""
        self._closing = True
        self._client.close()
        self._halter.close()
        if self._thread.is_alive():
            self._thread.join(DEFAULT_TIMEOUT)

    def call(self, work: Callable[[Client], T], *, timeout: float = DEFAULT_TIMEOUT) -> T:
        """Run ``work`` while the target stands still, and return what it returns.

        Raises what ``work`` raises, ``DelveTimeoutError`` when the target did not stop within
        ``timeout`` seconds, and the reason why the session ended if it has.
        """
        job = _Job(work)
        with self._lock:
            self.check()
            self._jobs.put(job)
        if not self._thread.is_alive() and self._ended is None:
            self._serve_jobs()
        self._wait(job, time.monotonic() + timeout)
        return job.result()

    def check(self) -> None:
        """Raise the reason why the loop is over, if it is."""
        if self._ended is not None:
            raise self._ended

    @property
    def client(self) -> Client:
        """The client for use from any thread: each call halts the target and resumes it after.

        What would take the target away from the loop (``command``, ``continue_``, ``halt``,
        ``detach``, ``close``) raises ``DelveError``.
        """
        # It has the client's methods because it forwards to them.
        return cast("Client", _StoppingClient(self))

    def _wait(self, job: _Job[T], deadline: float) -> None:
        while not job.done.is_set():
            if self._resumed.is_set():
                # The reply comes only after other calls on the stopped target, so it may be late.
                # Whatever it says, the job tells whether the target stopped.
                with contextlib.suppress(DelveError):
                    self._halter.command("halt", timeout=_HALT_INTERVAL)
            if not job.done.wait(_HALT_INTERVAL) and time.monotonic() > deadline:
                raise DelveTimeoutError(
                    f"the target at {self._client.address} did not stop in time; is Delve alive, "
                    "or does another client hold it?"
                )

    def _run(self) -> None:
        try:
            while not self._closing:
                self._serve_jobs()
                self._on_stop(self._client, self._resume())
            self._end(DelveConnectionError(f"the session with {self._client.address} was closed"))
        except DelveError as error:
            self._end(error)
        except Exception as error:  # noqa: BLE001 - a thread has nobody above it; see _end
            self._end(DelveError(f"reading a stop failed: {error!r}"), cause=error)

    def _resume(self) -> api.DebuggerState:
        self._resumed.set()
        try:
            state = self._client.continue_()
        finally:
            self._resumed.clear()
        if state.exited:
            message = f"the debugged process {state.pid} exited with status {state.exit_status}"
            raise TargetExitedError(message, status=state.exit_status)
        return state

    def _serve_jobs(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._jobs.get_nowait().run(self._client)

    def _end(self, error: DelveError, *, cause: BaseException | None = None) -> None:
        """Give the reason to everybody who waits now and to everybody who asks later."""
        error.__cause__ = cause
        with self._lock:
            self._ended = error
        with contextlib.suppress(queue.Empty):
            while True:
                self._jobs.get_nowait().fail(error)


class _StoppingClient:
    """Forwards each method of ``Client`` to ``Session.call``."""

    _REFUSED = frozenset({"command", "continue_", "halt", "detach", "close", "__enter__"})

    def __init__(self, session: Session) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Callable[..., object]:
        if name in self._REFUSED:
            raise DelveError(f"{name} is not for use here: the session keeps the target running")

        def forward(*args: object, **kwargs: object) -> object:
            return self._session.call(lambda client: getattr(client, name)(*args, **kwargs))

        return forward
