"""One JSON-RPC connection to a headless Delve."""

from __future__ import annotations

import contextlib
import itertools
import re
import select
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import msgspec

from pytest_kdelve.delve.api import Reply
from pytest_kdelve.delve.versions import METHODS
from pytest_kdelve.errors import (
    DelveConnectionError,
    DelveError,
    DelveTimeoutError,
    ProtocolError,
    RPCError,
    TargetExitedError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")

#: A reply longer than this is a fault, not data: whole locals of a kube-apiserver frame are 280 KB.
MAX_REPLY_BYTES = 256 * 1024 * 1024
_RECEIVE_BYTES = 256 * 1024
_EXITED = re.compile(r"Process \d+ has exited with status (?P<status>-?\d+)")


@dataclass(frozen=True, slots=True)
class Pending:
    """A call that was sent; ``method`` is without ``RPCServer.``."""

    id: int
    method: str


class Connection:
    """A TCP connection to Delve.

    Replies are matched by ``id``: one that nobody waits for, such as that of a call that timed
    out, is dropped, and the connection stays usable. Calls from several threads queue up;
    ``close`` from any thread ends a call that is waiting.
    """

    def __init__(self, host: str, port: int, *, timeout: float) -> None:
        self.address = f"{host}:{port}"
        self.port = port
        try:
            self._socket = socket.create_connection((host, port), timeout=timeout)
        except OSError as error:
            message = f"cannot connect to Delve at {self.address}: {error}"
            raise DelveConnectionError(message) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        host, own_port, *_ = self._socket.getsockname()
        self.local_address: tuple[str, int] = (host, own_port)
        self._buffer = bytearray()
        self._ids = itertools.count(1)
        self._calling = threading.Lock()
        self._sending = threading.Lock()

    def close(self) -> None:
        """End the connection; a waiting call fails with ``DelveConnectionError``."""
        with contextlib.suppress(OSError):  # The peer may have closed first.
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def call(self, method: str, params: object, result: type[T], *, timeout: float | None) -> T:
        """Call ``RPCServer.method`` and decode its result.

        ``timeout`` is in seconds; None waits until the reply or until ``close``. Raises
        ``RPCError`` with Delve's own text, ``TargetExitedError``, ``UnsupportedError``,
        ``DelveTimeoutError``, ``DelveConnectionError`` or ``ProtocolError``.
        """
        deadline = _deadline(timeout)
        with self._turn(method, deadline):
            pending = self._send(method, params, deadline)
            return self._receive(pending, result, deadline)

    def send(self, method: str, params: object, *, timeout: float | None) -> Pending:
        """Send a call, also while another thread waits for the reply of its own.

        Delve reads it after what was sent before. The reply is dropped unless ``receive`` waits.
        """
        return self._send(method, params, _deadline(timeout))

    def receive(self, pending: Pending, result: type[T], *, timeout: float | None) -> T:
        """Wait for the reply to a call that was sent; it may be asked for again after a timeout.

        No other call may be made before it has come, since that would drop it. Raises what
        ``call`` raises.
        """
        deadline = _deadline(timeout)
        with self._turn(pending.method, deadline):
            return self._receive(pending, result, deadline)

    @contextlib.contextmanager
    def _turn(self, method: str, deadline: float | None) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(_locked(self._calling, deadline))
            except TimeoutError as error:
                message = self._timed_out(method, "another call was still waiting")
                raise DelveTimeoutError(message) from error
            yield

    def _send(self, method: str, params: object, deadline: float | None) -> Pending:
        pending = Pending(next(self._ids), method)
        request = {"method": f"RPCServer.{method}", "params": [params], "id": pending.id}
        try:
            with _locked(self._sending, deadline):
                self._send_all(msgspec.json.encode(request), deadline)
        except TimeoutError as error:
            raise DelveTimeoutError(self._timed_out(method, "sending it took too long")) from error
        except OSError as error:
            raise self._broke(method, error) from error
        return pending

    def _send_all(self, data: bytes, deadline: float | None) -> None:
        # The socket's timeout belongs to the thread that receives.
        number = self._socket.fileno()
        if number < 0:
            raise OSError("it was closed")
        writable = select.poll()
        writable.register(number, select.POLLOUT)
        rest = memoryview(data)
        while rest:
            remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not writable.poll(None if remaining is None else 1000 * remaining):
                # Delve waits for the rest of it, so nothing else can follow.
                self.close()
                raise TimeoutError
            rest = rest[self._socket.send(rest, socket.MSG_DONTWAIT) :]

    def _receive(self, pending: Pending, result: type[T], deadline: float | None) -> T:
        method = pending.method
        while True:
            line = self._read_line(method, deadline)
            reply = self._decode(line, Reply, f"a reply while waiting for {method}")
            if reply.id == pending.id:
                break
        if reply.error:
            raise _refused(method, str(reply.error))
        return self._decode(reply.result, result, f"the result of {method}")

    def _read_line(self, method: str, deadline: float | None) -> bytes:
        # Go's encoder ends each reply with a newline and escapes those inside of strings.
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > MAX_REPLY_BYTES:
                # Where the next reply begins is not known.
                self.close()
                message = f"Delve at {self.address} sent a reply of over {MAX_REPLY_BYTES} bytes"
                raise ProtocolError(f"{message} to {method}; ask for less data")
            self._buffer += self._receive_some(method, deadline)
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def _receive_some(self, method: str, deadline: float | None) -> bytes:
        try:
            self._socket.settimeout(_remaining(deadline))
            data = self._socket.recv(_RECEIVE_BYTES)
        except TimeoutError as error:
            raise DelveTimeoutError(self._timed_out(method, "no reply in time")) from error
        except OSError as error:
            raise self._broke(method, error) from error
        if not data:
            raise self._broke(method, "the other side closed it")
        return data

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


@contextlib.contextmanager
def _locked(lock: threading.Lock, deadline: float | None) -> Iterator[None]:
    """Hold a lock; raises ``TimeoutError`` where that is not possible before the deadline."""
    remaining = _remaining(deadline)
    if not lock.acquire(timeout=-1 if remaining is None else remaining):
        raise TimeoutError
    try:
        yield
    finally:
        lock.release()


def _deadline(timeout: float | None) -> float | None:
    return None if timeout is None else time.monotonic() + timeout


def _remaining(deadline: float | None) -> float | None:
    """Return the seconds until a deadline; raises ``TimeoutError`` once it has passed."""
    if deadline is None:
        return None
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise TimeoutError
    return remaining


def _refused(method: str, text: str) -> DelveError:
    if text.startswith("unknown method:"):
        return UnsupportedError(method, since=METHODS.get(method))
    exited = _EXITED.search(text)
    if exited:
        return TargetExitedError(f"{method}: {text}", status=int(exited["status"]))
    return RPCError(method, text)
