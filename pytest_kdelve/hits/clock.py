"""The time in which the server may run, which stands still while somebody holds the server."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from pytest_kdelve.errors import PausedError


class Holder(Protocol):
    """Who holds the server; ``thread`` is the one that has to let it go."""

    thread: threading.Thread


class Clock:
    """Tells clients how long the server could have worked for them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders: list[Holder] = []
        self._stopped_at = 0.0
        self._stood = 0.0
        self._stops = 0

    def stop(self, holder: Holder) -> None:
        """Stand still until ``go`` of this holder, and of all others."""
        with self._lock:
            if not self._holders:
                self._stopped_at = time.monotonic()
                self._stops += 1
            self._holders.append(holder)

    def go(self, holder: Holder) -> None:
        """Go on, unless others hold the server; nothing where this one does not."""
        with self._lock:
            if holder not in self._holders:
                return
            self._holders.remove(holder)
            if not self._holders:
                self._stood += time.monotonic() - self._stopped_at

    def now(self) -> float:
        """Return seconds, comparable with those of other calls only."""
        with self._lock:
            return (self._stopped_at if self._holders else time.monotonic()) - self._stood

    @property
    def is_standing(self) -> bool:
        """Whether somebody holds the server."""
        return bool(self._holders)

    @property
    def stops(self) -> int:
        """How often it has begun to stand still."""
        return self._stops

    def check(self, wanted: str, advice: str) -> None:
        """Raise ``PausedError`` where what is wanted waits for the thread that wants it."""
        with self._lock:
            own = [each for each in self._holders if each.thread is threading.current_thread()]
        if own:
            raise PausedError(
                f"{wanted} would wait for ever: {own[0]} holds the kube-apiserver, and this thread "
                f"has to resume it first; {advice}"
            )
