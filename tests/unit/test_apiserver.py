"""How a kube-apiserver is started."""

from __future__ import annotations

import pytest

from pytest_kdelve.controlplane import apiserver


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "tracebackancestors=8"),
        ({"GODEBUG": ""}, "tracebackancestors=8"),
        ({"GODEBUG": "http2client=0"}, "http2client=0,tracebackancestors=8"),
        ({"GODEBUG": "gctrace=1,tracebackancestors=2"}, "gctrace=1,tracebackancestors=2"),
    ],
)
def test_the_target_keeps_the_ancestors_of_goroutines(given: dict[str, str], expected: str) -> None:
    assert apiserver.environment({**given, "HOME": "/"}) == {"GODEBUG": expected, "HOME": "/"}
