"""The way into an apiserver that was not started here, before anything is done to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.controlplane import certificates, existing, kubeconfig
from pytest_kdelve.controlplane.access import Access
from pytest_kdelve.controlplane.existing import Attached, Connected
from pytest_kdelve.delve import Address
from pytest_kdelve.errors import UsageError
from tests.unit.fake_http import Answer, FakeApiserver

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_kdelve.controlplane.certificates import Certificates


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDELVE_STATE", str(tmp_path / "state"))


@pytest.fixture
def attach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Path], None]:
    """Attach to an apiserver, by the CA and the URL of a kubeconfig; Delve must not be reached."""

    def fail(*_: object) -> None:
        raise AssertionError("the apiserver was touched")

    def start(url: str, ca: Path) -> None:
        path = tmp_path / "config"
        kubeconfig.write(path, url=url, ca=ca, user={"token": "to.ke.n"})
        Attached(1, dlv=path, listen=Address(), kubeconfig=str(path)).start()

    monkeypatch.setattr(existing, "attach", fail)
    return start


def test_a_kubeconfig_of_one_that_does_not_run(
    attach: Callable[[str, Path], None], files: Certificates
) -> None:
    with pytest.raises(UsageError) as raised:
        attach("https://127.0.0.1:1", files.ca)
    text = str(raised.value)
    assert "leads to https://127.0.0.1:1, which does not answer: " in text
    assert "Connection refused" in text
    assert text.endswith(
        "name an administrator's kubeconfig of the debugged one by --kdelve-kubeconfig"
    )


def test_a_kubeconfig_with_another_ca(
    attach: Callable[[str, Path], None], fake: FakeApiserver, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(
        UsageError, match=rf"does not fit what listens at {fake.url}: .*CERTIFICATE"
    ):
        attach(fake.url, certificates.create(tmp_path / "other").ca)


def test_a_kubeconfig_of_a_user_that_is_not_known(
    attach: Callable[[str, Path], None], fake: FakeApiserver, files: Certificates
) -> None:
    fake.answers["GET /version"] = Answer(401)
    with pytest.raises(UsageError, match=rf"a user whom {fake.url} does not know \(401 Unauth"):
        attach(fake.url, files.ca)


@pytest.mark.parametrize("status", [200, 403])
def test_one_that_answers_is_debugged(
    attach: Callable[[str, Path], None], fake: FakeApiserver, files: Certificates, status: int
) -> None:
    """What its user may do is seen when it does it."""
    fake.answers["GET /version"] = Answer(status)
    with pytest.raises(AssertionError, match="the apiserver was touched"):
        attach(fake.url, files.ca)


def test_a_kubeconfig_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "nowhere"
    with pytest.raises(UsageError, match=rf"kubeconfig {path}: there is no such file"):
        Access.by_kubeconfig(str(path), files=tmp_path)


def test_a_delve_that_is_not_there(tmp_path: Path, files: Certificates) -> None:
    path = tmp_path / "config"
    kubeconfig.write(path, url="https://127.0.0.1:1", ca=files.ca, user={"token": "to.ke.n"})
    with pytest.raises(UsageError) as raised:
        Connected(Address("127.0.0.1", 1), kubeconfig=str(path)).start()
    text = str(raised.value)
    assert text.startswith("cannot connect to Delve at 127.0.0.1:1: ")
    assert "a dlv that runs with --headless --accept-multiclient --api-version=2" in text
