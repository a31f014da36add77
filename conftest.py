"""Settings of the project's own tests."""

import pytest

pytest_plugins = "pytester"


@pytest.fixture(autouse=True)
def _outside_of_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pytest print in CI what it prints to a person: its summaries are longer there."""
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)
