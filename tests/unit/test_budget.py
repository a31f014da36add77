"""How long others may stop the target at one place."""

from __future__ import annotations

import pytest

from pytest_kdelve.hits.budget import BURST, SHARE, Budget


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def spend(budget: Budget, clock: Clock, *, share: float, seconds: float = 0.015) -> float:
    """Let hits take a share of the time; return when it was too much, at most after 1000 s."""
    began = clock.now
    while clock.now < began + 1000:
        clock.now += (seconds + 0.005) / share
        if not budget.spend(seconds):
            return clock.now - began
    return clock.now - began


@pytest.mark.parametrize("seconds", [0.0, 0.015, 1.0])
def test_a_part_of_the_time_may_be_theirs_forever(seconds: float) -> None:
    clock = Clock()
    assert spend(Budget(clock), clock, share=SHARE * 0.99, seconds=seconds) >= 1000


@pytest.mark.parametrize("seconds", [0.0, 0.015])
def test_all_of_it_is_soon_too_much(seconds: float) -> None:
    clock = Clock()
    budget = Budget(clock)
    allowed = spend(budget, clock, share=1, seconds=seconds)
    assert allowed == pytest.approx(BURST / (1 - SHARE), abs=0.1)
    assert budget.count == pytest.approx(allowed / (seconds + 0.005), abs=2)
    assert budget.seconds == pytest.approx(allowed)


def test_a_pause_gives_new_time() -> None:
    clock = Clock()
    budget = Budget(clock)
    for _ in range(2):
        assert budget.spend(BURST - 0.1)
        clock.now += BURST / SHARE
    assert budget.spend(BURST - 0.1)
    assert not budget.spend(0.1)
