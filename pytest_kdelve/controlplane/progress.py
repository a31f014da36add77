"""Telling the user what is being built, on a terminal and in a log."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Protocol, TextIO

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from collections.abc import Callable

#: A log that says nothing for longer than this looks as if the build hung.
_SECONDS_BETWEEN_LINES = 60.0


class Progress(Protocol):
    """One activity at a time: ``started`` or ``waiting``, any ``tick``, ``finished`` or ``failed``.

    ``what`` names the binary with its version; ``seconds`` is how long the activity took.
    """

    def started(self, what: str) -> None:
        """Say that a build begins."""

    def waiting(self, what: str) -> None:
        """Say that another process is building the same; ``started`` may follow."""

    def tick(self) -> None:
        """Show that the activity goes on; called several times a second."""

    def finished(self, what: str, seconds: float) -> None:
        """Say that a build is complete, by this process or by the one that was waited for."""

    def failed(self, what: str, seconds: float) -> None:
        """Say that the activity ended without a binary."""


class PlainProgress:
    """Plain lines: one at the start, one each minute, one at the end."""

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._activity = ""
        self._began = self._said = clock()

    def started(self, what: str) -> None:
        """Print a line."""
        self._begin(f"building {what}")

    def waiting(self, what: str) -> None:
        """Print a line."""
        self._begin(_waiting_text(what))

    def tick(self) -> None:
        """Print a line if the last one is a minute old."""
        now = self._clock()
        if now - self._said >= _SECONDS_BETWEEN_LINES:
            self._said = now
            self._print(f"still {self._activity} … {duration(now - self._began)}")

    def finished(self, what: str, seconds: float) -> None:
        """Print a line."""
        self._print(f"{what} is ready after {duration(seconds)}")

    def failed(self, what: str, seconds: float) -> None:
        """Print a line."""
        self._print(f"{what} was given up after {duration(seconds)}")

    def _begin(self, activity: str) -> None:
        self._activity = activity
        self._began = self._said = self._clock()
        self._print(activity)

    def _print(self, line: str) -> None:
        print(f"kdelve: {line}", file=self._stream, flush=True)


class RichProgress:
    """A line with a spinner and the elapsed time, replaced by one line at the end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Bar | None = None

    def started(self, what: str) -> None:
        """Show the spinner."""
        self._show(f"building {what}")

    def waiting(self, what: str) -> None:
        """Show the spinner."""
        self._show(_waiting_text(what))

    def tick(self) -> None:
        """Do nothing: the line is redrawn by a thread of its own."""

    def finished(self, what: str, seconds: float) -> None:
        """Replace the spinner by a line."""
        self._close(f"{what} is ready after {duration(seconds)}")

    def failed(self, what: str, seconds: float) -> None:
        """Replace the spinner by a line."""
        self._close(f"{what} was given up after {duration(seconds)}")

    def _show(self, activity: str) -> None:
        self._hide()
        self._bar = Bar(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._bar.add_task(activity, total=None)
        self._bar.start()

    def _close(self, line: str) -> None:
        self._hide()
        self._console.print(line, highlight=False, markup=False)

    def _hide(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def for_stream(stream: TextIO) -> Progress:
    """Return the spinner for a terminal that a person looks at, otherwise plain lines."""
    unattended = os.environ.get("CI") or os.environ.get("TERM") == "dumb"
    if stream.isatty() and not unattended:
        return RichProgress(Console(file=stream))
    return PlainProgress(stream)


def duration(seconds: float) -> str:
    """Return seconds as people say them: "7 s", "3 min 46 s"."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _waiting_text(what: str) -> str:
    return f"waiting for another process that builds {what}"
