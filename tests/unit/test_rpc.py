"""The connection to Delve, against a server that answers as it is told."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pytest_kdelve.delve import Client, api, rpc
from pytest_kdelve.errors import (
    DelveConnectionError,
    DelveTimeoutError,
    ProtocolError,
    RPCError,
    TargetExitedError,
)
from pytest_kdelve.process import poll
from pytest_kdelve.testing import Call, FakeConnection, FakeDelve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Answer = Callable[[Call, FakeConnection], None]

#: Longer than anything here takes on a busy machine.
LONG = 20.0
#: How long a call waits that is meant to time out.
SHORT = 0.1


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert poll(lambda: set(threading.enumerate()) <= before, timeout=LONG)


@contextmanager
def connected(answer: Answer, *, timeout: float = LONG) -> Iterator[tuple[FakeDelve, Client]]:
    with FakeDelve(answer) as fake, Client(fake.host, fake.port, timeout=timeout) as client:
        yield fake, client


def silent(_call: Call, _connection: FakeConnection) -> None:
    """Never answer."""


def replying(result: object) -> Answer:
    return lambda call, connection: connection.reply(call, result)


def sending(data: bytes) -> Answer:
    return lambda _call, connection: connection.send(data)


def test_a_call_names_the_rpc_and_its_parameters() -> None:
    with connected(replying({"Sources": ["a.go"]})) as (fake, client):
        assert client.list_sources("^a") == ["a.go"]
        assert fake.calls == [Call(1, "ListSources", {"Filter": "^a"})]


def test_an_error_says_the_method_and_delves_own_sentence() -> None:
    with (
        connected(lambda call, connection: connection.refuse(call, "no such thing")) as (_, client),
        pytest.raises(RPCError, match="Delve refused ListSources: no such thing") as caught,
    ):
        client.list_sources()
    assert (caught.value.method, caught.value.text) == ("ListSources", "no such thing")


def test_a_connection_is_usable_after_an_error() -> None:
    def answer(call: Call, connection: FakeConnection) -> None:
        if call.method == "ListSources":
            connection.refuse(call, "no")
        else:
            connection.reply(call, {"Funcs": ["main.main"]})

    with connected(answer) as (_, client):
        with pytest.raises(RPCError):
            client.list_sources()
        assert client.list_functions() == ["main.main"]


def test_the_sentence_of_an_exited_target_is_an_error_of_its_own() -> None:
    def answer(call: Call, connection: FakeConnection) -> None:
        connection.refuse(call, "Process 12 has exited with status -9")

    with connected(answer) as (_, client), pytest.raises(TargetExitedError) as caught:
        client.state()
    assert caught.value.status == -9


def test_a_late_reply_of_a_call_that_timed_out_is_dropped() -> None:
    waiting: list[Call] = []

    def answer(call: Call, connection: FakeConnection) -> None:
        if not waiting:
            waiting.append(call)
            return
        connection.reply(waiting[0], {"Sources": ["late.go"]})
        connection.reply(call, {"Sources": ["in-time.go"]})

    with connected(answer) as (fake, client):
        with pytest.raises(DelveTimeoutError, match=r"Eval to Delve at .* timed out: no reply"):
            client.eval("x", api.EvalScope(), api.LoadConfig(), timeout=SHORT)
        assert client.list_sources() == ["in-time.go"]
        assert len(fake.calls) == 2


def test_replies_may_come_in_any_order() -> None:
    """The reply to the second call arrives before the one to the first, which nobody awaits."""
    calls: list[Call] = []

    def answer(call: Call, connection: FakeConnection) -> None:
        calls.append(call)
        for each in reversed(calls):
            connection.reply(each, {"Sources": [f"{each.id}.go"]})

    with connected(answer) as (_, client):
        assert [client.list_sources() for _ in range(3)] == [["1.go"], ["2.go"], ["3.go"]]


def test_a_reply_may_arrive_in_pieces() -> None:
    line = msgspec.json.encode({"id": 1, "result": {"Sources": ["a☃.go"]}, "error": None}) + b"\n"

    def answer(_call: Call, connection: FakeConnection) -> None:
        for byte in line:
            connection.send(bytes([byte]))

    with connected(answer) as (_, client):
        assert client.list_sources() == ["a☃.go"]


def test_a_server_that_hangs_fails_the_call_within_its_deadline() -> None:
    with connected(silent, timeout=SHORT) as (_, client):
        began = time.monotonic()
        with pytest.raises(DelveTimeoutError, match="State"):
            client.state()
        assert SHORT <= time.monotonic() - began < LONG


def test_a_server_that_drips_does_not_extend_the_deadline() -> None:
    stop = threading.Event()

    def answer(_call: Call, connection: FakeConnection) -> None:
        while not stop.wait(SHORT / 20):
            connection.send(b" ")

    with connected(answer, timeout=SHORT) as (_, client):
        began = time.monotonic()
        with pytest.raises(DelveTimeoutError):
            client.state()
        assert time.monotonic() - began < LONG / 2
        stop.set()


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\n",
        b"[]\n",
        b'{"result": {}, "error": null}\n',
        b'{"id": null, "result": null, "error": "invalid request"}\n',
        b'{"id": 1, "result": {"State": "stopped"}, "error": null}\n',
        b'{"id": 1, "result": {}, "error": null}\n',
        b'{"id": 1, "result": null, "error": "\xff\xfe"}\n',
        b'{"id": 1, "error": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
    ],
    ids=["other", "empty", "list", "no id", "null id", "type", "missing", "no UTF-8", "nested"],
)
def test_what_is_not_delves_json_rpc_is_an_error_that_says_so(garbage: bytes) -> None:
    with (
        connected(sending(garbage)) as (fake, client),
        pytest.raises(ProtocolError, match=f"from {fake.host}:{fake.port} is not Delve's JSON-RPC"),
    ):
        client.state()


@pytest.mark.parametrize("part", [b"", b'{"id": 1, "result": {"Sta'], ids=["nothing", "half"])
def test_a_server_that_closes_before_its_reply_is_complete_is_a_broken_connection(
    part: bytes,
) -> None:
    def answer(_call: Call, connection: FakeConnection) -> None:
        connection.send(part)
        connection.hang_up()

    with connected(answer) as (_, client):
        with pytest.raises(DelveConnectionError, match="broke during State") as caught:
            client.state()
        assert not isinstance(caught.value, DelveTimeoutError)
        with pytest.raises(DelveConnectionError):
            client.state()


def test_a_reply_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "MAX_REPLY_BYTES", 1000)
    with (
        connected(sending(b" " * 1001)) as (_, client),
        pytest.raises(ProtocolError, match="over 1000 bytes to State; ask for less data"),
    ):
        client.state()


def test_a_message_of_300_mb_is_refused_and_ends_the_connection() -> None:
    message = b'{"id": 1, "result": "' + b"x" * (300 * 1024 * 1024)
    with connected(sending(message)) as (_, client):
        with pytest.raises(ProtocolError, match="over 268435456 bytes to State"):
            client.state()
        with pytest.raises(DelveConnectionError):
            client.state()


def test_a_request_that_cannot_be_sent_in_time_ends_the_connection() -> None:
    """Delve would wait for the rest of it, and take what comes next for that."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        host, port = deaf.getsockname()
        with Client(host, port, timeout=SHORT) as client:
            with pytest.raises(DelveTimeoutError, match="sending it took too long"):
                client.list_sources("x" * 100_000_000)
            with pytest.raises(DelveConnectionError):
                client.list_sources()


