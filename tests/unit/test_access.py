"""An administrator's kubeconfig, as it is found and understood."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from requests.exceptions import SSLError

from pytest_kdelve.controlplane import access, certificates
from pytest_kdelve.controlplane.access import Access, find_kubeconfig
from pytest_kdelve.errors import UsageError

if TYPE_CHECKING:
    from tests.unit.fake_http import FakeApiserver

TOKEN = "to.ke.n"  # noqa: S105 - not a real one


def write(path: Path, cluster: dict[str, Any], user: dict[str, Any]) -> Path:
    config = {
        "clusters": [{"name": "a", "cluster": cluster}],
        "users": [{"name": "a", "user": user}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "current-context": "a",
    }
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


def inline(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def test_keys_in_the_file_itself(
    fake: FakeApiserver,
    files: certificates.Certificates,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    kept = tmp_path / "kept"
    config = write(
        tmp_path / "config",
        {"server": fake.url, "certificate-authority-data": inline(files.ca)},
        {
            "client-certificate-data": inline(files.admin_cert),
            "client-key-data": inline(files.admin_key),
        },
    )
    admin = Access.by_kubeconfig(str(config), files=kept)
    assert admin.url == fake.url
    assert admin.ca.read_bytes() == files.ca.read_bytes()
    assert {path.parent for path in kept.iterdir()} == {kept}
    assert {path.stat().st_mode & 0o777 for path in kept.iterdir()} == {0o600}
    with admin.session() as session:
        assert session.get(f"{admin.url}/version").json() == {}
        assert session.cert
    assert "Authorization" not in fake.received[0].headers


def test_a_token(fake: FakeApiserver, files: certificates.Certificates, tmp_path: Path) -> None:
    cluster = {"server": fake.url, "certificate-authority": str(files.ca)}
    admin = Access.by_kubeconfig(
        str(write(tmp_path / "config", cluster, {"token": TOKEN})), files=tmp_path
    )
    with admin.session() as session:
        session.get(f"{admin.url}/version")
    assert fake.received[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in repr(vars(admin))


def test_another_ca(fake: FakeApiserver, tmp_path: Path) -> None:
    other = certificates.create(tmp_path)
    cluster = {"server": fake.url, "certificate-authority": str(other.ca)}
    admin = Access.by_kubeconfig(
        str(write(tmp_path / "config", cluster, {"token": TOKEN})), files=tmp_path
    )
    with admin.session() as session, pytest.raises(SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        session.get(f"{admin.url}/version")
    assert fake.received == []


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        ({"server": "http://a"}, "its server http://a is not https"),
        ({"server": "https://a", "insecure-skip-tls-verify": True}, "has insecure-skip-tls-verify"),
        ({"server": "https://a"}, "it has no certificate-authority"),
        (
            {"server": "https://a", "certificate-authority": "CA", "tls-server-name": "b"},
            "tls-server-name is not supported here",
        ),
        ({"server": "https://a", "certificate-authority": "nowhere"}, "File does not exist: "),
    ],
)
def test_what_is_refused(
    files: certificates.Certificates, tmp_path: Path, cluster: dict[str, Any], said: str
) -> None:
    if cluster.get("certificate-authority") == "CA":
        cluster = {**cluster, "certificate-authority": str(files.ca)}
    config = write(tmp_path / "config", cluster, {"token": TOKEN})
    with pytest.raises(UsageError) as raised:
        Access.by_kubeconfig(str(config), files=tmp_path)
    assert str(raised.value).startswith(f"kubeconfig {config}: ")
    assert said in str(raised.value)


@pytest.mark.parametrize("content", ["", "a: [", "a: 1", "\x00"])
def test_what_is_no_kubeconfig(tmp_path: Path, content: str) -> None:
    config = tmp_path / "config"
    config.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=f"kubeconfig {config}: ."):
        Access.by_kubeconfig(str(config), files=tmp_path)


class TestFinding:
    @pytest.fixture(autouse=True)
    def _no_places(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        places = (Path("~/.kube/config"), tmp_path / "admin.conf")
        monkeypatch.setattr(access, "USUAL_PLACES", places)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.delenv("KUBECONFIG", raising=False)

    def test_the_environment_comes_first(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "admin.conf").touch()
        monkeypatch.setenv("KUBECONFIG", "/a:b:")
        assert find_kubeconfig() == f"/a:{Path.cwd()}/b"

    def test_the_usual_places_in_their_order(self, tmp_path: Path) -> None:
        (tmp_path / "admin.conf").touch()
        assert find_kubeconfig() == str(tmp_path / "admin.conf")
        (tmp_path / ".kube").mkdir()
        (tmp_path / ".kube" / "config").touch()
        assert find_kubeconfig() == str(tmp_path / ".kube" / "config")

    def test_none(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError) as raised:
            find_kubeconfig()
        assert str(raised.value) == (
            "an administrator's kubeconfig is needed for an apiserver that was not started here: "
            "give --kdelve-kubeconfig=PATH, or set KUBECONFIG (there is none of ~/.kube/config, "
            f"{tmp_path}/admin.conf)"
        )
