"""A recorder whose target is played by a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pytest_kdelve.delve.locations import Place
from pytest_kdelve.hits import recorder as module
from pytest_kdelve.hits.breakpoints import Subscription
from pytest_kdelve.hits.recorder import Recorder
from tests.unit.fake_delve import REQUEST_TYPE, FakeClient, FakeFrame, FakeLoop, request_values

if TYPE_CHECKING:
    import pytest

    from pytest_kdelve.delve import api
    from pytest_kdelve.hits.model import Hit

OWN, OTHERS = "kdelve-1", "somebody-1"


class Subscriber:
    """A subscription, and the hits that it got."""

    def __init__(
        self,
        *pcs: int,
        expressions: dict[str, int] | None = None,
        load_frame: bool = False,
        by_anyone: bool = False,
    ) -> None:
        self.hits: list[Hit] = []
        self.subscription = Subscription(
            place=Place("/src/get.go", 74, "handlers.get", pcs),
            expressions=expressions or {},
            load_frame=load_frame,
            owner=OWN,
            by_anyone=by_anyone,
            sink=self.hits.append,
        )


class Fake:
    """A recorder whose target is played by the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "Loop", FakeLoop)
        self.client = FakeClient()
        self.recorder = Recorder(lambda: self.client.as_client)
        self.loop = cast("FakeLoop", self.recorder._loop)  # noqa: SLF001 - the seam

    def add(self, *subscribers: Subscriber) -> None:
        self.recorder.add([subscriber.subscription for subscriber in subscribers])

    def remove(self, *subscribers: Subscriber) -> None:
        self.recorder.remove([subscriber.subscription for subscriber in subscribers])

    @property
    def breakpoint(self) -> api.Breakpoint:
        [breakpoint_] = self.client.breakpoints.values()
        return breakpoint_

    def goroutine(self, audit_id: str | None, **values: api.Variable) -> None:
        """Let the goroutine be in a function that is called by a handler of a request."""
        self.client.frames = [
            FakeFrame("registry.Get", {"name": "string"}, values),
            FakeFrame(
                "handlers.get", {"req": REQUEST_TYPE}, request_values("req", audit_id=audit_id)
            ),
        ]

    def hit(self, address: int, audit_id: str | None = OWN, **values: api.Variable) -> None:
        self.goroutine(audit_id, **values)
        self.loop.stopped(self.client.stop(address))
