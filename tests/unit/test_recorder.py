"""The recorder: shared breakpoints, and stops that become hits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.delve import api
from pytest_kdelve.delve.locations import Place
from pytest_kdelve.delve.values import Incomplete, Unreadable
from pytest_kdelve.errors import RPCError, TargetExitedError
from pytest_kdelve.hits.model import Attribution, Request
from tests.unit.fake_delve import (
    REQUEST_TYPE,
    FakeFrame,
    number,
    request_values,
    string,
)
from tests.unit.recording import OTHERS, OWN, Fake, Subscriber

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    return Fake(monkeypatch)


def test_one_breakpoint_serves_all_subscriptions_at_an_address(fake: Fake) -> None:
    first = Subscriber(1, expressions={"a": 1, "b": 1})
    second = Subscriber(1, expressions={"b": 2, "c": 1})
    fake.add(first)
    assert fake.breakpoint.variables == ["a", "b"]
    assert fake.breakpoint.load_locals is None
    fake.add(second)
    assert fake.client.count() == {"create_breakpoint": 1, "amend_breakpoint": 1}
    assert fake.breakpoint.variables == ["a", "b", "c"]
    fake.remove(first)
    assert fake.breakpoint.variables == ["b", "c"]
    fake.remove(second)
    assert fake.client.breakpoints == {}
    assert fake.client.count() == {"amend_breakpoint": 1, "clear_breakpoint": 1}


def test_whole_frames_are_loaded_for_as_long_as_somebody_wants_them(fake: Fake) -> None:
    modest, greedy = Subscriber(1), Subscriber(1, load_frame=True)
    fake.add(modest, greedy)
    assert fake.breakpoint.load_args == fake.breakpoint.load_locals == api.LoadConfig()
    fake.remove(greedy)
    assert fake.breakpoint.load_args is fake.breakpoint.load_locals is None


def test_a_place_with_several_addresses_has_a_breakpoint_at_each(fake: Fake) -> None:
    subscriber = Subscriber(1, 2)
    fake.add(subscriber)
    assert [b.addrs for b in fake.client.breakpoints.values()] == [[1], [2]]
    fake.remove(subscriber)
    assert fake.client.breakpoints == {}


def test_of_several_subscriptions_none_stays_where_one_fails(fake: Fake) -> None:
    """The breakpoint that was there before is as it was."""
    before = Subscriber(1, expressions={"a": 1})
    fake.add(before)
    fake.client.refused = {3}
    with pytest.raises(RPCError, match="could not set a breakpoint at 0x3"):
        fake.add(Subscriber(1, expressions={"b": 1}), Subscriber(2), Subscriber(2, 3))
    assert fake.breakpoint.addrs == [1]
    assert fake.breakpoint.variables == ["a"]
    fake.client.refused = set()
    fake.add(Subscriber(2))
    assert len(fake.client.breakpoints) == 2


def test_a_hit_has_the_source_that_its_place_has(fake: Fake, tmp_path: Path) -> None:
    """Delve says the path that the compiler saw, at which there may be no file."""
    file = tmp_path / "get.go"
    file.write_text("package handlers\n\n\tgetter(ctx)\n")
    subscriber = Subscriber(1)
    place = Place("k8s.io/apiserver@v0.37.2/get.go", 3, "handlers.get", (1,), str(file))
    subscriber.subscription = replace(subscriber.subscription, place=place)
    fake.add(subscriber)
    fake.hit(1)
    assert subscriber.hits[0].source == "getter(ctx)"


def test_a_hit_has_what_delve_collected(fake: Fake) -> None:
    subscriber = Subscriber(1, expressions={"name": 1, "len(x)": 1}, load_frame=True)
    fake.add(subscriber)
    fake.goroutine(OWN)
    fake.client.frames[0].values = {"name": string("etcd"), "len(x)": number(3)}
    fake.loop.stopped(fake.client.stop(1, goroutine=12))
    [hit] = subscriber.hits
    assert (hit.file, hit.line, hit.function, hit.goroutine) == ("/src/get.go", 74, *
            ("registry.Get", 12))  # fmt: skip
    assert hit.values == {"name": "etcd", "len(x)": 3}, "by order, since Delve renames them"
    assert hit.locals == {"name": "etcd", "len(x)": 3, "local": True}
    assert [frame.function for frame in hit.stack] == ["registry.Get", "handlers.get"]
    assert hit.request == Request("GET", "/api", OWN)
    assert hit.attribution is Attribution.OUTER_FRAME
    assert hit.is_own


@pytest.mark.parametrize(
    ("audit_id", "is_own"), [(OWN, True), (OTHERS, False), (None, False)], ids=str
)
def test_whose_a_hit_is(fake: Fake, audit_id: str | None, *, is_own: bool) -> None:
    """All are delivered, since hits of others are counted."""
    subscriber = Subscriber(1)
    fake.add(subscriber)
    fake.hit(1, audit_id)
    assert [hit.is_own for hit in subscriber.hits] == [is_own]


def test_a_goroutine_without_a_request_is_nobodys(fake: Fake) -> None:
    subscriber = Subscriber(1)
    fake.add(subscriber)
    fake.client.frames = [FakeFrame("controller.run")]
    fake.loop.stopped(fake.client.stop(1))
    [hit] = subscriber.hits
    assert hit.request is None
    assert hit.attribution is Attribution.NONE
    assert not hit.is_own


def test_the_second_hit_at_a_place_needs_no_call(fake: Fake) -> None:
    """Where the request is comes with the stop, once it is known: one RPC a hit."""
    subscriber = Subscriber(1, expressions={"name": 1})
    fake.add(subscriber)
    fake.hit(1, OTHERS, name=string("a"))
    assert fake.breakpoint.variables == [
        'runtime.frame(1).req.Header["Audit-Id"]',
        "runtime.frame(1).req.Method",
        "runtime.frame(1).req.URL.Path",
        "runtime.frame(1).req.RequestURI",
        "name",
    ]
    fake.client.count()
    fake.hit(1, OWN, name=string("b"))
    fake.hit(1, None, name=string("c"))
    assert fake.client.count() == {}
    assert [hit.is_own for hit in subscriber.hits] == [False, True, False]
    assert [hit.values["name"] for hit in subscriber.hits] == ["a", "b", "c"]


def test_an_old_delve_is_asked_for_nothing_in_an_outer_frame(fake: Fake) -> None:
    """It would look for a function of that name, which takes longer than to look at each hit."""
    fake.client.has_outer_frames = False
    subscriber = Subscriber(1, expressions={"name": 1})
    fake.add(subscriber)
    for audit_id in (OTHERS, OWN):
        fake.hit(1, audit_id, name=string("a"))
    assert fake.breakpoint.variables == ["name"]
    assert [hit.is_own for hit in subscriber.hits] == [False, True]


def test_what_was_learned_at_a_place_outlives_its_breakpoint(fake: Fake) -> None:
    first, second = Subscriber(1), Subscriber(1)
    fake.add(first)
    fake.hit(1)
    fake.remove(first)
    fake.add(second)
    fake.client.count()
    fake.hit(1)
    assert fake.client.count() == {}
    assert second.hits[0].is_own
    assert len(first.hits) == 1


def test_another_way_to_the_same_place_is_looked_into_again(fake: Fake) -> None:
    """There the function with the request is another frame, and the name means another one."""
    subscriber = Subscriber(1)
    fake.add(subscriber)
    fake.hit(1)
    values = request_values("r", audit_id=OWN, path="/apis")
    fake.client.frames = [
        FakeFrame("registry.Get"),
        FakeFrame("registry.List", {}, request_values("req", path="/not/a/request")),
        FakeFrame("handlers.list", {"r": REQUEST_TYPE}, values),
    ]
    fake.loop.stopped(fake.client.stop(1))
    assert [str(hit.request) for hit in subscriber.hits] == ["GET /api", "GET /apis"]
    assert subscriber.hits[1].is_own


def test_all_threads_of_one_stop_are_delivered(fake: Fake) -> None:
    """Learning from the first one changes what is collected, but not what was."""
    here, there = Subscriber(1, expressions={"name": 1}), Subscriber(2, expressions={"x": 1})
    fake.add(here, there)
    fake.goroutine(OWN, name=string("a"), x=number(1))
    threads = [
        fake.client.stop(1, goroutine=1),
        api.Thread(goroutine_id=2),
        fake.client.stop(1, goroutine=3),
        fake.client.stop(2, goroutine=4),
    ]
    unknown = api.Thread(goroutine_id=5, breakpoint=api.Breakpoint(id=-1))
    fake.loop.stopped(*threads, unknown)
    assert [hit.goroutine for hit in here.hits] == [1, 3]
    assert [hit.goroutine for hit in there.hits] == [4]
    assert [hit.values for hit in here.hits] == [{"name": "a"}] * 2
    assert there.hits[0].values == {"x": 1}
    assert all(hit.is_own for hit in (*here.hits, *there.hits))


def test_outer_frames_of_another_goroutine_than_the_selected_are_read_anew(fake: Fake) -> None:
    """For all threads of a stop Delve evaluates runtime.frame(n) in the selected goroutine."""
    subscriber = Subscriber(1)
    fake.add(subscriber)
    fake.hit(1)
    fake.client.count()
    fake.goroutine(OWN)
    selected, another = (fake.client.stop(1, goroutine=number) for number in (7, 9))
    info = another.breakpoint_info
    assert info is not None
    info.variables = list(request_values("", audit_id=OTHERS).values())
    fake.loop.stopped(selected, another)
    assert [hit.is_own for hit in subscriber.hits] == [True, True, True]
    assert fake.client.count() == {"eval": 4}


def test_a_stop_without_threads_is_no_hit(fake: Fake) -> None:
    subscriber = Subscriber(1)
    fake.add(subscriber)
    fake.loop.stopped()
    assert subscriber.hits == []


def test_each_subscription_gets_its_own_values(fake: Fake) -> None:
    first, second = Subscriber(1, expressions={"a": 1}), Subscriber(1, expressions={"b": 1})
    fake.add(first, second)
    fake.hit(1, a=number(1), b=number(2))
    assert first.hits[0].values == {"a": 1}
    assert second.hits[0].values == {"b": 2}


CUT = string("kube", length=10)
WHOLE = string("kubernetes")


def cut_first(fake: Fake, then: Callable[[], api.Variable]) -> None:
    """Let a value come incomplete with the stop, and by another way on request."""
    collected = fake.client.eval

    def eval_(expr: str, scope: api.EvalScope, load: api.LoadConfig) -> api.Variable:
        if expr != "name":
            return collected(expr, scope, load)
        fake.client.calls.append(("eval", expr))
        fake.client.loads.append(load)
        return then()

    fake.client.eval = eval_  # type: ignore[method-assign]


@pytest.mark.parametrize("by_anyone", [False, True])
@pytest.mark.parametrize("audit_id", [OWN, OTHERS])
def test_an_incomplete_value_is_loaded_once_where_it_counts(
    fake: Fake, audit_id: str, *, by_anyone: bool
) -> None:
    subscriber = Subscriber(1, expressions={"name": 3}, by_anyone=by_anyone)
    fake.add(subscriber)
    fake.hit(1, audit_id, name=WHOLE)
    cut_first(fake, lambda: WHOLE)
    fake.client.calls.clear()
    fake.hit(1, audit_id, name=CUT)
    value = subscriber.hits[1].values["name"]
    if audit_id == OWN or by_anyone:
        assert value == "kubernetes"
        assert fake.client.calls == [("eval", "name")]
        assert fake.client.loads[-1].max_variable_recurse == 3
        assert fake.client.loads[-1].max_string_len > 10
    else:
        assert isinstance(value, Incomplete)
        assert fake.client.calls == []


def test_a_value_that_cannot_be_loaded_whole_is_unreadable(fake: Fake) -> None:
    def fail() -> api.Variable:
        raise RPCError("Eval", "unreadable memory")

    subscriber = Subscriber(1, expressions={"name": 1})
    fake.add(subscriber)
    cut_first(fake, fail)
    fake.hit(1, name=CUT)
    value = subscriber.hits[0].values["name"]
    assert isinstance(value, Unreadable)
    assert value.reason == "unreadable memory"


def test_a_value_that_cannot_be_evaluated_is_unreadable(fake: Fake) -> None:
    subscriber = Subscriber(1, expressions={"nmae": 1})
    fake.add(subscriber)
    fake.hit(1)
    value = subscriber.hits[0].values["nmae"]
    assert isinstance(value, Unreadable)
    assert value.reason == "eval error: nmae"


def test_instead_of_a_name_that_is_not_there_the_visible_ones_are_said(fake: Fake) -> None:
    """They are asked for once, and for hits that count only."""
    subscriber = Subscriber(1, expressions={"nmae": 1})
    fake.add(subscriber)
    missing = api.Variable(unreadable="eval error: could not find symbol value for nmae")
    fake.hit(1, OTHERS, nmae=missing)
    for _ in range(2):
        fake.hit(1, OWN, nmae=missing)
    said = [str(hit.values["nmae"]) for hit in subscriber.hits]
    assert "visible" not in said[0]
    assert said[1] == said[2]
    assert "value for nmae; what is visible there: name" in said[1]


@pytest.mark.parametrize("known", [False, True], ids=["first hit", "later hit"])
def test_a_stop_without_information_is_a_hit_with_unreadable_values(
    fake: Fake, *, known: bool
) -> None:
    subscriber = Subscriber(1, expressions={"name": 1}, by_anyone=True)
    fake.add(subscriber)
    if known:
        fake.hit(1, name=WHOLE)
    fake.goroutine(OWN)
    thread = fake.client.stop(1)
    thread.breakpoint_info = None
    fake.loop.stopped(thread)
    hit = subscriber.hits[-1]
    assert isinstance(hit.values["name"], Unreadable)
    assert "collected nothing" in hit.values["name"].reason
    assert len(hit.stack) == 0
    assert not hit.is_own


def test_recording_lasts_as_long_as_its_context(fake: Fake) -> None:
    subscriber = Subscriber(1)

    def record() -> None:
        with fake.recorder.recording([subscriber.subscription]):
            assert fake.breakpoint.addrs == [1]
            raise KeyError("the test's own")

    with pytest.raises(KeyError, match="the test's own"):
        record()
    assert fake.client.breakpoints == {}


def test_a_breakpoint_that_a_test_cleared_itself_does_no_harm(fake: Fake) -> None:
    """Neither to the others that are removed with it, nor to the next one at its address."""
    first, second = Subscriber(1), Subscriber(2)
    fake.add(first, second)
    fake.client.breakpoints.pop(1)
    fake.remove(first, second)
    assert fake.client.breakpoints == {}
    again = Subscriber(1)
    fake.add(again)
    fake.hit(1)
    assert len(again.hits) == 1


def test_a_breakpoint_that_a_test_cleared_itself_is_set_again_for_the_next_one(fake: Fake) -> None:
    first, second = Subscriber(1), Subscriber(1)
    fake.add(first)
    fake.client.breakpoints.clear()
    fake.add(second)
    fake.hit(1)
    assert [len(each.hits) for each in (first, second)] == [1, 1]
    fake.remove(first, second)
    assert fake.client.breakpoints == {}


def test_what_others_set_is_cleared(fake: Fake) -> None:
    subscriber = Subscriber(1)
    fake.add(subscriber)
    fake.client.create_breakpoint(api.Breakpoint(addrs=[2]))
    fake.recorder.clear_others()
    assert fake.breakpoint.addrs == [1]
    again = Subscriber(2)
    fake.add(again)
    fake.hit(2)
    assert len(again.hits) == 1


def test_the_end_of_the_target_is_said_to_everybody(fake: Fake) -> None:
    """To who stops, too: hits may have been missed."""
    subscriber = Subscriber(1)
    fake.add(subscriber)
    fake.loop.ended = TargetExitedError("the debugged process is gone", status=2)
    for ask in (
        fake.recorder.check,
        fake.recorder.settle,
        lambda: fake.add(Subscriber(2)),
        lambda: fake.remove(subscriber),
    ):
        with pytest.raises(TargetExitedError, match="is gone"):
            ask()
