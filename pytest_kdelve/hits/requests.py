"""The requests of one test, told from all others by their Audit-ID."""

from __future__ import annotations

import itertools
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass

#: The apiserver keeps the value that a client sends, up to 64 characters.
AUDIT_ID_HEADER = "Audit-ID"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and what came of it: a status line, or why there was no answer."""

    method: str
    path: str
    answer: str

    def __str__(self) -> str:
        return f"{self.method} {self.path} -> {self.answer}"


class RequestLog:
    """Gives each request of one test an Audit-ID, and keeps what was answered."""

    def __init__(self) -> None:
        #: How the Audit-IDs of this log begin, and no others.
        self.prefix = f"kdelve-{uuid.uuid4().hex[:16]}-"
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._exchanges: list[Exchange] = []
        self._unanswered: list[tuple[str, str]] = []

    def new_audit_id(self) -> str:
        """Return an Audit-ID that this log never gave before."""
        return f"{self.prefix}{next(self._numbers)}"

    def sent(self, method: str, path: str) -> None:
        """Note a request for which ``answered`` will be called."""
        with self._lock:
            self._unanswered.append((method, path))

    def answered(self, method: str, path: str, answer: str) -> None:
        """Keep an exchange; ``path`` comes without its query."""
        with self._lock:
            self._exchanges.append(Exchange(method, path, answer))
            with suppress(ValueError):
                self._unanswered.remove((method, path))

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """All exchanges so far, in the order of their answers."""
        with self._lock:
            return tuple(self._exchanges)

    @property
    def unanswered(self) -> tuple[Exchange, ...]:
        """The requests that are under way."""
        with self._lock:
            return tuple(Exchange(*sent, "no answer yet") for sent in self._unanswered)
