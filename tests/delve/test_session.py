"""A target under a session: what it is, and what moves it.

The names follow the rules of Delve's ClientHowto.md.
"""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

import psutil
import pytest

from pytest_kdelve.delve import Session, api
from pytest_kdelve.delve.status import Closed, Exited, Running
from pytest_kdelve.delve.stops import Stop, StopReason
from pytest_kdelve.delve.values import to_python
from pytest_kdelve.errors import (
    DelveConnectionError,
    DelveError,
    DelveTimeoutError,
    NextInProgressError,
    RPCError,
    TargetExitedError,
    TargetRunningError,
    UnsupportedError,
)
from pytest_kdelve.process import poll
from tests.delve.conftest import LONG, Debug, break_at, place_of
from tests.delve.sessions import (
    HERE,
    LOAD,
    MAIN,
    StartSession,
    go_to,
    let_run,
    source,
    value,
    waiting_goroutines,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.delve.toolchains import Toolchain


class TestStates:
    def test_it_stands_still_at_first(self, start_session: StartSession) -> None:
        session = start_session("forever")
        assert session.stop.reason is StopReason.UNKNOWN
        assert session.stop.hits == ()
        assert session.wait(timeout=LONG) is session.stop
        assert session.client.process_pid() == session.stop.state.pid

    def test_nothing_is_sent_to_a_running_target_that_would_wedge_the_connection(
        self, start_session: StartSession
    ) -> None:
        session = start_session("forever")
        let_run(session)
        moves: list[Callable[[], object]] = [
            session.continue_,
            session.next,
            session.step,
            session.stepout,
            session.step_instruction,
            session.cancel_next,
            session.restart,
            session.client.list_sources,
            lambda: session.client.eval("1", HERE, LOAD),
            lambda: session.switch_goroutine(1),
            lambda: session.switch_thread(1),
            lambda: session.dump("core"),
            lambda: session.stop,
        ]
        for move in moves:
            with pytest.raises(TargetRunningError, match=r"the target runs, .* halt it first"):
                move()
        session.halt()
        assert session.client.list_sources("main.go$")

    def test_a_timeout_leaves_it_running_and_the_stop_can_be_had_later(
        self, start_session: StartSession
    ) -> None:
        session = start_session("beside")
        session.call(lambda client: break_at(client, MAIN, "// main takes its time"))
        session.continue_(timeout=LONG)
        with pytest.raises(
            DelveTimeoutError, match="did not stop in time, and runs on; wait or halt"
        ):
            session.continue_(timeout=0.001)
        assert isinstance(session.status, Running)
        stop = session.wait(timeout=LONG)
        assert (stop.reason, len(stop.hits)) == (StopReason.BREAKPOINT, 1)

    def test_exited(self, start_session: StartSession) -> None:
        session = start_session("exit", "3", program="behave")
        with pytest.raises(TargetExitedError, match="exited with status 3") as caught:
            session.continue_(timeout=LONG)
        assert caught.value.status == 3
        assert session.status == Exited(3)
        for ask in (session.continue_, session.next, session.halt, session.client.state):
            with pytest.raises(TargetExitedError, match="exited with status 3"):
                ask()

    def test_killed(self, start_session: StartSession) -> None:
        session = start_session("forever")
        pid = session.stop.state.pid
        let_run(session)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(TargetExitedError):
            session.wait(timeout=LONG)
        assert session.status == Exited(-signal.SIGKILL)

    def test_closed(self, start_session: StartSession) -> None:
        session = start_session("forever")
        session.close()
        assert session.status == Closed("the session was closed")
        for ask in (session.continue_, session.halt, session.detach, session.client.state):
            with pytest.raises(DelveConnectionError, match="the session was closed"):
                ask()

    def test_a_delve_that_dies_at_a_stop_is_a_closed_session(self, debug: Debug) -> None:
        server = debug("stops", "forever")
        session = Session(server.connect())
        os.kill(server.process.pid, signal.SIGKILL)
        with pytest.raises(DelveConnectionError):
            session.client.list_sources()
        assert isinstance(session.status, Closed)
        with pytest.raises(DelveConnectionError):
            session.halt()

    def test_a_target_that_is_killed_at_a_stop_is_over(self, start_session: StartSession) -> None:
        session = start_session("steps")
        go_to(session, "// calls add")
        os.kill(session.stop.state.pid, signal.SIGKILL)
        with pytest.raises((TargetExitedError, RPCError)):
            session.continue_(timeout=LONG)
        assert isinstance(session.status, Exited | Closed)

    def test_a_restart_that_fails_does_not_leave_the_old_stop(
        self, start_session: StartSession
    ) -> None:
        session = start_session("steps")
        with pytest.raises(RPCError, match="what the compiler says is in Delve's log"):
            session.restart(rebuild=True)
        assert not isinstance(session.status, Stop)

    def test_a_dead_delve_is_a_closed_session(self, debug: Debug) -> None:
        server = debug("stops", "forever")
        session = Session(server.connect())
        let_run(session)
        os.kill(server.process.pid, signal.SIGKILL)
        with pytest.raises(DelveConnectionError, match="broke during Command"):
            session.wait(timeout=LONG)
        assert isinstance(session.status, Closed)

    @pytest.mark.parametrize("name", ["continue_", "command", "halt", "detach", "switch_thread"])
    def test_the_client_refuses_what_the_session_has_a_method_for(
        self, start_session: StartSession, name: str
    ) -> None:
        session = start_session("forever")
        with pytest.raises(DelveError, match=f"{name} is not for use here"):
            getattr(session.client, name)()


class TestHalt:
    def test_a_manual_stop(self, start_session: StartSession) -> None:
        session = start_session("forever")
        let_run(session)
        stop = session.halt()
        assert (stop.reason, stop.hits, session.stop) == (StopReason.MANUAL, (), stop)
        let_run(session)

    def test_another_thread_halts_the_one_that_waits(self, start_session: StartSession) -> None:
        session = start_session("forever")
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(session.continue_)
            assert poll(lambda: isinstance(session.status, Running), timeout=LONG)
            halted = session.halt()
            assert waiting.result(LONG) is halted
        assert halted.reason is StopReason.MANUAL

    def test_a_halt_of_a_stopped_target_does_not_stop_the_next_resume(
        self, start_session: StartSession
    ) -> None:
        session = start_session("steps")
        go_to(session, "// calls add")
        for _ in range(3):
            assert session.halt() is session.stop
        assert source(session.next()) == "second := first * 2"

    def test_a_trap_that_is_pending_does_not_either(self, start_session: StartSession) -> None:
        """As another client's halt leaves it; the goroutine that steps stays the selected one."""
        session = start_session("steps")
        go_to(session, "// calls add")
        os.kill(session.stop.state.pid, signal.SIGTRAP)
        stop = session.next()
        assert (stop.reason, source(stop)) == (StopReason.NEXT_FINISHED, "second := first * 2")

    def test_a_trap_that_is_pending_does_not_change_which_goroutine_steps(
        self, start_session: StartSession
    ) -> None:
        session = start_session("parked")
        go_to(session, "// all wait here")
        waiting = waiting_goroutines(session)
        session.switch_goroutine(waiting[1])
        os.kill(session.stop.state.pid, signal.SIGTRAP)
        stop = session.next(timeout=LONG)
        assert stop.goroutine_id == waiting[1]

    def test_a_target_that_another_client_resumed(self, debug: Debug) -> None:
        server = debug("stops", "forever")
        with server.connect() as other:
            with pytest.raises(DelveTimeoutError):
                other.continue_(timeout=0.1)
            session = Session(server.connect())
            assert session.status == Running()
            with pytest.raises(TargetRunningError):
                session.client.list_sources()
            with pytest.raises(DelveTimeoutError):
                session.wait(timeout=0.1)
            stop = session.halt()
            assert stop.reason in {StopReason.MANUAL, StopReason.UNKNOWN}
            assert session.client.list_sources("main.go$")
            session.close()

    def test_a_stop_of_another_clients_command_is_waited_for(self, debug: Debug) -> None:
        server = debug("stops", "steps")
        with server.connect() as other, ExitStack() as stack:
            break_at(other, MAIN, "// inside of add")
            pending = other.send_command(api.CommandName.CONTINUE)
            session = Session(server.connect())
            stack.callback(session.close)
            stop = session.wait()
            assert stop.reason is StopReason.BREAKPOINT
            assert other.receive_state(pending, timeout=LONG).pid == stop.state.pid

    def test_a_target_that_has_exited_can_be_detached_from(self, debug: Debug) -> None:
        server = debug("behave", "exit", "0")
        session = Session(server.connect())
        with pytest.raises(TargetExitedError):
            session.continue_(timeout=LONG)
        session.detach()
        assert isinstance(session.status, Closed)

    def test_a_running_target_is_halted_before_detach(self, debug: Debug) -> None:
        """Delve ends what it started, in either case."""
        server = debug("stops", "forever")
        session = Session(server.connect())
        let_run(session)
        session.detach()
        assert session.status == Closed("the session was detached")
        assert poll(lambda: not psutil.pid_exists(server.target_pid), timeout=LONG)


class TestSteps:
    def test_next_step_and_stepout(self, start_session: StartSession) -> None:
        session = start_session("steps")
        go_to(session, "// calls add")
        stop = session.step()
        assert stop.reason is StopReason.NEXT_FINISHED
        assert (stop.location.function or api.Function()).name == "main.add"
        assert source(session.next()) == "sum = a + b // inside of add"
        stop = session.stepout()
        assert source(stop) == "first := add(1, 2) // calls add"
        assert [to_python(each) for each in stop.return_values] == [3]
        assert source(session.next()) == "second := first * 2"
        assert session.stop.return_values == ()
        assert source(session.next()).startswith("fmt.Println")
        assert (value(session, "first"), value(session, "second")) == (3, 6)

    def test_step_instruction(self, start_session: StartSession) -> None:
        session = start_session("steps")
        before = go_to(session, "// calls add").location.pc
        code = [each.loc.pc for each in session.client.disassemble(before)]
        assert session.step_instruction().location.pc == code[code.index(before) + 1]

    def test_next_through_another_breakpoint(self, start_session: StartSession) -> None:
        """Each hit on the way is a hit, and then next goes on."""
        session = start_session("beside")
        go_to(session, "// main begins a step")
        session.next()
        other = session.call(lambda client: break_at(client, MAIN, "// passed by another"))
        passed: list[Stop] = []
        stop = session.next(on_hit=passed.append)
        assert source(stop).endswith("// main ends a step")
        assert not stop.next_in_progress
        # One more may have happened in the same moment in which the step was done.
        assert stop.reason is (StopReason.BREAKPOINT if stop.hits else StopReason.NEXT_FINISHED)
        assert passed
        assert all(hit.next_in_progress for hit in passed)
        assert all(hit.goroutine_id != stop.goroutine_id for hit in passed)
        hits = [thread.breakpoint for each in [*passed, stop] for thread in each.hits]
        assert {hit.id for hit in hits if hit} == {other.id}
        assert len(hits) == session.client.get_breakpoint(other.id).total_hit_count

    def test_next_into_a_breakpoint_of_the_same_goroutine_ends_there(
        self, start_session: StartSession
    ) -> None:
        session = start_session("steps")
        go_to(session, "// calls add")
        session.call(lambda client: break_at(client, MAIN, "// inside of add"))
        passed: list[Stop] = []
        stop = session.next(on_hit=passed.append)
        assert (stop.reason, source(stop)) == (
            StopReason.BREAKPOINT,
            "sum = a + b // inside of add",
        )
        assert (stop.next_in_progress, passed) == (False, [])

    def interrupted(self, start_session: StartSession) -> Session:
        session = start_session("beside")
        go_to(session, "// main begins a step")
        session.next()
        session.call(lambda client: break_at(client, MAIN, "// passed by another"))
        stop = session.next()
        assert (stop.reason, stop.next_in_progress) == (StopReason.BREAKPOINT, True)
        return session

    def test_next_in_progress_is_continued(self, start_session: StartSession) -> None:
        session = self.interrupted(start_session)
        while (stop := session.continue_(timeout=LONG)).next_in_progress:
            assert stop.reason is StopReason.BREAKPOINT
        assert source(stop).endswith("// main ends a step")

    def test_next_in_progress_is_cancelled(self, start_session: StartSession) -> None:
        session = self.interrupted(start_session)
        session.cancel_next()
        assert not session.stop.next_in_progress
        assert not session.client.state().next_in_progress
        assert not session.next(on_hit=lambda _: None).next_in_progress

    @pytest.mark.parametrize("name", ["next", "step", "stepout"])
    def test_another_step_meanwhile_is_an_error(
        self, start_session: StartSession, name: str
    ) -> None:
        session = self.interrupted(start_session)
        with pytest.raises(NextInProgressError, match="go on with it by continue_, or give it up"):
            getattr(session, name)()

    def test_a_manual_stop_in_the_midst_is_no_end_of_the_step(
        self, start_session: StartSession
    ) -> None:
        """Delve gives the step up then."""
        session = start_session("beside")
        go_to(session, "// main takes its time")
        with pytest.raises(DelveTimeoutError):
            session.next(timeout=0.01)
        stop = session.halt()
        assert (stop.reason, stop.next_in_progress) == (StopReason.MANUAL, False)
        assert session.switch_goroutine(1).goroutine_id == 1


class TestProcess:
    def test_restart(self, start_session: StartSession, tmp_path: Path) -> None:
        session = start_session("print", "first", program="behave")
        session.client.create_breakpoint(api.Breakpoint(function_name="main.main"))
        before = session.stop.state.pid
        out = str(tmp_path / "target.out")
        for args, printed in ((None, '["first"]'), (["print", "a b", ""], '["a b",""]')):
            assert list(session.restart(args=args, redirects=("", out, ""))) == []
            assert session.stop.state.pid != before
            assert session.stop.reason is StopReason.UNKNOWN
            assert session.continue_(timeout=LONG).reason is StopReason.BREAKPOINT
            with pytest.raises(TargetExitedError, match="status 0"):
                session.continue_(timeout=LONG)
            assert printed in (tmp_path / "target.out").read_text(encoding="utf-8")

    def test_breakpoints_at_addresses_are_set_again_after_a_restart(
        self, start_session: StartSession
    ) -> None:
        session = start_session("steps")
        wanted = {"cond": "a == 1", "variables": ["b"]}
        session.call(lambda client: break_at(client, MAIN, "// inside of add", **wanted))
        assert list(session.restart()) == []
        [hit] = session.continue_(timeout=LONG).hits
        info = hit.breakpoint_info or api.BreakpointInfo()
        assert [to_python(each) for each in info.variables or ()] == [2]
        assert hit.breakpoint is not None
        assert (hit.breakpoint.cond, source(session.stop)) == (
            "a == 1",
            "sum = a + b // inside of add",
        )

    def test_follow_exec(self, start_session: StartSession, toolchain: Toolchain) -> None:
        session = start_session("spawn")
        if toolchain.delve < (1, 21):
            with pytest.raises(UnsupportedError, match=r"FollowExec; Delve has it since 1\.21\.0"):
                session.client.follow_exec(enable=True)
            return
        parent = session.stop.state.pid
        session.client.follow_exec(enable=True)
        assert session.client.follow_exec_enabled()
        place = session.call(lambda client: place_of(client, MAIN, "// calls add"))
        session.client.create_breakpoint(api.Breakpoint(file=place.file, line=place.line))
        stop = session.continue_(timeout=LONG)
        assert source(stop) == "first := add(1, 2) // calls add"
        targets = {target.pid for target in session.client.list_targets()}
        assert len(targets) == 2
        assert parent in targets
        assert stop.state.pid in targets - {parent}
        with pytest.raises(TargetExitedError, match="status 0"):
            session.continue_(timeout=LONG)

    def test_a_core_dump_that_cannot_be_written_says_why(
        self, start_session: StartSession, tmp_path: Path
    ) -> None:
        session = start_session("steps")
        with pytest.raises(DelveError, match="no such file or directory"):
            session.dump(str(tmp_path / "missing" / "core"))
        go_to(session, "// inside of add")

    def test_the_executables_age(self, start_session: StartSession) -> None:
        session = start_session("steps")
        program = psutil.Process(session.stop.state.pid).exe()
        found = session.client.last_modified().timestamp()
        assert abs(found - os.stat(program).st_mtime) < 0.001  # noqa: PTH116 - the shortest there is


def test_it_is_the_servers_own_target_and_both_end_with_their_context(debug: Debug) -> None:
    with debug("stops", "forever") as server, Session(server.connect()) as session:
        assert session.stop.state.pid == server.target_pid
        assert str(session.stop).startswith("stopped (unknown) in ")
    assert isinstance(session.status, Closed)
    assert not server.process.is_running()
