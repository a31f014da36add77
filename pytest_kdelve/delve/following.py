"""Beside other clients of the same Delve: whose a stop is, and how to get a word in."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

from pytest_kdelve.delve.collecting import collect
from pytest_kdelve.delve.status import Running
from pytest_kdelve.delve.stops import Stop, StopReason, is_same_stop, without_hits_of
from pytest_kdelve.errors import DelveError, DelveTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Set as AbstractSet

    from pytest_kdelve.delve import api
    from pytest_kdelve.delve.client import Client
    from pytest_kdelve.delve.others import Others
    from pytest_kdelve.delve.session import Session

#: Seconds until another client that goes on by itself after a halt, as VS Code's adapter does, has
#: done so.
PATIENCE = 1.0
#: The same for one that has come while the target stood, and may believe that it still does.
NEWCOMER_PATIENCE = 10.0
#: The same where nobody can see whether the other client, at which the target stands, still lives.
UNSEEN_PATIENCE = 60.0
#: Seconds for which an answer whether anybody else is connected is good.
_SEEN_FOR = 0.2
#: Seconds after which what is asked of a target that stands must have been answered.
_BLOCKED_AFTER = 0.05
#: Seconds between two looks whether the target has to be halted.
_HALT_INTERVAL = 0.02
#: Seconds until a connection that does not answer is given up for a new one.
_WEDGED_AFTER = 0.2


def is_anothers(stop: Stop, session: Session, own_breakpoints: AbstractSet[int]) -> bool:
    """Whether a stop has another cause than this session: a halt, a breakpoint, a step."""
    if any(hit.breakpoint and hit.breakpoint.id not in own_breakpoints for hit in stop.hits):
        return True
    is_halted = stop.reason is StopReason.MANUAL or stop.state.stop_reason == "manual"
    return stop.reason is StopReason.NEXT_FINISHED or (is_halted and not session.was_halted)


class Follower:
    """Follows a target that another client may move at any moment.

    What is asked of a target that runs is answered only at its next stop, and Delve reads nothing
    else from that connection until then. So a second one halts the target where that is needed:
    within ``working``, and during ``look`` where ``is_asked`` says so. VS Code's adapter resumes
    the target after such a halt at once, so one may be needed for each thing that is asked for.
    Of a connection with a halt, old Delve reads nothing until the target stands (``Command`` in the
    debugger package of 1.9.1), so the next one may need a third connection.
    """

    def __init__(
        self,
        client: Client,
        session: Session,
        others: Others,
        connect: Callable[[], Client],
        *,
        is_asked: Callable[[], bool],
        patience: float | None,
    ) -> None:
        """``patience`` is None where another client has stopped the target, and is to resume it."""
        self._client = client
        self._session = session
        self._others = others
        self._is_asked = is_asked
        self._connect = connect
        self._sides = contextlib.ExitStack()
        self._side = self._sides.enter_context(others.own(connect))
        self._is_looking = False
        self._working_since: float | None = None
        self._has_halted = False
        self._seen_at = 0.0
        self._is_alone = False
        self._are_there: bool | None = True
        self._is_theirs = patience is None
        self._patience = patience or 0.0
        self._stands_since = time.monotonic()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._halt, name="kdelve-follow", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the connections that were made to halt."""
        self._closed.set()
        self._side.close()
        self._thread.join()
        self._sides.close()

    @property
    def is_alone(self) -> bool:
        """Whether no other client is connected any more.

        It has to be true twice in a row, since what the last of them asked for may be still to be
        done.
        """
        if time.monotonic() - self._seen_at > _SEEN_FOR:
            was_there, are_there = self._are_there, self._others.are_there()
            self._are_there = are_there
            self._is_alone = was_there is False and are_there is False
            self._seen_at = time.monotonic()
        return self._is_alone

    @property
    def has_turn(self) -> bool:
        """Whether a target that stands is to be resumed here."""
        if self.is_alone:
            return True
        patience = UNSEEN_PATIENCE if self._is_theirs else self._patience
        stood = time.monotonic() - self._stands_since
        return stood >= patience and not (self._is_theirs and self._are_there is not None)

    def note(self, *, is_theirs: bool) -> None:
        """Take note of a stop of a target that the session itself had resumed."""
        self._is_theirs = is_theirs
        self._patience = 0.0
        self._stands_since = time.monotonic()

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Halt the target whenever another client resumes it meanwhile."""
        self._working_since = time.monotonic()
        try:
            yield
        finally:
            self._working_since = None

    def has_moved(self) -> bool:
        """Whether the target runs, or was resumed and halted, perhaps where it had stood."""
        return self._session.runs() or self._has_halted

    def look(self) -> api.DebuggerState:
        """Wait until the target stands, and return what is new there."""
        before, began = self._session.stop, time.monotonic()
        self._is_looking = True
        try:
            stop = self._session.look()
        finally:
            self._is_looking = False
        if self._has_halted:
            with self.working():
                # Delve reads a connection in order, so it has sent the signal when it answers this.
                self._runs()
                self._session.take_back_halt()
        with self.working():
            fresh = without_hits_of(stop, before)
            state = collect(self._client, fresh, self._client.own_breakpoints)
        # It takes no time where a late halt or a switch made Delve say that the target runs.
        has_run = self._has_halted or time.monotonic() - began > _BLOCKED_AFTER
        if has_run or not is_same_stop(stop.state, before.state):
            # Where another client waits for the stop, it takes a hit for its own.
            has_hits = any(each.breakpoint for each in state.threads or ())
            self._is_theirs = has_hits or not self._has_halted
            self._patience = PATIENCE
            self._stands_since = time.monotonic()
        self._has_halted = False
        return state

    def _halt(self) -> None:
        # Whatever comes of it, the loop's own connection tells of a target that is gone.
        with contextlib.suppress(DelveError):
            answered_at = time.monotonic()
            while not self._closed.wait(_HALT_INTERVAL):
                runs = self._runs() if self._is_waiting() else False
                is_wedged = runs is None and time.monotonic() - answered_at > _WEDGED_AFTER
                if is_wedged:
                    self._side = self._sides.enter_context(self._others.own(self._connect))
                if runs is not None or is_wedged:
                    answered_at = time.monotonic()
                # One that is sent to a connection of which nothing is read would come later.
                if runs or is_wedged:
                    self._has_halted = True
                    self._side.request_halt()

    def _is_waiting(self) -> bool:
        """Whether something is asked for that is answered only where the target stands."""
        if isinstance(self._session.status, Running):
            # A command of the session's own makes it run, too.
            return self._is_looking and self._is_asked()
        since = self._working_since
        return since is not None and time.monotonic() - since > _BLOCKED_AFTER

    def _runs(self) -> bool | None:
        """Whether the target runs; None where Delve does not answer, as while it is resumed."""
        try:
            return self._side.state(non_blocking=True, timeout=_HALT_INTERVAL).running
        except DelveTimeoutError:
            return None
