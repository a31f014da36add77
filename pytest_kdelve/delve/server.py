"""Starting a headless Delve."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_kdelve.delve.client import Client
from pytest_kdelve.errors import DelveConnectionError, PortInUseError, UsageError
from pytest_kdelve.process import ChildProcess, poll

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_LARGEST_PORT = 65535
_LISTENING = re.compile(r"API server listening at: (?P<host>\S+):(?P<port>\d+)$", re.MULTILINE)
#: Seconds until Delve has loaded the symbols of a kube-apiserver, on a slow and busy machine.
SYMBOLS_TIMEOUT = 120.0


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
            message = f"{text!r} is no address to listen at; write HOST:PORT, or :PORT for loopback"
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

    def _ip(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None  # A name, or nothing at all.

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Server:
    """A headless Delve that was started here, and the process that it debugs.

    The target stands at its first instruction until a client continues it.
    """

    def __init__(self, process: ChildProcess, address: Address, pid: int) -> None:
        self.process = process
        self.address = address
        self.target_pid = pid

    def connect(self) -> Client:
        """Open one more connection."""
        return Client(self.address.host, self.address.port)

    def stop(self) -> None:
        """End Delve and its target."""
        self.process.stop()


def exec_(
    dlv: Path,
    program: Path,
    args: Sequence[str],
    *,
    listen: Address,
    log: Path,
    target_log: Path,
    env: Mapping[str, str] | None = None,
) -> Server:
    """Run ``dlv exec --headless`` and wait until it has loaded the program's symbols.

    ``args`` reach the program byte for byte. Delve's own output goes to ``log``, the program's to
    ``target_log`` (stderr) and beside it, with the suffix ``.out`` (stdout). Raises
    ``PortInUseError``, ``ProcessExitedError`` or ``ProcessTimeoutError``; nothing is left running.
    """
    _check_free(listen)
    for path in (target_log, target_log.with_suffix(".out")):
        path.touch(mode=0o600)
    argv = [str(dlv), "exec", "--headless", f"--listen={listen}", "--api-version=2"]
    argv += ["--accept-multiclient", f"--redirect=stdout:{target_log.with_suffix('.out')}"]
    argv += [f"--redirect=stderr:{target_log}", str(program), "--", *args]
    # An earlier Delve may have written its address there.
    written_before = log.stat().st_size if log.exists() else 0
    process = ChildProcess("dlv", argv, log=log, env=env)
    try:
        address = _wait_for_address(process, written_before).reachable()
        return Server(process, address, _wait_for_symbols(process, address))
    except BaseException:
        process.stop()
        raise


def _check_free(listen: Address) -> None:
    if listen.port == 0:
        return
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listen.host, listen.port))
        except OSError as error:
            message = f"dlv cannot listen at {listen}: {error.strerror}"
            hint = "end what listens there, or give another port"
            raise PortInUseError(f"{message}; {hint}") from error


def _wait_for_address(process: ChildProcess, written_before: int) -> Address:
    found: list[Address] = []

    def listening() -> bool:
        written = process.log.read_bytes()[written_before:]
        match = _LISTENING.search(written.decode(errors="replace"))
        if match:
            found.append(Address.parse(f"{match['host']}:{match['port']}"))
        return bool(match)

    process.wait_until(listening, what="it prints where it listens", timeout=30)
    return found[0]


def _wait_for_symbols(process: ChildProcess, address: Address) -> int:
    """Return the target's pid; the first reply comes when the symbols are loaded."""
    try:
        with Client(address.host, address.port, timeout=SYMBOLS_TIMEOUT) as client:
            pid = client.state().pid
    except DelveConnectionError as error:
        # Delve ends with a sentence in its log where it cannot debug the program.
        if poll(lambda: not process.is_running(), timeout=5):
            raise process.exited("while it loaded the program") from error
        raise
    process.adopt(pid)
    return pid
