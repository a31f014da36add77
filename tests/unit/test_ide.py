"""Debug configurations for VS Code and GoLand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from pytest_kdelve.controlplane import ide
from pytest_kdelve.delve import Address
from pytest_kdelve.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

DLV = Address("127.0.0.1", 12345)
CACHE = "/home/user/go/pkg/mod"
MAIN = f"{CACHE}/k8s.io/kubernetes@v1.37.2/cmd/kube-apiserver/apiserver.go"
CONFIGURATION = {
    "name": "kdelve: kube-apiserver",
    "type": "go",
    "debugAdapter": "dlv-dap",
    "request": "attach",
    "mode": "remote",
    "host": "127.0.0.1",
    "port": 12345,
    "stopOnEntry": True,
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "kubernetes"
    for name in ("api", "apiserver"):
        (folder / "staging/src/k8s.io" / name).mkdir(parents=True)
    (folder / "staging/src/k8s.io/README.md").write_text("")
    (folder / "go.mod").write_text("// A comment.\n\nmodule k8s.io/kubernetes\n\ngo 1.26.0\n")
    return folder


def test_a_checkouts_files_are_those_of_the_modules(checkout: Path) -> None:
    staging = f"{checkout}/staging/src/k8s.io"
    assert ide.substitutions(checkout, MAIN) == [
        (f"{staging}/api", f"{CACHE}/k8s.io/api@v0.37.2"),
        (f"{staging}/apiserver", f"{CACHE}/k8s.io/apiserver@v0.37.2"),
        (str(checkout), f"{CACHE}/k8s.io/kubernetes@v1.37.2"),
    ]


def test_another_checkouts_files_are_those_of_this_one(checkout: Path) -> None:
    main = "/build/kubernetes/cmd/kube-apiserver/apiserver.go"
    assert ide.substitutions(checkout, main) == [(str(checkout), "/build/kubernetes")]


def test_nothing_is_substituted_in_the_checkout_itself_and_elsewhere(
    checkout: Path, tmp_path: Path
) -> None:
    assert ide.substitutions(checkout, f"{checkout}/cmd/kube-apiserver/apiserver.go") == []
    assert ide.substitutions(tmp_path, MAIN) == []
    (tmp_path / "go.mod").write_text("module k8s.io/kubernetes2\n")
    assert ide.substitutions(tmp_path, MAIN) == []


def test_vscode_gets_a_new_file(tmp_path: Path) -> None:
    file = ide.write_vscode(tmp_path, DLV)
    assert file == tmp_path / ".vscode" / "launch.json"
    assert json.loads(file.read_text()) == {"version": "0.2.0", "configurations": [CONFIGURATION]}


def test_vscode_gets_where_the_sources_are(tmp_path: Path) -> None:
    file = ide.write_vscode(tmp_path, DLV, [("/here", "/compiled")])
    [configuration] = json.loads(file.read_text())["configurations"]
    rules = [{"from": "/here", "to": "/compiled"}]
    assert configuration == CONFIGURATION | {"substitutePath": rules}


def test_other_configurations_and_comments_stay(tmp_path: Path) -> None:
    file = tmp_path / ".vscode" / "launch.json"
    file.parent.mkdir()
    before = '{\r\n    // mine\r\n    "configurations": [{"name": "mine"},],\r\n}\r\n'
    file.write_bytes(before.encode())
    for port in (1, 2):
        ide.write_vscode(tmp_path, Address("127.0.0.1", port))
        text = file.read_bytes().decode()
        begin, _, rest = before.partition("[")
        assert text.startswith(begin)
        assert text.endswith(rest)
        assert text.count("kdelve") == 1
        assert f'"port": {port}\n' in text


@pytest.mark.parametrize("text", ["{ no json", "[]"])
def test_a_file_that_is_not_understood_stays_and_what_to_add_is_said(
    tmp_path: Path, text: str
) -> None:
    file = tmp_path / ".vscode" / "launch.json"
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(UsageError, match="stays as it is") as caught:
        ide.write_vscode(tmp_path, DLV)
    assert json.loads(str(caught.value).partition("yourself:\n")[2]) == CONFIGURATION
    assert file.read_text() == text


def test_an_empty_file_is_as_none(tmp_path: Path) -> None:
    (tmp_path / ".vscode").mkdir()
    (tmp_path / ".vscode" / "launch.json").write_text("\n")
    file = ide.write_vscode(tmp_path, DLV)
    assert json.loads(file.read_text())["configurations"] == [CONFIGURATION]


@pytest.mark.parametrize(
    ("host", "attributes"),
    [
        ("127.0.0.1", {}),
        ("localhost", {}),
        ("::1", {"host": "::1"}),
        ("debug.example", {"host": "debug.example"}),
    ],
)
def test_goland_gets_a_go_remote_configuration(
    tmp_path: Path, host: str, attributes: dict[str, str]
) -> None:
    file = ide.write_goland(tmp_path, Address(host, 12345))
    assert file == tmp_path / ".run" / "kdelve kube-apiserver.run.xml"
    component = ET.fromstring(file.read_text())  # noqa: S314 - written just now
    assert component.attrib == {"name": "ProjectRunConfigurationManager"}
    [configuration] = component
    assert configuration.attrib == attributes | {
        "default": "false",
        "name": "kdelve: kube-apiserver",
        "type": "GoRemoteDebugConfigurationType",
        "factoryName": "Go Remote",
        "port": "12345",
    }
    assert [(part.tag, part.attrib) for part in configuration] == [
        ("option", {"name": "disconnectOption", "value": "LEAVE"}),
        ("disconnect", {"value": "LEAVE"}),
        ("method", {"v": "2"}),
    ]


def test_golands_file_follows_the_address_but_is_not_taken_from_others(tmp_path: Path) -> None:
    ide.write_goland(tmp_path, Address("debug.example", 1))
    file = ide.write_goland(tmp_path, DLV)
    assert ' port="12345"' in file.read_text()
    assert "debug.example" not in file.read_text()
    changed = file.read_text().replace("LEAVE", "ASK")
    file.write_text(changed)
    with pytest.raises(UsageError, match=r"was changed .* host 127\.0\.0\.1 and the port 12345"):
        ide.write_goland(tmp_path, DLV)
    assert file.read_text() == changed
