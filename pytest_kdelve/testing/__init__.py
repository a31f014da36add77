"""Public fakes, for testing what is built on this package without real binaries."""

from __future__ import annotations

from pytest_kdelve.testing.fake_delve import Call, FakeConnection, FakeDelve

__all__ = ["Call", "FakeConnection", "FakeDelve"]
