"""The command ``kdelve doctor``."""

from __future__ import annotations

import json
import os
import re
import resource
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from pytest_kdelve.cli import main
from pytest_kdelve.controlplane import doctor
from pytest_kdelve.controlplane.doctor import Check, State, permission
from pytest_kdelve.controlplane.doctor import check as check_module

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = [
    "go",
    "delve",
    "kubernetes",
    "ptrace",
    "disk",
    "memory",
    "ports",
    "listening",
    "stale",
    "elsewhere",
]
PROGRAM = "import sys; from pytest_kdelve.cli import main; sys.exit(main())"
SECRET = "hunter2"  # noqa: S105 - that is what must not be seen


def run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-c", PROGRAM, "doctor", *arguments]
    environment = {**os.environ, **(env or {})}
    return subprocess.run(argv, capture_output=True, check=False, text=True, env=environment)


def finds(monkeypatch: pytest.MonkeyPatch, checks: Sequence[Check]) -> None:
    monkeypatch.setattr(doctor, "examine", lambda _listen: checks)


def check(name: str, state: State, *do: str) -> Check:
    return Check(name=name, state=state, seen=(f"{name} is {state}", "more"), do=do)


def test_each_check_says_something_about_this_machine() -> None:
    result = run("--json")
    assert result.stderr == ""
    answer = json.loads(result.stdout)
    assert list(answer["checks"]) == NAMES
    states = [each["state"] for each in answer["checks"].values()]
    assert set(states) <= {"ok", "warning", "problem"}
    assert answer["state"] == max(states, key=["ok", "warning", "problem"].index)
    assert result.returncode == ("problem" in states)
    for each in answer["checks"].values():
        assert list(each) == ["state", "seen", "do"]
        assert each["seen"]
        assert each["do"] or each["state"] == "ok"
        assert all(isinstance(text, str) and text for text in [*each["seen"], *each["do"]])


def test_the_text_has_a_block_for_each_check() -> None:
    lines = run().stdout.splitlines()
    heads = [line.split() for line in lines if not line.startswith(" ")]
    assert sorted(head[1] for head in heads) == sorted(NAMES)


def test_a_port_that_is_taken_is_a_problem() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        taken = run(f"--listen=:{port}", "--json")
    free = run(f"--listen=:{port}", "--json")
    assert taken.returncode == 1
    ports = json.loads(taken.stdout)["checks"]["ports"]
    assert ports["state"] == "problem"
    assert f"(pid {os.getpid()}) at 127.0.0.1:{port}" in ports["seen"][0]
    assert json.loads(free.stdout)["checks"]["ports"]["state"] == "ok"


def test_an_address_that_is_none_is_a_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--listen=nowhere"]) == 2
    assert capsys.readouterr().err.startswith("kdelve: --listen: 'nowhere' is no address")


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ([State.OK, State.OK], 0),
        ([State.WARNING, State.OK], 0),
        ([State.PROBLEM, State.WARNING], 1),
    ],
)
def test_only_a_problem_is_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, states: list[State], code: int
) -> None:
    finds(monkeypatch, [check("a", state) for state in states])
    assert main(["doctor"]) == code
    assert main(["doctor", "--json"]) == code


def test_problems_come_last_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checks = [
        check("disk", State.PROBLEM, "do this:\nsudo this", "or that"),
        check("go", State.OK),
        check("memory", State.WARNING),
    ]
    finds(monkeypatch, checks)
    main(["doctor"])
    assert capsys.readouterr().out == (
        "ok       go      go is ok\n"
        "                 more\n"
        "warning  memory  memory is warning\n"
        "                 more\n"
        "problem  disk    disk is problem\n"
        "                 more\n"
        "                 -> do this:\n"
        "                    sudo this\n"
        "                 -> or that\n"
    )


def test_nothing_is_changed_or_left(tmp_path: Path) -> None:
    cache, temporary = tmp_path / "cache", tmp_path / "tmp"
    temporary.mkdir()
    before = {each.pid for each in psutil.Process().children(recursive=True)}
    result = run(env={"KDELVE_CACHE": str(cache), "TMPDIR": str(temporary)})
    assert str(cache) in result.stdout
    assert not cache.exists()
    assert list(temporary.iterdir()) == []
    assert {each.pid for each in psutil.Process().children(recursive=True)} == before


def test_it_is_quick() -> None:
    """Of the processor's time, which other programs on a busy machine do not change."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2


def test_a_secret_of_the_environment_is_not_shown() -> None:
    secrets = {"GOPROXY": f"https://me:{SECRET}@proxy.example", "KDELVE_TOKEN": SECRET}
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()", f"--token={SECRET}"],
        stdin=subprocess.PIPE,
    )
    try:
        result = run(env=secrets)
        assert SECRET not in result.stdout + result.stderr
    finally:
        process.communicate()


def test_without_proc_all_is_still_said(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.read_text

    def read_text(path: Path, *args: str, **options: str) -> str:
        if re.match(r"/(proc|sys)/", str(path)):
            raise FileNotFoundError(str(path))
        return real(path, *args, **options)

    def fail(**_kind: str) -> None:
        raise FileNotFoundError("/proc/net/tcp")

    monkeypatch.setattr(Path, "read_text", read_text)
    monkeypatch.setattr(psutil, "net_connections", fail)
    found = {each.name: each for each in doctor.examine()}
    assert list(found) == NAMES
    assert found["memory"].seen == ("not known: no /proc/meminfo",)
    assert "CAP_SYS_PTRACE: not known" in found["ptrace"].seen[-1]
    assert found["listening"].state is State.WARNING


def test_a_file_that_is_not_there_has_no_text(tmp_path: Path) -> None:
    assert check_module.text_of(tmp_path / "none") is None
    assert check_module.text_of(tmp_path) is None
    assert check_module.worst([]) is State.OK
    assert permission.parse(None, None).yama is None
