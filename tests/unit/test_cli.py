"""The command ``kdelve``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import psutil
import pytest

from pytest_kdelve.cli import main
from pytest_kdelve.process import poll
from tests.commands import KDELVE, family_of
from tests.unit.builds import install_go

NAMES = ["dlv", "etcd", "kube-apiserver", "kube-controller-manager"]
TIMEOUT = 30.0


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing but a fake ``go``, and an empty cache."""
    install_go(tmp_path)
    (tmp_path / "original.mod").write_text("module k8s.io/kubernetes\n\ngo 1.26.0\n")
    monkeypatch.setattr("sysconfig.get_path", lambda _name: str(tmp_path / "none"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("FAKE_GO", str(tmp_path))
    monkeypatch.setenv("FAKE_GO_VERSION", "go1.26.8")
    monkeypatch.setenv("FAKE_GO_BUILD", "succeed")
    monkeypatch.setenv("GOFLAGS", "")
    monkeypatch.setenv("KDELVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KDELVE_STATE", str(tmp_path / "state"))
    return tmp_path


def test_build_prints_where_the_binaries_are(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build"]) == 0
    captured = capsys.readouterr()
    rows = [line.split() for line in captured.out.splitlines()]
    assert [row[:2] for row in rows] == [
        ["dlv", "1.27.2"],
        ["etcd", "3.7.3"],
        ["kube-apiserver", "1.37.2"],
        ["kube-controller-manager", "1.37.2"],
    ]
    for _name, _version, path in rows:
        assert os.access(path, os.X_OK)
        assert Path(path).is_relative_to(folder / "cache")
    assert "kdelve: building kube-apiserver 1.37.2\n" in captured.err


def test_build_prints_json_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "--json", "--kubernetes=v1.36.4"]) == 0
    binaries = json.loads(capsys.readouterr().out)
    assert list(binaries) == NAMES
    apiserver = binaries["kube-apiserver"]
    assert apiserver["version"] == "1.36.4"
    assert apiserver["go"] == "1.26.8"
    assert "-gcflags=all=-N -l" in apiserver["flags"]
    assert os.access(apiserver["path"], os.X_OK)


def test_a_failure_is_a_message_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAKE_GO_BUILD", "fail")
    assert main(["build"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "\nkdelve: go ended with exit code 1 while building" in captured.err
    assert "Traceback" not in captured.err


def test_a_bad_version_is_a_message_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "--kubernetes", "1.37"]) == 2
    assert capsys.readouterr().err.startswith("kdelve: '1.37' is no Kubernetes version; write")


@pytest.mark.parametrize("command", ["build", "up"])
def test_versions_that_do_not_fit_are_refused_before_anything_is_built(
    folder: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--kubernetes=1.24.0", "--delve=1.27.2"]) == 2
    assert capsys.readouterr().err == (
        "kdelve: Delve 1.27.2 debugs programs of Go 1.25 to 1.27, and Kubernetes 1.24.0 is to be "
        "built by Go 1.18; name no Delve to have one that fits (1.9.1)\n"
    )
    assert not (folder / "calls").exists()
    assert not (folder / "cache").exists()


def test_build_with_another_go_and_delve(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAKE_GO_FETCHES", "1")
    assert main(["build", "--json", "--go=1.27.3", "--delve=1.27.0"]) == 0
    binaries = json.loads(capsys.readouterr().out)
    assert binaries["kube-apiserver"]["go"] == "1.27.3"
    assert binaries["dlv"]["version"] == "1.27.0"


@pytest.fixture
def source(folder: Path) -> Path:
    """A checkout of kubernetes, of no known version."""
    source = folder / "kubernetes"
    for name in ("cmd/kube-apiserver", "staging/src/k8s.io/apiserver"):
        (source / name).mkdir(parents=True)
        (source / name / "go.mod").touch()
    (source / "go.mod").write_text("module k8s.io/kubernetes\n\ngo 1.26.0\n")
    return source


def test_build_from_a_checkout(
    folder: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", "--source", str(source)]) == 2
    assert "; name the version, too" in capsys.readouterr().err
    assert main(["build", "--source", str(source), "--kubernetes=1.37.1"]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[2].split()[:2] == ["kube-apiserver", "1.37.1"]
    assert f"building kube-apiserver of {source} (v1.37.1, not in git)\n" in captured.err
    assert main(["build", "--source", str(source), "--kubernetes=1.37.1"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    state = f"Kubernetes was built from {source} (v1.37.1, not in git)"
    assert captured.out.splitlines()[4:] == [state]
    assert main(["build", "--source", str(folder)]) == 2
    assert f"{folder} is no checkout of kubernetes: it has no go.mod" in capsys.readouterr().err


def test_up_takes_a_checkout_or_a_binary(
    source: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing may be said to be built from a checkout that is not."""
    said = (
        f"kdelve: --source={source} and a given kube-apiserver (--apiserver or KDELVE_APISERVER): "
        "give one of them\n"
    )
    assert main(["up", "--source", str(source), "--apiserver=/bin/true"]) == 2
    assert capsys.readouterr().err == said
    monkeypatch.setenv("KDELVE_APISERVER", "/bin/true")
    assert main(["up", "--source", str(source)]) == 2
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        ("--kubernetes=1.30.14", "--kubernetes=1.30.14 and a given kube-apiserver (--apiserver or"),
        ("--go=1.26", "--go=1.26 and a given kube-apiserver (--apiserver or KDELVE_APISERVER): gi"),
        ("--kubernetes=", "--kubernetes is empty: give it a value, or leave it out"),
        ("--source=", "--source is empty: give it a value, or leave it out"),
        ("--dlv=", "--dlv is empty: give it a value, or leave it out"),
        ("--listen=", "--listen is empty: give it a value, or leave it out"),
    ],
)
def test_up_takes_what_fits_together(
    option: str, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["up", option, "--apiserver=/bin/true"]) == 2
    assert capsys.readouterr().err.startswith(f"kdelve: {problem}")


@pytest.mark.parametrize("argv", [[], ["bild"], ["build", "--jason"]])
def test_wrong_arguments_are_exit_code_2(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    assert "usage: kdelve" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"kdelve {version('pytest-kdelve')}\n"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"]
)
def test_an_interrupted_build_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
) -> None:
    monkeypatch.setenv("FAKE_GO_BUILD", "hang")
    with (folder / "stderr").open("wb") as stderr:
        command = subprocess.Popen([sys.executable, "-c", KDELVE, "build"], stderr=stderr)
    with family_of(command, TIMEOUT) as family:
        assert poll((folder / "working").exists, timeout=TIMEOUT), "the build did not begin"
        family.extend(family[0].children(recursive=True))
        assert len(family) == 4, "kdelve, its guardian, go and its compiler"
        command.send_signal(number)
        assert command.wait(TIMEOUT) == code
        _gone, left = psutil.wait_procs(family, timeout=TIMEOUT)
        assert left == []
    assert list((folder / "cache" / "bin").iterdir()) == []
    text = (folder / "stderr").read_text(encoding="utf-8")
    assert "kube-apiserver 1.37.2 was given up after" in text
    assert "Traceback" not in text


def test_sigterm_means_again_what_it_did_before() -> None:
    before = signal.getsignal(signal.SIGTERM)
    main(["build"])
    assert signal.getsignal(signal.SIGTERM) is before
