"""Markers, turned into expectations; what is wrong with one is said at collection."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, get_args

import pytest

from pytest_kdelve.delve.locations import Location
from pytest_kdelve.errors import LocationError, UsageError
from pytest_kdelve.hits.expectations import By, During, Expectation, check_by, check_text
from pytest_kdelve.hits.order import OrderExpectation
from pytest_kdelve.plugin.selecting import selections
from pytest_kdelve.steps import Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ARGUMENTS = (
    "location, *, at=None, locals=None, count=None, when=None, by='test', during='test', "
    "timeout=None"
)
_NOT_ARGUMENTS = _ARGUMENTS.replace("count=None, ", "")
_ORDER_ARGUMENTS = "first, second, …"
_PLACE_FORMS = "each a location or pytest_kdelve.at(location, text, locals=…)"
_FEWEST_PLACES = 2
DECLARATIONS = (
    f"hits({_ARGUMENTS}): this test's requests must reach the place in the kube-apiserver.",
    f"not_hits({_NOT_ARGUMENTS}): this test's requests must not reach the place.",
    f"hits_in_order({_ORDER_ARGUMENTS}): one request of this test's must reach these in order.",
)


def startup(wanted: Iterable[Expectation | OrderExpectation]) -> Iterator[Expectation]:
    """Yield the expectations that start-up code must fulfil."""
    for each in wanted:
        if isinstance(each, Expectation) and each.during == "startup":
            yield each


def expectations(node: pytest.Item) -> list[Expectation | OrderExpectation]:
    """Return what the markers of a test expect, in the order in which they are written.

    Raises ``UsageError`` for a marker with wrong arguments.
    """
    return list(_read(node))


def problems(nodes: Iterable[pytest.Item | pytest.Collector]) -> Iterator[str]:
    """Yield what is wrong with the markers of tests, once for all tests that share one."""
    known = set()
    for node in nodes:
        if not isinstance(node, pytest.Item):
            continue
        try:
            expectations(node)
            list(selections(node))
        except UsageError as error:
            if str(error) not in known:
                known.add(str(error))
                yield f"{node.nodeid}: {error}"


def _read(node: pytest.Item) -> Iterator[Expectation | OrderExpectation]:
    # pytest gives the closest first, and of several on one function the lowest.
    for mark in reversed(list(node.iter_markers())):
        if mark.name in _READERS:
            try:
                yield _READERS[mark.name](mark)
            except (LocationError, UsageError) as error:
                raise UsageError(f"@pytest.mark.{_text(mark)}: {error}") from error


def _text(mark: pytest.Mark) -> str:
    arguments = [*map(repr, mark.args), *(f"{k}={v!r}" for k, v in mark.kwargs.items())]
    return f"{mark.name}({', '.join(arguments)})"


def _expectation(mark: pytest.Mark) -> Expectation:
    is_not = mark.name == "not_hits"
    if is_not and "count" in mark.kwargs:
        raise UsageError("not_hits has no count; use hits(..., count=...)")
    try:
        bound = inspect.signature(_hits).bind(*mark.args, **mark.kwargs)
    except TypeError as error:
        arguments = _NOT_ARGUMENTS if is_not else _ARGUMENTS
        raise UsageError(f"{error}; write {mark.name}({arguments})") from error
    if is_not:
        bound.arguments["count"] = 0
    return _hits(*bound.args, **bound.kwargs)


def _order(mark: pytest.Mark) -> OrderExpectation:
    if mark.kwargs:
        problem = f"it takes places, and no {', '.join(mark.kwargs)}"
        raise UsageError(f"{problem}; write hits_in_order({_ORDER_ARGUMENTS}), {_PLACE_FORMS}")
    if len(mark.args) < _FEWEST_PLACES:
        problem = "at least two places have an order"
        raise UsageError(f"{problem}; write hits_in_order({_ORDER_ARGUMENTS}), {_PLACE_FORMS}")
    return OrderExpectation(tuple(map(_step, mark.args)))


def _step(place: object) -> Expectation:
    if isinstance(place, str):
        return _hits(place)
    if not isinstance(place, Step):
        raise UsageError(f"{place!r} is no place; write {_PLACE_FORMS}")
    return _hits(place.location, at=place.at, locals=place.locals)


_READERS: Mapping[str, Callable[[pytest.Mark], Expectation | OrderExpectation]] = {
    "hits": _expectation,
    "not_hits": _expectation,
    "hits_in_order": _order,
}


def _hits(
    location: str,
    *,
    at: str | None = None,
    locals: Mapping[str, object] | None = None,  # noqa: A002 - the interface's name
    count: int | range | None = None,
    when: str | None = None,
    by: By = "test",
    during: During = "test",
    timeout: float | None = None,
) -> Expectation:
    check_text("location", location)
    for name, value in (("at", at), ("when", when)):
        if value is not None:
            check_text(name, value)
    check_by(by)
    if during not in get_args(During):
        raise UsageError(f"during={during!r}; it is 'test' or 'startup'")
    if timeout is not None and not _is_seconds(timeout):
        raise UsageError(f"timeout={timeout!r}; it is a number of seconds")
    return Expectation(
        location=Location.parse(location, at),
        locals=_check_locals({} if locals is None else locals),
        count=None if count is None else _check_count(count),
        when=when,
        by=by,
        during=during,
        timeout=timeout,
    )


def _is_seconds(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 <= value <= threading.TIMEOUT_MAX  # type: ignore[operator]


def _check_locals(wanted: object) -> Mapping[str, object]:
    if not isinstance(wanted, Mapping):
        raise UsageError(f"locals={wanted!r}; it is a dict of Delve expressions and their values")
    for expression in wanted:
        check_text("an expression in locals", expression)
    return dict(wanted)


def _check_count(count: object) -> range:
    if isinstance(count, int) and not isinstance(count, bool) and count >= 0:
        return range(count, count + 1)
    if isinstance(count, range) and count and count.step == 1 and count.start >= 0:
        return count
    raise UsageError(f"count={count!r}; it is a number, or a range such as range(1, 4)")
