"""A test's pauses, and what pytest-timeout does not count: them, and the session's start."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import pytest

from pytest_kdelve.errors import KdelveError
from pytest_kdelve.report.redact import redact

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from pytest_kdelve.hits.clock import Clock
    from pytest_kdelve.hits.pausing import Pause

#: Seconds; 0 would mean no timeout at all.
_LEAST_TIMEOUT = 0.001


class _Remaining(float):
    """Seconds that are left of a timeout, which is still said by its whole length."""

    whole: object

    def __str__(self) -> str:
        return str(self.whole)


class _Settings(Protocol):
    """What is used of pytest-timeout's settings, which are a named tuple."""

    timeout: float
    method: str

    def _replace(self, *, timeout: float) -> _Settings: ...


class _Timer:
    """pytest-timeout's timer of one test."""

    def __init__(self, item: pytest.Item, settings: _Settings) -> None:
        self.item = item
        self.settings = settings
        self.began = time.monotonic()
        self.left: float | None = None

    def suspend(self) -> None:
        # signal.signal, by which it is cancelled, works in the main thread only.
        is_main = threading.current_thread() is threading.main_thread()
        if self.left is None and (is_main or self.settings.method != "signal"):
            left = self.settings.timeout - (time.monotonic() - self.began)
            self.item.ihook.pytest_timeout_cancel_timer(item=self.item)
            self.left = max(_LEAST_TIMEOUT, left)
            # The hook has taken it for the end.
            self.item.stash[_TIMER] = self

    def go_on(self) -> None:
        if self.left is None:
            return
        remaining = _Remaining(self.left)
        remaining.whole = self.settings.timeout
        self.left = None
        self.item.ihook.pytest_timeout_set_timer(
            item=self.item, settings=self.settings._replace(timeout=remaining)
        )


class Pauses:
    """All pauses of one test."""

    def __init__(self, item: pytest.Item, clock: Clock, *, dlv_connect: str) -> None:
        self._item = item
        self._clock = clock
        self._dlv_connect = dlv_connect
        self._pauses: list[Pause] = []
        self._said: list[str] = []
        #: Whether somebody has waited for a stop that still holds the server.
        self.is_looked_at = False

    def add(self, pause: Pause) -> Pause:
        """Take a pause, and return it."""
        self._pauses.append(pause)
        return pause

    def stay(self, error: BaseException) -> bool:
        """Whether they go on at the end of a test that fails so: with --pdb, to be looked at."""
        is_failure = isinstance(error, Exception | pytest.fail.Exception)
        return is_failure and bool(self._item.config.getoption("usepdb"))

    def standing(self) -> list[str]:
        """Return a line for each that holds the server, and how to look at it."""
        lines = [each.standing() for each in self._pauses if each.is_holding]
        how = (
            f"Others may look, too, by `{self._dlv_connect}` (and leave it by `quit`, `n`) or in "
            "an IDE; the end of the test resumes it."
        )
        return [*lines, how] if lines else []

    def waited(self) -> None:
        """Suspend pytest-timeout: from now on the time is that of whoever looks at the server."""
        self.is_looked_at = True
        if timer := self._item.stash.get(_TIMER, None):
            timer.suspend()

    def resumed(self) -> None:
        """Let pytest-timeout go on with what was left, unless the server is still held."""
        self.is_looked_at = self._clock.is_standing
        timer = self._item.stash.get(_TIMER, None)
        if timer and not self.is_looked_at:
            timer.go_on()

    def end(self) -> None:
        """End all pauses; what is to be said of those that held the server is kept."""
        # Those that hold come last: the server need not be stopped for the others.
        for pause in sorted(self._pauses, key=lambda each: each.is_holding):
            text = pause.forgotten() if pause.is_forgotten else ""
            try:
                pause.close()
            except KdelveError as error:
                text = f"{pause} could not be ended: {error}"
            self._said += [text] if text else []
        self._pauses.clear()

    def close(self) -> str:
        """End all pauses, and return what is to be said of those that held the server."""
        self.end()
        said, self._said = self._said, []
        return redact("\n\n".join(said))


#: Of a test: its pauses, and pytest-timeout's timer.
PAUSES = pytest.StashKey[Pauses]()
_TIMER = pytest.StashKey[_Timer | None]()


class Hooks:
    """Hooks that pauses need; those of pytest-timeout are not called where it is missing."""

    def __init__(self) -> None:
        self._timer: _Timer | None = None
        self._pauses: Pauses | None = None

    @contextmanager
    def uncounted(self) -> Iterator[None]:
        """Let pytest-timeout not count what one test does for all, such as a build."""
        timer = self._timer
        if timer:
            timer.suspend()
        try:
            yield
        finally:
            if timer:
                timer.go_on()

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Resume what the test has left paused, before anybody waits for hits or for answers."""
        pauses = item.stash.get(PAUSES, None)
        if pauses is None:
            return (yield)
        self._pauses = pauses
        try:
            result = yield
        except BaseException as error:
            if not pauses.stay(error) and (forgotten := pauses.close()):
                item.add_report_section("call", "kdelve pause", forgotten)
            raise
        if forgotten := pauses.close():
            pytest.fail(forgotten, pytrace=False)
        return result

    def pytest_enter_pdb(self, config: pytest.Config) -> None:
        """Say where the server stands, and where its Delve is, to whoever looks at it now."""
        reporter = config.pluginmanager.getplugin("terminalreporter")
        for line in self._pauses.standing() if self._pauses else ():
            reporter.write_line(redact(line))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """Resume what was left paused so that it could be looked at."""
        if self._pauses and (forgotten := self._pauses.close()):
            item.add_report_section("call", "kdelve pause", forgotten)
        self._pauses = None

    @pytest.hookimpl(optionalhook=True, wrapper=True)
    def pytest_timeout_set_timer(
        self, item: pytest.Item, settings: _Settings
    ) -> Generator[None, object, object]:
        """Note when pytest-timeout begins to count; a fixture may have paused the server by now."""
        result = yield
        item.stash[_TIMER] = self._timer = timer = _Timer(item, settings)
        pauses = item.stash.get(PAUSES, None)
        if pauses and pauses.is_looked_at:
            timer.suspend()
        return result

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_cancel_timer(self, item: pytest.Item) -> None:
        """Note that pytest-timeout does not count any more."""
        item.stash[_TIMER] = self._timer = None
