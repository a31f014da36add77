"""Things that many unit tests need, each with what does not matter filled in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from pytest_kdelve.delve.locations import Location, Place
from pytest_kdelve.hits.expectations import Expectation
from pytest_kdelve.hits.model import Attribution, Frame, Hit, Request, Stack

FILE = "/go/pkg/mod/k8s.io/apiserver@v0.37.2/pkg/endpoints/handlers/get.go"
FUNCTION = "k8s.io/apiserver/pkg/endpoints/handlers.GetResource.func1"
REQUEST = Request("GET", "/api", "kdelve-1")
PLACE = Place(FILE, 74, FUNCTION, (0x1000,))
LOCATION = Location.parse("handlers/get.go", "getter(ctx, name, req)")

_HIT = Hit(
    file=FILE,
    line=74,
    source="",
    function=FUNCTION,
    goroutine=7,
    stack=Stack((Frame(FUNCTION, FILE, 74),)),
    args={},
    locals={},
    values={},
    request=REQUEST,
    attribution=Attribution.FRAME,
    is_own=True,
    time=datetime(2026, 1, 1, tzinfo=UTC),
)
_EXPECTATION = Expectation(location=LOCATION)


def make_hit(**changes: object) -> Hit:
    """Return a hit of the test at PLACE."""
    return replace(_HIT, **changes)  # type: ignore[arg-type]


def expect(**changes: object) -> Expectation:
    """Return an expectation of at least one hit at LOCATION."""
    return replace(_EXPECTATION, **changes)  # type: ignore[arg-type]
