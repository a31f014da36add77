"""A comparison as a person reads it, compared as whole text."""

from __future__ import annotations

import io
from textwrap import dedent

import msgspec
from rich.console import Console

from pytest_kdelve.report.comparison import compare
from pytest_kdelve.report.recorded import (
    RecordedHit,
    RecordedPlace,
    RecordedRun,
    RecordedTest,
    Source,
    Value,
)
from pytest_kdelve.report.side_by_side import render

OLD = """func getResourceHandler() {
	namespace := name(req)
	result, err := getter(ctx, name, req)
	if err != nil {
		return
	}
	write(result)
}"""
NEW = OLD.replace("name(req)", "scope.Name(req)").replace("\twrite", "\ta()\n\tb()\n\twrite")


def source(text: str = OLD, first: int = 60, mark: str = "getter(") -> Source:
    lines = text.splitlines()
    number = next(n for n, line in enumerate(lines) if mark in line)
    return Source(
        file="k8s.io/apiserver/get.go",
        line=first + number,
        function="k8s.io/apiserver/handlers.getResourceHandler.func1",
        first=first,
        lines=tuple(lines),
    )


def hits(*values: str, request: str = "GET /api") -> tuple[RecordedHit, ...]:
    return tuple(
        RecordedHit(request=request, is_expected=True, values={"name": Value(f"'{v}'", v)})
        for v in values
    )


def place(found: Source | None = None, **changes: object) -> RecordedPlace:
    given = {"asked_by": "hits", "location": "get.go at 'getter('", "source": found, "hits": ()}
    return RecordedPlace(**{**given, **changes})  # type: ignore[arg-type]


def ended(*places: RecordedPlace, outcome: str = "passed", text: str = "") -> RecordedTest:
    return RecordedTest(test="a.py::test_get", outcome=outcome, text=text, places=places)


def shown(
    old: RecordedTest | None,
    new: RecordedTest | None,
    *,
    is_verbose: bool = False,
    width: int = 90,
) -> str:
    """Compare two versions of one test; what fills columns up is cut."""
    runs = [RecordedRun(tests=(each,) if each else ()) for each in (old, new)]
    stream = io.StringIO()
    console = Console(file=stream, width=width, highlight=False, markup=False)
    for each in render(compare("1.36.4", runs[0], "1.37.2", runs[1]), is_verbose=is_verbose):
        console.print(each)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def text(indented: str) -> str:
    return dedent(indented).strip("\n")


def test_moved() -> None:
    """The line alone says enough."""
    assert shown(ended(place(source())), ended(place(source(first=72)))) == text("""
        a.py::test_get: passed
          hits get.go at 'getter(': moved
            1.36.4 handlers.getResourceHandler.func1   │ 1.37.2 handlers.getResourceHandler.func1
            k8s.io/apiserver/get.go:62                 │ k8s.io/apiserver/get.go:74
            >   62 |   result, err := getter(ctx,      │ >   74 |   result, err := getter(ctx,
                     name, req)                        │          name, req)

        Kubernetes 1.36.4 and 1.37.2: 1 test, 1 place; moved: 1.
    """)


def test_changed_around_it() -> None:
    assert shown(ended(place(source())), ended(place(source(NEW)))) == text("""
        a.py::test_get: passed
          hits get.go at 'getter(': source changed
            1.36.4 handlers.getResourceHandler.func1   │ 1.37.2 handlers.getResourceHandler.func1
            k8s.io/apiserver/get.go:62                 │ k8s.io/apiserver/get.go:62
                60 | func getResourceHandler() {       │     60 | func getResourceHandler() {
            -   61 |   namespace := name(req)          │ +   61 |   namespace := scope.Name(req)
            >   62 |   result, err := getter(ctx,      │ >   62 |   result, err := getter(ctx,
                     name, req)                        │          name, req)
                63 |   if err != nil {                 │     63 |   if err != nil {
            …                                          │ …
                65 |   }                               │     65 |   }
                                                       │ +   66 |   a()
                                                       │ +   67 |   b()
                66 |   write(result)                   │     68 |   write(result)

        Kubernetes 1.36.4 and 1.37.2: 1 test, 1 place; source changed: 1.
    """)


def test_much_changed_around_it() -> None:
    """The nearest rows are shown, and all of them when asked."""
    lines = [f"\tline{n}()" for n in range(40)]
    olds, news = ["func a() {", *lines], ["func a() {", *(line.upper() for line in lines)]
    old, new = (source("\n".join([*each, "\tgetter()", "}"])) for each in (olds, news))
    cut = shown(ended(place(old)), ended(place(new)))
    whole = shown(ended(place(old)), ended(place(new)), is_verbose=True)
    assert "line26()" in cut
    assert "line25()" not in cut
    assert cut.count("… rows that differ, too: 26 (--verbose)") == 2
    assert "line0()" in whole
    assert "more rows" not in whole


