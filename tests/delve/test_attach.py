"""A process that Delve is attached to outlives it, in whatever moment Delve ends."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import psutil
import pytest

from pytest_kdelve.delve import Session, api, attach
from pytest_kdelve.delve.loop import Loop
from pytest_kdelve.process import poll
from tests.delve.conftest import LONG, break_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_kdelve.delve import Client, Headless, Server
    from tests.delve.conftest import BuildProgram

PLACE = ("goroutines/main.go", "// one hit each")


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
    headless: Callable[..., Headless],
    keep: Callable[[Server], Server],
) -> Server:
    return keep(attach(headless(), busy.pid))


def goes_on(process: subprocess.Popen[bytes]) -> bool:
    """Whether it works on for a while: what Delve left in it would end it at once."""

    def worked() -> float:
        return psutil.Process(process.pid).cpu_times().user

    before = worked()
    poll(lambda: process.poll() is not None or worked() - before > 0.2, timeout=LONG)
    return process.poll() is None


def stand_in_the_middle_of_a_next(client: Client) -> Session:
    """Let another goroutine hit the breakpoint while one goes on to its next line."""
    session = Session(client)
    break_at(session.client, *PLACE)

    def interrupted() -> bool:
        session.continue_(timeout=LONG)
        return session.next(timeout=LONG).next_in_progress

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
