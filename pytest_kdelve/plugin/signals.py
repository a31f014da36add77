"""Ending in order on signals for which pytest tears nothing down."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

#: A cancelled CI job, and a closed terminal.
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def as_interrupts() -> Iterator[None]:
    """Let SIGTERM and SIGHUP do what Ctrl-C does, once; what handles them already is kept."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Only the main thread may set handlers.
        return

    def interrupt(number: int, _frame: FrameType | None) -> None:
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt(signal.Signals(number).name)

    before = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in before:
            signal.signal(number, signal.SIG_DFL)
