"""What is written for kubectl, curl and Postman: texts, modes, and no token in a command."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any

import pytest

from pytest_kdelve.controlplane import clients

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

URL = "https://127.0.0.1:6443"
TOKEN = "eyJ.of-a.test"  # noqa: S105 - no real one
WRITERS = [clients.write_kubeconfig, clients.write_curl, clients.write_postman]


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    file = tmp_path / 'a "ca" \\.crt'
    file.write_text("PEM")
    return file


@pytest.mark.parametrize("write", WRITERS)
def test_files_are_for_their_owner_only_and_the_command_has_no_token(
    tmp_path: Path, ca: Path, write: Callable[..., clients.Written]
) -> None:
    folder = tmp_path / "with space"
    folder.mkdir()
    for _again in range(2):
        written = write(folder, url=URL, ca=ca, token=TOKEN)
        assert TOKEN not in written.command
        assert f"'{written.files[0]}'" in written.command
        assert sorted(folder.iterdir()) == sorted(written.files)
        assert any(TOKEN in file.read_text() for file in written.files)
        for file in written.files:
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            file.chmod(0o644)


@pytest.mark.parametrize(
    ("url", "noproxy"),
    [
        (URL, ['noproxy = "127.0.0.1"']),
        ("https://[::1]:6443", ['noproxy = "::1"']),
        ("https://apiserver.example:6443", []),
    ],
)
def test_curl_verifies_the_ca_whatever_curlrc_and_proxy_variables_say(
    tmp_path: Path, ca: Path, url: str, noproxy: list[str]
) -> None:
    written = clients.write_curl(tmp_path, url=url, ca=ca, token=TOKEN)
    escaped = str(ca).replace("\\", "\\\\").replace('"', '\\"')
    assert written.files[0].read_text().splitlines() == [
        f'cacert = "{escaped}"',
        "no-insecure",
        *noproxy,
        f'header = "Authorization: Bearer {TOKEN}"',
    ]


def test_postmans_token_is_a_secret_of_the_environment_and_nowhere_else(
    tmp_path: Path, ca: Path
) -> None:
    written = clients.write_postman(tmp_path, url=URL, ca=ca, token=TOKEN)
    collection, environment = (json.loads(file.read_text()) for file in written.files)
    assert {value["key"]: (value["value"], value["type"]) for value in environment["values"]} == {
        "url": (URL, "default"),
        "token": (TOKEN, "secret"),
    }
    assert TOKEN not in json.dumps(collection)
    assert URL not in json.dumps(collection)
    assert collection["auth"]["bearer"][0]["value"] == "{{token}}"
    requests: list[dict[str, Any]] = [item["request"] for item in collection["item"]]
    assert [(one["method"], one["url"]["raw"]) for one in requests] == [
        ("GET", "{{url}}/apis"),
        ("GET", "{{url}}/version"),
        ("GET", "{{url}}/api/v1/namespaces"),
    ]
