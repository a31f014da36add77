"""Beside other clients of the same Delve: whose a stop is, and how to get a word in."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from typing import TYPE_CHECKING

from pytest_kdelve.delve import api, late_halts
from pytest_kdelve.delve.collecting import collect
from pytest_kdelve.delve.session import HALT_INTERVAL
from pytest_kdelve.delve.status import Running
from pytest_kdelve.delve.stops import Stop, StopReason, is_same_stop, without_hits_of
from pytest_kdelve.errors import DelveError, DelveTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Set as AbstractSet

    from pytest_kdelve.delve.client import Client
    from pytest_kdelve.delve.others import Others
    from pytest_kdelve.delve.session import Session

#: Seconds until another client that goes on by itself after a halt, as VS Code's adapter does, has
#: done so.
PATIENCE = 1.0
#: Seconds until a target that another client has stopped is resumed where nobody can see whether
#: that client still lives.
UNSEEN_PATIENCE = 60.0
#: Seconds for which an answer whether anybody else is connected is good.
_SEEN_FOR = 0.2
#: Seconds after which what is asked of a target that stands must have been answered.
_BLOCKED_AFTER = 0.05
#: Seconds between two looks whether the target has to be halted.
_LOOK_INTERVAL = 0.02
#: Seconds for which Delve may take a target for one that runs while it stands: so it does for the
#: moment that a late halt or a switch takes, which is long on a busy machine.
_MOMENT = 2.0
#: Seconds until Delve is asked once more, since an answer may be lost to a target that is resumed.
_ASK_INTERVAL = 0.25
#: Seconds for Delve to say whether the target runs, while other clients ask for much.
_ANSWER_TIMEOUT = 60.0


def is_anothers(stop: Stop, session: Session, own_breakpoints: AbstractSet[int]) -> bool:
    """Whether a stop has another cause than this session: a halt, a breakpoint, a step."""
    if any(hit.breakpoint and hit.breakpoint.id not in own_breakpoints for hit in stop.hits):
        return True
    is_halted = stop.reason is StopReason.MANUAL or stop.state.stop_reason == "manual"
    return stop.reason is StopReason.NEXT_FINISHED or (is_halted and not session.was_halted)


def has_moved(session: Session, *, for_a_moment: bool = False) -> bool:
    """Whether another client has resumed or moved a target that stood still.

    With ``for_a_moment``, also where it may only seem to run.
    """
    began, stop = time.monotonic(), session.stop
    while (state := session.call(_state_now)).running:
        if for_a_moment or time.monotonic() - began > _MOMENT:
            return True
    # Delve cannot read the registers of threads that are gone, as what is asked for next will tell.
    is_gone = not any(thread.pc for thread in state.threads or ())
    return not is_gone and not is_same_stop(state, stop.state)


def _state_now(client: Client) -> api.DebuggerState:
    """Return the state as it is, even if the target runs.

    It takes until the next stop where another client resumes the target at this moment.
    """
    deadline = time.monotonic() + _ANSWER_TIMEOUT
    while True:
        try:
            return client.state(non_blocking=True, timeout=_ASK_INTERVAL)
        except DelveTimeoutError:
            if time.monotonic() > deadline:
                raise


def halt(others: Others) -> None:
    """Halt a target that another client has resumed; it may be lost, as any halt.

    Delve before 1.27.2 reads nothing more from a connection with a halt until the target stands
    (``Command`` in its debugger package), so each halt has a connection of its own.
    """
    with others.own() as side, contextlib.suppress(DelveTimeoutError):
        side.command(api.CommandName.HALT, timeout=HALT_INTERVAL)


class Follower:
    """Follows a target that another client may move at any moment.

    What is asked of a target that runs is answered only at its next stop, and Delve reads nothing
    else from that connection until then. So other ones halt the target where that is needed:
    within ``working``, and during ``look`` where ``is_asked`` says so. VS Code's adapter resumes
    the target after such a halt at once, so one may be needed for each thing that is asked for.
    """

    def __init__(
        self,
        session: Session,
        others: Others,
        *,
        is_asked: Callable[[], bool],
    ) -> None:
        """Take a target that stands for one that another client is to resume."""
        self._session = session
        self._others = others
        self._is_asked = is_asked
        self._is_looking = False
        self._working_since: float | None = None
        self._halting = threading.Lock()
        self._has_halted = False
        self._is_late = False
        self._seen_at = 0.0
        self._is_alone = False
        self._are_there: bool | None = True
        self.note(None)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._halt, name="kdelve-follow", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Halt the target no more."""
        self._closed.set()
        self._thread.join()

    @property
    def is_alone(self) -> bool:
        """Whether no other client is connected any more.

        It has to be true twice in a row, since what the last of them asked for may be still to be
        done.
        """
        if time.monotonic() - self._seen_at > _SEEN_FOR:
            was_there, self._are_there = self._are_there, self._others.are_there()
            self._is_alone = was_there is False and self._are_there is False
            self._seen_at = time.monotonic()
        return self._is_alone

    @property
    def has_turn(self) -> bool:
        """Whether a target that stands is to be resumed here, though another client is there."""
        patience = self._patience
        if patience is None:
            patience = UNSEEN_PATIENCE if self._are_there is None else math.inf
        return time.monotonic() - self._stands_since >= patience

    def note(self, patience: float | None) -> None:
        """Take note of a new stop, and of the seconds until the target is to be resumed here.

        None where another client is to do that.
        """
        self._patience = patience
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
        return has_moved(self._session, for_a_moment=True) or self._has_halted

    def use_up_halt(self) -> None:
        """Use up a halt that came while the target stood, whoever sent it.

        A newcomer sends one where the target was just halted for something else. It would end what
        that client resumes by then, at once. Where that client resumes the target before, Delve
        stops once more at the same hit, and counts it.
        """
        stop = self._session.stop
        with self.working():
            self._session.call(lambda client: late_halts.use_up(client, stop))
        self._is_late = self._is_late and self.has_moved()

    def look(self) -> api.DebuggerState:
        """Wait until the target stands, and return what is new there."""
        before, began = self._session.stop, time.monotonic()
        self._is_looking = True
        try:
            stop = self._session.look()
        finally:
            self._is_looking = False
        are_recounted, self._is_late = self._is_late, late_halts.is_pending(stop)
        has_run = time.monotonic() - began > _MOMENT
        with self._halting:
            has_halted, self._has_halted = self._has_halted, False
        with self.working():
            fresh = without_hits_of(stop, before, are_recounted=are_recounted)
            state = self._session.call(lambda client: collect(client, fresh))
        if has_halted or has_run or not is_same_stop(stop.state, before.state):
            # Where another client waits for the stop, it takes a hit for its own.
            has_hits = any(each.breakpoint for each in state.threads or ())
            self.note(PATIENCE if has_halted and not has_hits else None)
        return state

    def _halt(self) -> None:
        # Whatever comes of it, the loop's own connection tells of a target that is gone.
        with contextlib.suppress(DelveError), self._others.own() as side:
            while not self._closed.wait(_LOOK_INTERVAL):
                with self._halting:
                    if self._is_waiting() and _runs(side):
                        self._has_halted = True
                        halt(self._others)

    def _is_waiting(self) -> bool:
        """Whether something is asked for that is answered only where the target stands."""
        if isinstance(self._session.status, Running):
            # A command of the session's own makes it run, too.
            return self._is_looking and self._is_asked()
        since = self._working_since
        return since is not None and time.monotonic() - since > _BLOCKED_AFTER


def _runs(side: Client) -> bool:
    """Whether the target runs; not where Delve does not answer, as while it is resumed."""
    try:
        return side.state(non_blocking=True, timeout=_LOOK_INTERVAL).running
    except DelveTimeoutError:
        return False