def test_what_changed_in_a_function_is_shown_once() -> None:
    """However many places are in it."""
    old = (place(source()), place(source(mark="write")))
    new = (place(source(NEW)), place(source(NEW, mark="write")))
    assert shown(ended(*old), ended(*new)) == text("""
        a.py::test_get: passed
          hits get.go at 'getter(': source changed
            1.36.4 handlers.getResourceHandler.func1   │ 1.37.2 handlers.getResourceHandler.func1
            k8s.io/apiserver/get.go:62                 │ k8s.io/apiserver/get.go:62
                60 | func getResourceHandler() {       │     60 | func getResourceHandler() {
            -   61 |   namespace := name(req)          │ +   61 |   namespace := scope.Name(req)
            >   62 |   result, err := getter(ctx,      │ >   62 |   result, err := getter(ctx,
                     name, req)                        │          name, req)
                63 |   if err != nil {                 │     63 |   if err != nil {
            …                                          │ …
                65 |   }                               │     65 |   }
                                                       │ +   66 |   a()
                                                       │ +   67 |   b()
                66 |   write(result)                   │     68 |   write(result)
          hits get.go at 'getter(': moved, source changed
            1.36.4 handlers.getResourceHandler.func1   │ 1.37.2 handlers.getResourceHandler.func1
            k8s.io/apiserver/get.go:66                 │ k8s.io/apiserver/get.go:68
            >   66 |   write(result)                   │ >   68 |   write(result)
            what changed around it is shown above      │

        Kubernetes 1.36.4 and 1.37.2: 1 test, 2 places; moved: 1, source changed: 2.
    """)


def test_another_line() -> None:
    """As a number means in another release; the two may have nothing in common."""
    new = source(NEW.replace("getter(", "put("), mark="write")
    assert shown(ended(place(source())), ended(place(new))) == text("""
        a.py::test_get: passed
          hits get.go at 'getter(': moved, line changed
            1.36.4 handlers.getResourceHandler.func1   │ 1.37.2 handlers.getResourceHandler.func1
            k8s.io/apiserver/get.go:62                 │ k8s.io/apiserver/get.go:68
                60 | func getResourceHandler() {       │     66 |   a()
                61 |   namespace := name(req)          │     67 |   b()
            >   62 |   result, err := getter(ctx,      │ >   68 |   write(result)
                     name, req)                        │
                63 |   if err != nil {                 │     69 | }
                64 |     return                        │

        Kubernetes 1.36.4 and 1.37.2: 1 test, 1 place; moved: 1, line changed: 1.
    """)


def test_gone() -> None:
    error = "get.go at 'getter(': no line of it has this text; near it are:\n  get.go:60: putter()"
    old = ended(place(source(), hits=hits("a")))
    new = ended(place(error=error, hits=None), outcome="error", text=error)
    assert shown(old, new) == text("""
        a.py::test_get: passed → error
          hits get.go at 'getter(': gone
            1.36.4 handlers.getResourceHandler.func1   │ 1.37.2
            k8s.io/apiserver/get.go:62                 │ get.go at 'getter(': no line of it has
                                                       │ this text; near it are:
                                                       │   get.go:60: putter()
                60 | func getResourceHandler() {       │
                61 |   namespace := name(req)          │
            >   62 |   result, err := getter(ctx,      │
                     name, req)                        │
                63 |   if err != nil {                 │
                64 |     return                        │

        Kubernetes 1.36.4 and 1.37.2: 1 test, 1 place; tests with another outcome: 1, gone: 1.
    """)
    assert shown(new, old) == text("""
        a.py::test_get: error → passed
          hits get.go at 'getter(': new
            1.36.4                                     │ 1.37.2 handlers.getResourceHandler.func1
            get.go at 'getter(': no line of it has     │ k8s.io/apiserver/get.go:62
            this text; near it are:                    │
              get.go:60: putter()                      │
                                                       │     60 | func getResourceHandler() {
                                                       │     61 |   namespace := name(req)
                                                       │ >   62 |   result, err := getter(ctx,
                                                       │          name, req)
                                                       │     63 |   if err != nil {
                                                       │     64 |     return

        Kubernetes 1.36.4 and 1.37.2: 1 test, 1 place; tests with another outcome: 1, new: 1.
    """)


