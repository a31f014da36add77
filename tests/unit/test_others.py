"""Whether other clients are connected, as the kernel's tables tell."""

from __future__ import annotations

import contextlib
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Self, cast

import pytest

from pytest_kdelve.delve import others as module
from pytest_kdelve.delve.others import Others
from tests.unit.fake_target import LONG, FakeTarget

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_kdelve.delve import Client

OWN, ANOTHERS = "0100007F:AAAA", "0100007F:BBBB"
DELVE = "0100007F:3039"
HEADER = "  sl  local_address rem_address   st tx_queue rx_queue\n"
NOBODY = "00000000:0000"
LISTENS = (DELVE, NOBODY, "0A")


@pytest.fixture
def target() -> Iterator[FakeTarget]:
    with FakeTarget() as found:
        yield found


def test_another_client_is_seen_until_it_has_gone(target: FakeTarget) -> None:
    with target.connect() as client:
        others = Others(client, target.connect)
        assert others.are_there() is False
        with target.connect():
            assert others.are_there() is True
        assert others.are_there() is False


def test_further_clients_of_ones_own_are_none(target: FakeTarget) -> None:
    with target.connect() as client:
        others = Others(client, target.connect)
        with others.own(), others.own():
            assert others.are_there() is False
            with target.connect():
                assert others.are_there() is True
        assert others.are_there() is False


def test_one_of_ones_own_that_is_just_connecting_is_none(target: FakeTarget) -> None:
    looking: list[Future[bool | None]] = []

    def connect() -> Client:
        client = target.connect()
        looking.append(pool.submit(others.are_there))
        # It would be over by now if it did not wait.
        with contextlib.suppress(TimeoutError):
            looking[0].result(0.2)
        return client

    with target.connect() as client, ThreadPoolExecutor(1) as pool:
        others = Others(client, connect)
        with others.own():
            assert looking[0].result(LONG) is False


class End:
    """A client as far as its own end counts."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0xAAAA) -> None:
        self.local_address = (host, port)
        self.port = 0x3039

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def unused() -> Client:
    raise AssertionError


def are_there(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    *sockets: tuple[str, str, str],
    host: str = "127.0.0.1",
) -> bool | None:
    lines = [f" 0: {local} {remote} {state} 0:0\n" for local, remote, state in sockets]
    (tmp_path / "tcp").write_text(HEADER + "".join(lines))
    monkeypatch.setattr(module, "_TABLES", (tmp_path / "tcp", tmp_path / "no-ipv6"))
    return Others(cast("Client", End(host)), unused).are_there()


@pytest.mark.parametrize(
    ("sockets", "expected"),
    [
        ([LISTENS], False),
        ([LISTENS, (DELVE, OWN, "01")], False),
        ([LISTENS, (DELVE, OWN, "01"), (DELVE, ANOTHERS, "01")], True),
        # Its other side has closed it.
        ([LISTENS, (DELVE, ANOTHERS, "08")], False),
        # That end is the client's, whatever it is connected to.
        ([LISTENS, (ANOTHERS, DELVE, "01"), (ANOTHERS, "0100007F:0050", "01")], False),
        # Delve is on another machine.
        ([(OWN, DELVE, "01")], None),
        ([], None),
    ],
)
def test_what_the_table_says(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    sockets: list[tuple[str, str, str]],
    expected: bool | None,  # noqa: FBT001 - what is expected
) -> None:
    assert are_there(monkeypatch, tmp_path, *sockets) is expected


def test_the_port_of_one_that_is_closed_may_be_anothers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    are_there(monkeypatch, tmp_path, LISTENS, (DELVE, ANOTHERS, "01"))
    others = Others(cast("Client", End()), lambda: cast("Client", End(port=0xBBBB)))
    with others.own():
        assert others.are_there() is False
    assert others.are_there() is True


def test_delve_that_listens_on_all_addresses_sees_ipv4_within_ipv6(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mapped = "0000000000000000FFFF0000"
    listens = ("0" * 32 + ":3039", "0" * 32 + ":0000", "0A")
    own = (f"{mapped}{DELVE}", f"{mapped}{OWN}", "01")
    another = (f"{mapped}{DELVE}", f"{mapped}{ANOTHERS}", "01")
    assert are_there(monkeypatch, tmp_path, listens, own) is False
    assert are_there(monkeypatch, tmp_path, listens, own, another) is True


def test_ones_own_end_may_be_ipv6(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    loopback = "0" * 24 + "01000000"
    listens = (f"{loopback}:3039", "0" * 32 + ":0000", "0A")
    own = (f"{loopback}:3039", f"{loopback}:AAAA", "01")
    another = (f"{loopback}:3039", f"{loopback}:BBBB", "01")
    assert are_there(monkeypatch, tmp_path, listens, own, host="::1") is False
    assert are_there(monkeypatch, tmp_path, listens, own, another, host="::1") is True
