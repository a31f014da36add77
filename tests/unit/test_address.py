"""Where a headless Delve is told to listen."""

from __future__ import annotations

import socket

import pytest

from pytest_kdelve.delve import Address
from pytest_kdelve.errors import PortInUseError, UsageError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":12345", Address("127.0.0.1", 12345)),
        (":0", Address("127.0.0.1", 0)),
        ("0.0.0.0:65535", Address("0.0.0.0", 65535)),  # noqa: S104 - it is read, not bound
        ("localhost:1", Address("localhost", 1)),
        ("[::1]:12345", Address("::1", 12345)),
    ],
)
def test_host_and_port_or_a_port_of_loopback(text: str, address: Address) -> None:
    assert Address.parse(text) == address


@pytest.mark.parametrize(
    "text", ["", "12345", "localhost", "localhost:", ":65536", ":-1", ":1.5", ":http", ":٣"]
)
def test_anything_else_is_a_usage_error_that_says_what_to_write(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        Address.parse(text)
    assert str(raised.value) == (f"{text!r} is no address; write HOST:PORT, or :PORT for loopback")


@pytest.mark.parametrize("text", ["127.0.0.1:1", ":1", "localhost:1", "[::1]:1", "127.9.9.9:1"])
def test_loopback_is_for_this_machine_only(text: str) -> None:
    assert Address.parse(text).is_loopback


@pytest.mark.parametrize("text", ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "127.example.com:1"])
def test_everything_else_can_be_reached_by_others(text: str) -> None:
    assert not Address.parse(text).is_loopback


@pytest.mark.parametrize("text", ["127.0.0.1:80", "[::1]:80", "example.com:80"])
def test_an_address_prints_as_it_is_written(text: str) -> None:
    assert str(Address.parse(text)) == text


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = Address(port=taken.getsockname()[1])
        with pytest.raises(PortInUseError) as raised:
            address.check_free()
    assert str(raised.value) == (
        f"dlv cannot listen at {address}: Address already in use; end what listens there, or give "
        "another port"
    )
    address.check_free()


def test_an_address_of_another_machine() -> None:
    with pytest.raises(UsageError) as raised:
        Address("192.0.2.1", 12345).check_free()
    assert str(raised.value) == (
        "dlv cannot listen at 192.0.2.1:12345: Cannot assign requested address; give another "
        "address"
    )


def test_a_server_on_all_interfaces_is_reached_by_loopback() -> None:
    assert Address.parse("0.0.0.0:80").reachable() == Address("127.0.0.1", 80)
    assert Address.parse("[::]:80").reachable() == Address("::1", 80)
    assert Address.parse("192.0.2.1:80").reachable() == Address("192.0.2.1", 80)
