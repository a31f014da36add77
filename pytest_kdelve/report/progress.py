"""How far requests came that did not reach a place, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_kdelve.report.phrases import MOST, more, short_function, together, who

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kdelve.hits.bodies import Exit
    from pytest_kdelve.hits.reaching import Call, Progress, Visited


def lines_of_progress(progress: Progress) -> Iterator[str]:
    """Yield which functions around the place were entered, and where they were left."""
    entered = next((each for each in progress.visited if each.calls), None)
    # Outer functions may well have run before the test, to make the inner one.
    own = next((v for v in progress.visited if v.body.entry.function == progress.function), None)
    if own and not own.calls and not own.is_cut:
        yield f"No request of this test's entered {_name(own)}."
    if entered:
        yield from _entered(entered)
    elif progress.last:
        yield "The last of this test's places that each request reached:"
        for hit in progress.last[:MOST]:
            yield f"  {who(hit)}: {hit}"
        yield from more(progress.last)


def _entered(visited: Visited) -> Iterator[str]:
    """Yield the calls of one function, those together that left it in the same place."""
    entry = visited.body.entry
    yield f"{_name(visited)} (line {entry.line}) was entered, but"
    by_exit: dict[Exit | None, list[Call]] = {}
    for call in visited.calls:
        by_exit.setdefault(call.exit, []).append(call)
    for exit_, calls in by_exit.items():
        yield f"  {_left(exit_)} by"
        callers = list(together(map(_caller, calls)))
        yield from (f"    {caller}" for caller in callers[:MOST])
        yield from (f"  {line}" for line in more(callers))
        yield from (f"      {line}" for line in (exit_.place.excerpt() if exit_ else ()))
    if visited.is_cut:
        yield f"  Watching it ended after {len(visited.calls)} calls by this test's requests."


def _left(exit_: Exit | None) -> str:
    if exit_ is None:
        return "not seen to be left,"
    if exit_.is_recovered:
        return "left by a panic that a deferred call recovered,"
    either = " (or by a panic that was recovered)" if exit_.may_be_recovered else ""
    return f"left {'after' if exit_.is_after else 'at'} line {exit_.place.line}{either}"


def _caller(call: Call) -> str:
    return str(call.request) if call.request else f"goroutine {call.goroutine}"


def _name(visited: Visited) -> str:
    return short_function(visited.body.entry.function)
