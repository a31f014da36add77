"""A target that runs, and is stopped only for moments or held on purpose: the continue loop."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pytest_kdelve.delve.following import has_moved
from pytest_kdelve.delve.forwarding import forwarding
from pytest_kdelve.delve.giving_way import GivingWay
from pytest_kdelve.delve.session import HALT_INTERVAL, Session
from pytest_kdelve.delve.status import Running
from pytest_kdelve.delve.stepping import STEP_TIMEOUT, Step, move
from pytest_kdelve.delve.stops import Stop, is_same_stop
from pytest_kdelve.errors import DelveConnectionError, DelveError, DelveTimeoutError, StepError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_kdelve.delve import api
    from pytest_kdelve.delve.client import Client
    from pytest_kdelve.delve.following import Follower

T = TypeVar("T")

#: Seconds for a piece of work on the stopped target, the wait for the stop included.
DEFAULT_TIMEOUT = 60.0
#: Seconds until it is looked again whether the target has been resumed, and can be halted.
_RESUME_INTERVAL = 0.005
#: Seconds until it is looked again whether another client has moved a target that stands.
_MOVE_INTERVAL = 0.05
#: Seconds until a target that stood still for a job, but does not, has been resumed by another.
_RESCUE_AFTER = 1.0


class _Job(Generic[T]):
    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._result: list[T] = []
        self._error: BaseException | None = None
        self.done = threading.Event()

    def run(self) -> None:
        if self._error is not None:
            return
        try:
            self._result.append(self._work())
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


class Loop:
    """Keeps a target running from a thread of its own.

    Only that thread calls, so no call that needs a stopped target can be sent while it runs, which
    would wedge the connection on Delve's side. Other threads send nothing but halts, and only
    while it runs. The target stands still until ``start``.

    ``on_stop`` is called in that thread with every state in which the target stopped, whatever
    the reason, and returns before the target is resumed. Its threads have each hit of a
    breakpoint exactly once. After it, the target stands still for as long as somebody holds it.
    A condition that fails (``ConditionError``) ends the loop, with the target stopped, as does any
    other error; ``check`` tells it.

    Where another client of the same Delve stops the target, the loop gives way: it leaves resuming
    to that client until it is gone. It follows meanwhile, so ``on_stop`` gets the hits of what the
    other one resumes, too; who held the target then holds it no more.
    """

    def __init__(
        self,
        connect: Callable[[], Client],
        on_stop: Callable[[Client, api.DebuggerState], None],
    ) -> None:
        self._client = connect()
        self._session = Session(self._client)
        self._on_stop = on_stop
        self._jobs: queue.SimpleQueue[_Job[Any]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._starting = threading.RLock()
        self._halting = threading.Lock()
        self._is_stepping = False
        #: Only the loop's thread changes it.
        self._holders: set[object] = set()
        self._ended: DelveError | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="kdelve-continue", daemon=True)
        self._giving_way = GivingWay(
            self._client,
            self._session,
            connect,
            is_asked=lambda: not self._jobs.empty(),
            look_around=lambda: self.call(lambda _client: self._giving_way.look_around()),
        )

    def start(self) -> None:
        """Resume the target, and keep it running until it exits or ``close`` is called."""
        with self._starting:
            self._giving_way.start()
            self._thread.start()

    def close(self) -> None:
        """End the loop and the connection; the target stays as it is at that moment."""
        self._closing = True
        self._giving_way.end()
        self._session.close()
        # It wakes up the thread that waits for jobs.
        self._jobs.put(_Job(lambda: None))
        if self._is_started:
            self._thread.join(DEFAULT_TIMEOUT)
            self._giving_way.close()
        else:
            self._end(self._closed())

    def call(self, work: Callable[[Client], T], *, timeout: float = DEFAULT_TIMEOUT) -> T:
        """Run ``work`` while the target stands still, and return what it returns.

        Raises what ``work`` raises, ``DelveTimeoutError`` when the target did not stop within
        ``timeout`` seconds, and the reason why the session ended if it has.
        """
        job = _Job(lambda: work(self._client))
        self._give(job)
        self._wait(job, time.monotonic() + timeout)
        return job.result()

    def hold(self, holder: object) -> None:
        """Keep the target where it stands, until ``release``; only for use in ``on_stop``."""
        self._holders.add(holder)

    def release(self, holder: object) -> None:
        """Let the target go on once nobody holds it; nothing where ``holder`` does not."""
        self.call(lambda _client: self._holders.discard(holder))

    def step(self, goroutine: int, step: Step, *, timeout: float = STEP_TIMEOUT) -> Stop:
        """Move one goroutine of a target that is held; the others run meanwhile.

        ``on_stop`` gets every hit on the way. Raises ``StepError`` where the step did not come to
        its end: after ``timeout`` seconds, or since a hit on the way made somebody hold the target;
        the target stands still then, too.
        """
        job = _Job(lambda: self._step(goroutine, step, timeout))
        self._give(job)
        try:
            self._wait(job, time.monotonic() + timeout + DEFAULT_TIMEOUT)
        except BaseException:
            # Nobody waits for its end, so those who wait for the target may halt it.
            self._is_stepping = False
            raise
        return job.result()

    def is_held_by(self, holder: object) -> bool:
        """Whether ``holder`` holds the target; not any more once another client has resumed it."""
        return holder in self._holders

    @property
    def gives_way(self) -> bool:
        """Whether another client of the same Delve has the target at this moment."""
        return self._giving_way.follower is not None

    def gave_way_since(self, moment: float = 0.0) -> bool:
        """Whether another client may have moved the target since a time of ``time.monotonic``."""
        return self._giving_way.gave_way_since(moment)

    @property
    def has_lost_stop(self) -> bool:
        """Whether another client has resumed the target meanwhile; for use in ``on_stop``."""
        return self.gave_way_since() and has_moved(self._session)

    def check(self) -> None:
        """Raise the reason why the loop is over, if it is."""
        if self._ended is not None:
            raise self._ended

    @property
    def client(self) -> Client:
        """The client for use from any thread: each call halts the target and resumes it after.

        What would take the target away from the loop, such as ``continue_``, raises
        ``DelveError``.
        """
        return forwarding(self._client.address, self.call, "the loop keeps the target running")

    @property
    def _is_started(self) -> bool:
        return self._thread.ident is not None

    def _give(self, job: _Job[T]) -> None:
        with self._lock:
            self.check()
            self._jobs.put(job)
        with self._starting:
            if not self._is_started:
                self._serve_jobs()

    def _wait(self, job: _Job[T], deadline: float) -> None:
        rescue_at = time.monotonic() + _RESCUE_AFTER
        try:
            while not job.done.is_set():
                interval = HALT_INTERVAL if self._halt() else _RESUME_INTERVAL
                if time.monotonic() > rescue_at:
                    self._giving_way.rescue()
                    rescue_at = time.monotonic() + _RESCUE_AFTER
                if not job.done.wait(interval) and time.monotonic() > deadline:
                    raise DelveTimeoutError(
                        f"the target at {self._client.address} did not stop in time; is Delve "
                        "alive, or does another client hold it?"
                    )
        except BaseException as error:
            # Nobody waits for it any more, so it must not be done at some later stop.
            job.fail(error)
            raise

    def _halt(self) -> bool:
        """Halt the target if it runs and no step needs that; whether it was halted."""
        # Whatever comes of it, the job tells whether the target stopped.
        with contextlib.suppress(DelveError), self._halting:
            return not self._is_stepping and self._session.request_halt()
        return False

    def _run(self) -> None:
        try:
            while not self._closing:
                self._serve_jobs()
                self._serve_while_held()
                if self._session.was_halted:
                    self._giving_way.look_around()
                self._follow()
                if not self._closing:
                    self._run_to_stop()
            self._end(self._closed())
        except DelveError as error:
            self._end(self._closed() if self._closing else error)
        except Exception as error:  # noqa: BLE001 - a thread has nobody above it; see _end
            self._end(DelveError(f"reading a stop failed: {error!r}"), cause=error)
        finally:
            self._giving_way.stop_following()

    def _closed(self) -> DelveError:
        return DelveConnectionError(f"the session with {self._client.address} was closed")

    def _run_to_stop(self) -> None:
        """Resume the target, unless another client did, and read the next stop."""
        if isinstance(self._session.status, Running):
            stop = self._session.wait()
            self._giving_way.note_first(stop)
        else:
            stop = self._session.continue_()
            self._giving_way.note(stop)
        self._tell(stop.state)

    def _tell(self, state: api.DebuggerState) -> None:
        with self._giving_way.working():
            self._on_stop(self._client, state)

    def _follow(self) -> None:
        """Return once it is the loop's turn to resume the target."""
        while (follower := self._giving_way.follower) and not self._closing:
            if follower.has_moved():
                self._look(follower)
                self._serve_jobs()
                continue
            follower.use_up_halt()
            if follower.is_alone:
                self._giving_way.stop_following()
                self._serve_while_held()
            elif follower.has_turn and not self._holders:
                return
            elif job := self._next_job(_MOVE_INTERVAL):
                self._do(job)

    def _look(self, follower: Follower) -> None:
        """Wait for the next stop of a target that another client has resumed, and read it."""
        before = self._session.stop
        state = follower.look()
        if not is_same_stop(self._session.stop.state, before.state):
            # Whoever held it has lost it.
            self._holders.clear()
        self._tell(state)

    def _serve_jobs(self) -> None:
        """Do what has been asked for until now; what is asked for meanwhile waits for a stop.

        Else the target would never run while several threads ask for one thing after another.
        """
        for _ in range(self._jobs.qsize()):
            self._do(self._jobs.get_nowait())

    def _next_job(self, timeout: float) -> _Job[Any] | None:
        try:
            return self._jobs.get(timeout=timeout)
        except queue.Empty:
            return None

    def _do(self, job: _Job[Any]) -> None:
        with self._giving_way.working():
            job.run()

    def _serve_while_held(self) -> None:
        """Do at once what is asked for, for as long as somebody holds a target that stands."""
        while self._holders and isinstance(self._session.status, Stop) and not self._closing:
            job = self._next_job(_MOVE_INTERVAL)
            try:
                if has_moved(self._session):
                    self._holders.clear()
                    self._giving_way.follow()
            except BaseException as error:
                if job:
                    job.fail(error)
                raise
            if job:
                self._do(job)

    def _step(self, goroutine: int, step: Step, timeout: float) -> Stop:
        if not self._holders:
            raise StepError(f"{step} is for a target that is held, and nobody holds this one")
        before = set(self._holders)

        def deliver(stop: Stop) -> bool:
            self._on_stop(self._client, stop.state)
            return self._holders == before

        with self._halting:
            self._is_stepping = True
        try:
            return move(self._session, goroutine, step, deliver, timeout)
        finally:
            self._is_stepping = False

    def _end(self, error: DelveError, *, cause: BaseException | None = None) -> None:
        """Give the reason to everybody who waits now and to everybody who asks later."""
        error.__cause__ = cause
        self._giving_way.end()
        with self._lock:
            self._ended = error
        with contextlib.suppress(queue.Empty):
            while True:
                self._jobs.get_nowait().fail(error)
