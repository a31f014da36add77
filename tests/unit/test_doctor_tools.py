"""Go, Delve, their fit, and what is kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.controlplane import golang, releases
from pytest_kdelve.controlplane.doctor import tools
from pytest_kdelve.controlplane.doctor.check import State
from pytest_kdelve.controlplane.doctor.tools import Candidate, Tools, judge
from pytest_kdelve.controlplane.golang import Installed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAMES = ("kube-apiserver", "kube-controller-manager", "etcd", "dlv")
GO = Candidate(path=Path("/go"), version="1.26.6")
OLD = Candidate(path=Path("/old"), version="1.26.10", problem="Go 1.20.1 cannot fetch another one")


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def installed(
    version: str, toolchain: str, *, fetches: bool = True, cache: Path = Path("/none")
) -> Installed:
    return Installed(
        path=Path("/go"),
        version=version,
        toolchain=toolchain,
        fetches=fetches,
        module_cache=cache,
        build_cache=Path("/none"),
    )


def found(
    *candidates: Candidate,
    kept: Sequence[str] = ("1.26.6",),
    given: Mapping[str, Path] | None = None,
) -> Tools:
    return Tools(
        cache=Path("/cache"),
        versions=releases.choose(given=given or {}),
        candidates=candidates,
        given=given or {},
        kept=dict.fromkeys(NAMES, kept),
    )


def test_go_is_asked_without_switching_toolchains(tmp_path: Path) -> None:
    values = '{"GOVERSION": "go1.26.6", "GOPROXY": "off|x", "GOMODCACHE": "/m", "GOCACHE": "/c"}'
    script = f"""
        case "$GOTOOLCHAIN/$*" in
        "local/env -json GOVERSION GOPROXY GOMODCACHE GOCACHE") echo '{values}';;
        "go1.99/env GOTOOLCHAIN") echo go1.99;;
        *) exit 9;;
        esac
    """
    go = program(tmp_path / "go", script)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GOTOOLCHAIN", "go1.99")
        answer = golang.installed(go, timeout=30)
    assert answer == Installed(
        path=go,
        version="1.26.6",
        toolchain="go1.99",
        fetches=False,
        module_cache=Path("/m"),
        build_cache=Path("/c"),
    )


@pytest.mark.parametrize(
    ("version", "setting", "selected"),
    [
        ("1.26.6", "auto", "1.26.6"),
        ("1.24.1", "auto", "1.26.0"),
        ("1.24.1", "path", "1.26.0"),
        ("1.24.1", "local+auto", "1.26.0"),
        ("1.26.6", "go1.26.1", "1.26.1"),
        ("1.26.6", "go1.25.1+auto", "1.26.0"),
        # What does not fit is named by us.
        ("1.24.1", "local", "1.26.10"),
        ("1.26.6", "go1.25.1", "1.26.10"),
        ("1.26.6", "go1.27.0+path", "1.26.10"),
        ("1.27.1", "auto", "1.26.10"),
    ],
)
def test_the_toolchain_is_the_one_that_go_would_take(
    version: str, setting: str, selected: str
) -> None:
    """Compare with https://go.dev/doc/toolchain#select."""
    found = judge(installed(version, setting), "1.26")
    assert found.version == selected
    assert found.is_fetched is (selected == "1.26.10")


def test_where_a_toolchain_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    def origin(setting: str, *, fetches: bool = True) -> tuple[str, str]:
        go = installed("1.24.1", setting, fetches=fetches, cache=tmp_path)
        candidate = judge(go, "1.26")
        assert candidate.version == "1.26.0"
        return candidate.origin, candidate.problem

    assert origin("auto") == ("it would be fetched from the module proxy", "")
    assert origin("path") == ("", "go1.26.0 is not on PATH, and GOTOOLCHAIN=path")
    assert origin("auto", fetches=False) == ("", "Go 1.26.0 cannot be fetched: GOPROXY=off")
    (tmp_path / "golang.org/toolchain@v0.0.1-go1.26.0.linux-amd64").mkdir(parents=True)
    assert origin("auto", fetches=False) == ("it was fetched already", "")
    program(tmp_path / "bin/go1.26.0", "")
    assert origin("path") == ("go1.26.0 is on PATH", "")


def test_a_go_that_does_not_fit_fetches_another(tmp_path: Path) -> None:
    old = judge(installed("1.20.1", ""), "1.26")
    assert old.problem == "Go 1.20.1 cannot fetch another one"
    new = judge(installed("1.28.0", "local"), "1.26")
    assert (new.origin, new.problem) == ("it would be fetched from the module proxy", "")
    offline = judge(installed("1.28.0", "path", fetches=False), "1.26")
    assert offline.problem == "Go 1.26.10 cannot be fetched: GOPROXY=off"
    (tmp_path / "golang.org/toolchain@v0.0.1-go1.26.10.linux-amd64").mkdir(parents=True)
    there = judge(installed("1.28.0", "path", fetches=False, cache=tmp_path), "1.26")
    assert there.origin == "it was fetched already"


