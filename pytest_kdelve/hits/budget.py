"""How long others may stop the target at one place, so that a hot line does not stop a test."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: What part of the time they may take for as long as a test lasts.
SHARE = 0.5
#: Seconds above that share. Where all time is theirs, these are over in twice as many.
BURST = 4.0
#: Seconds that a stop takes before it is read, as measured with a kube-apiserver: the trap, and
#: what Delve collects.
_STOP = 0.005


class Budget:
    """The time that hits of others at one place have taken."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since = self._last = clock()
        self._debt = 0.0
        self.count = 0

    def spend(self, seconds: float) -> bool:
        """Count a hit that took so long to be read; False once it was too much."""
        now = self._clock()
        self._debt = max(0.0, self._debt - SHARE * (now - self._last)) + _STOP + seconds
        self._last = now
        self.count += 1
        return self._debt <= BURST

    @property
    def seconds(self) -> float:
        """The time from the first moment on to the last hit."""
        return self._last - self._since
