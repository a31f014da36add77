"""Following a target that another client moves."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, cast

import pytest

from pytest_kdelve.delve import Session, api, following, late_halts
from pytest_kdelve.delve.following import Follower, has_moved, is_anothers
from pytest_kdelve.delve.others import Others
from pytest_kdelve.delve.stops import Stop, StopReason
from pytest_kdelve.process import poll
from tests.unit.fake_target import LONG, FakeTarget, at

if TYPE_CHECKING:
    from collections.abc import Iterator

OURS, THEIRS = 5, 6
#: Seconds in which what must not happen would have happened.
WHILE = 0.3
EVAL = ("turn", api.EvalScope(), api.LoadConfig())


class Following:
    """A follower of a target, and a client of another's."""

    def __init__(self, target: FakeTarget, others: Others | None = None) -> None:
        self.target = target
        self.client = target.connect()
        self.client.own_breakpoints.add(OURS)  # type: ignore[attr-defined] # the seam
        self.session = Session(self.client)
        self.others = others or Others(self.client, target.connect)
        self.another = target.connect()
        self.is_asked = False
        self.follower = Follower(self.session, self.others, is_asked=lambda: self.is_asked)

    def close(self) -> None:
        self.follower.close()
        self.another.close()
        self.session.close()


@pytest.fixture
def target() -> Iterator[FakeTarget]:
    with FakeTarget() as found:
        yield found


@pytest.fixture
def followed(target: FakeTarget) -> Iterator[Following]:
    found = Following(target)
    yield found
    found.close()


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert poll(lambda: set(threading.enumerate()) <= before, timeout=LONG)


def hits(state: api.DebuggerState) -> dict[int, list[str]]:
    """Return what was collected in each thread at a breakpoint, by its id."""
    return {
        thread.breakpoint.id: [
            each.value for each in (thread.breakpoint_info or api.BreakpointInfo()).variables or ()
        ]
        for thread in state.threads or ()
        if thread.breakpoint
    }


def test_the_hits_of_what_another_resumed_are_read(followed: Following) -> None:
    followed.target.run()
    assert followed.follower.has_moved()
    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(followed.follower.look)
        assert not poll(looking.done, timeout=WHILE)
        followed.target.stop(at(OURS, thread=1), at(THEIRS, thread=2))
        assert hits(looking.result(LONG)) == {OURS: ["7"], THEIRS: []}
    assert not followed.follower.has_moved()
    assert followed.target.halts == 0


def test_it_is_halted_for_what_is_asked_and_left_to_who_goes_on_by_itself(
    followed: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "PATIENCE", 0.5)
    followed.is_asked = True
    followed.target.run()
    assert hits(followed.follower.look()) == {}
    assert followed.target.halts == 1
    assert not followed.follower.has_turn
    assert poll(lambda: followed.follower.has_turn, timeout=LONG)


def test_a_hit_that_comes_with_a_halt_is_left_to_the_other(
    followed: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "PATIENCE", 0.0)
    monkeypatch.setattr(followed.target, "halted_at", (at(THEIRS),))
    followed.is_asked = True
    followed.target.run()
    assert hits(followed.follower.look()) == {THEIRS: []}
    assert not followed.follower.has_turn