def test_a_go_that_is_of_no_use_is_passed_over() -> None:
    fetched = Candidate(path=Path("/new"), version="1.26.10", is_fetched=True)
    examined = found(OLD, fetched, GO)
    assert examined.go == GO, "what need not be fetched comes first"
    check = tools.check_go(examined)
    assert check.state is State.OK
    assert check.seen == (
        "Go 1.26.10 by /old; Go 1.20.1 cannot fetch another one",
        "Go 1.26.10 by /new",
        "Go 1.26.6 by /go",
    )


def test_without_go_nothing_can_be_built() -> None:
    check = tools.check_go(found(kept=()))
    assert check.state is State.PROBLEM
    assert "there is no `go` on PATH" in check.seen[0]
    assert "Put Go 1.26 (or any from 1.21 on) on PATH, or run `pip install" in check.do[0]
    assert tools.check_go(found(OLD, kept=())).state is State.PROBLEM


def test_what_is_kept_needs_no_go() -> None:
    check = tools.check_go(found(kept=("1.27.1",)))
    assert check.state is State.WARNING
    assert check.do[0] == "nothing has to be built, so this can wait;"
    assert tools.check_kept(found(kept=("1.27.1",))).state is State.OK


def test_what_another_go_built_is_built_again() -> None:
    """As ``build.ensure`` has it: a kept binary is known by the Go that built it."""
    check = tools.check_kept(found(GO, kept=("1.26.8", "1.25.1")))
    assert check.state is State.WARNING
    assert check.seen[1] == (
        "kube-apiserver: to be built (what is kept was built with Go 1.26.8, 1.25.1)"
    )
    assert "about 6 minutes on 2 cores, and 5 GB of disk" in check.do[0]
    kept = tools.check_kept(found(GO, kept=("1.26.8", "1.26.6")))
    assert kept.state is State.OK
    assert kept.seen[1] == "kube-apiserver: kept, built with Go 1.26.6"


def test_a_given_binary_is_not_built_and_has_to_be_there(tmp_path: Path) -> None:
    given = {"etcd": program(tmp_path / "etcd", "")}
    check = tools.check_kept(found(GO, kept=(), given=given))
    assert check.seen[3] == f"etcd: given, {tmp_path / 'etcd'}"
    check = tools.check_kept(found(GO, given={"etcd": tmp_path / "none"}))
    assert check.state is State.PROBLEM
    assert check.seen == (f"the given etcd {tmp_path / 'none'} does not exist",)
    assert check.do[0].startswith("correct the path (--kdelve-etcd,")


@pytest.mark.parametrize(
    ("version", "go", "state"),
    [
        ("1.27.2", "1.26.6", State.OK),
        ("1.27.2", "1.25.0", State.OK),
        ("1.27.2", "1.24.9", State.PROBLEM),
        ("1.26.3", "1.27.0", State.PROBLEM),
        ("1.25.0", "1.25.0", State.PROBLEM),
        ("1.9.1", "1.18.2", State.OK),
        ("1.9.1", "1.26.6", State.PROBLEM),
        ("1.28.0", "1.28.0", State.WARNING),
        ("1.8.3", "1.17.0", State.WARNING),
    ],
)
def test_delve_has_to_fit_the_go_of_the_target(
    tmp_path: Path, version: str, go: str, state: State
) -> None:
    dlv = program(tmp_path / "dlv", f"echo Delve Debugger; echo Version: {version}; echo Build: 1")
    target = Candidate(path=Path("/go"), version=go)
    check = tools.check_delve(found(target, given={"dlv": dlv}))
    assert check.state is state
    assert f"Delve {version}, given: {dlv}" in check.seen[0]
    assert bool(check.do) is (state is not State.OK)


@pytest.mark.parametrize("script", ["exit 1", "echo Version: ; ", "exec sleep 300"])
def test_a_dlv_that_does_not_answer_is_warned_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    monkeypatch.setattr(tools, "_ASK_TIMEOUT", 0.2)
    dlv = program(tmp_path / "dlv", script)
    check = tools.check_delve(found(GO, given={"dlv": dlv}))
    assert check.state is State.WARNING
    assert "version not known" in check.seen[0]
    missing = tools.check_delve(found(GO, given={"dlv": tmp_path / "none"}))
    assert missing.state is State.PROBLEM
    assert missing.seen == (f"the given dlv {tmp_path / 'none'} does not exist",)
    assert missing.do[0].startswith("correct the path (--kdelve-dlv,")


def test_delve_of_the_cache() -> None:
    assert "Delve 1.27.2, kept; it debugs Go 1.25 to 1.27" in tools.check_delve(found(GO)).seen
    assert "Delve 1.27.2, to be built" in tools.check_delve(found(GO, kept=())).seen[0]
    assert tools.check_delve(found(kept=())).do == ("see to Go first",)
    given = {"kube-apiserver": Path("/apiserver")}
    check = tools.check_delve(found(GO, given=given))
    assert check.state is State.WARNING
    assert check.do == ("see that it fits: `go version /apiserver`",)


def test_what_is_no_go_is_a_candidate_with_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda _name: str(tmp_path / "none"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    for script in ("echo no JSON", "echo '{}'", "exit 3", "exec sleep 300"):
        program(tmp_path / "bin/go", script)
        monkeypatch.setattr(tools, "_ASK_TIMEOUT", 0.5)
        examined = tools.examine(tmp_path)
        assert examined.go is None
        assert examined.candidates[0].problem
        assert "no answer by" in tools.check_go(examined).seen[0]
