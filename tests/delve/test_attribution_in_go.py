"""Whose hit it is, in a server that works as a kube-apiserver does, under the real dlv."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import pytest
import requests

from pytest_kdelve.delve.locations import Location
from pytest_kdelve.delve.rpc import Connection
from pytest_kdelve.hits import breakpoints, budget
from pytest_kdelve.hits.breakpoints import Subscription
from pytest_kdelve.hits.collected import HitList
from pytest_kdelve.hits.model import Attribution, Request
from pytest_kdelve.hits.recorder import Recorder
from pytest_kdelve.process import poll
from tests.delve.conftest import LONG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.delve.conftest import Debug
    from tests.delve.toolchains import Toolchain

OWN, OTHERS = "kdelve-0123456789abcdef-", "kdelve-fedcba9876543210-"
NO_REQUEST = "// without a request"


class Target:
    """The program "attribution" while it runs, and the recorder of its hits."""

    def __init__(self, recorder: Recorder, address: str) -> None:
        self.recorder = recorder
        self._address = address

    def get(self, path: str, audit_id: str | None = f"{OWN}1") -> int:
        headers = {} if audit_id is None else {"Audit-ID": audit_id}
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(f"http://{self._address}{path}", headers=headers, timeout=LONG)
        return answer.status_code

    def subscription(
        self, at: str, hits: HitList, *, by_anyone: bool = False, file: str = "attribution/main.go"
    ) -> Subscription:
        return Subscription(
            place=self.recorder.resolve(Location.parse(file, at)),
            expressions={},
            load_frame=False,
            owner=OWN,
            by_anyone=by_anyone,
            sink=hits.append,
        )

    @contextmanager
    def recording(
        self, at: str, *, by_anyone: bool = False
    ) -> Iterator[tuple[HitList, Subscription]]:
        hits = HitList()
        subscription = self.subscription(at, hits, by_anyone=by_anyone)
        with self.recorder.recording([subscription]):
            yield hits, subscription

    def hits(self, path: str, at: str) -> HitList:
        """Return the hits at a place while the path is asked for, by whomever."""
        with self.recording(at) as (hits, _):
            assert self.get(path) == 200
        return hits


class Start(Protocol):
    def __call__(self, *args: str, godebug: str = ...) -> Target: ...


@pytest.fixture
def start(debug: Debug, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    recorders = []

    def run(*args: str, godebug: str = "tracebackancestors=8") -> Target:
        monkeypatch.setenv("GODEBUG", godebug)
        recorder = Recorder(debug("attribution", *args).connect)
        recorders.append(recorder)
        recorder.start()
        output = tmp_path / "target.out"
        assert poll(lambda: output.exists() and "\n" in output.read_text(), timeout=LONG)
        return Target(recorder, output.read_text().strip())

    yield run
    for recorder in recorders:
        recorder.close()


@pytest.fixture
def target(start: Start) -> Target:
    return start()


@pytest.mark.parametrize(
    ("path", "at", "attribution"),
    [
        ("/frame", "// in the frame", Attribution.FRAME),
        ("/outer", NO_REQUEST, Attribution.OUTER_FRAME),
        ("/context", "// in the context", Attribution.CONTEXT),
        ("/old-context", "// in the context", Attribution.CONTEXT),
        ("/child", NO_REQUEST, Attribution.ANCESTOR),
        ("/grandchild", NO_REQUEST, Attribution.ANCESTOR),
        ("/pool", NO_REQUEST, Attribution.NONE),
    ],
)
def test_the_steps(target: Target, path: str, at: str, attribution: Attribution) -> None:
    for _ in range(2):
        hit = target.hits(path, at).only
        assert hit.attribution is attribution
        if attribution is Attribution.NONE:
            assert hit.request is None
            assert not hit.is_own
        else:
            method = "POST" if attribution is Attribution.CONTEXT else "GET"
            assert hit.request == Request(method, path, f"{OWN}1")
            assert hit.is_own


def test_without_the_ancestors_the_parent_is_known(start: Start, toolchain: Toolchain) -> None:
    """As where the server was started by somebody else; Go 1.21 and newer keep the parent."""
    target = start(godebug="")
    knows_parents = toolchain.go >= (1, 21)
    assert target.hits("/child", NO_REQUEST).only.is_own is knows_parents
    assert target.hits("/grandchild", NO_REQUEST).only.attribution is Attribution.NONE


def test_one_that_the_server_sends_itself_is_no_request_of_anybody(target: Target) -> None:
    """Whoever asked for what is sent is found further out."""
    hits = target.hits("/outgoing", "// sent by itself")
    assert hits.only.request == Request("GET", "/outgoing", f"{OWN}1")
    assert hits.only.attribution is Attribution.OUTER_FRAME


def test_a_connections_goroutine_is_nobodys(target: Target) -> None:
    """It descends from the request for which the connection was made, but serves others, too."""
    hits = HitList()
    file = "net/http/transport.go"
    subscription = target.subscription("_, err := pc.br.Peek(1)", hits, file=file)
    with target.recorder.recording([subscription]):
        assert target.get("/outgoing") == 200
        hits.wait(1, timeout=LONG)
    assert {hit.attribution for hit in hits} == {Attribution.NONE}


def test_a_place_is_reached_in_several_ways(target: Target) -> None:
    """What is known of one is not believed of another."""
    paths = ["/outer", "/child", "/pool", "/grandchild", "/outer", "/child"]
    with target.recording(NO_REQUEST) as (hits, _):
        for path in paths:
            target.get(path)
    assert [hit.request and hit.request.path for hit in hits] == [
        path if path != "/pool" else None for path in paths
    ]


@pytest.mark.parametrize("path", ["/context", "/old-context"])
def test_a_goroutine_works_for_one_request_after_another(target: Target, path: str) -> None:
    """What is known of its last piece of work is not believed of the next one."""
    ids = [None, f"{OWN}1", f"{OTHERS}1", None, f"{OWN}2"]
    with target.recording("// in the context") as (hits, _):
        for audit_id in ids:
            target.get(path, audit_id)
    assert [hit.request and hit.request.audit_id for hit in hits] == ids
    assert len({hit.goroutine for hit in hits}) == 1


class TestConditions:
    """Where the request is in the frame, Delve itself passes over others' hits."""

    def test_hits_of_others_cost_no_round_trip(
        self, target: Target, toolchain: Toolchain, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        called: list[str] = []
        send = Connection.send

        def count(self: Connection, method: str, *args: Any, **kwargs: Any) -> object:
            called.append(method)
            return send(self, method, *args, **kwargs)

        with target.recording("// in the frame") as (hits, subscription):
            target.get("/frame")
            target.recorder.settle()
            monkeypatch.setattr(Connection, "send", count)
            # Once it answers, the target has been resumed from what settled.
            target.get("/outer")
            called.clear()
            for audit_id in (None, "short", f"{OTHERS}1", "k" * 64):
                assert target.get("/frame", audit_id) == 200
            others = list(called)
            target.get("/frame", f"{OWN}2")
            target.get("/frame", f"{OWN}3")
            target.recorder.settle()
            coverage = subscription.coverage
        own = [hit.request.audit_id for hit in hits if hit.request and hit.is_own]
        assert own == [f"{OWN}1", f"{OWN}2", f"{OWN}3"]
        can_catch = toolchain.delve >= (1, 26)
        assert coverage.passes_others is can_catch
        assert (others == []) is can_catch
        assert len(hits) == (3 if can_catch else 7)

    def test_none_is_passed_over_where_somebody_wants_all(self, target: Target) -> None:
        with target.recording("// in the frame") as (own, _):
            target.get("/frame")
            with target.recording("// in the frame", by_anyone=True) as (anyones, subscription):
                target.get("/frame", None)
                target.get("/frame", f"{OTHERS}1")
                assert not subscription.coverage.passes_others
        assert [hit.is_own for hit in own] == [True, False, False]
        assert len(anyones) == 2

    def test_one_that_the_server_sends_itself_is_not_passed_over(self, target: Target) -> None:
        """At this line every request in the frame was sent by the server itself."""
        with target.recording("// sent by itself") as (hits, _):
            for number in range(3):
                target.get("/outgoing", f"{OWN}{number}")
        assert [hit.request and hit.request.audit_id for hit in hits] == [
            f"{OWN}{number}" for number in range(3)
        ]

    def test_many_at_once(self, target: Target) -> None:
        """Threads that stop together are told apart."""
        ids = [f"{prefix}{number}" for number in range(20) for prefix in (OWN, OTHERS)]
        with target.recording("// in the frame") as (hits, _):
            target.get("/frame")
            asking = [threading.Thread(target=target.get, args=("/frame", each)) for each in ids]
            for thread in asking:
                thread.start()
            for thread in asking:
                thread.join(LONG)
        own = [hit.request.audit_id for hit in hits if hit.request and hit.is_own]
        assert sorted(own) == sorted([f"{OWN}1", *ids[::2]])


class TestHotLines:
    """Others reach a line thousands of times a second, in goroutines without a request."""

    def test_the_tests_own_hit_is_found_among_them(self, start: Start) -> None:
        target = start("noise")
        with target.recording("// hot") as (hits, subscription):
            assert target.get("/hot?number=3") == 200
            assert not subscription.coverage.switched_off
        assert [hit.request and hit.request.path for hit in hits if hit.is_own] == ["/hot"]
        assert len(hits) > 1

    def test_it_is_switched_off_for_others_in_the_end(
        self, start: Start, toolchain: Toolchain, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """From then on it stops for what the test's requests do; an old Delve cannot tell."""
        monkeypatch.setattr(budget, "BURST", 0.5)
        can_tell = toolchain.delve >= (1, 26)
        target = start("noise")
        with target.recording("// hot") as (hits, subscription):
            assert poll(lambda: subscription.coverage.switched_off != "", timeout=LONG)
            switched_off = subscription.coverage.switched_off
            assert subscription.coverage.is_over is not can_tell
            target.recorder.settle()
            count = len(hits)
            for number in range(3):
                assert target.get("/hot?number=3", f"{OWN}{number}") == 200
                assert target.get("/hot?number=3", f"{OTHERS}{number}") == 200
            target.recorder.settle()
            own = [hit.request.audit_id for hit in hits[count:] if hit.request]
            assert own == ([f"{OWN}{number}" for number in range(3)] if can_tell else [])
            assert len(hits) == count + len(own)
            with target.recording("// hot", by_anyone=True) as (again, later):
                again.wait(1, timeout=LONG)
                assert subscription.coverage.switched_off == switched_off
                assert later.coverage.switched_off == ""
        said = "for others after .* of their hits" if can_tell else "after .* hits of others"
        assert re.fullmatch(rf"switched off {said} in \d+\.\d s; name a line .*", switched_off)
        assert all(each.id < 0 for each in target.recorder.client.list_breakpoints())

    def test_a_request_that_was_on_its_way_is_not_lost(
        self, start: Start, toolchain: Toolchain, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It came in before the breakpoint was switched off for others."""
        if toolchain.delve < (1, 26):
            pytest.skip("this Delve cannot tell the goroutines of a request")
        monkeypatch.setattr(budget, "BURST", 0.5)
        target = start("noise")
        waiting = HitList()
        nobodys = replace(target.subscription("// waits", waiting, by_anyone=True), owner="")
        with ThreadPoolExecutor(1) as pool, target.recorder.recording([nobodys]):
            late = pool.submit(target.get, "/late?number=3", f"{OWN}1")
            waiting.wait(1, timeout=LONG)
            with target.recording("// hot") as (hits, subscription):
                assert poll(lambda: subscription.coverage.switched_off != "", timeout=LONG)
                assert target.get("/release", f"{OTHERS}1") == 200
                assert late.result(LONG) == 200
        assert [hit.request and hit.request.path for hit in hits if hit.is_own] == ["/late"]

    def test_many_hits_of_the_tests_own_do_not_stop_it_either(
        self, start: Start, toolchain: Toolchain, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if toolchain.delve < (1, 26):
            pytest.skip("this Delve cannot tell the goroutines of a request")
        monkeypatch.setattr(budget, "BURST", 0.5)
        monkeypatch.setattr(breakpoints, "MOST_OWN", 2)
        target = start("noise")
        with target.recording("// hot") as (hits, subscription):
            assert poll(lambda: subscription.coverage.switched_off != "", timeout=LONG)
            target.recorder.settle()
            count = len(hits)
            for number in range(3):
                assert target.get("/hot?number=3", f"{OWN}{number}") == 200
        own = [hit.request.audit_id for hit in hits[count:] if hit.request]
        assert own == [f"{OWN}0", f"{OWN}1"]
        assert subscription.coverage.is_over
        assert ", and for all after 2 hits of the test's own; name" in (
            subscription.coverage.switched_off
        )
