"""One JSON-RPC connection to a headless Delve."""

from __future__ import annotations

import contextlib
import itertools
import re
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from pytest_kdelve.delve.api import Reply
from pytest_kdelve.errors import (
    DelveConnectionError,
    DelveError,
    DelveTimeoutError,
    ProtocolError,
    RPCError,
    TargetExitedError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

#: A reply longer than this is a fault, not data: whole locals of a kube-apiserver frame are 280 KB.
MAX_REPLY_BYTES = 256 * 1024 * 1024
_RECEIVE_BYTES = 256 * 1024
_EXITED = re.compile(r"Process \d+ has exited with status (?P<status>-?\d+)")


class Connection:
    """A TCP connection that carries one call at a time.

    Replies are matched by ``id``, so a reply that comes after its call timed out is dropped and
    the connection stays usable. Calls from several threads queue up; ``close`` from any thread
    ends a call that is waiting.
    """

    def __init__(self, host: str, port: int, *, timeout: float) -> None:
        self.address = f"{host}:{port}"
        try:
            self._socket = socket.create_connection((host, port), timeout=timeout)
        except OSError as error:
            message = f"cannot connect to Delve at {self.address}: {error}"
            raise DelveConnectionError(message) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._sending = threading.Lock()

    def close(self) -> None:
        """End the connection; a waiting call fails with ``DelveConnectionError``."""
        with contextlib.suppress(OSError):  # The peer may have closed first.
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def call(
        self,
        method: str,
        params: Mapping[str, Any],
        result: type[T],
        *,
        timeout: float | None,
        sent: Callable[[], None] | None = None,
    ) -> T:
        """Call ``RPCServer.method`` and decode its result; ``sent`` is called in between.

        ``timeout`` is in seconds; None waits until the reply or until ``close``, which only a
        call that resumes the target has a reason for. Raises ``RPCError`` with Delve's own text,
        ``TargetExitedError``, ``DelveTimeoutError``, ``DelveConnectionError`` or ``ProtocolError``.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        if not self._lock.acquire(timeout=-1 if timeout is None else timeout):
            raise DelveTimeoutError(self._timed_out(method, "another call was still waiting"))
        try:
            call_id, request = self._request(method, params)
            self._send(method, request, deadline)
            if sent:
                sent()
            reply = self._receive(method, call_id, deadline)
        finally:
            self._lock.release()
        if reply.error:
            raise _refused(method, str(reply.error))
        return self._decode(reply.result, result, f"the result of {method}")

    def post(self, method: str, params: Mapping[str, Any]) -> None:
        """Send a call while another thread waits for the reply of its own.

        Delve reads it after what was sent before. The reply is dropped, as that of a call that
        timed out.
        """
        _, request = self._request(method, params)
        try:
            with self._sending:
                self._socket.sendall(request)
        except OSError as error:
            raise self._broke(method, error) from error

    def _request(self, method: str, params: Mapping[str, Any]) -> tuple[int, bytes]:
        call_id = next(self._ids)
        request = {"method": f"RPCServer.{method}", "params": [params], "id": call_id}
        return call_id, msgspec.json.encode(request)

    def _send(self, method: str, data: bytes, deadline: float | None) -> None:
        try:
            self._set_timeout(deadline)
            with self._sending:
                self._socket.sendall(data)
        except TimeoutError as error:
            raise DelveTimeoutError(self._timed_out(method, "sending it took too long")) from error
        except OSError as error:
            raise self._broke(method, error) from error

    def _receive(self, method: str, call_id: int, deadline: float | None) -> Reply:
        while True:
            line = self._read_line(method, deadline)
            reply = self._decode(line, Reply, f"a reply while waiting for {method}")
            if reply.id == call_id:
                return reply

    def _read_line(self, method: str, deadline: float | None) -> bytes:
        # Go's encoder ends each reply with a newline and escapes those inside of strings.
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > MAX_REPLY_BYTES:
                message = f"Delve at {self.address} sent a reply of over {MAX_REPLY_BYTES} bytes"
                raise ProtocolError(f"{message} to {method}; ask for less data")
            self._buffer += self._receive_some(method, deadline)
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def _receive_some(self, method: str, deadline: float | None) -> bytes:
        try:
            self._set_timeout(deadline)
            data = self._socket.recv(_RECEIVE_BYTES)
        except TimeoutError as error:
            raise DelveTimeoutError(self._timed_out(method, "no reply in time")) from error
        except OSError as error:
            raise self._broke(method, error) from error
        if not data:
            raise self._broke(method, "the other side closed it")
        return data

    def _set_timeout(self, deadline: float | None) -> None:
        if deadline is None:
            self._socket.settimeout(None)
            return
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        self._socket.settimeout(remaining)

    def _decode(self, data: bytes | msgspec.Raw, type_: type[T], what: str) -> T:
        try:
            return msgspec.json.decode(data, type=type_)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            message = f"{what} from {self.address} is not Delve's JSON-RPC: {error}"
            raise ProtocolError(message) from error

    def _timed_out(self, method: str, why: str) -> str:
        return f"{method} to Delve at {self.address} timed out: {why}"

    def _broke(self, method: str, why: object) -> DelveConnectionError:
        return DelveConnectionError(
            f"the connection to Delve at {self.address} broke during {method}: {why}"
        )


def _refused(method: str, text: str) -> DelveError:
    exited = _EXITED.search(text)
    if exited:
        return TargetExitedError(f"{method}: {text}", status=int(exited["status"]))
    return RPCError(method, text)
