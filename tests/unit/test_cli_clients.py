"""``kdelve credentials`` and ``kdelve ide``, on an environment that is only described."""

from __future__ import annotations

import json
import re
import shlex
import stat
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.cli import main
from pytest_kdelve.controlplane import endpoint
from pytest_kdelve.controlplane.endpoint import Endpoint
from pytest_kdelve.delve import Address

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = [
    ["credentials", "kubeconfig"],
    ["credentials", "curl"],
    ["credentials", "postman"],
    ["ide", "vscode"],
    ["ide", "goland"],
]
MODULE = "/home/user/go/pkg/mod/k8s.io/kubernetes@v1.37.2"


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    """Have an environment kept, and be in an empty folder."""
    folder = tmp_path / "environment"
    folder.mkdir()
    (folder / "ca.crt").write_text("PEM")
    kept = Endpoint(
        url="https://127.0.0.1:6443",
        ca_file=folder / "ca.crt",
        token="eyJ.of-a.test",  # noqa: S106 - no real one
        version="v1.37.2",
        dlv=Address("0.0.0.0", 12345),  # noqa: S104 - as a user may give it
        folder=folder,
        main_source=f"{MODULE}/cmd/kube-apiserver/apiserver.go",
    )
    monkeypatch.setattr(endpoint, "running", lambda _: kept)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return kept


@pytest.mark.parametrize("argv", COMMANDS, ids=" ".join)
def test_without_a_kept_environment_it_says_how_to_get_one(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 2
    assert "start one by `kdelve up`" in capsys.readouterr().err


@pytest.mark.parametrize("client", ["kubeconfig", "curl", "postman"])
def test_credentials_go_into_the_environments_folder(
    kept: Endpoint, tmp_path: Path, client: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["credentials", client]) == 0
    out, err = capsys.readouterr()
    files = sorted(kept.folder.glob("kdelve*"))
    assert sorted(err.splitlines()) == [f"wrote {file}" for file in files]
    assert str(files[0]) in out
    assert kept.token not in out + err
    assert list((tmp_path / "here").iterdir()) == []


def test_credentials_go_where_they_are_asked_for(
    kept: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["credentials", "curl", "--output=new"]) == 0
    folder = tmp_path / "here" / "new"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert shlex.split(capsys.readouterr().out) == [
        "curl",
        "--config",
        str(folder / "kdelve.curl"),
        f"{kept.url}/apis",
    ]
    assert list(kept.folder.glob("kdelve*")) == []


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("argv", COMMANDS, ids=" ".join)
def test_a_folder_that_cannot_be_written_is_named(
    argv: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main([*argv, f"--output={tmp_path / 'file'}"]) == 2
    err = capsys.readouterr().err
    assert f"kdelve: cannot write into {tmp_path / 'file'}: " in err
    assert re.search("give another( folder)? by --output", err)


@pytest.mark.usefixtures("kept")
def test_an_ide_gets_no_folder_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would not be the one that is open in the IDE."""
    folder = tmp_path / "typo"
    assert main(["ide", "vscode", f"--output={folder}"]) == 2
    assert f"cannot write into {folder}: it is no folder" in capsys.readouterr().err
    assert not folder.exists()


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("name", "file"),
    [("vscode", ".vscode/launch.json"), ("goland", ".run/kdelve kube-apiserver.run.xml")],
)
def test_an_ide_gets_its_file_and_the_person_where_the_source_is(
    name: str, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ide", name]) == 0
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'here' / file}\n"
    assert err.startswith(f"The source that the debugger shows is in {MODULE}, and that of what ")
    assert "k8s.io/apiserver@…, beside it" in err
    assert (tmp_path / "here" / file).exists()


@pytest.mark.usefixtures("kept")
def test_in_a_checkout_vscode_uses_its_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkout = tmp_path / "here"
    (checkout / "staging/src/k8s.io/api").mkdir(parents=True)
    (checkout / "go.mod").write_text("module k8s.io/kubernetes\n")
    assert main(["ide", "vscode"]) == 0
    launch = json.loads((checkout / ".vscode" / "launch.json").read_text())
    [configuration] = launch["configurations"]
    assert configuration["host"] == "127.0.0.1"
    assert configuration["substitutePath"][-1] == {"from": str(checkout), "to": MODULE}
    assert "keep it at v1.37.2" in capsys.readouterr().err
