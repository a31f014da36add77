"""What two runs of the same tests are found to have differently."""

from __future__ import annotations

import json

import pytest

from pytest_kdelve.report.comparison import Change, Comparison, as_json, compare
from pytest_kdelve.report.recorded import (
    RecordedHit,
    RecordedPlace,
    RecordedRun,
    RecordedTest,
    Source,
    Value,
)

LINES = ("func get() {", "\tgetter()", "\treturn", "}")


def source(**changes: object) -> Source:
    given = {"file": "a/get.go", "line": 11, "function": "a.get", "first": 10, "lines": LINES}
    return Source(**given | changes)  # type: ignore[arg-type]


def hit(*, is_expected: bool = True, **values: str) -> RecordedHit:
    """Make a hit with values whose text begins with ``the``, and whose form is without it."""
    kept = {name: Value(f"the {form}", form) for name, form in values.items()}
    return RecordedHit(request="GET /api", is_expected=is_expected, values=kept)


def place(**changes: object) -> RecordedPlace:
    given = {"asked_by": "hits", "location": "get.go at 'getter'", "source": source()}
    return RecordedPlace(**{**given, "hits": (hit(),), **changes})  # type: ignore[arg-type]


def ended(
    *places: RecordedPlace, name: str = "a.py::test_a", outcome: str = "passed"
) -> RecordedTest:
    text = "" if outcome == "passed" else f"it {outcome}"
    return RecordedTest(test=name, outcome=outcome, text=text, places=places)


def run(*tests: RecordedTest) -> RecordedRun:
    return RecordedRun(tests=tests)


def compared(old: RecordedRun, new: RecordedRun) -> Comparison:
    return compare("1.36.4", old, "1.37.2", new)


def changes(old: RecordedPlace, new: RecordedPlace) -> list[Change]:
    """Return what is said of one place."""
    comparison = compared(run(ended(old)), run(ended(new)))
    [of_test] = comparison.tests
    [of_place] = of_test.places
    assert comparison.differs == of_test.differs == bool(of_place.changes)
    return list(of_place.changes)


@pytest.mark.parametrize(
    "new",
    [
        place(),
        place(source=source(lines=("func  get() {", "    getter()", "\treturn", "}"))),
        place(hits=(hit(), hit())),
        place(hits=(hit(), hit(is_expected=False, name="b"))),
        place(hits=None),
    ],
    ids=["all", "white space", "how often", "others", "not run to its end"],
)
def test_the_same(new: RecordedPlace) -> None:
    assert changes(place(), new) == []


@pytest.mark.parametrize(
    ("new", "found"),
    [
        (source(line=12, first=11), [Change.MOVED]),
        (source(file="b/get.go"), [Change.MOVED]),
        (source(function="a.get.func1"), [Change.MOVED]),
        (source(lines=(*LINES[:2], "\treturn nil", "}")), [Change.SOURCE]),
        (
            source(lines=("func get() {", "\tx()", *LINES[1:]), line=12),
            [Change.MOVED, Change.SOURCE],
        ),
        (source(lines=("func get() {", "\tputter()", "\treturn", "}")), [Change.LINE]),
        (source(lines=(), first=11), []),
        (None, [Change.GONE]),
    ],
    ids=["line", "file", "function", "around", "line and around", "text", "not here", "gone"],
)
def test_another_place(new: Source | None, found: list[Change]) -> None:
    error = "" if new else "no line of it has this text"
    assert changes(place(), place(source=new, error=error)) == found


def test_a_place_that_is_new() -> None:
    missing = place(source=None, error="no line of it has this text", hits=None)
    assert changes(missing, place()) == [Change.NEW]
    assert changes(missing, missing) == []


def test_whether_it_is_reached() -> None:
    assert changes(place(), place(hits=())) == [Change.NO_LONGER_REACHED]
    assert changes(place(hits=()), place()) == [Change.NEWLY_REACHED]
    assert changes(place(hits=()), place(hits=())) == []


def test_how_often_it_is_reached_where_that_is_asked() -> None:
    once, twice = place(count=1), place(count=2, hits=(hit(), hit()))
    assert changes(once, twice) == [Change.COUNT]
    assert changes(once, place(count=0, hits=())) == [Change.NO_LONGER_REACHED]


def values(old: RecordedPlace, new: RecordedPlace) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Return the values that changed, by their expressions."""
    [of_test] = compared(run(ended(old)), run(ended(new))).tests
    [of_place] = of_test.places
    assert (Change.VALUES in of_place.changes) == bool(of_place.values)
    return {name: (each.old, each.new) for name, each in of_place.values.items()}


def test_values_by_their_expression() -> None:
    old, new = place(hits=(hit(name="a", n="1"),)), place(hits=(hit(name="b", n="1"),))
    assert values(old, new) == {"name": (("the a",), ("the b",))}
    assert values(old, old) == {}


def test_values_that_vary_within_a_run() -> None:
    """They are a set: neither their order nor their number matters."""
    old = place(hits=(hit(name="a"), hit(name="b"), hit(name="b")))
    assert values(old, place(hits=(hit(name="b"), hit(name="a")))) == {}
    new = place(hits=(hit(name="b"), hit(name="c")))
    assert values(old, new) == {"name": (("the a", "the b"), ("the b", "the c"))}


def test_the_values_of_hits_that_count_are_compared() -> None:
    """Those of the test's other hits only where none counts, as in a test that fails."""
    other = hit(is_expected=False, name="b")
    old = place(hits=(hit(name="a"), other))
    assert values(old, place(hits=(hit(name="a"),))) == {}
    assert values(old, place(hits=(other,))) == {"name": (("the a",), ("the b",))}