def test_nobody_listening_is_a_connection_error_that_names_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(DelveConnectionError, match=f"cannot connect to Delve at 127.0.0.1:{port}"):
        Client("127.0.0.1", port, timeout=SHORT)


def test_close_ends_a_call_that_waits_without_deadline() -> None:
    with connected(silent) as (fake, client), ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.continue_)
        assert poll(lambda: bool(fake.calls), timeout=LONG)
        client.close()
        with pytest.raises(DelveConnectionError, match="broke during Command"):
            waiting.result(LONG)


def test_a_call_after_close_is_a_connection_error() -> None:
    with connected(silent) as (_, client):
        client.close()
        client.close()
        with pytest.raises(DelveConnectionError):
            client.state()


def test_a_call_gives_up_where_another_one_holds_the_connection() -> None:
    with connected(silent, timeout=SHORT) as (fake, client), ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.continue_)
        assert poll(lambda: bool(fake.calls), timeout=LONG)
        with pytest.raises(DelveTimeoutError, match="another call was still waiting"):
            client.state()
        client.close()
        with pytest.raises(DelveConnectionError):
            waiting.result(LONG)
        assert [call.method for call in fake.calls] == ["Command"]


def test_a_halt_is_sent_while_another_thread_waits_and_its_reply_is_dropped() -> None:
    """It goes the way of the call that resumes, so that Delve cannot read it before that one."""
    waiting: list[Call] = []

    def answer(call: Call, connection: FakeConnection) -> None:
        waiting.append(call)
        if call.params["name"] == "halt":
            connection.reply(call, {"State": {"Pid": 1}})
            connection.reply(waiting[0], {"State": {"Pid": 2}})

    with connected(answer, timeout=SHORT) as (fake, client), ThreadPoolExecutor(1) as pool:
        pending = client.send_command(api.CommandName.CONTINUE)
        resumed = pool.submit(client.receive_state, pending, timeout=LONG)
        client.request_halt()
        assert resumed.result(LONG).pid == 2
        assert [call.params["name"] for call in fake.calls] == ["continue", "halt"]


