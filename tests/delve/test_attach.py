"""A process that Delve is attached to outlives it, in whatever moment Delve ends."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import psutil
import pytest

from pytest_kdelve.controlplane import undo
from pytest_kdelve.controlplane.journal import MARK, Detach, KillMarked
from pytest_kdelve.delve import Session, api, attach
from pytest_kdelve.delve.loop import Loop
from pytest_kdelve.delve.stops import StopReason
from pytest_kdelve.process import poll
from tests.delve.conftest import LONG, break_at
from tests.delve.study import args, at, run, session_with
from tests.unit.runs import RUN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kdelve.delve import Client, Server
    from tests.delve.conftest import BuildProgram, Keep, MakeHeadless

PLACE = ("goroutines/main.go", "// one hit each")


@pytest.fixture
def waiting(build_program: BuildProgram) -> Iterator[subprocess.Popen[str]]:
    """The study program, which waits for a name at its standard input."""
    argv = [str(build_program("delve-study")), "create", "--name=-", "--copies=2"]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def say_name(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("gopher\n")
    process.stdin.flush()


def finishes_as_ever(process: subprocess.Popen[str], name: str | None = None) -> None:
    output, errors = process.communicate(name, timeout=LONG)
    assert (process.returncode, errors) == (0, "")
    assert output == "created gopher (1 of 2)\ncreated gopher (2 of 2)\n"


@pytest.fixture
def attached(
    waiting: subprocess.Popen[str], headless: MakeHeadless, keep: Keep
) -> Iterator[tuple[Server, Session]]:
    """A server that is attached to it, with breakpoints on the way that is before it."""
    server = keep(attach(headless(), waiting.pid))
    with session_with(server) as session:
        assert server.target_pid == session.client.process_pid() == waiting.pid
        break_at(session.client, "cmd.create")
        break_at(session.client, "cmd.describe")
        yield server, session


class TestAttach:
    """A process that runs already, and goes on when the server is stopped, in whatever state."""

    def test_where_it_was(
        self, attached: tuple[Server, Session], waiting: subprocess.Popen[str]
    ) -> None:
        server, session = attached
        assert session.stop.reason is StopReason.UNKNOWN
        server.stop()
        finishes_as_ever(waiting, "gopher\n")

    def test_at_a_breakpoint(
        self, attached: tuple[Server, Session], waiting: subprocess.Popen[str]
    ) -> None:
        server, session = attached
        say_name(waiting)
        assert at(session.continue_(timeout=LONG))[0] == "create"
        assert args(session) == {"name": "gopher", "copies": 2}
        server.stop()
        finishes_as_ever(waiting)

    def test_while_it_runs(
        self, attached: tuple[Server, Session], waiting: subprocess.Popen[str]
    ) -> None:
        server, session = attached
        run(session)
        server.stop()
        finishes_as_ever(waiting, "gopher\n")

    def test_after_a_halt(
        self, attached: tuple[Server, Session], waiting: subprocess.Popen[str]
    ) -> None:
        server, session = attached
        run(session)
        session.halt(timeout=LONG)
        server.stop()
        finishes_as_ever(waiting, "gopher\n")


@pytest.fixture
def busy(build_program: BuildProgram) -> Iterator[subprocess.Popen[bytes]]:
    """A program whose goroutines come by one line all the time."""
    argv = [str(build_program("goroutines")), "20", "1000000000"]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as process:
        yield process
        process.kill()


@pytest.fixture
def server(
    busy: subprocess.Popen[bytes],
    headless: MakeHeadless,
    keep: Keep,
) -> Server:
    return keep(attach(headless(), busy.pid))


def goes_on(process: subprocess.Popen[bytes]) -> bool:
    """Whether it works on for a while: what Delve left in it would end it, or have it stand."""

    def worked() -> float:
        return psutil.Process(process.pid).cpu_times().user

    before = worked()
    poll(lambda: process.poll() is not None or worked() - before > 0.2, timeout=LONG)
    return process.poll() is None and worked() - before > 0.2


def stand_in_the_middle_of_a_next(client: Client) -> Session:
    """Let the first goroutine go on to its next line, while it waits for those that come by.

    A breakpoint that is hit by the goroutine itself would end the next, without a rest of it.
    """
    session = Session(client)
    break_at(session.client, *PLACE)

    def interrupted() -> bool:
        session.continue_(timeout=LONG)
        first = session.switch_goroutine(1)
        is_parked = at(first)[0] == "gopark"
        return is_parked and session.next(timeout=LONG).next_in_progress

    assert poll(interrupted, timeout=LONG)
    return session


def test_in_the_middle_of_a_next(server: Server, busy: subprocess.Popen[bytes]) -> None:
    with server.connect() as client:
        stand_in_the_middle_of_a_next(client)
        server.stop()
    assert goes_on(busy)


def test_a_session_that_detaches_in_the_middle_of_a_next(
    server: Server, busy: subprocess.Popen[bytes]
) -> None:
    stand_in_the_middle_of_a_next(server.connect()).detach()
    assert goes_on(busy)
    assert poll(lambda: not server.process.is_running(), timeout=LONG), "it has no target"


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "not closed"])
def test_with_a_loop_that_was_recording(
    server: Server, busy: subprocess.Popen[bytes], *, closed: bool
) -> None:
    """The halt may come when the target has just stopped by itself."""
    hits: list[api.DebuggerState] = []
    loop = Loop(server.connect, lambda _client, state: hits.append(state))
    try:
        loop.call(lambda client: break_at(client, *PLACE))
        loop.start()
        assert poll(lambda: len(hits) > 20, timeout=LONG)
        if closed:
            loop.close()
        server.stop()
    finally:
        loop.close()
    assert goes_on(busy)


def test_at_a_breakpoint(server: Server, busy: subprocess.Popen[bytes]) -> None:
    with server.connect() as client:
        break_at(client, *PLACE)
        client.continue_(timeout=LONG)
        server.stop()
    assert goes_on(busy)


def state_of(server: Server) -> api.DebuggerState:
    with server.connect() as client:
        return client.state(non_blocking=True)


class TestWithoutItsOwner:
    """Whoever attached Delve was killed, and its guardian does what the server's stop would."""

    @pytest.fixture
    def orphaned(self, busy: subprocess.Popen[bytes], headless: MakeHeadless, keep: Keep) -> Server:
        return keep(attach(headless(env={**headless().env, MARK: RUN}), busy.pid))  # type: ignore[dict-item]

    @pytest.fixture
    def held(self, orphaned: Server) -> Iterator[Client]:
        """A connection that is never used again; the target stands at a breakpoint."""
        with orphaned.connect() as client:
            break_at(client, *PLACE)
            client.continue_(timeout=LONG)
            yield client

    @pytest.mark.usefixtures("held")
    def test_the_target_stands(self, orphaned: Server, busy: subprocess.Popen[bytes]) -> None:
        undo.perform(Detach(orphaned.address.host, orphaned.address.port), RUN)
        undo.perform(KillMarked(), RUN)
        assert not orphaned.process.is_running()
        assert goes_on(busy)

    def test_the_target_runs(self, orphaned: Server, busy: subprocess.Popen[bytes]) -> None:
        with orphaned.connect() as client:
            break_at(client, "main.main")
            client.send_command(api.CommandName.CONTINUE)
            assert poll(lambda: state_of(orphaned).running, timeout=LONG)
            undo.perform(Detach(orphaned.address.host, orphaned.address.port), RUN)
        assert poll(lambda: not orphaned.process.is_running(), timeout=LONG), "it has no target"
        assert goes_on(busy)

    @pytest.mark.usefixtures("held")
    def test_the_twin_that_only_kills_delve(self, busy: subprocess.Popen[bytes]) -> None:
        undo.perform(KillMarked(), RUN)
        assert not goes_on(busy)
