"""A command in a pseudo-terminal, as a user has it."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_kdelve.delve import Address

#: Seconds for anything to be printed; longer than that takes on a busy machine.
LONG = 30.0


class Terminal:
    """What is typed in, and what is read until some text has come."""

    def __init__(self, *argv: str, prompt: str, variables: Mapping[str, str] | None = None) -> None:
        """Start a command in a session of its own; ``variables`` are added to the environment."""
        own, other = pty.openpty()
        self._process = subprocess.Popen(
            argv,
            stdin=other,
            stdout=other,
            stderr=other,
            env={**os.environ, "TERM": "dumb", **(variables or {})},
            start_new_session=True,
        )
        os.close(other)
        self._own = own
        self._prompt = prompt
        self._unread = ""

    @classmethod
    def dlv_connect(cls, dlv: Path, address: Address, home: Path) -> Self:
        """Connect to a headless dlv; its history and settings are in ``home``."""
        variables = {"HOME": str(home), "XDG_CONFIG_HOME": str(home)}
        return cls(str(dlv), "connect", str(address), prompt="(dlv) ", variables=variables)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        os.close(self._own)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(LONG)

    def ask(self, command: str, until: str = "") -> str:
        """Type a command, and return all that is printed until some text, or the prompt."""
        self.type(command)
        return self.read(until)

    def type(self, command: str) -> None:
        os.write(self._own, f"{command}\n".encode())

    def read(self, until: str = "") -> str:
        until = until or self._prompt
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
