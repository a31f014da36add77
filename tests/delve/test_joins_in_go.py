"""Statements to which several ways lead: each pass is a hit, whichever way it came."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.delve import api
from pytest_kdelve.delve.locations import Location
from pytest_kdelve.delve.resolver import Resolver
from pytest_kdelve.errors import LocationError

if TYPE_CHECKING:
    from tests.delve.conftest import Debug


@pytest.mark.parametrize(
    ("at", "passes"),
    {
        "// after if": 4,
        "// after nested": 4,
        "// after else": 2,
        "// after switch": 4,
        "// after select": 2,
        "// after loop": 3,
        "// in a loop, after if": 6,
        "// return": 2,
        "// first in a loop": 6,
        "// first in a second loop": 6,
        "// of a large frame": 2,
        "// loop": 10,
    }.items(),
)
def test_each_pass_is_a_hit(debug: Debug, at: str, passes: int) -> None:
    """Of a loop, each time that its condition is asked."""
    with debug("joining").connect() as client:
        place = Resolver(client).resolve(Location.parse("joining/main.go", at))
        client.create_breakpoint(api.Breakpoint(addrs=list(place.pcs)))
        hits = 0
        while not client.continue_().exited:
            hits += 1
    assert hits == passes


def test_a_switch_of_which_only_its_end_is_left_has_no_statement(debug: Debug) -> None:
    """It would be hit by those that come from some of its cases only."""
    with debug("joining").connect() as client:
        location = Location.parse("joining/main.go", "// a switch")
        with pytest.raises(LocationError, match="has no statement"):
            Resolver(client).resolve(location)
