"""What takes minutes to build: run by ``tox -e versions``, and not by the default tests."""

from __future__ import annotations

from tests.apiserver.conftest import runner

__all__ = ["runner"]
