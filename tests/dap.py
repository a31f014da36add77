"""A client of Delve as VS Code is one, by the Debug Adapter Protocol."""

from __future__ import annotations

import contextlib
import itertools
import json
import queue
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, BinaryIO, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_kdelve.delve import Address

#: Seconds for an answer or an event; longer than anything takes on a busy machine.
LONG = 30.0
_RUNS = "debuggee is running"


class DapError(Exception):
    """What the adapter refused, in its own words."""


class Dap:
    """One session. Messages are JSON behind a header ``Content-Length``, as in the specification.

    Answers are matched by ``request_seq``; events are kept until somebody waits for them.
    """

    def __init__(self, address: Address) -> None:
        self._socket = socket.create_connection((address.host, address.port), timeout=LONG)
        self._socket.settimeout(None)
        self._numbers = itertools.count(1)
        self._answers: dict[int, queue.SimpleQueue[Any]] = {}
        self._events: dict[str, queue.SimpleQueue[Any]] = {}
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._read, name="dap", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """Break the connection off, as when the editor is killed."""
        # The other side may have closed it.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(LONG)

    def attach(
        self, breakpoints: Sequence[tuple[str, int]] = (), *, stop_on_entry: bool = False
    ) -> list[Any]:
        """Do what VS Code does for ``attach`` and ``mode: remote``; returns the breakpoints."""
        self.ask("initialize", clientID="vscode", adapterID="go", pathFormat="path")
        attached = self.send("attach", mode="remote", stopOnEntry=stop_on_entry)
        self.event("initialized")
        found = self.set_breakpoints(breakpoints) if breakpoints else []
        self.ask("setExceptionBreakpoints", filters=[])
        self.answer(attached)
        self.ask("configurationDone")
        if stop_on_entry:
            self.event("stopped")
        return found

    def set_breakpoints(self, breakpoints: Sequence[tuple[str, int]]) -> list[Any]:
        """Set all the breakpoints of a session, as files and lines."""
        found = []
        for path in dict.fromkeys(path for path, _ in breakpoints):
            lines = [{"line": line} for other, line in breakpoints if other == path]
            answer = self.ask("setBreakpoints", source={"path": path}, breakpoints=lines)
            found += answer["breakpoints"]
        return found

    def stack(self, thread: int) -> list[Any]:
        answer = self.ask_at_stop("stackTrace", threadId=thread, levels=50)
        frames: list[Any] = answer["stackFrames"]
        return frames

    def variables(self, frame: int) -> dict[str, str]:
        """Return the variables of a frame, as the editor shows them."""
        scopes = self.ask_at_stop("scopes", frameId=frame)["scopes"]
        references = [scope["variablesReference"] for scope in scopes]
        answers = [self.ask_at_stop("variables", variablesReference=each) for each in references]
        return {each["name"]: each["value"] for answer in answers for each in answer["variables"]}

    def continue_(self) -> None:
        self.ask_at_stop("continue", threadId=1)

    def disconnect(self, *, terminate: bool = False) -> None:
        """Leave; the adapter closes the connection after it."""
        self.ask("disconnect", terminateDebuggee=terminate)
        self._thread.join(LONG)
        self._socket.close()

    def ask(self, command: str, **arguments: object) -> Any:  # noqa: ANN401 - JSON
        return self.answer(self.send(command, **arguments))

    def ask_at_stop(self, command: str, **arguments: object) -> Any:  # noqa: ANN401 - JSON
        """Ask at a stop, and again for as long as the debuggee is said to run.

        So Delve says of one that stands while it carries out a halt that came at the same moment as
        the stop (``Command`` in its debugger package).
        """
        deadline = time.monotonic() + LONG
        while True:
            try:
                return self.ask(command, **arguments)
            except DapError as error:
                if _RUNS not in str(error) or time.monotonic() > deadline:
                    raise

    def send(self, command: str, **arguments: object) -> int:
        number = next(self._numbers)
        with self._lock:
            self._answers[number] = queue.SimpleQueue()
        message = {"seq": number, "type": "request", "command": command, "arguments": arguments}
        data = json.dumps(message).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(data), data))
        return number

    def answer(self, number: int) -> Any:  # noqa: ANN401 - JSON
        answer = self._answers[number].get(timeout=LONG)
        if not answer["success"]:
            error = answer.get("body", {}).get("error", {}).get("format", answer.get("message"))
            raise DapError(f"{answer['command']}: {error}")
        return answer.get("body")

    def event(self, name: str, timeout: float = LONG) -> Any:  # noqa: ANN401 - JSON
        """Return the body of the next event of that name; raises ``queue.Empty``."""
        return self._queue(name).get(timeout=timeout)

    def _queue(self, name: str) -> queue.SimpleQueue[Any]:
        with self._lock:
            return self._events.setdefault(name, queue.SimpleQueue())

    def _read(self) -> None:
        # dlv resets a connection of which it has not read all.
        with contextlib.suppress(OSError), self._socket.makefile("rb") as stream:
            while header := self._header(stream):
                length = int(header["content-length"])
                data = stream.read(length)
                if len(data) < length:  # ``kill`` may come in the middle of a message.
                    return
                message = json.loads(data)
                if message["type"] == "event":
                    self._queue(message["event"]).put(message.get("body"))
                else:
                    self._answers[message["request_seq"]].put(message)

    @staticmethod
    def _header(stream: BinaryIO) -> dict[str, str]:
        fields = {}
        while line := stream.readline().decode().strip():
            name, _, value = line.partition(":")
            fields[name.strip().lower()] = value.strip()
        return fields