def test_values() -> None:
    """They say by themselves why the test fails."""
    old = ended(place(source(), hits=hits("a")))
    new = ended(place(source(), hits=hits(*"bcdefgh")), outcome="failed", text="Expected …")
    assert shown(old, new) == text("""
        a.py::test_get: passed → failed
          hits get.go at 'getter(': values changed
            1.36.4 handlers.getResourceHandler.func1   │ 1.37.2 handlers.getResourceHandler.func1
            k8s.io/apiserver/get.go:62                 │ k8s.io/apiserver/get.go:62
            >   62 |   result, err := getter(ctx,      │ >   62 |   result, err := getter(ctx,
                     name, req)                        │          name, req)
            name was 'a'                               │ name was 'b'
                                                       │ name was 'c'
                                                       │ name was 'd'
                                                       │ name was 'e'
                                                       │ name was 'f'
                                                       │   … and 2 more

        Kubernetes 1.36.4 and 1.37.2: 1 test, 1 place; tests with another outcome: 1, values
        changed: 1.
    """)


def test_no_longer_reached() -> None:
    failure = "Expected at least 1 hit by this test's requests, but there was none:\n  get.go"
    old = ended(place(source(), hits=hits("a", "b")))
    new = ended(place(source()), outcome="failed", text=failure)
    assert shown(old, new) == text("""
        a.py::test_get: passed → failed
          hits get.go at 'getter(': no longer reached
            1.36.4 handlers.getResourceHandler.func1   │ 1.37.2 handlers.getResourceHandler.func1
            k8s.io/apiserver/get.go:62                 │ k8s.io/apiserver/get.go:62
            >   62 |   result, err := getter(ctx,      │ >   62 |   result, err := getter(ctx,
                     name, req)                        │          name, req)
            2 hits by                                  │ not reached
              GET /api (2 times)                       │
          1.37.2 failed:
            Expected at least 1 hit by this test's requests, but there was none:
              get.go

        Kubernetes 1.36.4 and 1.37.2: 1 test, 1 place; tests with another outcome: 1, no longer
        reached: 1.
    """)
    assert "newly reached" in shown(new, old)


def test_counted() -> None:
    """Hits that do not count are left out."""
    other = RecordedHit(request="GET /other", is_expected=False, values={})
    old = ended(place(source(), hits=(*hits("a", request="GET /a"), other), count=1))
    new = ended(place(source(), hits=hits(*"aaa", request=""), count=3))
    assert shown(old, new) == text("""
        a.py::test_get: passed
          hits get.go at 'getter(': another number of hits
            1.36.4 handlers.getResourceHandler.func1   │ 1.37.2 handlers.getResourceHandler.func1
            k8s.io/apiserver/get.go:62                 │ k8s.io/apiserver/get.go:62
            >   62 |   result, err := getter(ctx,      │ >   62 |   result, err := getter(ctx,
                     name, req)                        │          name, req)
            1 hit by                                   │ 3 hits by
              GET /a                                   │   no known request (3 times)

        Kubernetes 1.36.4 and 1.37.2: 1 test, 1 place; another number of hits: 1.
    """)
    none = ended(place(source(), hits=(other,), count=0))
    assert "1 hit with other values by" in shown(old, none)


def test_tests_that_end_otherwise_are_last() -> None:
    names = [(name, outcome) for name in "ab" for outcome in ("passed", "failed")]
    old, new = (
        RecordedRun(
            tests=tuple(
                msgspec.structs.replace(
                    ended(place(source(first=first))),
                    test=f"{n} {o}",
                    outcome=o if first > 60 else "passed",
                )
                for n, o in names
            )
        )
        for first in (60, 61)
    )
    stream = io.StringIO()
    console = Console(file=stream, width=90, markup=False)
    for each in render(compare("1.36.4", old, "1.37.2", new), is_verbose=False):
        console.print(each)
    headings = [line for line in stream.getvalue().splitlines() if line[:2] in {"a ", "b "}]
    assert [heading.partition(":")[0] for heading in headings] == [
        "a passed",
        "b passed",
        "a failed",
        "b failed",
    ]


def test_long_failures_are_cut() -> None:
    failure = "\n".join(f"line {n}" for n in range(50))
    new = ended(outcome="failed", text=failure)
    cut = shown(ended(), new).splitlines()
    assert cut[:3] == ["a.py::test_get: passed → failed", "  1.37.2 failed:", "    line 0"]
    assert cut[31:33] == ["    line 29", "    … and 20 more lines, which pytest has printed"]
    assert "    line 49" in shown(ended(), new, is_verbose=True)


