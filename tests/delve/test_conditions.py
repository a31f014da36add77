"""Conditions of breakpoints, and those that fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.delve import api
from pytest_kdelve.errors import RPCError
from tests.delve.conftest import Debug, break_at

if TYPE_CHECKING:
    from pytest_kdelve.delve import Client, Server
    from tests.delve.toolchains import Toolchain


class TestConditions:
    """What ClientHowto.md and a look at service/debugger say of conditions that fail."""

    HERE = ("values/main.go", "// stop here")

    def stop(self, server: Server, condition: str) -> tuple[Client, int]:
        client = server.connect()
        return client, break_at(client, *self.HERE, cond=condition).id

    def test_a_true_one_stops(self, debug: Debug) -> None:
        client, number = self.stop(debug("values"), 'argument == "given" && color == Blue')
        with client:
            threads = client.continue_().threads or []
            assert number in {thread.breakpoint.id for thread in threads if thread.breakpoint}

    def test_a_false_one_does_not(self, debug: Debug) -> None:
        client, _ = self.stop(debug("values"), 'argument == "other"')
        with client:
            assert client.continue_().exited

    def test_a_failing_one_is_an_error_with_the_target_stopped_there(self, debug: Debug) -> None:
        client, _ = self.stop(debug("values"), "nilPointer.X == 1")
        with client:
            with pytest.raises(RPCError, match="error evaluating expression"):
                client.continue_()
            assert not client.state().running
            assert client.eval("text", api.EvalScope(), api.LoadConfig()).value == "text"

    def test_a_failing_one_can_be_taken_for_false(self, debug: Debug, toolchain: Toolchain) -> None:
        client, _ = self.stop(debug("values"), "delve.catch(nilPointer.X == 1)")
        with client:
            if toolchain.delve >= (1, 26):
                assert client.continue_().exited
            else:
                with pytest.raises(RPCError, match="error evaluating expression"):
                    client.continue_()
