"""Requests that are sent from threads of their own."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import urlsplit

from requests.structures import CaseInsensitiveDict

from pytest_kdelve.plugin.patience import ADVICE

if TYPE_CHECKING:
    import requests

    from pytest_kdelve.hits.clock import Clock
    from pytest_kdelve.plugin.http import ApiSession

T = TypeVar("T")

#: Seconds until somebody who waits for an answer looks whether it can come.
_INTERVAL = 0.1


class Answer(Future[T], Generic[T]):
    """A future that knows when its answer cannot come, and whether anybody asked for it."""

    def __init__(self, text: str, clock: Clock) -> None:
        super().__init__()
        self.text = text
        self.is_asked_for = False
        self._clock = clock

    def result(self, timeout: float | None = None) -> T:
        """Return the answer.

        Raises ``PausedError`` where that would wait for ever, since the thread that asks has to
        resume the server first; with a ``timeout``, it is waited for as for any other future.
        """
        self._await(timeout)
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return why there is no answer, None where there is one; else as ``result``."""
        self._await(timeout)
        return super().exception(timeout)

    def _await(self, timeout: float | None) -> None:
        self.is_asked_for = True
        while timeout is None and not self.done():
            try:
                super().exception(_INTERVAL)
            except TimeoutError:
                self._clock.check(f"the result of {self.text}", ADVICE)


class Background:
    """Sends requests of an ``ApiSession`` without waiting: each method returns a future.

    Each request has a thread and a session of its own; what was set in the ``ApiSession`` until
    then, such as headers, is theirs, too.
    """

    def __init__(self, session: ApiSession, clock: Clock) -> None:
        self._session = session
        self._clock = clock
        self._answers: list[Answer[requests.Response]] = []

    def get(self, url: str, **kwargs: Any) -> Future[requests.Response]:
        """Send a GET request."""
        return self.request("GET", url, **kwargs)

    def post(self, url: str, **kwargs: Any) -> Future[requests.Response]:
        """Send a POST request."""
        return self.request("POST", url, **kwargs)

    def put(self, url: str, **kwargs: Any) -> Future[requests.Response]:
        """Send a PUT request."""
        return self.request("PUT", url, **kwargs)

    def patch(self, url: str, **kwargs: Any) -> Future[requests.Response]:
        """Send a PATCH request."""
        return self.request("PATCH", url, **kwargs)

    def delete(self, url: str, **kwargs: Any) -> Future[requests.Response]:
        """Send a DELETE request."""
        return self.request("DELETE", url, **kwargs)

    def request(self, method: str, url: str, **kwargs: Any) -> Future[requests.Response]:
        """Send a request; the arguments are those of ``ApiSession.request``."""
        answer: Answer[requests.Response] = Answer(f"{method} {urlsplit(url).path}", self._clock)
        self._answers.append(answer)
        session = _own(self._session)

        def send() -> None:
            if not answer.set_running_or_notify_cancel():
                return
            try:
                answer.set_result(session.request(method, url, **kwargs))
            except BaseException as error:  # noqa: BLE001 - it is raised for who asks
                answer.set_exception(error)

        threading.Thread(target=send, name=f"kdelve-{answer.text}", daemon=True).start()
        return answer

    def close(self, timeout: float) -> list[str]:
        """Wait for all answers, and return what came of those that failed unseen.

        What has no answer after ``timeout`` seconds is left to its end.
        """
        deadline = time.monotonic() + timeout
        return [text for answer in self._answers for text in _unseen(answer, deadline)]


def _own(session: ApiSession) -> ApiSession:
    """Return a session that shares connections, but nothing that is changed by a request."""
    # A session's own copying leaves out what requests does not know.
    own = object.__new__(type(session))
    vars(own).update(vars(session))
    own.headers = CaseInsensitiveDict(session.headers)
    own.cookies = session.cookies.copy()
    return own


def _unseen(answer: Answer[requests.Response], deadline: float) -> list[str]:
    was_asked_for = answer.is_asked_for
    if answer.cancelled():
        return []
    try:
        error = answer.exception(max(0.0, deadline - time.monotonic()))
    except TimeoutError:
        return [f"{answer.text} had no answer when the test was over"]
    if error is None or was_asked_for:
        return []
    return [f"{answer.text} failed with {type(error).__name__}; ask for its result()"]