def test_skipped() -> None:
    new = ended(outcome="skipped", text="needs Kubernetes <1.37")
    assert shown(ended(place(source())), new) == text("""
        a.py::test_get: passed → skipped
          1.37.2 skipped:
            needs Kubernetes <1.37

        Kubernetes 1.36.4 and 1.37.2: 1 test, 1 place; tests with another outcome: 1, in one
        version only: 1.
    """)


def test_not_there() -> None:
    assert shown(None, ended(place(source())), is_verbose=True) == text("""
        a.py::test_get: not there → passed
          hits get.go at 'getter(': in one version only
            1.36.4: not there                          │ 1.37.2 handlers.getResourceHandler.func1
                                                       │ k8s.io/apiserver/get.go:62
                                                       │     60 | func getResourceHandler() {
                                                       │     61 |   namespace := name(req)
                                                       │ >   62 |   result, err := getter(ctx,
                                                       │          name, req)
                                                       │     63 |   if err != nil {
                                                       │     64 |     return

        Kubernetes 1.36.4 and 1.37.2: 1 test, 1 place; tests with another outcome: 1, in one
        version only: 1.
    """)


def test_nothing_differs() -> None:
    same = ended(place(source()))
    assert shown(same, same) == (
        "Nothing differs between Kubernetes 1.36.4 and 1.37.2: 1 test, 1 place."
    )


def test_what_passes_with_neither_is_said() -> None:
    old, new = (ended(outcome=how, text=f"no {how}") for how in ("error", "failed"))
    assert shown(old, old) == text("""
        a.py::test_get: error
          1.37.2 error:
            no error

        Nothing differs between Kubernetes 1.36.4 and 1.37.2: 1 test, 0 places, but 1 test passed
        with neither.
    """)
    assert shown(old, new) == text("""
        a.py::test_get: error → failed
          1.36.4 error:
            no error
          1.37.2 failed:
            no failed

        Kubernetes 1.36.4 and 1.37.2: 1 test, 0 places; tests with another outcome: 1, tests that
        passed with neither: 1.
    """)


def test_a_new_place_does_not_say_why_the_test_fails_with_it() -> None:
    old = ended(place(error="no line"), outcome="error", text="no such line")
    new = ended(place(source()), outcome="failed", text="404, not 200")
    said = shown(old, new)
    assert "1.37.2 failed:\n    404, not 200" in said
    assert "no such line" not in said


def test_what_is_the_same_is_listed_when_asked() -> None:
    same = ended(place(source()))
    assert shown(same, same, is_verbose=True) == text("""
        a.py::test_get: passed
          hits get.go at 'getter(': the same
            1.36.4 handlers.getResourceHandler.func1   │ 1.37.2 handlers.getResourceHandler.func1
            k8s.io/apiserver/get.go:62                 │ k8s.io/apiserver/get.go:62
                60 | func getResourceHandler() {       │     60 | func getResourceHandler() {
                61 |   namespace := name(req)          │     61 |   namespace := name(req)
            >   62 |   result, err := getter(ctx,      │ >   62 |   result, err := getter(ctx,
                     name, req)                        │          name, req)
                63 |   if err != nil {                 │     63 |   if err != nil {
                64 |     return                        │     64 |     return

        Nothing differs between Kubernetes 1.36.4 and 1.37.2: 1 test, 1 place.
    """)


def test_a_narrow_terminal() -> None:
    """What is too long goes on below itself."""
    assert shown(ended(place(source())), ended(place(source(first=72))), width=60) == text("""
        a.py::test_get: passed
          hits get.go at 'getter(': moved
            1.36.4                      │ 1.37.2
            handlers.getResourceHandler │ handlers.getResourceHandle
            .func1                      │ r.func1
            k8s.io/apiserver/get.go:62  │ k8s.io/apiserver/get.go:74
            >   62 |   result, err :=   │ >   74 |   result, err :=
                     getter(ctx, name,  │          getter(ctx, name,
                     req)               │          req)

        Kubernetes 1.36.4 and 1.37.2: 1 test, 1 place; moved: 1.
    """)


def test_brackets_are_no_markup() -> None:
    old = place(source("func a() {\n\tgetter([red][bold]x)\n}"), location="[b]x.go:1")
    found = shown(ended(old), ended(place(error="[red]: no line", location="[b]x.go:1")))
    for written in ("hits [b]x.go:1: gone", "getter([red][bold]x)", "[red]: no line"):
        assert written in found
