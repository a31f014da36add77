"""Where a headless Delve listens."""

from __future__ import annotations

import errno
import ipaddress
import socket
from dataclasses import dataclass

from pytest_kdelve.errors import PortInUseError, UsageError

_LARGEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Address:
    """Where a headless Delve listens; port 0 is a free one that the kernel picks."""

    host: str = "127.0.0.1"
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read ``HOST:PORT`` or ``:PORT``, which means loopback.

        Raises ``UsageError`` for anything else.
        """
        host, colon, port = text.rpartition(":")
        if not colon or not port.isascii() or not port.isdigit() or int(port) > _LARGEST_PORT:
            message = f"{text!r} is no address; write HOST:PORT, or :PORT for loopback"
            raise UsageError(message)
        return cls(host.strip("[]") or "127.0.0.1", int(port))

    @property
    def is_loopback(self) -> bool:
        """Whether nobody outside of this machine can reach it."""
        ip = self._ip()
        return self.host == "localhost" if ip is None else ip.is_loopback

    def reachable(self) -> Address:
        """Return the address for a client on this machine: loopback for "all interfaces"."""
        ip = self._ip()
        if ip is None or not ip.is_unspecified:
            return self
        loopback = "127.0.0.1" if isinstance(ip, ipaddress.IPv4Address) else "::1"
        return Address(loopback, self.port)

    def check_free(self) -> None:
        """Raise ``PortInUseError`` where something listens there already.

        Raises ``UsageError`` where nothing can: no address of this machine, a port for root only.
        """
        try:
            family, kind, _, _, where = socket.getaddrinfo(
                self.host, self.port, type=socket.SOCK_STREAM
            )[0]
            with socket.socket(family, kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(where)
        except OSError as error:
            message = f"dlv cannot listen at {self}: {error.strerror}"
            if error.errno == errno.EADDRINUSE:
                hint = "end what listens there, or give another port"
                raise PortInUseError(f"{message}; {hint}") from error
            raise UsageError(f"{message}; give another address") from error

    def _ip(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None  # A name, or nothing at all.

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"
