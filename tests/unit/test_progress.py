"""What the user sees while something is built."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from pytest_kdelve.controlplane.progress import PlainProgress, RichProgress, duration, for_stream


class Terminal(io.StringIO):
    """A stream that calls itself a terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_log_gets_a_line_at_the_start_each_minute_and_at_the_end() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = PlainProgress(stream, clock=clock)
    progress.started("etcd 3.7.3")
    for clock.now in (1001.0, 1059.9, 1060.0, 1061.0, 1119.0, 1121.0):
        progress.tick()
    progress.finished("etcd 3.7.3", 126.4)
    assert stream.getvalue().splitlines() == [
        "kdelve: building etcd 3.7.3",
        "kdelve: still building etcd 3.7.3 … 1 min 0 s",
        "kdelve: still building etcd 3.7.3 … 2 min 1 s",
        "kdelve: etcd 3.7.3 is ready after 2 min 6 s",
    ]


def test_each_activity_has_its_own_minutes() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = PlainProgress(stream, clock=clock)
    progress.waiting("dlv 1.27.2")
    clock.now += 59
    progress.started("dlv 1.27.2")
    clock.now += 59
    progress.tick()
    clock.now += 1
    progress.tick()
    progress.failed("dlv 1.27.2", 119)
    assert stream.getvalue().splitlines() == [
        "kdelve: waiting for another process that builds dlv 1.27.2",
        "kdelve: building dlv 1.27.2",
        "kdelve: still building dlv 1.27.2 … 1 min 0 s",
        "kdelve: dlv 1.27.2 was given up after 1 min 59 s",
    ]


def test_a_terminal_shows_what_is_built_and_keeps_one_line() -> None:
    stream = Terminal()
    progress = RichProgress(Console(file=stream, force_terminal=True, width=80))
    progress.waiting("dlv [1.27.2]")
    progress.started("dlv [1.27.2]")
    progress.tick()
    progress.finished("dlv [1.27.2]", 12)
    text = stream.getvalue()
    assert "waiting for another process that builds dlv [1.27.2]" in text
    assert "building dlv [1.27.2]" in text
    assert "0:00:00" in text
    assert text.rstrip().endswith("dlv [1.27.2] is ready after 12 s")
    assert text.count("\x1b[1A\x1b[2K") == 2, "both spinner lines are erased"
    assert text.count("\x1b[?25h") == text.count("\x1b[?25l"), "the cursor is shown again"


def test_a_terminal_is_usable_after_a_failure() -> None:
    stream = Terminal()
    progress = RichProgress(Console(file=stream, force_terminal=True, width=80))
    progress.started("dlv 1.27.2")
    progress.failed("dlv 1.27.2", 3)
    assert stream.getvalue().rstrip().endswith("dlv 1.27.2 was given up after 3 s")
    assert stream.getvalue().count("\x1b[?25h") == 1


def test_only_a_terminal_with_somebody_before_it_gets_the_spinner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(for_stream(Terminal()), RichProgress)
    assert isinstance(for_stream(io.StringIO()), PlainProgress)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(for_stream(Terminal()), PlainProgress)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("CI", "true")
    assert isinstance(for_stream(Terminal()), PlainProgress)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (226, "3 min 46 s"), (3600, "60 min 0 s")],
)
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
