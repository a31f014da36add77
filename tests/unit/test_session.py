"""A session with a Delve that says what no real one can be made to say."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from pytest_kdelve.delve import Client, Session, api
from pytest_kdelve.delve.session import Closed, Exited, Running
from pytest_kdelve.delve.stops import Stop, StopReason
from pytest_kdelve.errors import (
    ConditionError,
    DelveConnectionError,
    DelveError,
    DelveTimeoutError,
    ProtocolError,
    RPCError,
    TargetExitedError,
)
from pytest_kdelve.process import poll
from pytest_kdelve.testing import Call, FakeConnection, FakeDelve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Step = Callable[[Call, FakeConnection], None]

LONG = 20.0
STANDS: dict[str, Any] = {"State": {"Pid": 1}}
RUNS = {"State": {"Pid": 1, "Running": True}}


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert poll(lambda: set(threading.enumerate()) <= before, timeout=LONG)


def refusing(text: str) -> Step:
    return lambda call, connection: connection.refuse(call, text)


def replying(result: object) -> Step:
    return lambda call, connection: connection.reply(call, result)


def exited(status: int) -> Step:
    return replying({"State": {"exited": True, "exitStatus": status}})


def hanging(_call: Call, _connection: FakeConnection) -> None:
    """Never answer."""


def hanging_up(_call: Call, connection: FakeConnection) -> None:
    connection.hang_up()


standing = replying(STANDS)


@contextmanager
def sessions(*commands: Step, state: Step = standing) -> Iterator[Session]:
    """Give a session whose commands are answered in this order, and State by ``state``."""
    waiting = list(commands)

    def answer(call: Call, connection: FakeConnection) -> None:
        step = waiting.pop(0) if call.method == "Command" else state
        step(call, connection)

    with FakeDelve(answer) as fake:
        session = Session(Client(fake.host, fake.port, timeout=LONG))
        yield session
        session.close()


def test_threads_that_end_while_delve_stops_them_are_the_end_of_the_target() -> None:
    """Before 1.20.2 Delve learns the status only by another continue."""
    with sessions(refusing("no such process"), exited(3)) as session:
        with pytest.raises(TargetExitedError, match="status 3"):
            session.continue_()
        assert session.status == Exited(3)


@pytest.mark.parametrize(
    "second", [refusing("no such process"), hanging_up], ids=["again", "hangs up"]
)
def test_where_that_does_not_tell_it_either_the_session_is_over(second: Step) -> None:
    with sessions(refusing("no such process"), second) as session:
        with pytest.raises(RPCError, match="no such process"):
            session.continue_()
        assert isinstance(session.status, Closed)
        with pytest.raises(DelveConnectionError):
            session.continue_()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("error evaluating expression: nil", ConditionError),
        ("condition expression unreadable: EOF", ConditionError),
        ("condition expression not boolean", ConditionError),
        ("could not step", RPCError),
    ],
)
def test_a_refused_command_leaves_a_target_that_stands(text: str, error: type[RPCError]) -> None:
    with sessions(refusing(text)) as session:
        with pytest.raises(RPCError) as caught:
            session.next()
        assert type(caught.value) is error
        assert caught.value.text == text
        assert isinstance(session.status, Stop)


def test_a_command_that_is_refused_since_the_target_has_exited() -> None:
    with sessions(refusing("Process 1 has exited with status 4")) as session:
        with pytest.raises(TargetExitedError):
            session.continue_()
        assert session.status == Exited(4)


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (hanging_up, DelveConnectionError),
        (lambda _, connection: connection.send(b"SSH-2.0\n"), ProtocolError),
        (replying({"State": "stopped"}), ProtocolError),
    ],
    ids=["hangs up", "garbage", "no state"],
)
def test_what_cannot_be_understood_ends_the_session(step: Step, error: type[DelveError]) -> None:
    with sessions(step) as session:
        with pytest.raises(error):
            session.continue_()
        assert isinstance(session.status, Closed)
        with pytest.raises(DelveConnectionError):
            session.halt()


def test_a_delve_that_hangs_cannot_be_halted_and_says_so_in_time() -> None:
    with sessions(hanging, *[hanging] * 100) as session:
        with pytest.raises(DelveTimeoutError, match="no reply in time"):
            session.continue_(timeout=0.05)
        with pytest.raises(DelveTimeoutError, match="did not stop in time; is Delve alive"):
            session.halt(timeout=0.05)
        assert isinstance(session.status, Running)


def test_a_target_that_others_run_is_waited_for() -> None:
    answers = [RUNS, STANDS]
    with sessions(state=lambda call, c: c.reply(call, answers.pop(0))) as session:
        assert session.status == Running()
        assert session.wait().reason is StopReason.UNKNOWN


def test_a_manual_stop_is_told_from_the_end_of_a_step() -> None:
    steps = [standing] * 2
    with sessions(*steps) as session:
        assert session.continue_().reason is StopReason.MANUAL
        assert session.next().reason is StopReason.NEXT_FINISHED


@pytest.mark.parametrize(
    ("breakpoints", "reason"),
    [
        ([{"id": 1}, {"id": -1}], StopReason.UNRECOVERED_PANIC),
        ([{"id": 1}, {"name": "hardcoded-breakpoint"}], StopReason.HARDCODED_BREAKPOINT),
        ([{"id": 1, "WatchExpr": "x"}, {"id": 2}], StopReason.BREAKPOINT),
        ([{"id": 1, "WatchExpr": "x"}], StopReason.WATCHPOINT),
    ],
)
def test_of_several_reasons_the_gravest_is_given_and_all_hits(
    breakpoints: list[dict[str, object]], reason: StopReason
) -> None:
    threads = [{"breakPoint": each} for each in breakpoints]
    stopped = replying({"State": {"Pid": 1, "Threads": threads}})

    def answer(call: Call, connection: FakeConnection) -> None:
        if call.method == "Stacktrace":
            connection.refuse(call, "no stack")
        elif call.method == "ListFunctionArgs":
            connection.reply(call, {"Args": None})
        else:
            (stopped if call.method == "Command" else standing)(call, connection)

    with FakeDelve(answer) as fake, Client(fake.host, fake.port) as client:
        stop = Session(client).continue_()
    assert stop.reason is reason
    ids = [hit.breakpoint.id for hit in stop.hits if hit.breakpoint]
    assert ids == [each["id"] for each in breakpoints if each.get("id", 0) in {1, 2}]
    assert (stop.panic is not None) == (reason is StopReason.UNRECOVERED_PANIC)
    assert stop.location == api.Location()
