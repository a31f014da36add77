"""Finding ``go``, asking it, and reading its complaints."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import psutil
import pytest

from pytest_kdelve.controlplane import golang
from pytest_kdelve.errors import BuildError


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDELVE_STATE", str(tmp_path / "state"))


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_path_comes_before_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of_path, of_package = program(tmp_path / "a/go", ""), program(tmp_path / "b/go", "")
    monkeypatch.setattr("sysconfig.get_path", lambda _name: str(tmp_path / "b"))
    monkeypatch.setenv("PATH", str(tmp_path / "a"))
    assert golang.candidates() == [of_path, of_package]
    monkeypatch.setenv("PATH", f"{tmp_path / 'b'}:{tmp_path / 'a'}")
    assert golang.candidates() == [of_package], "one program is one candidate"
    monkeypatch.setenv("PATH", "")
    assert golang.candidates() == [of_package]
    of_package.unlink()
    assert golang.candidates() == []


def test_a_relative_path_still_names_the_program_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = program(tmp_path / "a/go", "")
    monkeypatch.setattr("sysconfig.get_path", lambda _name: str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "a")
    assert golang.candidates() == [go]


def test_the_version_is_that_of_the_toolchain_in_the_modules_folder(tmp_path: Path) -> None:
    """A go switches toolchains by the go.mod of the folder that it runs in (GOTOOLCHAIN)."""
    script = """
        test "$*" = "env -json GOVERSION GOFLAGS" || exit 9
        printf '{"GOVERSION": "%s", "GOFLAGS": "-modcacherw  -tags=a -p=2 -x"}' "$(cat go.mod)"
    """
    (tmp_path / "go.mod").write_text("go1.26.3", encoding="utf-8")
    go = golang.inspect(program(tmp_path / "bin/go", script), tmp_path)
    assert go.version == "1.26.3"
    assert go.flags == ("-modcacherw", "-p=2")


def test_the_own_go_mod_of_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = tmp_path / "v1.0.0.mod"
    original.write_text("module example.com/a\n", encoding="utf-8")
    script = f"""
        test "$*" = "list -m -f {{{{.GoMod}}}} example.com/a@v1.0.0" || exit 9
        test "$GOWORK $GOFLAGS $(cat go.mod)" = "off -mod=mod module kdelve.build" || exit 8
        echo {original}
    """
    go = program(tmp_path / "bin/go", script)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(golang, "candidates", lambda: [go])
    assert golang.own_go_mod("example.com/a", "v1.0.0") == "module example.com/a\n"
    assert list((tmp_path / "temporary").iterdir()) == []
    assert list((tmp_path / "state/runs").iterdir()) == []


def test_a_refused_question_shows_the_last_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = program(tmp_path / "go", "seq 100 >&2; echo unknown revision v9 >&2; exit 4")
    monkeypatch.setattr(golang, "candidates", lambda: [go])
    with pytest.raises(BuildError) as caught:
        golang.own_go_mod("example.com/a", "v9")
    text = str(caught.value)
    assert f"`{go} list -m -f '{{{{.GoMod}}}}' example.com/a@v9` ended with exit code 4" in text
    assert "\n    100\n    unknown revision v9\nCheck that this version was released" in text
    assert "\n    81\n" not in text


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("go1.26.8", "1.26.8"),
        ("go1.26", "1.26"),
        ("go1.24.6 X:boringcrypto", "1.24.6"),
        ("go1.26.8-X:nodwarf5", "1.26.8"),
        ("go1.22.9 (Red Hat 1.22.9-2.el9) X:strictfipsruntime", "1.22.9"),
        ("devel go1.28-0a1b2c", "1.28"),
        ("unrecognized file format", ""),
    ],
)
def test_the_go_that_has_built_a_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, version: str
) -> None:
    go = program(tmp_path / "go", f"echo '/bin/some: thing: {said}'")
    monkeypatch.setattr(golang, "candidates", lambda: [go])
    assert golang.built_with(Path("/bin/some: thing")) == version


def test_what_is_no_program_is_an_error_of_ours(tmp_path: Path) -> None:
    go = tmp_path / "go"
    go.write_bytes(b"\x7fELF for another machine")
    go.chmod(0o755)
    with pytest.raises(BuildError, match="could not be started"):
        golang.inspect(go, tmp_path)


def test_a_question_without_an_answer_ends_with_all_of_its_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(golang, "_QUERY_TIMEOUT", 0.5)
    monkeypatch.setenv("KDELVE_TEST", str(tmp_path))
    go = program(tmp_path / "go", "sleep 300 & sleep 300")
    with pytest.raises(BuildError, match=r"gave no answer in 0\.5 s"):
        golang.inspect(go, tmp_path)
    ours = [process for process in psutil.process_iter() if _is_of(process, str(tmp_path))]
    gone, left = psutil.wait_procs(ours, timeout=10)
    assert left == [], gone


def _is_of(process: psutil.Process, mark: str) -> bool:
    try:
        return process.pid != os.getpid() and process.environ().get("KDELVE_TEST") == mark
    except psutil.Error:
        return False


@pytest.mark.parametrize(
    ("version", "numbers"),
    [
        ("1.26.8", (1, 26, 8)),
        ("1.26", (1, 26, 0)),
        ("1.28rc1", (1, 28, 0)),
        ("devel go1.28-0a1b2c", (1, 28, 0)),
        ("1.26.8-X:nodwarf5", (1, 26, 8)),
    ],
)
def test_versions_compare_as_numbers(version: str, numbers: tuple[int, int, int]) -> None:
    assert golang.version_numbers(version) == numbers


def test_a_version_without_a_number_is_refused() -> None:
    with pytest.raises(BuildError, match="reports the version 'weekly'"):
        golang.version_numbers("weekly")


@pytest.mark.parametrize(
    ("output", "advice"),
    [
        ("link: mapping output file failed: no space left on device", "disk space"),
        ("go: a requires go >= 1.26.0 (running go 1.22.1; GOTOOLCHAIN=local)", "newer Go"),
        ("note: module requires Go 1.26", "newer Go"),
        ("k8s.io/api: /tool/compile: signal: killed", "GOFLAGS=-p=1"),
        ("dial tcp 127.0.0.1:9: connect: connection refused", "GOPROXY"),
        ("dial tcp: lookup proxy.example: no such host", "GOPROXY"),
        ("module lookup disabled by GOPROXY=off", "check the network"),
        ("invalid version: unknown revision v1.99.0", "was released"),
        ("reading .../@v/v1.99.0.info: 404 Not Found", "was released"),
        ('exec: "git": executable file not found in $PATH', "was released"),
        ("undefined: something", "what go complains of"),
    ],
)
def test_typical_failures_have_a_remedy(output: str, advice: str) -> None:
    text = golang.remedy(output)
    assert advice in text
    assert text.endswith("Then try again; what is compiled already is not compiled again.")
