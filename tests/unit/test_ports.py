"""Ports that several test processes share without taking the same one."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.controlplane import ports
from pytest_kdelve.errors import ProcessError

if TYPE_CHECKING:
    from pathlib import Path

LONG = 30.0
#: Takes ports from the few that a fake kernel gives, says which, and holds them.
PROGRAM = """
import itertools, pathlib, sys
from pytest_kdelve.controlplane import ports
few = itertools.cycle(range(20001, 20007))
ports._free_port = lambda: next(few)
with ports.reserve(3, locks=pathlib.Path(sys.argv[1])) as taken:
    print(*taken, flush=True)
    sys.stdin.read()
"""


def give(monkeypatch: pytest.MonkeyPatch, *given: int) -> None:
    """Let the kernel call these ports free, one after the other, and then the last for ever."""
    remaining = list(given)
    monkeypatch.setattr(
        ports, "_free_port", lambda: remaining.pop(0) if len(remaining) > 1 else remaining[0]
    )


def test_reserved_ports_are_free_and_distinct(tmp_path: Path) -> None:
    with ports.reserve(3, locks=tmp_path / "new" / "folder") as taken:
        assert len(set(taken)) == 3
        for port in taken:
            with socket.socket() as server:
                server.bind(("127.0.0.1", port))


def test_two_processes_never_take_the_same_port(tmp_path: Path) -> None:
    def start() -> subprocess.Popen[str]:
        argv = [sys.executable, "-c", PROGRAM, str(tmp_path)]
        return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    with start() as first, start() as second:
        try:
            assert first.stdout
            assert second.stdout
            taken = [*first.stdout.readline().split(), *second.stdout.readline().split()]
        finally:
            first.communicate(timeout=LONG)
            second.communicate(timeout=LONG)
    assert sorted(taken) == [str(port) for port in range(20001, 20007)]


def test_ports_are_released_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, 20001)
    for _ in range(2):
        with ports.reserve(1, locks=tmp_path) as taken:
            assert taken == (20001,)


def test_ports_are_released_after_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, 20001)

    def fail() -> None:
        with ports.reserve(1, locks=tmp_path):
            raise KeyError("the caller's")

    for _ in range(2):
        with pytest.raises(KeyError, match="the caller's"):
            fail()


def test_no_free_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was taken until then is released."""
    give(monkeypatch, 20001)
    expected = "no 2 free ports on 127.0.0.1 after 66 attempts; `ss -ltn` shows what listens"
    with (
        pytest.raises(ProcessError, match=re.escape(expected)),
        ports.reserve(2, locks=tmp_path),
    ):
        pass
    with ports.reserve(1, locks=tmp_path) as taken:
        assert taken == (20001,)


def test_the_last_attempt_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, *[20001] * 65, 20002)
    with ports.reserve(2, locks=tmp_path) as taken:
        assert taken == (20001, 20002)
