"""Whether the kernel lets a debugger trace."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.controlplane.doctor import permission
from pytest_kdelve.controlplane.doctor.check import Check, State
from pytest_kdelve.controlplane.doctor.permission import Permission, judge, parse

if TYPE_CHECKING:
    from pathlib import Path

ROOT = "CapEff:\t000001ffffffffff\nNoNewPrivs:\t0\nSeccomp:\t0\nSeccomp_filters:\t0\n"
USER = "CapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n"
#: Refuses ptrace, as a container's profile does, and then runs ``probe``.
FILTERED = """
import ctypes, struct, sys
from pytest_kdelve.controlplane.doctor import permission
rules = [(0x20, 0, 0, 0), (0x15, 0, 1, int(sys.argv[1])), (6, 0, 0, int(sys.argv[2], 16))]
rules.append((6, 0, 0, 0x7FFF0000))
code = b"".join(struct.pack("HBBI", *rule) for rule in rules)
program = ctypes.create_string_buffer(code)
class Filter(ctypes.Structure):
    _fields_ = [("count", ctypes.c_ushort), ("rules", ctypes.c_void_p)]
filter = Filter(len(rules), ctypes.addressof(program))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(filter), 0, 0) == 0, ctypes.get_errno()
check = permission.check_ptrace()
print(check.state, *check.seen, *check.do, sep="\\n")
"""
PTRACE = {"x86_64": 101, "aarch64": 117}


def known(scope: int | None, *, is_capable: bool) -> Permission:
    return Permission(yama=scope, is_capable=is_capable, seccomp=0, no_new_privs=False)


def test_the_files_of_proc_are_read() -> None:
    assert parse(ROOT, None) == known(None, is_capable=True)
    assert parse(USER, "1\n") == Permission(yama=1, is_capable=False, seccomp=2, no_new_privs=True)
    only_ptrace = f"CapEff:\t{1 << 19:016x}\n"
    assert parse(only_ptrace, "2").is_capable
    assert not parse(f"CapEff:\t{~(1 << 19) & 0xFFFFFFFFFF:016x}\n", "2").is_capable


@pytest.mark.parametrize("texts", [(None, None), ("", ""), ("CapEff: x\nSeccomp:\n", "many")])
def test_what_proc_does_not_say_is_not_known(texts: tuple[str | None, str | None]) -> None:
    nothing = Permission(yama=None, is_capable=None, seccomp=None, no_new_privs=None)
    assert parse(*texts) == nothing
    assert "CAP_SYS_PTRACE: not known" in text(judge(nothing, refusal=0))


@pytest.mark.parametrize(
    ("scope", "is_capable", "may_attach"),
    [
        (None, False, True),
        (0, False, True),
        (1, False, False),
        (1, True, True),
        (2, True, True),
        (3, True, False),
    ],
)
def test_a_target_that_can_be_started_cannot_always_be_attached_to(
    *, scope: int | None, is_capable: bool, may_attach: bool
) -> None:
    check = judge(known(scope, is_capable=is_capable), refusal=0)
    assert check.state is (State.OK if may_attach else State.WARNING)
    assert bool(check.do) is not may_attach
    assert "a target that dlv starts can be traced" in check.seen[0]
    whose = "any" if is_capable else "your own"
    attaching = f"dlv can attach to {whose} processes" if may_attach else "cannot be attached to"
    assert attaching in check.seen[1]


@pytest.mark.parametrize(
    ("found", "advice"),
    [
        (known(2, is_capable=False), "sudo sysctl kernel.yama.ptrace_scope=1"),
        (known(3, is_capable=True), "write 1 where it is set, and reboot"),
        (parse(USER, "1"), "seccomp filter is the likely reason"),
        (known(0, is_capable=False), "getsebool deny_ptrace"),
    ],
)
def test_a_refusal_is_a_problem_with_its_likely_reason(found: Permission, advice: str) -> None:
    check = judge(found, refusal=errno.EPERM)
    assert check.state is State.PROBLEM
    assert "PTRACE_TRACEME: Operation not permitted" in check.seen[0]
    assert advice in text(check)


def test_yama_is_loosened_no_more_than_is_needed() -> None:
    attaching = judge(known(1, is_capable=False), refusal=0)
    assert "only for --kdelve-attach" in text(attaching)
    assert "sudo sysctl kernel.yama.ptrace_scope=0" in text(attaching)
    assert "no_new_privs" not in text(attaching)
    assert "no_new_privs makes sudo useless" in text(judge(parse(USER, "1"), refusal=0))
    assert "write 0 where it is set" in text(judge(known(3, is_capable=True), refusal=0))


def test_no_answer_counts_as_a_refusal() -> None:
    check = judge(known(0, is_capable=True), refusal=None)
    assert check.state is State.PROBLEM
    assert "it gave no answer" in check.seen[0]


def test_the_probe_says_what_this_machine_permits() -> None:
    """Every test with a real dlv needs it, so it is permitted wherever these run."""
    assert permission.probe() == 0


def test_a_probe_that_hangs_or_cannot_start_gives_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nexec sleep 300\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(permission, "_PROBE_TIMEOUT", 0.2)
    monkeypatch.setattr(sys, "executable", str(program))
    assert permission.probe() is None
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    assert permission.probe() is None


@pytest.mark.skipif(os.uname().machine not in PTRACE, reason="the number of ptrace is not known")
@pytest.mark.parametrize(
    ("action", "reason"),
    [(f"{0x50000 | errno.EPERM:x}", "Operation not permitted"), ("80000000", "no answer")],
    ids=["refuses", "kills"],
)
def test_a_real_seccomp_filter_is_noticed(action: str, reason: str) -> None:
    assert ctypes.sizeof(ctypes.c_void_p) == 8
    number = str(PTRACE[os.uname().machine])
    argv = [sys.executable, "-c", FILTERED, number, action]
    output = subprocess.run(argv, capture_output=True, check=True, text=True).stdout
    lines = output.splitlines()
    assert lines[0] == "problem"
    assert lines[1].endswith(
        f"(tried with PTRACE_TRACEME: {'it gave ' * (reason == 'no answer')}{reason})"
    )
    assert "a seccomp filter is in force; no_new_privs is set" in lines[3]
    assert "the seccomp filter is the likely reason" in lines[4]


def text(check: Check) -> str:
    return "\n".join([*check.seen, *check.do])
