"""The study program, and what is asked at Delve's prompt, in short."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.delve import Session, api, values
from pytest_kdelve.errors import DelveTimeoutError, TargetExitedError
from tests.delve.conftest import LONG, PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kdelve.delve import Server
    from pytest_kdelve.delve.stops import Stop

STUDY = PROGRAMS / "delve-study"
PACKAGE = "example.com/delve-study/cmd"
CREATE = "delve-study/cmd/create.go"
HERE = api.EvalScope()
LOAD = api.LoadConfig()


def line_of(text: str) -> int:
    lines = (STUDY / "cmd" / "create.go").read_text(encoding="utf-8").splitlines()
    (number,) = (n for n, line in enumerate(lines, start=1) if text in line)
    return number


def args(session: Session) -> dict[str, object]:
    return values.by_name(session.client.list_function_args(HERE, LOAD))


def locals_(session: Session) -> dict[str, object]:
    return values.by_name(session.client.list_local_vars(HERE, LOAD))


def at(stop: Stop) -> tuple[str, int]:
    """Return the function without its package, and the line."""
    function = stop.location.function
    return function.name.rpartition(".")[2] if function else "", stop.location.line


def exit_status(session: Session) -> int:
    with pytest.raises(TargetExitedError) as end:
        session.continue_(timeout=LONG)
    return end.value.status


def run(session: Session) -> None:
    """Let the target run on."""
    with pytest.raises(DelveTimeoutError):
        session.continue_(timeout=0.1)


@contextlib.contextmanager
def session_with(server: Server) -> Iterator[Session]:
    with server.connect() as client:
        yield Session(client)
