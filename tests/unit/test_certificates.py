"""The keys and certificates of a control plane."""

from __future__ import annotations

import ipaddress
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from pytest_kdelve.controlplane.certificates import Certificates, create, write_secret

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return create(tmp_path_factory.mktemp("certificates"))


def load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def names(cert: x509.Certificate, oid: x509.ObjectIdentifier) -> list[str | bytes]:
    return [name.value for name in cert.subject.get_attributes_for_oid(oid)]


def test_only_the_owner_reads_them(files: Certificates) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in files.ca.parent.iterdir()}
    assert modes == {getattr(files, field.name).name: 0o600 for field in fields(files)}, (
        "and there is nothing else"
    )


def test_the_ca_may_sign_certificates(files: Certificates) -> None:
    """Python 3.13 refuses one that does not say so."""
    extensions = load(files.ca).extensions
    assert extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


@pytest.mark.parametrize("name", ["server_cert", "admin_cert"])
def test_leaves_are_signed_by_the_ca_and_name_it(files: Certificates, name: str) -> None:
    """Python 3.13 refuses one without the key identifiers."""
    authority, leaf = load(files.ca), load(getattr(files, name))
    leaf.verify_directly_issued_by(authority)
    issuer = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    subject = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert issuer.key_identifier == subject.digest
    assert leaf.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest


@pytest.mark.parametrize("who", ["server", "admin"])
def test_each_certificate_has_its_key(files: Certificates, who: str) -> None:
    key = serialization.load_pem_private_key(getattr(files, f"{who}_key").read_bytes(), None)
    assert key.public_key() == load(getattr(files, f"{who}_cert")).public_key()


def test_the_server_is_valid_for_loopback(files: Certificates) -> None:
    extension = load(files.server_cert).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert extension.value.get_values_for_type(x509.DNSName) == ["localhost"]
    assert set(extension.value.get_values_for_type(x509.IPAddress)) == {
        ipaddress.ip_address("127.0.0.1"),
        ipaddress.ip_address("::1"),
    }


def test_the_administrator_passes_rbac(files: Certificates) -> None:
    admin = load(files.admin_cert)
    assert names(admin, NameOID.COMMON_NAME) == ["kdelve-admin"]
    assert names(admin, NameOID.ORGANIZATION_NAME) == ["system:masters"]


def test_tokens_are_signed_with_a_strong_enough_key(files: Certificates) -> None:
    key = serialization.load_pem_private_key(files.service_account_key.read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size >= 2048


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text("much longer than before")
    file.chmod(0o644)
    write_secret(file, b"secret")
    assert file.read_bytes() == b"secret"
    assert file.stat().st_mode & 0o777 == 0o600
