"""Why and where a target under a session stopped.

The names follow the rules of Delve's ClientHowto.md.
"""

from __future__ import annotations

import pytest

from pytest_kdelve.delve import api
from pytest_kdelve.delve.stops import StopReason
from pytest_kdelve.delve.values import by_name
from pytest_kdelve.errors import (
    ConditionError,
    RPCError,
    TargetExitedError,
)
from tests.delve.conftest import LONG, break_at
from tests.delve.sessions import (
    HERE,
    LOAD,
    MAIN,
    StartSession,
    go_to,
    source,
    stops_until_the_end,
    value,
    waiting_goroutines,
)


class TestReasons:
    def test_100_goroutines_at_one_line_are_100_hits(self, start_session: StartSession) -> None:
        session = start_session("100", "1", program="goroutines")
        line = ("goroutines/main.go", "// one hit each")
        session.call(lambda client: break_at(client, *line, variables=["number"]))
        stops = list(stops_until_the_end(session))
        infos = [hit.breakpoint_info for stop in stops for hit in stop.hits]
        numbers = [found.value for info in infos if info for found in info.variables or ()]
        assert sorted(map(int, numbers)) == list(range(100))
        assert max(len(stop.hits) for stop in stops) > 1

    def test_a_panic_has_its_value_and_the_go_stack(self, start_session: StartSession) -> None:
        session = start_session("deadly")
        stop = session.continue_(timeout=LONG)
        assert stop.reason is StopReason.UNRECOVERED_PANIC
        assert stop.panic is not None
        assert stop.panic.value == "nobody recovers"
        names = [frame.function.name for frame in stop.panic.stack if frame.function]
        mine = [name for name in names if name.startswith("main.")]
        assert mine == ["main.explode", "main.deadly", "main.main"]
        assert "panic: nobody recovers\n" in str(stop)
        assert "  main.explode\n" in str(stop)
        with pytest.raises(TargetExitedError, match="exited with status 2"):
            session.continue_(timeout=LONG)

    def test_a_fatal_throw_has_its_words(self, start_session: StartSession) -> None:
        session = start_session("locked")
        stop = session.continue_(timeout=LONG)
        assert stop.reason is StopReason.FATAL_THROW
        assert stop.panic is not None
        assert stop.panic.value == "all goroutines are asleep - deadlock!"

    def test_a_hardcoded_breakpoint(self, start_session: StartSession) -> None:
        session = start_session("hard")
        assert session.continue_(timeout=LONG).reason is StopReason.HARDCODED_BREAKPOINT
        go_to(session, "// after the breakpoint")
        assert value(session, "value") == 41

    def test_a_failing_condition_is_an_error_with_the_target_stopped_there(
        self, start_session: StartSession
    ) -> None:
        session = start_session("steps")
        session.call(lambda client: break_at(client, MAIN, "// inside of add", cond="c == 1"))
        with pytest.raises(ConditionError, match="error evaluating expression") as caught:
            session.continue_(timeout=LONG)
        assert "stops/main.go:" in str(caught.value)
        assert str(caught.value).endswith(" has the condition c == 1")
        assert source(session.stop) == "sum = a + b // inside of add"
        assert value(session, "a") == 1
        with pytest.raises(TargetExitedError, match="status 0"):
            session.continue_(timeout=LONG)

    def test_a_refused_command_leaves_the_target_where_it_is(
        self, start_session: StartSession
    ) -> None:
        session = start_session("steps")
        with pytest.raises(RPCError) as caught:
            session.switch_goroutine(12345)
        assert not isinstance(caught.value, ConditionError)
        go_to(session, "// inside of add")


class TestWatchpoints:
    def test_a_write_stops_the_target_and_so_does_the_end_of_the_scope(
        self, start_session: StartSession
    ) -> None:
        session = start_session("watched")
        go_to(session, "// before the writes")
        watched = session.client.create_watchpoint(HERE, "sum", api.WatchType.WRITE)
        assert watched.watch_expr == "sum"
        sums = []
        while (stop := session.continue_(timeout=LONG)).reason is StopReason.WATCHPOINT:
            assert [hit.breakpoint and hit.breakpoint.watch_expr for hit in stop.hits] == ["sum"]
            sums.append(value(session, "sum"))
        assert sums == [1, 3, 6]
        assert stop.reason is StopReason.WATCHPOINT_OUT_OF_SCOPE
        assert [each.watch_expr for each in stop.state.watch_out_of_scope or ()] == ["sum"]


class TestGoroutines:
    def test_a_goroutine_switch_changes_what_is_looked_at(
        self, start_session: StartSession
    ) -> None:
        session = start_session("parked")
        here = go_to(session, "// all wait here")
        waiting = waiting_goroutines(session)
        assert len(waiting) == 3
        numbers = set()
        for goroutine in waiting:
            stop = session.switch_goroutine(goroutine)
            assert stop.goroutine_id == session.stop.goroutine_id == goroutine
            frames = [
                frame.function.name if frame.function else ""
                for frame in session.client.stacktrace(goroutine, 20)
            ]
            scope = api.EvalScope(frame=frames.index("main.wait"))
            numbers.add(by_name(session.client.list_function_args(scope, LOAD))["number"])
        assert numbers == {1, 2, 3}
        assert session.switch_goroutine(here.goroutine_id).location.line == here.location.line

    def test_goroutines_are_listed_in_parts_filtered_and_grouped(
        self, start_session: StartSession
    ) -> None:
        session = start_session("parked")
        go_to(session, "// all wait here")
        client = session.client
        every = [goroutine.id for goroutine in client.list_goroutines().goroutines or ()]
        parts: list[int] = []
        nextg = 0
        while nextg >= 0:
            part = client.list_goroutines(nextg, 2)
            parts += [goroutine.id for goroutine in part.goroutines or ()]
            nextg = part.nextg
        assert sorted(parts) == sorted(every)
        mine = client.list_goroutines(
            filters=[api.ListGoroutinesFilter(kind=api.GoroutineField.START_LOC, arg="main.wait")]
        )
        assert len(mine.goroutines or ()) == 3
        grouped = client.list_goroutines(
            group=api.GoroutineGroupingOptions(
                group_by=api.GoroutineField.START_LOC, max_group_members=10, max_groups=50
            )
        )
        assert 3 in {group.total for group in grouped.groups or () if "main.wait" in group.name}