def test_values_that_look_alike_are_told_apart_by_their_form() -> None:
    """What is shown is cut, and so may be the same."""

    def cut(form: str) -> RecordedPlace:
        seen = RecordedHit(request="", is_expected=True, values={"name": Value("long…", form)})
        return place(hits=(seen,))

    assert values(cut("long a"), cut("long b")) == {"name": (("long a",), ("long b",))}


def test_no_values_where_it_is_not_reached() -> None:
    assert values(place(hits=(hit(name="a"),)), place(hits=())) == {}
    assert values(place(hits=(hit(name="a"),)), place(hits=None)) == {}


def test_an_expression_that_only_one_run_asks_for_is_no_value() -> None:
    assert values(place(hits=(hit(name="a"),)), place(hits=(hit(),))) == {}


def test_places_of_the_same_words_are_compared_in_their_order() -> None:
    """As where a test watches one place twice; one that only one run has is no change."""
    first, second = place(), place(source=source(line=12, first=11))
    [of_test] = compared(run(ended(first, second)), run(ended(first, second, first))).tests
    assert [pair.changes for pair in of_test.places] == [(), (), ()]
    assert [(pair.old, pair.new) for pair in of_test.places] == [
        (first, first),
        (second, second),
        (None, first),
    ]
    assert not of_test.differs
    [of_test] = compared(run(ended(first, second)), run(ended(second, first))).tests
    assert [pair.changes for pair in of_test.places] == [(Change.MOVED,), (Change.MOVED,)]


@pytest.mark.parametrize("outcome", ["failed", "error", "skipped", "xfailed"])
def test_a_test_that_ends_otherwise_differs(outcome: str) -> None:
    comparison = compared(run(ended()), run(ended(outcome=outcome)))
    assert comparison.differs
    assert [test.outcomes for test in comparison.tests] == [("passed", outcome)]
    assert not compared(run(ended(outcome=outcome)), run(ended(outcome=outcome))).differs


def test_tests_that_only_one_run_has() -> None:
    """In the order of the new run, and the rest at the end."""
    a, b, c = (ended(place(), name=name) for name in "abc")
    comparison = compared(run(a, b), run(c, b))
    assert [(test.name, test.outcomes) for test in comparison.tests] == [
        ("c", ("", "passed")),
        ("b", ("passed", "passed")),
        ("a", ("passed", "")),
    ]
    assert [test.differs for test in comparison.tests] == [True, False, True]


def test_as_json() -> None:
    new_place = place(source=source(line=12, first=11), hits=(hit(name="b"),))
    gone = place(source=None, error="it is gone", location="b.go:1", hits=None)
    old = run(ended(place(hits=(hit(name="a"),)), place(location="b.go:1")), ended(name="b"))
    new = run(ended(new_place, gone, outcome="failed"))
    text = json.dumps(as_json(compared(old, new)))
    function = {"function": "a.get", "lines": list(LINES), "file": "a/get.go", "text": "getter()"}
    old_source = {**function, "line": 11, "first": 10}
    assert json.loads(text) == {
        "old": "1.36.4",
        "new": "1.37.2",
        "differs": True,
        "tests": [
            {
                "test": "a.py::test_a",
                "differs": True,
                "fails_in_both": False,
                "old": {"outcome": "passed", "text": ""},
                "new": {"outcome": "failed", "text": "it failed"},
                "places": [
                    {
                        "asked_by": "hits",
                        "location": "get.go at 'getter'",
                        "changes": ["moved", "values changed"],
                        "values": {"name": {"old": ["the a"], "new": ["the b"]}},
                        "old": {"source": old_source, "error": "", "requests": ["GET /api"]},
                        "new": {
                            "source": {**function, "line": 12, "first": 11},
                            "error": "",
                            "requests": ["GET /api"],
                        },
                    },
                    {
                        "asked_by": "hits",
                        "location": "b.go:1",
                        "changes": ["gone"],
                        "values": {},
                        "old": {"source": old_source, "error": "", "requests": ["GET /api"]},
                        "new": {"source": None, "error": "it is gone", "requests": None},
                    },
                ],
            },
            {
                "test": "b",
                "differs": True,
                "fails_in_both": False,
                "old": {"outcome": "passed", "text": ""},
                "new": None,
                "places": [],
            },
        ],
    }
