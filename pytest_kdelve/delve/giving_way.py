"""When the continue loop gives way to other clients of the same Delve, and until when."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from pytest_kdelve.delve.following import NEWCOMER_PATIENCE, Follower, is_anothers
from pytest_kdelve.delve.others import Others
from pytest_kdelve.delve.stops import Stop
from pytest_kdelve.errors import DelveError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_kdelve.delve.client import Client
    from pytest_kdelve.delve.session import Session

#: Seconds for the threads to end.
_CLOSE_TIMEOUT = 60.0
#: Seconds until it is looked again whether another client has come, and until it may have halted
#: the target.
_NEWCOMER_INTERVAL = 0.3
#: Seconds after which a target that was halted for a job has been resumed.
_RESUME_MOMENT = 0.005


class GivingWay:
    """Notices other clients, and has a follower for as long as they may move the target.

    All but ``start``, ``close``, ``end`` and ``rescue`` is for the loop's thread.
    """

    def __init__(
        self,
        client: Client,
        session: Session,
        connect: Callable[[], Client],
        *,
        is_asked: Callable[[], bool],
        look_around: Callable[[], None],
    ) -> None:
        """``look_around`` halts the target, and has the loop call the method of that name.

        It is called in a thread that looks for newcomers. ``is_asked`` is as for ``Follower``.
        """
        self._client = client
        self._session = session
        self._connect = connect
        self._is_asked = is_asked
        self._ask_to_look_around = look_around
        self._others = Others(client)
        self._follower: Follower | None = None
        self._has_followed = False
        self._over = threading.Event()
        #: Set whenever the target is about to be resumed after a halt.
        self._resumes = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="kdelve-others", daemon=True)

    def start(self) -> None:
        """Look for newcomers from now on."""
        self._thread.start()

    def end(self) -> None:
        """Look for nobody any more."""
        self._over.set()
        self._resumes.set()

    def close(self) -> None:
        """Look for nobody any more, and wait until nobody is looked for."""
        self.end()
        if self._thread.ident is not None:
            self._thread.join(_CLOSE_TIMEOUT)

    @property
    def follower(self) -> Follower | None:
        """What follows the target, while other clients may be there."""
        return self._follower

    @property
    def has_followed(self) -> bool:
        """Whether another client may ever have moved the target."""
        return self._has_followed

    def follow(self, patience: float | None = None) -> None:
        """Begin to follow, if that is not done already; ``patience`` is as for ``Follower``."""
        if self._follower is None:
            self._has_followed = True
            self._follower = Follower(
                self._client,
                self._session,
                self._others,
                self._connect,
                is_asked=self._is_asked,
                patience=patience,
            )

    def stop_following(self) -> None:
        """Take the target for one's own again."""
        if self._follower:
            self._follower.close()
            self._follower = None

    def note(self, stop: Stop) -> None:
        """Take note of a stop of a target that the session itself had resumed."""
        is_theirs = is_anothers(stop, self._session, self._client.own_breakpoints)
        if self._follower:
            self._follower.note(is_theirs=is_theirs)
        elif is_theirs:
            # Whether anybody is there is asked later, since another client may go on at once.
            self.follow()

    def look_around(self) -> None:
        """Give way to a client that has come while the target stood still for a job.

        It had no need to halt the target, so the next stop would not tell of it.
        """
        if self._follower or not self._session.was_halted:
            return
        if self._others.are_there():
            self.follow(NEWCOMER_PATIENCE)
        else:
            self._resumes.set()

    def working(self) -> contextlib.AbstractContextManager[None]:
        """Have the target halted whenever another client resumes it meanwhile."""
        return self._follower.working() if self._follower else contextlib.nullcontext()

    def rescue(self) -> None:
        """Halt a target that should stand, but was resumed by a client that is not followed yet.

        What the loop asks of it is answered only at its next stop, as is all else on its
        connection.
        """
        with contextlib.suppress(DelveError):
            if isinstance(self._session.status, Stop) and self._follower is None:
                with self._others.own(self._connect) as side:
                    if side.state(non_blocking=True).running:
                        side.halt()

    def _watch(self) -> None:
        """Have the loop look around once a client has come, and left the target alone."""
        with contextlib.suppress(DelveError):
            while not self._over.is_set():
                # One that comes just before the target is resumed takes it for one that stands;
                # of others, most halt it by themselves.
                is_resumed = self._resumes.wait(_NEWCOMER_INTERVAL)
                self._resumes.clear()
                is_there = not self._over.wait(_RESUME_MOMENT) and self._others.are_there()
                if is_there and not is_resumed:
                    self._over.wait(_NEWCOMER_INTERVAL)
                if is_there and self._follower is None:
                    self._ask_to_look_around()
