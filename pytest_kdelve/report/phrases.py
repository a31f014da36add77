"""What the texts of all outcomes have in common."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from pytest_kdelve.report.values import relation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_kdelve.delve.locations import Place
    from pytest_kdelve.hits.expectations import Expectation
    from pytest_kdelve.hits.model import Hit

#: As many of a kind are shown, such as hits.
MOST = 5


def is_of_test(expectation: Expectation) -> bool:
    """Whether only hits of the test's own requests count."""
    return expectation.by == "test" and expectation.during == "test"


def conditions(expectation: Expectation) -> Iterator[str]:
    """Yield what a hit must fulfil beside its place."""
    if expectation.when:
        yield f"when {expectation.when}"
    for name, value in expectation.locals.items():
        yield f"with {name} {relation(value)}"


def place_lines(place: Place, indent: str) -> Iterator[str]:
    """Yield where a place is, and the source around it."""
    yield f"{indent}is {place} in {place.function}"
    yield from (f"{indent}  {line}" for line in place.excerpt())


def who(hit: Hit) -> str:
    """Return whose hit it is."""
    goroutine = f"goroutine {hit.goroutine}"
    return f"{hit.request} ({goroutine})" if hit.request else goroutine


def number(count: int) -> str:
    """Return a number of hits."""
    return "1 hit" if count == 1 else f"{count} hits"


def more(items: Sequence[object]) -> Iterator[str]:
    """Say how many are not shown."""
    if len(items) > MOST:
        yield f"  … and {len(items) - MOST} more"


def short_function(function: str) -> str:
    """Return a function's name without the path of its package's directory."""
    return function.rpartition("/")[2]


def together(items: Iterable[object]) -> Iterator[str]:
    """Yield the texts of items, those in a row that are alike as one with their number."""
    for text, same in groupby(map(str, items)):
        times = len(list(same))
        yield text if times == 1 else f"{text} ({times} times)"
