"""A client whose calls are made only when the target stands still."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

from pytest_kdelve.errors import DelveError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_kdelve.delve.client import Client

T = TypeVar("T")

#: What resumes or ends the target, or changes what is selected, behind the owner's back.
_REFUSED = frozenset(
    {
        "__enter__",
        "cancel_next",
        "close",
        "command",
        "continue_",
        "detach",
        "halt",
        "receive_state",
        "request_halt",
        "restart",
        "send_command",
        "set_execution_point",
        "switch_goroutine",
        "switch_thread",
    }
)


class _Forwarding:
    def __init__(
        self, address: str, call: Callable[[Callable[[Client], object]], object], owner: str
    ) -> None:
        self.address = address
        self._call = call
        self._owner = owner

    def __getattr__(self, name: str) -> Callable[..., object]:
        if name in _REFUSED:
            raise DelveError(f"{name} is not for use here: {self._owner}")

        def forward(*args: object, **kwargs: object) -> object:
            return self._call(lambda client: getattr(client, name)(*args, **kwargs))

        return forward


def forwarding(
    address: str, call: Callable[[Callable[[Client], object]], object], owner: str
) -> Client:
    """Return a client whose methods run through ``call``.

    Those that would take the target away from its owner raise ``DelveError`` with the words of
    ``owner``.
    """
    # It has the client's methods because it forwards to them.
    return cast("Client", _Forwarding(address, call, owner))
