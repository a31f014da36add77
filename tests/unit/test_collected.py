"""Lists of hits that grow while a test runs."""

from __future__ import annotations

import threading

import pytest

from pytest_kdelve.errors import KdelveError
from pytest_kdelve.hits.collected import Collected, HitList
from tests.unit.builders import make_hit

LONG = 20.0


@pytest.fixture
def hits() -> HitList:
    return HitList()


def test_a_list_of_hits_is_a_sequence(hits: HitList) -> None:
    first, second = make_hit(line=1), make_hit(line=2)
    hits.append(first)
    hits.append(second)
    assert len(hits) == 2
    assert list(hits) == hits[:] == [first, second]
    assert hits[-1] is second
    assert hits.first is first
    assert str(hits).count(" k8s.io/apiserver/pkg/endpoints/handlers.GetResource.func1") == 2


def test_no_first_one(hits: HitList) -> None:
    with pytest.raises(KdelveError, match="no hit was recorded"):
        _ = hits.first


def test_the_only_one(hits: HitList) -> None:
    with pytest.raises(KdelveError, match="one hit was expected, 0 were recorded"):
        _ = hits.only
    hits.append(make_hit(values={"name": "a"}))
    assert hits.only is hits[0]
    hits.append(make_hit(values={"name": "b"}))
    with pytest.raises(KdelveError, match=r"one hit was expected, 2 .*(?s:.*)'a'(?s:.*)'b'"):
        _ = hits.only


def test_waiting_ends_with_the_hit(hits: HitList) -> None:
    adder = threading.Thread(target=lambda: list(map(hits.append, [make_hit(), make_hit()])))
    adder.start()
    assert hits.wait(2, timeout=LONG) is hits
    adder.join()
    assert len(hits) == 2


def test_waiting_ends_with_the_deadline(hits: HitList) -> None:
    hits.append(make_hit())
    with pytest.raises(KdelveError, match=r"2 hits were awaited for 0\.01 s, 1 was recorded"):
        hits.wait(2, timeout=0.01)


def test_growing(hits: HitList) -> None:
    assert not hits.grows_beyond(0, timeout=-1)
    adder = threading.Thread(target=hits.append, args=[make_hit()])
    adder.start()
    assert hits.grows_beyond(0, timeout=LONG)
    adder.join()
    assert not hits.grows_beyond(1, timeout=0.01)


def test_hits_of_others_are_counted() -> None:
    collected = Collected(by_anyone=False)
    for number in range(30):
        request = None if number < 10 else make_hit().request
        collected.add(make_hit(is_own=False, request=request))
    own = make_hit()
    collected.add(own)
    assert list(collected.own) == [own]
    assert collected.others_count == 30
    assert collected.unattributed_count == 10


def test_by_anyone_all_hits_count() -> None:
    collected = Collected(by_anyone=True)
    collected.add(make_hit(is_own=False))
    collected.add(make_hit(is_own=True))
    assert len(collected.own) == 2
    assert collected.others_count == 0


def test_a_list_of_hits_compares_with_a_list() -> None:
    hits = HitList()
    assert hits == []
    hit = make_hit()
    hits.append(hit)
    assert hits == [hit]
    assert hits != []
    assert hits != "hits"