def test_a_halt_on_a_broken_connection_says_so() -> None:
    with connected(silent) as (_, client):
        client.close()
        with pytest.raises(DelveConnectionError, match="broke during Command"):
            client.request_halt()


def test_calls_from_many_threads_get_their_own_replies() -> None:
    def answer(call: Call, connection: FakeConnection) -> None:
        connection.reply(call, {"Sources": [call.params["Filter"]]})

    with connected(answer) as (_, client), ThreadPoolExecutor(8) as pool:
        asked = [f"{number}.go" for number in range(200)]
        assert list(pool.map(client.list_sources, asked)) == [[name] for name in asked]


LISTS: dict[str, Callable[[Client], object]] = {
    "Sources": lambda client: client.list_sources(),
    "Funcs": lambda client: client.list_functions(),
    "Breakpoints": lambda client: client.list_breakpoints(),
    "Variables": lambda client: client.list_local_vars(api.EvalScope(), api.LoadConfig()),
    "Args": lambda client: client.list_function_args(api.EvalScope(), api.LoadConfig()),
    "Locations": lambda client: [*client.find_location("x"), *client.stacktrace(1, 1)],
    "Disassemble": lambda client: client.disassemble(1),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_may_be_null_or_missing(name: str) -> None:
    results: list[dict[str, Any]] = [{name: None}, {}, {name: []}]
    for result in results:
        with connected(replying(result)) as (_, client):
            assert list(LISTS[name](client)) == []  # type: ignore[call-overload]


def test_nulls_and_missing_and_unknown_keys_are_accepted_in_a_state() -> None:
    threads = [
        {},
        {"id": 7, "function": None, "breakPoint": None, "breakPointInfo": None, "new": [1]},
        {"breakPoint": {"id": 1, "addrs": None, "new": {}}, "breakPointInfo": {"locals": None}},
    ]
    state = {"Threads": threads, "NewInThisRelease": {"a": None}}
    with connected(replying({"State": state, "More": 1})) as (_, client):
        answered = client.state()
    assert answered.threads is not None
    first, second, third = answered.threads
    assert (first.breakpoint, second.breakpoint, second.id) == (None, None, 7)
    assert third.breakpoint is not None
    assert third.breakpoint.addrs is None


def test_an_address_may_need_all_64_bits() -> None:
    with connected(replying({"Variable": {"addr": 2**64 - 1}})) as (_, client):
        found = client.eval("x", api.EvalScope(), api.LoadConfig())
    assert found.addr == 2**64 - 1
