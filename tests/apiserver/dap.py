"""As much of the Debug Adapter Protocol as VS Code needs to attach, stop and look around."""

from __future__ import annotations

import json
import socket
from collections import deque
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pytest_kdelve.delve import Address

_TIMEOUT = 60


class Dap:
    """A connection to a headless dlv that speaks DAP, which it takes from the first byte."""

    def __init__(self, address: Address) -> None:
        self._socket = socket.create_connection((address.host, address.port), timeout=_TIMEOUT)
        self._stream = self._socket.makefile("rb")
        self._events: deque[dict[str, Any]] = deque()
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._socket.close()

    def request(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Send a request, and return its response's body; fails where it has no success."""
        self._number += 1
        message = {"seq": self._number, "type": "request", "command": command}
        body = json.dumps(message | {"arguments": arguments}).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        while (answer := self._read())["type"] != "response":
            self._events.append(answer)
        assert answer["request_seq"] == self._number
        assert answer["success"], answer
        response: dict[str, Any] = answer.get("body", {})
        return response

    def event(self, name: str) -> dict[str, Any]:
        """Return the body of the next event of this name; those before it are passed over."""
        while (event := self._events.popleft() if self._events else self._read())["event"] != name:
            pass
        body: dict[str, Any] = event.get("body", {})
        return body

    def _read(self) -> dict[str, Any]:
        length = 0
        while line := self._stream.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name == b"Content-Length" else length
        message: dict[str, Any] = json.loads(self._stream.read(length))
        return message
