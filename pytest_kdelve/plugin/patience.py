"""Connections whose timeouts do not count the time in which the apiserver is paused."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, ClassVar, TypeVar

from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.ssl_ import create_urllib3_context, resolve_cert_reqs

from pytest_kdelve.errors import PausedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import ReadableBuffer
    from urllib3 import PoolManager

    from pytest_kdelve.hits.clock import Clock

T = TypeVar("T")

ADVICE = "send requests through api.background, and ask for their results after resume()"
#: Seconds until a connection that waits looks at the clock again.
_INTERVAL = 0.1


class _Socket(ssl.SSLSocket):
    """Waits for as long as its timeout says, by a clock that stands still at times."""

    clock: ClassVar[Clock]

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - ssl's own
        """Do the handshake."""
        try:
            self._wait_for(lambda: super(_Socket, self).do_handshake(block))
        except PausedError:
            # Nobody else has it yet.
            self.close()
            raise

    def read(
        self,
        len: int = 1024,  # noqa: A002 - ssl's own
        buffer: ReadableBuffer | None = None,
    ) -> bytes:
        """Read at most ``len`` bytes."""
        return self._wait_for(lambda: super(_Socket, self).read(len, buffer))

    def write(self, data: ReadableBuffer) -> int:
        """Write what can be written at once."""
        return self._wait_for(lambda: super(_Socket, self).write(data))

    def _wait_for(self, operation: Callable[[], T]) -> T:
        """Do it, and do it again after a timeout that came too early.

        OpenSSL goes on where it was when a call is repeated. Raises ``PausedError`` in the thread
        that has to resume the server.
        """
        timeout = self.gettimeout()
        if timeout == 0:
            return operation()
        began = self.clock.now()
        try:
            while True:
                passed = self.clock.now() - began
                left = _INTERVAL if timeout is None else timeout - passed
                self.settimeout(min(_INTERVAL, max(left, 0.001)))
                try:
                    return operation()
                except TimeoutError:
                    if timeout is not None and self.clock.now() - began >= timeout:
                        raise
                    self.clock.check("the answer to a request", ADVICE)
        finally:
            if self.fileno() >= 0:
                self.settimeout(timeout)


class _Connection(HTTPSConnection):
    clock: ClassVar[Clock]
    socket_class: ClassVar[type[_Socket]]
    _stops = 0

    def connect(self) -> None:
        """Connect; with a context of its own, as urllib3 does where none is given."""
        if self.ssl_context is None:
            context = create_urllib3_context(cert_reqs=resolve_cert_reqs(self.cert_reqs))
            if not (self.ca_certs or self.ca_cert_dir or self.ca_cert_data):
                context.load_default_certs()
            context.sslsocket_class = self.socket_class
            self.ssl_context = context
        self._stops = self.clock.stops
        super().connect()

    @property
    def is_connected(self) -> bool:
        """Whether it may be used for another request.

        A server that was paused may close what was idle meanwhile at any moment: its timers have
        run on.
        """
        return super().is_connected and self._stops == self.clock.stops


def be_patient(manager: PoolManager, clock: Clock) -> None:
    """Let connections that are made from now on tell the time by this clock."""
    pool: type[HTTPSConnectionPool] = manager.pool_classes_by_scheme["https"]
    if getattr(pool.ConnectionCls, "clock", None) is clock:
        return
    sockets = type("PatientSocket", (_Socket,), {"clock": clock})
    connections = type(
        "PatientConnection", (_Connection,), {"clock": clock, "socket_class": sockets}
    )
    pools = type("PatientPool", (HTTPSConnectionPool,), {"ConnectionCls": connections})
    manager.pool_classes_by_scheme = {"http": HTTPConnectionPool, "https": pools}
