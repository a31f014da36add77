"""Two runs of the same tests, compared: what moved, what changed, and what is gone."""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_kdelve.delve.texts import fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_kdelve.report.recorded import (
        RecordedPlace,
        RecordedRun,
        RecordedTest,
        Source,
        Value,
    )


_FAILURES = ("failed", "error")


class Change(enum.StrEnum):
    """What is other in the new version than in the old one."""

    GONE = "gone"
    NEW = "new"
    MOVED = "moved"
    LINE = "line changed"
    SOURCE = "source changed"
    NO_LONGER_REACHED = "no longer reached"
    NEWLY_REACHED = "newly reached"
    COUNT = "another number of hits"
    VALUES = "values changed"


@dataclass(frozen=True, slots=True)
class ChangedValue:
    """Values of an expression in the old and in the new version, each that there was once."""

    old: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedPlace:
    """A location of a test in two versions.

    ``values`` are those expressions whose values changed. A marker that only one run has is no
    change of the place: ``old`` or ``new`` is None then.
    """

    old: RecordedPlace | None
    new: RecordedPlace | None
    changes: tuple[Change, ...]
    values: Mapping[str, ChangedValue]

    @property
    def either(self) -> RecordedPlace:
        """The place as one of the runs has it, to say what the test asks for."""
        place = self.old or self.new
        assert place is not None  # noqa: S101 - there is no third run
        return place


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedTest:
    """A test in two versions; ``old`` or ``new`` is None where that run did not have it."""

    old: RecordedTest | None
    new: RecordedTest | None
    places: Sequence[ComparedPlace]

    @property
    def name(self) -> str:
        """The test's node id."""
        test = self.old or self.new
        assert test is not None  # noqa: S101 - there is no third run
        return test.test

    @property
    def outcomes(self) -> tuple[str, str]:
        """How it ended in either version; empty where that run did not have it."""
        return (self.old.outcome if self.old else "", self.new.outcome if self.new else "")

    @property
    def fails_in_both(self) -> bool:
        """Whether the test failed in both versions, so that it tells of neither."""
        return all(outcome in _FAILURES for outcome in self.outcomes)

    @property
    def differs(self) -> bool:
        """Whether the test ended otherwise, or one of its places changed."""
        old, new = self.outcomes
        return old != new or any(place.changes for place in self.places)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All tests of two runs, for two versions such as "1.36.4" and "1.37.2"."""

    old: str
    new: str
    tests: Sequence[ComparedTest]

    @property
    def differs(self) -> bool:
        """Whether any test differs."""
        return any(test.differs for test in self.tests)


def compare(old: str, old_run: RecordedRun, new: str, new_run: RecordedRun) -> Comparison:
    """Compare the runs for two versions; tests are in the order of the new run.

    A hit's values are compared where it counts for its marker, or, where none does, of all hits.
    """
    olds = {test.test: test for test in old_run.tests}
    news = {test.test: test for test in new_run.tests}
    names = [*news, *(name for name in olds if name not in news)]
    tests = [_test(olds.get(name), news.get(name)) for name in names]
    return Comparison(old=old, new=new, tests=tests)


def _test(old: RecordedTest | None, new: RecordedTest | None) -> ComparedTest:
    olds = _numbered(old.places if old else ())
    news = _numbered(new.places if new else ())
    pairs = [(olds.get(key), news.get(key)) for key in (olds | news)]
    return ComparedTest(old=old, new=new, places=[_place(*pair) for pair in pairs])


def _numbered(
    places: Iterable[RecordedPlace],
) -> dict[tuple[str, str, int], RecordedPlace]:
    """Return places by what the test says, the same words told apart by their number."""
    count: Counter[tuple[str, str]] = Counter()
    numbered = {}
    for place in places:
        words = place.asked_by, place.location
        numbered[*words, count[words]] = place
        count[words] += 1
    return numbered


def _place(old: RecordedPlace | None, new: RecordedPlace | None) -> ComparedPlace:
    if old is None or new is None:
        return ComparedPlace(old=old, new=new, changes=(), values={})
    changes = [*_of_sources(old.source, new.source), *_of_hits(old, new)]
    values = _values(old, new)
    if values:
        changes.append(Change.VALUES)
    return ComparedPlace(old=old, new=new, changes=tuple(changes), values=values)


def _of_sources(old: Source | None, new: Source | None) -> Iterable[Change]:
    if old is None or new is None:
        if old:
            yield Change.GONE
        if new:
            yield Change.NEW
        return
    if (old.file, old.line, old.function) != (new.file, new.line, new.function):
        yield Change.MOVED
    if not old.lines or not new.lines:
        return
    if fold(old.text) != fold(new.text):
        yield Change.LINE
    elif list(map(fold, old.lines)) != list(map(fold, new.lines)):
        yield Change.SOURCE


def _of_hits(old: RecordedPlace, new: RecordedPlace) -> Iterable[Change]:
    if old.hits is None or new.hits is None:
        return
    if old.hits and not new.hits:
        yield Change.NO_LONGER_REACHED
    elif new.hits and not old.hits:
        yield Change.NEWLY_REACHED
    elif old.count != new.count:
        yield Change.COUNT


def _values(old: RecordedPlace, new: RecordedPlace) -> dict[str, ChangedValue]:
    """Return the values that changed of the hits that count, or of the others where none does."""
    if not old.hits or not new.hits:
        return {}
    olds, news = _by_expression(old), _by_expression(new)
    changed = {}
    for expression in (expression for expression in olds if expression in news):
        before = {value.form: value.text for value in olds[expression]}
        after = {value.form: value.text for value in news[expression]}
        if before.keys() != after.keys():
            changed[expression] = _changed(before, after)
    return changed


def _by_expression(place: RecordedPlace) -> dict[str, list[Value]]:
    hits = place.hits or ()
    chosen = [hit for hit in hits if hit.is_expected] or hits
    values: dict[str, list[Value]] = {}
    for hit in chosen:
        for expression, value in hit.values.items():
            values.setdefault(expression, []).append(value)
    return values


def _changed(before: Mapping[str, str], after: Mapping[str, str]) -> ChangedValue:
    """Return the texts of two sets, or their forms where what is shown of both is the same."""
    old, new = tuple(dict.fromkeys(before.values())), tuple(dict.fromkeys(after.values()))
    if set(old) == set(new):
        return ChangedValue(tuple(before), tuple(after))
    return ChangedValue(old, new)


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as what JSON has: all tests, and all their places."""
    return {
        "old": comparison.old,
        "new": comparison.new,
        "differs": comparison.differs,
        "tests": [_test_as_json(test) for test in comparison.tests],
    }


def _test_as_json(test: ComparedTest) -> dict[str, Any]:
    return {
        "test": test.name,
        "differs": test.differs,
        "fails_in_both": test.fails_in_both,
        "old": _outcome_as_json(test.old),
        "new": _outcome_as_json(test.new),
        "places": [_place_as_json(place) for place in test.places],
    }


def _outcome_as_json(test: RecordedTest | None) -> dict[str, str] | None:
    return {"outcome": test.outcome, "text": test.text} if test else None


def _place_as_json(place: ComparedPlace) -> dict[str, Any]:
    return {
        "asked_by": place.either.asked_by,
        "location": place.either.location,
        "changes": list(place.changes),
        "values": {name: {"old": v.old, "new": v.new} for name, v in place.values.items()},
        "old": _side_as_json(place.old),
        "new": _side_as_json(place.new),
    }


def _side_as_json(place: RecordedPlace | None) -> dict[str, Any] | None:
    if place is None:
        return None
    hits = place.hits
    requests = None if hits is None else [hit.request for hit in hits]
    source = msgspec.to_builtins(place.source)
    if place.source:
        source["text"] = place.source.text.strip()
    return {"source": source, "error": place.error, "requests": requests}
