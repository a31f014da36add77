"""The command ``dlv connect`` in a pseudo-terminal, as a user has it."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_kdelve.delve import Address

#: Seconds for anything to be printed; longer than that takes on a busy machine.
LONG = 30.0
PROMPT = "(dlv) "


class Terminal:
    """What is typed in, and what is read until some text has come."""

    def __init__(self, dlv: Path, address: Address, home: Path) -> None:
        own, other = pty.openpty()
        environment = {
            **os.environ,
            "TERM": "dumb",
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home),
        }
        self._process = subprocess.Popen(
            [str(dlv), "connect", str(address)],
            stdin=other,
            stdout=other,
            stderr=other,
            env=environment,
            start_new_session=True,
        )
        os.close(other)
        self._own = own
        self._unread = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        os.close(self._own)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(LONG)

    def ask(self, command: str, until: str = PROMPT) -> str:
        """Type a command, and return all that is printed until some text."""
        self.type(command)
        return self.read(until)

    def type(self, command: str) -> None:
        os.write(self._own, f"{command}\n".encode())

    def read(self, until: str = PROMPT) -> str:
        deadline = time.monotonic() + LONG
        while until not in self._unread:
            ready, _, _ = select.select([self._own], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"{until!r} did not come; what did: {self._unread!r}"
            self._unread += os.read(self._own, 65536).decode(errors="replace")
        found, _, self._unread = self._unread.partition(until)
        return found

    def wait(self) -> int:
        """Wait until it has ended, and return its exit code."""
        return self._process.wait(LONG)
