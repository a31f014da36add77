"""What the tests of sessions do again and again, with tests/programs/stops."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import pytest

from pytest_kdelve.delve import Session, api
from pytest_kdelve.delve.status import Running
from pytest_kdelve.delve.values import to_python
from pytest_kdelve.errors import DelveTimeoutError, TargetExitedError
from tests.delve.conftest import LONG, break_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kdelve.delve.stops import Stop

HERE = api.EvalScope()
LOAD = api.LoadConfig()
MAIN = "stops/main.go"


class StartSession(Protocol):
    def __call__(self, *args: str, program: str = "stops") -> Session: ...


def go_to(session: Session, text: str) -> Stop:
    """Continue to the line with a text, where nothing else stops the target."""
    number = session.call(lambda client: break_at(client, MAIN, text)).id
    stop = session.continue_(timeout=LONG)
    assert [hit.breakpoint and hit.breakpoint.id for hit in stop.hits] == [number]
    session.client.clear_breakpoint(number)
    return stop


def source(stop: Stop) -> str:
    with open(stop.location.file, encoding="utf-8") as lines:  # noqa: PTH123 - the shortest there is
        return lines.read().splitlines()[stop.location.line - 1].strip()


def value(session: Session, expression: str) -> object:
    return to_python(session.client.eval(expression, HERE, LOAD))


def let_run(session: Session) -> None:
    """Resume the target, and leave it running."""
    with pytest.raises(DelveTimeoutError):
        session.continue_(timeout=0.1)
    assert isinstance(session.status, Running)


def stops_until_the_end(session: Session) -> Iterator[Stop]:
    with suppress(TargetExitedError):
        while True:
            yield session.continue_(timeout=LONG)


def waiting_goroutines(session: Session) -> list[int]:
    """Return the ids of those that "stops parked" has parked."""
    every = session.client.list_goroutines().goroutines or ()
    return [
        goroutine.id
        for goroutine in every
        if goroutine.start_loc.function and goroutine.start_loc.function.name == "main.wait"
    ]
