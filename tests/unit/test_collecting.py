"""What breakpoints collect, asked for one by one."""

from __future__ import annotations

from pytest_kdelve.delve import api
from pytest_kdelve.delve.collecting import collect
from tests.unit.fake_delve import PARENT, FakeClient, FakeFrame, number, string


def stopped(client: FakeClient, **fields: object) -> api.Thread:
    """Return a thread at a breakpoint of the client's, of which nothing was collected."""
    wanted = api.Breakpoint(addrs=[1], **fields)  # type: ignore[arg-type]
    return api.Thread(goroutine_id=PARENT, breakpoint=client.create_breakpoint(wanted))


def client_in(*frames: FakeFrame) -> FakeClient:
    client = FakeClient()
    client.parent_frames = frames
    return client


def info(client: FakeClient, thread: api.Thread) -> api.BreakpointInfo | None:
    found = collect(client.as_client, api.DebuggerState(threads=[thread])).threads
    assert found is not None
    return found[0].breakpoint_info


def test_what_a_breakpoint_asks_for_is_collected() -> None:
    frame = FakeFrame("main.f", {"arg": "int"}, {"b": number(2), "a": string("one")})
    client = client_in(frame, FakeFrame("main.main"))
    load = api.LoadConfig()
    found = info(
        client,
        stopped(
            client, variables=["b", "nil.x", "a"], stacktrace=9, load_args=load, load_locals=load
        ),
    )
    assert found is not None
    values = found.variables or []
    assert [each.value for each in values] == ["2", "", "one"]
    assert values[1].unreadable == "eval error: could not find symbol value for nil.x"
    assert [each.function.name for each in found.stacktrace or () if each.function] == [
        "main.f",
        "main.main",
    ]
    assert [each.name for each in found.arguments or ()] == ["arg"]
    assert found.locals == []


def test_what_it_does_not_ask_for_is_not_loaded() -> None:
    client = client_in(FakeFrame("main.f", {"arg": "int"}))
    found = info(client, stopped(client, variables=[]))
    assert found == api.BreakpointInfo(variables=[])
    assert client.count() == {"create_breakpoint": 1}


def test_what_cannot_be_loaded_is_missing_as_delve_leaves_it_out() -> None:
    client = client_in(FakeFrame("main.f", None))
    thread = stopped(client, load_args=api.LoadConfig(), stacktrace=9)
    client.parent_frames = None
    client.frames = [FakeFrame("main.f", None)]
    thread.goroutine_id = 1
    found = info(client, thread)
    assert found is not None
    assert found.arguments is None
    assert found.stacktrace is None


def test_the_breakpoints_of_other_clients_are_theirs() -> None:
    client = client_in(FakeFrame("main.f"))
    thread = stopped(client, variables=["a"])
    client.own_breakpoints.clear()
    assert info(client, thread) is None
    assert info(client, api.Thread(goroutine_id=PARENT)) is None