def test_a_stop_that_was_seen_is_not_new(
    followed: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A late halt or a switch made Delve say for a moment that the target runs."""
    monkeypatch.setattr(following, "_MOMENT", LONG)
    monkeypatch.setattr(following, "PATIENCE", 0.0)
    followed.follower.note(0.0)
    followed.target.run()
    followed.target.stop()
    assert followed.follower.look().threads == [api.Thread(id=1, pc=1)]
    assert followed.follower.has_turn
    followed.target.stop(api.Thread(id=1, pc=2))
    followed.follower.look()
    assert not followed.follower.has_turn


def test_the_time_in_which_it_has_run_makes_a_stop_new(
    followed: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All threads may wait where they waited before."""
    monkeypatch.setattr(following, "_MOMENT", 0.0)
    followed.follower.note(0.0)
    followed.follower.look()
    assert not followed.follower.has_turn


def test_a_hit_that_was_read_is_not_read_again(followed: Following) -> None:
    followed.target.stop(at(OURS, pc=3))
    assert hits(followed.follower.look()) == {OURS: ["7"]}
    followed.target.stop(at(OURS, pc=3), at(THEIRS, thread=2))
    assert hits(followed.follower.look()) == {THEIRS: []}


def test_what_is_asked_of_a_target_that_another_resumes_is_answered(followed: Following) -> None:
    with followed.follower.working(), followed.target.connect() as side:
        followed.target.run()
        assert side.eval(*EVAL).value == "7"
    assert followed.target.halts == 1
    assert followed.follower.has_moved(), "it was halted where it had stood"
    followed.follower.look()
    assert not followed.follower.has_moved()


@pytest.mark.parametrize("is_pending", [True, False])
def test_a_halt_that_came_while_it_stood_is_used_up(
    followed: Following,
    monkeypatch: pytest.MonkeyPatch,
    is_pending: bool,  # noqa: FBT001 - as the kernel says
) -> None:
    monkeypatch.setattr(late_halts, "_has_pending_trap", lambda _pid: is_pending)
    followed.follower.use_up_halt()
    assert followed.target.steps == is_pending


def test_a_target_on_which_nobody_works_is_not_halted(followed: Following) -> None:
    with followed.follower.working():
        pass
    followed.target.run()
    assert not poll(lambda: followed.target.halts > 0, timeout=WHILE)


def test_a_target_that_stands_is_not_halted(followed: Following) -> None:
    with followed.follower.working():
        assert not poll(lambda: followed.target.halts > 0, timeout=WHILE)
    assert not followed.follower.has_moved()


def test_it_is_alone_once_the_other_has_gone(
    followed: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not poll(lambda: followed.follower.is_alone, timeout=WHILE)
    followed.another.close()
    monkeypatch.setattr(following, "_SEEN_FOR", 0.0)
    assert not followed.follower.is_alone, "one look does not tell"
    monkeypatch.setattr(following, "_SEEN_FOR", LONG)
    assert not followed.follower.is_alone, "nor does one just after it"
    monkeypatch.setattr(following, "_SEEN_FOR", 0.0)
    assert followed.follower.is_alone


class Seen:
    """Others of which is known what a test says."""

    def __init__(self, target: FakeTarget, are_there: bool | None) -> None:  # noqa: FBT001
        self.own = target.connect
        self._are_there = are_there

    def are_there(self) -> bool | None:
        return self._are_there


@pytest.mark.parametrize(("are_there", "expected"), [(True, False), (None, True)])
def test_only_where_nobody_sees_the_other_its_stop_comes_to_an_end(
    target: FakeTarget,
    monkeypatch: pytest.MonkeyPatch,
    are_there: bool | None,  # noqa: FBT001 - what is seen
    expected: bool,  # noqa: FBT001 - what is expected
) -> None:
    followed = Following(target, cast("Others", Seen(target, are_there)))
    assert not followed.follower.is_alone
    assert not followed.follower.has_turn
    monkeypatch.setattr(following, "UNSEEN_PATIENCE", 0.0)
    assert followed.follower.has_turn is expected
    followed.close()


def test_a_target_that_runs_has_moved(followed: Following, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not has_moved(followed.session)
    followed.target.run()
    assert has_moved(followed.session, for_a_moment=True)
    assert followed.target.looks == 1
    monkeypatch.setattr(following, "_MOMENT", 0.1)
    assert has_moved(followed.session)


def test_one_that_runs_for_a_moment_only_has_not(
    followed: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "_MOMENT", LONG)
    followed.target.run()
    with ThreadPoolExecutor(1) as pool:
        moved = pool.submit(has_moved, followed.session)
        assert poll(lambda: followed.target.looks > 0, timeout=LONG)
        followed.target.stop()
        assert moved.result(LONG) is False


def test_one_that_is_gone_has_not_moved(followed: Following) -> None:
    """Delve still lists its threads, with no registers; what is asked for next tells its end."""
    followed.target.stop(api.Thread(id=1, pc=0), api.Thread(id=2, pc=0))
    assert not has_moved(followed.session)


def test_one_that_stands_elsewhere_has_moved(followed: Following) -> None:
    followed.target.stop(api.Thread(id=1, pc=2))
    assert has_moved(followed.session)


class Halted:
    def __init__(self, *, was_halted: bool) -> None:
        self.was_halted = was_halted


@pytest.mark.parametrize(
    ("reason", "threads", "was_halted", "expected"),
    [
        (StopReason.BREAKPOINT, [at(OURS)], False, False),
        (StopReason.BREAKPOINT, [at(OURS), at(THEIRS)], False, True),
        (StopReason.MANUAL, [], True, False),
        (StopReason.MANUAL, [], False, True),
        (StopReason.NEXT_FINISHED, [], True, True),
        (StopReason.UNRECOVERED_PANIC, [at(-1)], False, False),
    ],
)
def test_whose_a_stop_is(
    reason: StopReason,
    threads: list[api.Thread],
    was_halted: bool,  # noqa: FBT001 - by the session
    expected: bool,  # noqa: FBT001
) -> None:
    stop = Stop(reason, api.DebuggerState(threads=threads))
    session = cast("Session", Halted(was_halted=was_halted))
    assert is_anothers(stop, session, {OURS}) is expected


def test_a_hit_at_which_another_has_halted_is_anothers() -> None:
    stop = Stop(StopReason.BREAKPOINT, api.DebuggerState(threads=[at(OURS)], stop_reason="manual"))
    assert is_anothers(stop, cast("Session", Halted(was_halted=False)), {OURS})
    assert not is_anothers(stop, cast("Session", Halted(was_halted=True)), {OURS})
