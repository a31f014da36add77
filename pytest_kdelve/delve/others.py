"""Other clients of the same Delve, such as an IDE: whether any are connected."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_kdelve.delve.client import Client

#: The kernel's tables of TCP sockets, of the network namespace of this process (proc(5)).
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ESTABLISHED, _LISTEN = "01", "0A"


class Others:
    """The TCP connections to a Delve on this machine that are none of one's own."""

    def __init__(self, client: Client, connect: Callable[[], Client]) -> None:
        """``client`` is one's own, and ``connect`` makes one more."""
        self._connect = connect
        self._port = f":{client.port:04X}"
        self._own = {_end_of(client)}
        self._changing = threading.Lock()

    @contextlib.contextmanager
    def own(self) -> Iterator[Client]:
        """Connect one more client of one's own; once it is closed, its port may be another's."""
        with self._changing:
            client = self._connect()
            end = _end_of(client)
            self._own.add(end)
        try:
            with client:
                yield client
        finally:
            self._own.discard(end)

    def are_there(self) -> bool | None:
        """Whether somebody else is connected; None where that cannot be seen from here.

        It cannot where Delve runs on another machine, or in another network namespace. What has
        been closed by the other side, as that of a client that was killed, does not count.
        """
        with self._changing:
            ends = [end for end in self._ends() if end.local.endswith(self._port)]
            if not any(end.state == _LISTEN for end in ends):
                return None
            peers = {_address(end.remote) for end in ends if end.state == _ESTABLISHED}
            return not peers <= self._own

    def _ends(self) -> Iterator[_End]:
        for table in _TABLES:
            with contextlib.suppress(OSError):
                for line in table.read_text(encoding="ascii").splitlines():
                    # Most have nothing to do with it.
                    if self._port in line:
                        _, local, remote, state, *_ = line.split()
                        yield _End(local, remote, state)


class _End(NamedTuple):
    """One end of a connection; addresses as the kernel writes them, ``0100007F:3039``."""

    local: str
    remote: str
    state: str


def _end_of(client: Client) -> str:
    """Return the client's own end as ``_address`` does."""
    host, port = client.local_address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    last = socket.inet_pton(family, host)[-4:]
    return f"{int.from_bytes(last, sys.byteorder):08X}:{port:04X}"


def _address(address: str) -> str:
    """Return an address alike in both tables: IPv4 is the end of what IPv6 maps it to.

    Numbers are as the machine has them in memory.
    """
    host, _, port = address.rpartition(":")
    return f"{host[-8:]}:{port}"
