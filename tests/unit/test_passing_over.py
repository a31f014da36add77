"""What a breakpoint does not stop for: hits of others, where that can be told, or were too many."""

from __future__ import annotations

import re

import pytest

from pytest_kdelve.hits import budget
from pytest_kdelve.hits.collected import Coverage
from tests.unit.fake_delve import REQUEST_TYPE, FakeFrame, request_values
from tests.unit.recording import OTHERS, OWN, Fake, Subscriber


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    return Fake(monkeypatch)


class TestCondition:
    """Where the request is in the frame itself, Delve passes over those of others."""

    OWN_ONES = (
        'delve.catch(uintptr(req) == 0 || req.RequestURI == "" || '
        'req.Header["Audit-Id"][0][:8] == "kdelve-1")'
    )

    def hit_in_frame(self, fake: Fake, audit_id: str) -> None:
        values = request_values("req", audit_id=audit_id)
        fake.client.frames = [FakeFrame("handlers.get", {"req": REQUEST_TYPE}, values)]
        fake.loop.stopped(fake.client.stop(1))

    @pytest.mark.parametrize("audit_id", [OWN, OTHERS])
    def test_it_is_set_once_a_request_was_found_there(self, fake: Fake, audit_id: str) -> None:
        subscriber = Subscriber(1)
        fake.add(subscriber)
        assert fake.breakpoint.cond == ""
        self.hit_in_frame(fake, audit_id)
        assert fake.breakpoint.cond == self.OWN_ONES
        assert subscriber.subscription.coverage == Coverage(passes_others=True)

    def test_it_outlives_the_breakpoint(self, fake: Fake) -> None:
        first, second = Subscriber(1), Subscriber(1)
        fake.add(first)
        self.hit_in_frame(fake, OWN)
        fake.remove(first)
        fake.add(second)
        assert fake.breakpoint.cond == self.OWN_ONES

    def test_there_is_none_for_an_outer_frame(self, fake: Fake) -> None:
        subscriber = Subscriber(1)
        fake.add(subscriber)
        fake.hit(1)
        assert fake.breakpoint.cond == ""
        assert subscriber.subscription.coverage == Coverage()

    def test_there_is_none_for_as_long_as_somebody_wants_all(self, fake: Fake) -> None:
        own, all_ = Subscriber(1), Subscriber(1, by_anyone=True)
        fake.add(own, all_)
        self.hit_in_frame(fake, OWN)
        assert fake.breakpoint.cond == ""
        fake.remove(all_)
        assert fake.breakpoint.cond == self.OWN_ONES
        fake.add(all_)
        assert fake.breakpoint.cond == ""
        assert own.subscription.coverage.passes_others, "it did for a while"

    def test_there_is_none_where_delve_cannot_catch_errors(self, fake: Fake) -> None:
        fake.client.can_catch = False
        fake.add(Subscriber(1))
        self.hit_in_frame(fake, OWN)
        assert fake.breakpoint.cond == ""


class TestHotLine:
    @pytest.fixture(autouse=True)
    def _little_patience(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(budget, "_STOP", 1.0)
        monkeypatch.setattr(budget, "BURST", 3.5)
        monkeypatch.setattr(budget, "SHARE", 0)

    def test_its_breakpoint_is_switched_off(self, fake: Fake) -> None:
        """Hits of the same stop are delivered nevertheless."""
        subscriber = Subscriber(1)
        fake.add(subscriber)
        fake.goroutine(OTHERS)
        fake.loop.stopped(*(fake.client.stop(1, goroutine=number) for number in range(1, 6)))
        assert len(subscriber.hits) == 5
        assert fake.client.breakpoints == {}
        assert re.fullmatch(
            r"switched off after 4 hits of others in \d\.\d s; name a line that they reach less "
            "often, such as one of a caller",
            subscriber.subscription.coverage.switched_off,
        )
        fake.remove(subscriber)
        assert fake.client.breakpoints == {}

    def test_the_tests_own_hits_do_not_count(self, fake: Fake) -> None:
        subscriber = Subscriber(1)
        fake.add(subscriber)
        for _ in range(10):
            fake.hit(1, OWN)
        assert subscriber.subscription.coverage.switched_off == ""
        assert len(subscriber.hits) == 10

    def test_who_comes_later_has_it_set_again(self, fake: Fake) -> None:
        first, second = Subscriber(1), Subscriber(1)
        fake.add(first)
        for _ in range(4):
            fake.hit(1, OTHERS)
        fake.add(second)
        fake.hit(1, OWN)
        assert [hit.is_own for hit in second.hits] == [True]
        assert second.subscription.coverage.switched_off == ""
        assert first.subscription.coverage.switched_off
        fake.remove(first, second)
        assert fake.client.breakpoints == {}
