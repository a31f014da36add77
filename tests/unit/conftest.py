"""What several unit tests need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.controlplane import certificates
from tests.unit.fake_http import FakeApiserver

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> certificates.Certificates:
    """Keys and certificates of a CA."""
    return certificates.create(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def fake(files: certificates.Certificates) -> Iterator[FakeApiserver]:
    """An HTTPS server of that CA."""
    with FakeApiserver().serving(files) as fake:
        yield fake
