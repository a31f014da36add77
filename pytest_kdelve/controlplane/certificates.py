"""The keys and certificates of one control plane; every file is made with mode 0600."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

if TYPE_CHECKING:
    from pathlib import Path

#: Members of this group pass RBAC; the apiserver itself knows it.
_ADMIN_GROUP = "system:masters"


@dataclass(frozen=True, slots=True)
class Certificates:
    """Paths of PEM files. The CA signs the server's and the administrator's certificate."""

    ca: Path
    server_cert: Path
    server_key: Path
    admin_cert: Path
    admin_key: Path
    service_account_key: Path


def of(directory: Path) -> Certificates:
    """Return the files in a folder, for which ``create`` was called at some time."""
    return Certificates(
        ca=directory / "ca.crt",
        server_cert=directory / "apiserver.crt",
        server_key=directory / "apiserver.key",
        admin_cert=directory / "admin.crt",
        admin_key=directory / "admin.key",
        service_account_key=directory / "service-account.key",
    )


def create(directory: Path) -> Certificates:
    """Write a new CA, a serving certificate for loopback, and the keys into ``directory``."""
    files = of(directory)
    authority = trustme.CA(organization_name="pytest-kdelve")
    server = authority.issue_cert("127.0.0.1", "localhost", "::1", common_name="kube-apiserver")
    admin = authority.issue_cert(
        "kdelve-admin", common_name="kdelve-admin", organization_name=_ADMIN_GROUP
    )
    write_secret(files.ca, authority.cert_pem.bytes())
    _write_pair(server, files.server_cert, files.server_key)
    _write_pair(admin, files.admin_cert, files.admin_key)
    write_secret(files.service_account_key, _new_rsa_key())
    return files


def write_secret(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read, even where it was there with another mode."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        file.write(data)


def _write_pair(leaf: trustme.LeafCert, cert: Path, key: Path) -> None:
    write_secret(cert, b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    write_secret(key, leaf.private_key_pem.bytes())


def _new_rsa_key() -> bytes:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
