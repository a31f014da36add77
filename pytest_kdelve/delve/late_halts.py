"""Halts that come when the target has stopped by itself."""

from __future__ import annotations

import contextlib
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_kdelve.delve import api
from pytest_kdelve.errors import RPCError

if TYPE_CHECKING:
    from pytest_kdelve.delve.client import Client
    from pytest_kdelve.delve.stops import Stop

#: Seconds for one instruction.
_TIMEOUT = 60.0
_PENDING = re.compile(r"^ShdPnd:\s*(?P<signals>[0-9a-f]+)$", re.MULTILINE)


def is_pending(stop: Stop) -> bool:
    """Whether a halt has come when the target had stopped by itself."""
    return bool(stop.state.threads) and _has_pending_trap(stop.state.pid)


def use_up(client: Client, stop: Stop) -> None:
    """Use up a halt that came when the target had stopped by itself, if there is one.

    Delve halts by a SIGTRAP. One that is still pending ends the single step by which Delve passes
    a breakpoint at the resume, before the step is made, so that the same hit would be counted once
    more. A step instruction is ended by it likewise, and makes no step.
    """
    if not is_pending(stop):
        return
    threads = stop.state.threads or []
    thread = next((thread for thread in threads if thread.breakpoint), threads[0])
    with contextlib.suppress(RPCError):  # A call may have let this thread go and end.
        client.switch_thread(thread.id)
        client.command(api.CommandName.STEP_INSTRUCTION, timeout=_TIMEOUT)
        if stop.goroutine_id:
            client.switch_goroutine(stop.goroutine_id)
        elif stop.state.current_thread:
            client.switch_thread(stop.state.current_thread.id)


def _has_pending_trap(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False  # It has ended, or is on another machine.
    found = _PENDING.search(status)
    return found is not None and bool(int(found["signals"], 16) >> (signal.SIGTRAP - 1) & 1)
