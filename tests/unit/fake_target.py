"""A Delve whose target runs and stands as its clients say, or as a test does."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from pytest_kdelve.delve import Client, api
from pytest_kdelve.testing import Call, FakeConnection, FakeDelve

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Longer than anything here takes on a busy machine.
LONG = 20.0


def at(breakpoint_id: int, *, thread: int = 1, pc: int = 1, count: int = 1) -> api.Thread:
    """Return a thread that stands at a breakpoint, which was hit so often until then."""
    found = api.Breakpoint(id=breakpoint_id, variables=["turn"], total_hit_count=count)
    return api.Thread(id=thread, pc=pc, goroutine_id=thread, breakpoint=found)


class FakeTarget:
    """A target that stands at first. As in Delve, what needs it to stand is answered then.

    ``halts`` are the halts that came while it ran, ``halted_at`` is where the threads stand then,
    empty where they stood before. ``looks`` are the questions whether it runs that came then.
    """

    def __init__(self) -> None:
        self.halts = 0
        self.looks = 0
        self.halted_at: Sequence[api.Thread] = ()
        self._threads: Sequence[api.Thread] = (api.Thread(id=1, pc=1),)
        self._runs = False
        self._waiting: list[tuple[Call, FakeConnection]] = []
        self._changing = threading.RLock()
        self._delve = FakeDelve(self._answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._delve.close()

    def connect(self) -> Client:
        return Client(self._delve.host, self._delve.port, timeout=LONG)

    def run(self) -> None:
        """Resume it, as another client does."""
        with self._changing:
            self._runs = True

    def stop(self, *threads: api.Thread) -> None:
        """Let it stop where its threads are, or where they were."""
        with self._changing:
            self._threads = threads or self._threads
            self._runs = False
            waiting, self._waiting = self._waiting, []
            for call, connection in waiting:
                self._reply(call, connection)

    @property
    def steps(self) -> int:
        """How often it was to step one instruction."""
        names = [call.params.get("name") for call in self._delve.calls]
        return names.count(api.CommandName.STEP_INSTRUCTION)

    @property
    def runs(self) -> bool:
        return self._runs

    def _answer(self, call: Call, connection: FakeConnection) -> None:
        with self._changing:
            command = call.params.get("name")
            if call.method == "State" and call.params["NonBlocking"]:
                self.looks += self._runs
                self._reply(call, connection)
                return
            if command == api.CommandName.HALT and self._runs:
                self.halts += 1
                self.stop(*self.halted_at)
            self._waiting.append((call, connection))
            if command == api.CommandName.CONTINUE:
                self._runs = True
            elif not self._runs:
                self.stop()

    def _reply(self, call: Call, connection: FakeConnection) -> None:
        if call.method == "Eval":
            result: object = {"Variable": api.Variable(name="turn", kind=api.Kind.INT, value="7")}
        elif self._runs:
            result = {"State": api.DebuggerState(running=True)}
        else:
            result = {"State": api.DebuggerState(threads=list(self._threads))}
        connection.reply(call, result)
