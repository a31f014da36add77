"""A session with a Delve that says what no real one can be made to say."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_kdelve.delve import Client, Session, api
from pytest_kdelve.delve.status import Closed, Exited, Running
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
    from collections.abc import Callable, Iterator, Mapping

    from pytest_kdelve.delve.status import Status

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


def in_turn(*steps: Step) -> Step:
    waiting = list(steps)

    def answer(call: Call, connection: FakeConnection) -> None:
        waiting.pop(0)(call, connection)

    return answer


@contextmanager
def sessions(
    *commands: Step,
    state: Step = standing,
    timeout: float = LONG,
    others: Mapping[str, Step] = MappingProxyType({}),
) -> Iterator[Session]:
    """Give a session whose commands are answered in this order, State by ``state``."""
    waiting = list(commands)

    def answer(call: Call, connection: FakeConnection) -> None:
        step = waiting.pop(0) if call.method == "Command" else others.get(call.method, state)
        step(call, connection)

    with FakeDelve(answer) as fake:
        session = Session(Client(fake.host, fake.port, timeout=timeout))
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
        ("multiple errors evaluating conditions", ConditionError),
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
        with pytest.raises(DelveTimeoutError, match="did not stop in time, and runs on"):
            session.continue_(timeout=0.05)
        with pytest.raises(
            DelveTimeoutError, match=r"did not stop in time, and runs on; .* if Delve is alive"
        ):
            session.halt(timeout=0.05)
        assert isinstance(session.status, Running)


def test_a_target_that_others_run_is_waited_for_beyond_the_clients_timeout() -> None:
    states = in_turn(replying(RUNS), hanging, hanging, standing)
    with sessions(state=states, timeout=0.5) as session:
        assert session.status == Running()
        assert session.wait().reason is StopReason.UNKNOWN


def test_and_with_a_timeout_it_is_waited_for_no_longer() -> None:
    with sessions(state=in_turn(replying(RUNS), hanging)) as session:
        with pytest.raises(DelveTimeoutError):
            session.wait(timeout=0.05)
        assert session.status == Running()


def test_a_session_that_cannot_begin_closes_its_connection() -> None:
    with FakeDelve(refusing("no")) as fake:
        client = Client(fake.host, fake.port)
        with pytest.raises(RPCError, match="no"):
            Session(client)
        with pytest.raises(DelveConnectionError):
            client.state()


@pytest.mark.parametrize(
    ("step", "status"),
    [
        (hanging_up, Closed),
        (refusing("Process 1 has exited with status 2"), Exited),
        (refusing("no such file"), Stop),
        (replying({"Sources": 1}), Stop),
    ],
    ids=["hangs up", "exited", "refused", "garbage"],
)
def test_what_an_error_says_of_the_target_is_noted(step: Step, status: type) -> None:
    with sessions(others={"ListSources": step}) as session:
        with pytest.raises(DelveError):
            session.client.list_sources()
        assert isinstance(session.status, status)


@pytest.mark.parametrize(
    ("step", "after", "status"),
    [
        (refusing("cannot rebuild"), standing, Stop),
        (refusing("cannot rebuild"), refusing("Process 1 has exited with status 0"), Exited),
        (hanging, standing, Running),
        (hanging_up, standing, Closed),
    ],
    ids=["stands", "has ended", "goes on", "hangs up"],
)
def test_a_restart_that_fails_leaves_what_delve_says(step: Step, after: Step, status: type) -> None:
    states = in_turn(standing, after, standing)
    with sessions(state=states, others={"Restart": step}) as session:
        with pytest.raises(DelveError):
            session.restart(rebuild=True, timeout=0.05)
        assert isinstance(session.status, status)
        if status is Running:
            assert session.wait().state.pid == 1


def test_a_panic_whose_stack_cannot_be_had_is_a_stop_nevertheless() -> None:
    panicking = replying({"State": {"Pid": 1, "Threads": [{"breakPoint": {"id": -1}}]}})
    unread = {"Stacktrace": hanging, "ListFunctionArgs": hanging}
    with sessions(panicking, timeout=0.05, others=unread) as session:
        stop = session.continue_()
        assert stop.panic is not None
        assert (stop.panic.value, stop.panic.stack) == (None, ())
        assert session.stop is stop


def test_a_halt_is_known_to_have_been_sent_before_the_next_resume() -> None:
    """Delve reads in order, so its answer to State says that the signal is on its way."""
    calls: list[str] = []
    waiting: list[Call] = []

    def answer(call: Call, connection: FakeConnection) -> None:
        calls.append(call.params.get("name", call.method))
        threads = {"State": {"Pid": 1, "Threads": [{"id": 1}]}}
        if call.method == "State" or calls.count("continue") == 2:
            connection.reply(call, threads)
        elif call.params["name"] == "halt":
            connection.reply(waiting[0], threads)
        else:
            waiting.append(call)

    with FakeDelve(answer) as fake, Client(fake.host, fake.port) as client:
        session = Session(client)
        with pytest.raises(DelveTimeoutError):
            session.continue_(timeout=0.05)
        assert session.halt().reason is StopReason.MANUAL
        session.continue_()
    assert calls == ["State", "continue", "halt", "State", "continue"]


def test_a_stop_is_given_to_the_one_who_waited_for_it() -> None:
    """Also where another thread has resumed the target by then."""
    went_on = threading.Event()

    hit = replying({"State": {"Pid": 1, "Threads": [{"breakPoint": {"id": 1}}]}})
    waiting = [hit, hanging]

    def answer(call: Call, connection: FakeConnection) -> None:
        (waiting.pop(0) if call.method == "Command" else standing)(call, connection)

    with FakeDelve(answer) as fake, Client(fake.host, fake.port) as client:
        session = Session(client)
        become = session._become  # noqa: SLF001 - between the reply and the return of wait

        def become_and_go_on(status: Status) -> Status:
            become(status)
            if not went_on.is_set():
                went_on.set()
                with pytest.raises(DelveTimeoutError):
                    session._resume(api.CommandName.CONTINUE, 0.0)  # noqa: SLF001
            return status

        session._become = become_and_go_on  # type: ignore[method-assign]  # noqa: SLF001
        assert len(session.continue_().hits) == 1
        assert isinstance(session.status, Running)


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
