"""What is kept of a test's markers once its run is over."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest

from pytest_kdelve.delve.locations import Location, Place
from pytest_kdelve.errors import LocationError
from pytest_kdelve.hits.expectations import judge
from pytest_kdelve.hits.model import Request
from pytest_kdelve.hits.order import OrderExpectation, Sightings, judge_order
from pytest_kdelve.report import recorded
from pytest_kdelve.report.recorded import RecordedHit, RecordedPlace, RecordedRun, RecordedTest
from tests.unit.builders import FILE, FUNCTION, LOCATION, PLACE, expect, make_hit

if TYPE_CHECKING:
    from pathlib import Path

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJrZGVsdmUifQ.c2lnbmF0dXJl"


def judged(*values: object, **changes: object) -> RecordedPlace:
    """Record an expectation with a hit for each value of ``name``."""
    hits = [make_hit(values={"name": value}) for value in values]
    outcome = judge(expect(**changes), PLACE, hits, others_count=1)
    [place] = recorded.places([outcome])
    return place


def test_a_marker_with_its_hits() -> None:
    place = judged("a", "b", "a", locals={"name": "a"})
    assert (place.asked_by, place.location) == ("hits", str(LOCATION))
    assert place.source
    assert str(place.source) == "k8s.io/apiserver/pkg/endpoints/handlers/get.go:74"
    assert place.source.function == FUNCTION
    assert place.source.text == ""
    assert (place.error, place.count) == ("", None)
    assert place.hits
    assert [(hit.is_expected, hit.values["name"].text) for hit in place.hits] == [
        (True, "'a'"),
        (True, "'a'"),
        (False, "'b'"),
    ]
    assert {hit.request for hit in place.hits} == {"GET /api"}


def test_a_count_is_of_the_hits_that_count() -> None:
    assert judged("a", "b", "a", locals={"name": "a"}, count=range(1, 4)).count == 2
    assert judged("a", "b", "a", locals={"name": "a"}, count=range(1, 4), by="anyone").count is None


def test_never_is_a_marker_of_its_own() -> None:
    place = judged("b", locals={"name": "a"}, count=range(1))
    assert (place.asked_by, place.count) == ("not_hits", 0)


def test_what_is_only_known_to_have_been_there() -> None:
    [hit] = judged("a", locals={}).hits or ()
    assert hit == RecordedHit(request="GET /api", is_expected=True, values={})
    outcome = judge(expect(), PLACE, [make_hit(request=None)], others_count=0)
    [place] = recorded.places([outcome])
    assert place.hits
    assert place.hits[0].request == ""


def test_many_hits_are_cut_but_counted() -> None:
    values = ["a"] * 150 + ["b"] * 150
    place = judged(*values, locals={"name": "a"}, count=range(1, 200))
    assert place.hits
    assert [hit.is_expected for hit in place.hits] == [True] * 100 + [False] * 100
    assert place.count == 150


def test_the_code_around_a_place(tmp_path: Path) -> None:
    file = tmp_path / "get.go"
    file.write_text("package a\n\nfunc get() {\n\tgetter()\n}\n")
    outcome = judge(expect(), replace(PLACE, line=4, source_file=str(file)), [], others_count=0)
    [place] = recorded.places([outcome])
    assert place.source
    assert (place.source.first, place.source.lines) == (3, ("func get() {", "\tgetter()", "}"))
    assert place.source.text == "\tgetter()"
    assert place.hits == ()


def test_the_steps_of_an_order() -> None:
    """Each with its own hits, also where two have one place."""
    a, b = (Place(FILE, line, FUNCTION, (line,)) for line in (1, 2))
    steps = tuple(expect(locals={"n": n}) for n in (1, 1, 2))
    sightings = Sightings()
    for place, n in ((a, 1), (b, 2), (a, 2)):
        sightings.add(place.pcs, make_hit(values={"n": n}))
    outcome = judge_order(OrderExpectation(steps), [a, b, a], sightings)
    places = list(recorded.places([outcome]))
    assert [place.asked_by for place in places] == [f"hits_in_order, step {n}" for n in (1, 2, 3)]
    assert [
        [(hit.is_expected, hit.values["n"].text) for hit in place.hits or ()] for place in places
    ] == [[(True, "1"), (False, "2")], [(False, "2")], [(True, "2"), (False, "1")]]


@pytest.mark.parametrize("meaning", [PLACE, LocationError("no line of it has this text")])
def test_a_location_without_hits(meaning: Place | LocationError) -> None:
    location = Location.parse("handlers/get.go", "getter")
    place = recorded.found("kdelve.watch", location, meaning)
    assert (place.asked_by, place.location) == ("kdelve.watch", "handlers/get.go at 'getter'")
    assert place.hits is None
    if isinstance(meaning, Place):
        assert str(place.source) == "k8s.io/apiserver/pkg/endpoints/handlers/get.go:74"
    else:
        assert (place.source, place.error) == (None, "no line of it has this text")


def test_secrets_are_not_kept() -> None:
    hit = make_hit(values={"name": JWT}, request=Request("GET", f"/{JWT}", ""))
    wanted = expect(locals={"name": re.compile("eyJ.*")})
    error = recorded.found("hits", LOCATION, LocationError(f"near {JWT}"))
    places = [*recorded.places([judge(wanted, PLACE, [hit], others_count=0)]), error]
    text = msgspec.json.encode(places).decode()
    assert text.count("(redacted)") == 4
    assert "eyJ" not in text


def test_a_run_survives_its_file() -> None:
    test = RecordedTest(
        test="a.py::test_a", outcome="passed", text="", places=(judged("a", locals={"name": "a"}),)
    )
    run = RecordedRun(tests=(test,), versions=("1.37.2",))
    assert msgspec.json.decode(msgspec.json.encode(run), type=RecordedRun) == run
