"""Kubeconfig files, read back by the kubernetes client."""

from __future__ import annotations

from pathlib import Path

import pytest
from kubernetes import client, config

from pytest_kdelve.controlplane import certificates, kubeconfig

URL = "https://127.0.0.1:6443"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> certificates.Certificates:
    return certificates.create(tmp_path_factory.mktemp("certificates"))


def load(path: Path) -> client.Configuration:
    loaded = client.Configuration()
    config.load_kube_config(str(path), client_configuration=loaded)  # type: ignore[no-untyped-call]
    return loaded


def test_a_token(tmp_path: Path, files: certificates.Certificates) -> None:
    path = tmp_path / "kubeconfig"
    kubeconfig.write(path, url=URL, ca=files.ca, user={"token": "abc"})
    assert path.stat().st_mode & 0o777 == 0o600
    loaded = load(path)
    assert loaded.host == URL
    assert loaded.ssl_ca_cert
    assert Path(loaded.ssl_ca_cert).read_bytes() == files.ca.read_bytes()
    assert loaded.verify_ssl
    assert loaded.auth_settings()["BearerToken"]["value"] == "Bearer abc"


def test_a_certificate(tmp_path: Path, files: certificates.Certificates) -> None:
    path = tmp_path / "kubeconfig"
    user = {"client-certificate": str(files.admin_cert), "client-key": str(files.admin_key)}
    kubeconfig.write(path, url=URL, ca=files.ca, user=user)
    loaded = load(path)
    assert loaded.cert_file == str(files.admin_cert)
    assert loaded.key_file == str(files.admin_key)
