"""How many hits of others a place may cost."""

from __future__ import annotations

from pytest_kdelve.hits.budget import BURST, RATE, Budget


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def spend(budget: Budget, clock: Clock, *, a_second: float, count: int) -> int:
    """Return how many hits were allowed, each in its time."""
    for number in range(count):
        clock.now += 1 / a_second
        if not budget.spend():
            return number
    return count


def test_few_a_second_may_come_forever() -> None:
    clock = Clock()
    budget = Budget(clock)
    assert spend(budget, clock, a_second=RATE, count=10 * BURST) == 10 * BURST


def test_many_at_once_are_soon_too_many() -> None:
    clock = Clock()
    budget = Budget(clock)
    allowed = spend(budget, clock, a_second=4 * RATE, count=10 * BURST)
    assert BURST * 4 / 3 - 2 <= allowed <= BURST * 4 / 3 + 2
    assert budget.count == allowed + 1
    assert abs(budget.seconds - budget.count / (4 * RATE)) < 0.01


def test_a_pause_gives_new_ones() -> None:
    clock = Clock()
    budget = Budget(clock)
    assert spend(budget, clock, a_second=1e9, count=BURST - 1) == BURST - 1
    clock.now += BURST / RATE
    assert spend(budget, clock, a_second=1e9, count=BURST - 1) == BURST - 1
