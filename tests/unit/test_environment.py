"""Waiting for a kube-apiserver, whoever started it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.controlplane import certificates, environment
from pytest_kdelve.controlplane.access import Access
from pytest_kdelve.controlplane.existing import Connected
from pytest_kdelve.delve import Address
from pytest_kdelve.errors import ProcessTimeoutError
from tests.unit.fake_http import Answer, FakeApiserver

if TYPE_CHECKING:
    from pathlib import Path


def test_an_apiserver_that_is_not_ready_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as one that does not know the kubeconfig's user: it has to be said."""
    monkeypatch.setattr(environment, "_READY_TIMEOUT", 0.1)
    files = certificates.create(tmp_path)
    with FakeApiserver().serving(files) as fake:
        fake.answers["GET /readyz"] = Answer(401)
        connected = Connected(Address(), kubeconfig="")
        connected.access = Access.by_certificate(fake.url, files)
        with pytest.raises(ProcessTimeoutError, match=r"at last: 401 Unauthorized\n"):
            connected.wait_ready(lambda: None)
        fake.answers["GET /readyz"] = Answer()
        connected.wait_ready(lambda: None)
