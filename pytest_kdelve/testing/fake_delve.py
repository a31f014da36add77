"""A headless Delve that says what a test wants it to say."""

from __future__ import annotations

import codecs
import contextlib
import json
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_BACKLOG = 16
_JOIN_TIMEOUT = 10.0
_RECEIVE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it arrived; ``method`` is without ``RPCServer.``, ``params`` are decoded JSON."""

    id: int
    method: str
    params: Mapping[str, Any]


class FakeConnection:
    """The server's side of one connection; all methods may be called from any thread."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def reply(self, call: Call, result: object) -> None:
        """Send a result."""
        self._send({"id": call.id, "result": result, "error": None})

    def refuse(self, call: Call, text: str) -> None:
        """Send an error, which in Delve is a sentence."""
        self._send({"id": call.id, "result": None, "error": text})

    def send(self, data: bytes) -> None:
        """Send anything at all."""
        with contextlib.suppress(OSError):  # The client may have gone, which is its right.
            self._socket.sendall(data)

    def hang_up(self) -> None:
        """Close the connection."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _send(self, message: Mapping[str, object]) -> None:
        self.send(msgspec.json.encode(message) + b"\n")


class FakeDelve:
    """A server on a free port of 127.0.0.1; a context manager, after which nothing of it is left.

    ``answer`` is called with each call and the connection on which it came, in a thread of the
    connection's own. It answers by the connection's methods, now or later, or not at all.
    ``calls`` has all calls in the order of their arrival.
    """

    host = "127.0.0.1"

    def __init__(self, answer: Callable[[Call, FakeConnection], None]) -> None:
        self.calls: list[Call] = []
        self._answer = answer
        self._listener = socket.create_server((self.host, 0), backlog=_BACKLOG)
        self.port: int = self._listener.getsockname()[1]
        self._connections: list[FakeConnection] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the port and all connections, and wait until every thread has ended."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        # The first thread adds to both lists, so it is over before the others are looked at.
        self._threads[0].join(_JOIN_TIMEOUT)
        for connection in self._connections:
            connection.hang_up()
        for thread in self._threads[1:]:
            thread.join(_JOIN_TIMEOUT)

    def _start(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, name="fake-delve", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # How accept ends when the port is closed.
            while True:
                connected, _ = self._listener.accept()
                self._connections.append(FakeConnection(connected))
                self._start(self._serve, connected, self._connections[-1])

    def _serve(self, connected: socket.socket, connection: FakeConnection) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")()
        text = ""
        with connected:
            while data := self._receive(connected):
                text += decoder.decode(data)
                messages, text = _split(text)
                for message in messages:
                    call = _to_call(message)
                    self.calls.append(call)
                    self._answer(call, connection)

    @staticmethod
    def _receive(connected: socket.socket) -> bytes:
        try:
            return connected.recv(_RECEIVE_BYTES)
        except OSError:
            return b""


def _to_call(message: Mapping[str, Any]) -> Call:
    method = str(message["method"]).removeprefix("RPCServer.")
    return Call(message["id"], method, message["params"][0])


def _split(text: str) -> tuple[list[dict[str, Any]], str]:
    """Return the complete objects at the beginning of a text, and what follows them.

    Nothing need stand between two calls, for Delve as for this server.
    """
    messages = []
    with contextlib.suppress(json.JSONDecodeError):  # It is not complete, or empty.
        while True:
            message, end = json.JSONDecoder().raw_decode(text)
            messages.append(message)
            text = text[end:].lstrip()
    return messages, text
