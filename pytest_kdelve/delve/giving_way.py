"""When the continue loop gives way to other clients of the same Delve, and until when."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from typing import TYPE_CHECKING

from pytest_kdelve.delve.following import PATIENCE, Follower, halt, is_anothers
from pytest_kdelve.delve.others import Others
from pytest_kdelve.delve.stops import Stop
from pytest_kdelve.errors import DelveError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_kdelve.delve.client import Client
    from pytest_kdelve.delve.session import Session

#: Seconds for the thread to end.
_CLOSE_TIMEOUT = 60.0
#: Seconds until it is looked again whether another client has come, and for one that has come to
#: halt the target by itself.
_NEWCOMER_INTERVAL = 0.3


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
        """``look_around`` has the loop call the method of that name while the target stands.

        It is called in a thread that looks for newcomers. ``is_asked`` is as for ``Follower``.
        """
        self._client = client
        self._session = session
        self._is_asked = is_asked
        self._ask_to_look_around = look_around
        self._others = Others(client, connect)
        self._follower: Follower | None = None
        self._gave_way_at = -math.inf
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="kdelve-others", daemon=True)

    def start(self) -> None:
        """Look for newcomers from now on."""
        self._thread.start()

    def end(self) -> None:
        """Look for nobody any more."""
        self._over.set()

    def close(self) -> None:
        """Look for nobody any more, and wait until nobody is looked for."""
        self.end()
        self._thread.join(_CLOSE_TIMEOUT)

    @property
    def follower(self) -> Follower | None:
        """What follows the target, while other clients may be there."""
        return self._follower

    def gave_way_since(self, moment: float) -> bool:
        """Whether another client may have moved the target since a time of ``time.monotonic``."""
        return self._follower is not None or self._gave_way_at >= moment

    def follow(self) -> None:
        """Begin to follow, if that is not done already."""
        if self._follower is None:
            self._follower = Follower(self._session, self._others, is_asked=self._is_asked)

    def stop_following(self) -> None:
        """Take the target for one's own again."""
        if self._follower:
            self._gave_way_at = time.monotonic()
            self._follower.close()
            self._follower = None

    def note_first(self, stop: Stop) -> None:
        """Take note of the first stop of a target that ran when the session began."""
        self.look_around()
        if self._follower and self._session.was_halted and not stop.hits:
            self._follower.note(PATIENCE)

    def note(self, stop: Stop) -> None:
        """Take note of a stop of a target that the session itself had resumed."""
        is_theirs = is_anothers(stop, self._session, self._client.own_breakpoints)
        if self._follower:
            self._follower.note(None if is_theirs else 0.0)
        elif is_theirs and not (stop.hits and self._others.are_there() is False):
            # A breakpoint that was left behind is passed by at once; what somebody has asked for
            # who is gone may be still to be done.
            self.follow()

    def look_around(self) -> None:
        """Give way to a client that has come and had no need to halt the target.

        Delve tells a client only of stops after commands of its own. So a debugger that has given
        none takes the target for one that stands.
        """
        if self._follower is None and self._others.are_there():
            self.follow()

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
                with self._others.own() as side:
                    runs = side.state(non_blocking=True).running
                if runs:
                    self._gave_way_at = time.monotonic()
                    halt(self._others)

    def _watch(self) -> None:
        """Have the loop look around once a client has come, and left the target alone."""
        while not self._over.wait(_NEWCOMER_INTERVAL):
            if self._follower is None and self._others.are_there():
                self._over.wait(_NEWCOMER_INTERVAL)
                # Where the loop has ended, it is over here, too.
                with contextlib.suppress(DelveError):
                    self._ask_to_look_around()
