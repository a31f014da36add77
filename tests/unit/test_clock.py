"""The time in which the server may run."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from pytest_kdelve.errors import PausedError
from pytest_kdelve.hits.clock import Clock

#: Longer than any two calls that follow each other.
A_MOMENT = 0.05


@dataclass(eq=False)
class Somebody:
    thread: threading.Thread = field(default_factory=threading.Thread)

    def __str__(self) -> str:
        return "kdelve.pause('a.go:1')"


def test_it_stands_still_until_the_last_one_lets_go() -> None:
    clock, first, second = Clock(), Somebody(), Somebody()
    before = clock.now()
    clock.stop(first)
    clock.stop(second)
    stood_at = clock.now()
    assert before <= stood_at < before + A_MOMENT
    time.sleep(A_MOMENT)
    clock.go(first)
    assert clock.is_standing
    assert clock.now() == stood_at
    clock.go(second)
    assert not clock.is_standing
    assert stood_at <= clock.now() < stood_at + A_MOMENT, "it goes on where it was"
    time.sleep(A_MOMENT)
    assert clock.now() >= stood_at + A_MOMENT
    assert clock.stops == 1


def test_who_does_not_hold_it_may_let_go() -> None:
    clock, first = Clock(), Somebody()
    clock.stop(first)
    clock.go(Somebody())
    assert clock.is_standing
    clock.go(first)
    clock.go(first)
    assert not clock.is_standing


def test_who_has_to_let_go_must_not_wait() -> None:
    clock, holder = Clock(), Somebody(threading.current_thread())
    clock.check("an answer", "wait")
    clock.stop(holder)
    clock.stop(Somebody())
    with pytest.raises(PausedError) as caught:
        clock.check("the answer to a request", "send it later")
    assert str(caught.value) == (
        "the answer to a request would wait for ever: kdelve.pause('a.go:1') holds the "
        "kube-apiserver, and this thread has to resume it first; send it later"
    )
    with ThreadPoolExecutor(1) as pool:
        pool.submit(clock.check, "an answer", "wait").result(30)
    clock.go(holder)
    clock.check("an answer", "wait")
