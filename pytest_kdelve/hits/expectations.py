"""Expectations: from hits to an outcome, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, get_args

from pytest_kdelve.delve.structs import Struct
from pytest_kdelve.delve.values import Incomplete, Unreadable
from pytest_kdelve.errors import UsageError
from pytest_kdelve.hits.collected import Coverage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_kdelve.delve.locations import Location, Place
    from pytest_kdelve.hits.model import Hit
    from pytest_kdelve.hits.reaching import Progress

#: What is said of a condition with another value.
NO_TRUTH = "it is neither true nor false"
By = Literal["test", "anyone"]
During = Literal["test", "startup"]


def check_text(name: str, value: object) -> None:
    """Raise ``UsageError`` for what is no text, or an empty one."""
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"{name}={value!r}; it is a text, and not an empty one")


def check_by(by: object) -> None:
    """Raise ``UsageError`` for what is not in ``By``."""
    if by not in get_args(By):
        raise UsageError(f"by={by!r}; it is 'test' or 'anyone'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a marker says: a place, the values there, and how often it is reached.

    ``count`` is None for at least once. ``timeout`` is in seconds, None for the session's.
    """

    location: Location
    locals: Mapping[str, object] = field(default_factory=dict)
    count: range | None = None
    when: str | None = None
    by: By = "test"
    during: During = "test"
    timeout: float | None = None

    @property
    def expressions(self) -> Mapping[str, int]:
        """What is evaluated in the frame of each hit, and how deep its value is loaded."""
        wanted = {expression: _depth(value) for expression, value in self.locals.items()}
        return {self.when: 1, **wanted} if self.when else wanted

    def allows(self, number: int) -> bool:
        """Whether this many matching hits fulfil it."""
        return number >= 1 if self.count is None else number in self.count


@dataclass(frozen=True, slots=True)
class Difference:
    """An expression whose value is not the expected one; ``note`` says more where it helps."""

    expression: str
    expected: object
    actual: object
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an expectation ended.

    ``matched`` are the hits that count. ``rejected`` are the test's other hits at the place, each
    with what differed. Of ``others_count`` more, ``unattributed_count`` are of no known request;
    ``coverage`` says which hits are not among these.
    ``progress`` says how far the test's requests came that did not reach the place.
    """

    expectation: Expectation
    place: Place
    matched: Sequence[Hit]
    rejected: Sequence[tuple[Hit, Sequence[Difference]]]
    others_count: int
    unattributed_count: int
    coverage: Coverage = field(default_factory=Coverage)
    progress: Progress | None = None

    @property
    def is_fulfilled(self) -> bool:
        """Whether the test may pass, whatever was not recorded or could not be compared."""
        known = len(self.matched)
        if self.coverage.switched_off and self.expectation.count is not None:
            return False
        return all(map(self.expectation.allows, (known, known + self.undecided)))

    @property
    def is_exceeded(self) -> bool:
        """Whether there were more hits than may be, so that no other can change that."""
        count = self.expectation.count
        return count is not None and len(self.matched) >= count.stop

    @property
    def can_be_judged(self) -> bool:
        """Whether hits that were not recorded make no difference."""
        return not self.coverage.switched_off or self.is_exceeded

    @property
    def undecided(self) -> int:
        """How many rejected hits might have matched, for all that could be compared."""
        return sum(all(d.note for d in found) for _, found in self.rejected)


def _depth(expected: object) -> int:
    """Return how many containers an expected value has within each other, and at least 1."""
    if isinstance(expected, Mapping):
        return 1 + max((_depth(expected[key]) for key in expected), default=0)
    if isinstance(expected, list | tuple):
        return 1 + max(map(_depth, expected), default=0)
    return 1


def judge(
    expectation: Expectation,
    place: Place,
    hits: Sequence[Hit],
    *,
    others_count: int,
    unattributed_count: int = 0,
    coverage: Coverage | None = None,
) -> Outcome:
    """Compare the hits that count for the test with what was expected."""
    compared = [(hit, differences(expectation, hit)) for hit in hits]
    return Outcome(
        expectation=expectation,
        place=place,
        matched=[hit for hit, found in compared if not found],
        rejected=[(hit, found) for hit, found in compared if found],
        others_count=others_count,
        unattributed_count=unattributed_count,
        coverage=replace(coverage) if coverage else Coverage(),
    )


def differences(expectation: Expectation, hit: Hit) -> list[Difference]:
    """Return which values of a hit are not the expected ones."""
    when = expectation.when
    condition = [_compare_condition(when, hit.values[when])] if when else []
    wanted = expectation.locals.items()
    compared = (_compare(name, value, hit.values[name]) for name, value in wanted)
    return [difference for difference in (*condition, *compared) if difference]


def _compare_condition(expression: str, actual: object) -> Difference | None:
    if isinstance(actual, bool | Unreadable):
        return _compare(expression, True, actual)
    # Python would take a number for one or the other.
    return Difference(expression, True, actual, note=NO_TRUTH)


def _compare(expression: str, expected: object, actual: object) -> Difference | None:
    if isinstance(actual, Unreadable):
        return Difference(expression, expected, actual, note="it could not be evaluated")
    if isinstance(actual, Incomplete):
        return Difference(expression, expected, actual, note="it is too large to be loaded whole")
    try:
        if holds(expected, actual):
            return None
    except Exception as error:  # noqa: BLE001 - a user's callable or __eq__ may raise anything
        return Difference(expression, expected, actual, note=f"comparing them raised {error!r}")
    note = "a part of it could not be loaded" if _is_unknown(expected, actual) else ""
    return Difference(expression, expected, actual, note)


def _is_unknown(expected: object, actual: object) -> bool:
    """Whether something within the value is not known that the expected one has, too."""
    if isinstance(actual, Incomplete | Unreadable):
        return True
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        return any(_is_unknown(expected[key], actual[key]) for key in expected if key in actual)
    if isinstance(expected, list) and isinstance(actual, list):
        return any(map(_is_unknown, expected, actual))
    return False


def holds(expected: object, actual: object) -> bool:
    """Whether a value is as expected; patterns and callables may be within dicts and lists.

    Raises what a callable or an ``__eq__`` raises.
    """
    if isinstance(expected, re.Pattern):
        return isinstance(actual, str | bytes) and bool(expected.search(actual))
    if callable(expected):
        check: Callable[[object], object] = expected
        return bool(check(actual))
    if type(expected) is dict and isinstance(actual, Mapping):
        # A dict asks for some of a struct's fields, and for all keys of a map.
        is_asked_for = isinstance(actual, Struct) or len(expected) == len(actual)
        pairs = expected.items()
        return is_asked_for and all(key in actual and holds(v, actual[key]) for key, v in pairs)
    if type(expected) is list and isinstance(actual, list):
        return len(expected) == len(actual) and all(map(holds, expected, actual))
    return bool(expected == actual)
