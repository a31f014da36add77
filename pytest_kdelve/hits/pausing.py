"""Pauses: the first hit at a place holds the server until it is resumed."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol, Self

from pytest_kdelve.errors import DelveError, DelveTimeoutError, KdelveError, UsageError
from pytest_kdelve.hits.paused import Paused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_kdelve.hits.breakpoints import Subscription
    from pytest_kdelve.hits.clock import Clock
    from pytest_kdelve.hits.model import Hit
    from pytest_kdelve.hits.recorder import Recorder

#: Seconds for a request to reach the place.
WAIT_TIMEOUT = 30.0
#: Seconds until it is looked again whether the server lives.
_CHECK_INTERVAL = 0.2


class Owner(Protocol):
    """Whose pauses they are."""

    def waited(self) -> None:
        """Hear that the thread that waits has the hit."""

    def resumed(self) -> None:
        """Hear, after each resume, in the thread that resumes."""

    def stay(self, error: BaseException) -> bool:
        """Whether a block that ends by this error leaves its pause open, for the owner to close."""


class Pause:
    """Holds the server at the first hit that is wanted, and at no later one.

    A context manager, which can be entered once; its end resumes the server in any case. The
    thread that enters it, or else the last one that waits, has to resume the server, so requests
    that this thread sends meanwhile are refused.
    """

    def __init__(
        self,
        recorder: Recorder,
        clock: Clock,
        subscribe: Callable[[Callable[[Hit], None]], Subscription],
        *,
        text: str,
        owner: Owner,
        explain: Callable[[], Sequence[str]],
        check_hits: Callable[[], None] = lambda: None,
    ) -> None:
        """``subscribe`` makes a subscription of a sink for hits that are wanted.

        ``text`` is how the user wrote it. ``explain`` says more where the place was not reached;
        ``check_hits`` raises where it will never be wanted.
        """
        self.thread = threading.current_thread()
        self._recorder = recorder
        self._clock = clock
        self._subscription = subscribe(self._take)
        self._text = text
        self._owner = owner
        self._explain = explain
        self._check_hits = check_hits
        self._is_left = False
        self._reached = threading.Event()
        self._closing = threading.RLock()
        self._taking = threading.Lock()
        self._is_entered = False
        self._entered_at = 0.0
        self._is_closing = False
        self._is_over = False
        self._has_waited = False
        self._held_at = 0.0
        self._paused: Paused | None = None

    def __str__(self) -> str:
        return self._text

    def __enter__(self) -> Self:
        if self._is_entered:
            raise UsageError(f"{self} was entered before; a pause holds one hit, so make another")
        self._is_entered = True
        self._entered_at = time.monotonic()
        self.thread = threading.current_thread()
        self._recorder.add([self._subscription])
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._is_left = error is not None and self._owner.stay(error)
        if not self._is_left:
            self.close()

    @property
    def is_holding(self) -> bool:
        """Whether its hit holds the server at this moment."""
        return self._paused is not None and not self._is_over

    @property
    def is_forgotten(self) -> bool:
        """Whether it holds the server though nobody wants that any more."""
        return self.is_holding and not self._is_left

    def wait(self, timeout: float = WAIT_TIMEOUT) -> Paused:
        """Wait until the place is reached, and return what may be asked there.

        Raises ``KdelveError`` where it is not reached within ``timeout`` seconds, and where the
        pause is over; ``PausedError`` where another pause has to be resumed first; and the reason
        where the server has ended.
        """
        if not self._is_entered:
            raise UsageError(f"{self} was not entered; write: with {self} as pause:")
        self.thread = threading.current_thread()
        deadline = time.monotonic() + timeout
        while not self._reached.wait(min(_CHECK_INTERVAL, max(0.0, deadline - time.monotonic()))):
            self._recorder.check()
            self._check()
            self._check_hits()
            self._clock.check(f"the hit of {self}", "call resume(), or step on to the place")
            if time.monotonic() > deadline:
                more = [*self._recorder.what_others_did(self._entered_at), *self._explain()]
                raise KdelveError("\n".join([self._not_reached(timeout), *more]))
        self._check()
        self._has_waited = True
        self._owner.waited()
        assert self._paused is not None  # noqa: S101 - it was before the event was set
        return self._paused

    def close(self) -> None:
        """Remove the breakpoint, and resume the server where its hit holds it.

        Where that is interrupted, it can be done again.
        """
        with self._closing:
            if self._is_over:
                return
            with self._taking:
                self._is_closing = True
            try:
                if self._is_entered:
                    self._recorder.remove([self._subscription])
            finally:
                self._let_go()

    def standing(self) -> str:
        """Return in a line at which hit a pause that holds has stopped the server."""
        assert self._paused is not None  # noqa: S101 - it is for a pause that holds
        return f"{self} holds the kube-apiserver at {self._paused.hit}"

    def forgotten(self) -> str:
        """Return where the server stands, as lines for somebody who forgot to resume it."""
        assert self._paused is not None  # noqa: S101 - it is for a pause that holds
        hit = self._paused.hit
        stands = time.monotonic() - self._held_at
        since = hit.time.astimezone().strftime("%H:%M:%S")
        lines = [f"{self} still held the kube-apiserver when the test was over; it was resumed."]
        lines.append(f"  It stood at {hit}")
        lines += [f"    {hit.source}"] if hit.source else []
        lines += [f"  in {hit.request} (goroutine {hit.goroutine})"] if hit.request else []
        lines.append(f"  since {since}, for {stands:.1f} s.")
        if not self._has_waited:
            lines.append("  Nobody waited for it: wait() returns what is to be resumed.")
        lines.append("Call resume() on what wait() returns, or leave the block of the pause:")
        lines.append("  with kdelve.pause(...) as pause:")
        return "\n".join(lines)

    def _take(self, hit: Hit) -> None:
        """Hold the server; called in the loop's thread, for each hit that is wanted."""
        with self._taking:
            if self._paused is not None or self._is_closing:
                return
            self._held_at = time.monotonic()
            self._recorder.loop.hold(self)
            self._paused = Paused(self._recorder.loop, hit, check=self._check, resume=self.close)
            self._clock.stop(self)
        self._reached.set()

    def _let_go(self) -> None:
        if self._paused is None:
            self._is_over = True
            return
        try:
            self._recorder.loop.release(self)
        except DelveTimeoutError:
            raise
        except DelveError:
            # The loop has ended, and with it what held the server.
            self._end()
            raise
        self._end()

    def _end(self) -> None:
        self._is_over = True
        self._clock.go(self)
        self._owner.resumed()

    def _check(self) -> None:
        if self._is_closing:
            raise KdelveError(
                f"{self} is over: the kube-apiserver was resumed; a pause holds only the first "
                "hit, so make another one to stop again"
            )
        if self._paused is not None and not self._recorder.loop.is_held_by(self):
            raise KdelveError(
                f"{self} is over: another client of the debugger, such as an IDE, has resumed the "
                "kube-apiserver; let it attach without resuming (stopOnEntry), or not meanwhile"
            )

    def _not_reached(self, timeout: float) -> str:
        place = self._subscription.place
        whose = "anyone" if self._subscription.by_anyone else "a request of this test's"
        return (
            f"{self} was awaited for {timeout:g} s, but {place} in {place.function} was not "
            f"reached by {whose}, or not as described."
        )
