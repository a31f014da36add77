"""How many hits of others a place may cost, so that a hot line does not stop a test."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: Hits a second that may come for as long as a test takes: a few others at work.
RATE = 50.0
#: Hits above that rate; each stops the target for 5 to 10 ms, so they are over in 10 to 20 s.
BURST = 2000


class Budget:
    """The hits of others at one place: ``RATE`` a second all the time, and ``BURST`` above it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since = self._last = clock()
        self._debt = 0.0
        self.count = 0

    def spend(self) -> bool:
        """Count one hit; False once there were too many."""
        now = self._clock()
        self._debt = max(0.0, self._debt - RATE * (now - self._last)) + 1
        self._last = now
        self.count += 1
        return self._debt <= BURST

    @property
    def seconds(self) -> float:
        """The time from the first moment on to the last hit."""
        return self._last - self._since
