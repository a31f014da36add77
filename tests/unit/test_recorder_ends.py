"""Subscriptions that end by themselves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.fake_delve import FakeFrame
from tests.unit.recording import Fake, Subscriber


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    return Fake(monkeypatch)


class Sated(Subscriber):
    """It wants one hit."""

    def __init__(self, *pcs: int) -> None:
        super().__init__(*pcs)
        self.subscription = replace(self.subscription, wants_more=lambda: not self.hits)


def test_a_subscription_ends_when_it_wants_no_more(fake: Fake) -> None:
    """With all its breakpoints; to remove it afterwards is no error."""
    sated = Sated(1, 2)
    fake.add(sated)
    fake.hit(1)
    assert len(sated.hits) == 1
    assert fake.client.breakpoints == {}
    fake.remove(sated)


def test_others_at_its_address_go_on(fake: Fake) -> None:
    sated, other = Sated(1), Subscriber(1)
    fake.add(sated, other)
    fake.hit(1)
    fake.hit(1)
    assert len(sated.hits) == 1
    assert len(other.hits) == 2


def test_several_goroutines_stop_at_once_where_it_ends(fake: Fake) -> None:
    """The second one is none of its any more."""
    sated = Sated(1)
    fake.add(sated)
    fake.goroutine("kdelve-1")
    fake.loop.stopped(fake.client.stop(1), fake.client.stop(1, goroutine=8))
    assert len(sated.hits) == 1
    assert fake.client.breakpoints == {}


def test_what_a_later_one_would_learn_is_not_told_to_a_breakpoint_that_is_gone(fake: Fake) -> None:
    """Delve would refuse it, which ends the recording of everybody."""
    sated = Sated(1)
    fake.add(sated)
    fake.client.frames = [FakeFrame("registry.Get", {"name": "string"})]
    first = fake.client.stop(1)
    fake.goroutine("kdelve-1")
    second = fake.client.stop(1, goroutine=8)
    fake.client.count()
    fake.loop.stopped(first, second)
    assert fake.client.count()["amend_breakpoint"] == 0
    assert len(sated.hits) == 1
    assert fake.client.breakpoints == {}
