"""What the plugin keeps, and where."""

from __future__ import annotations

import pytest

from pytest_kdelve.hits.expectations import Expectation
from pytest_kdelve.hits.order import OrderExpectation
from pytest_kdelve.hits.requests import RequestLog
from pytest_kdelve.plugin.expecting import Expecting
from pytest_kdelve.plugin.options import Settings
from pytest_kdelve.plugin.pausing import Hooks

#: Of the configuration.
HOOKS = pytest.StashKey[Hooks]()
SETTINGS = pytest.StashKey[Settings]()
#: Of the configuration: start-up expectations of all collected tests.
STARTUP = pytest.StashKey[list[Expectation]]()
#: Of the configuration: what was debugged, in words; with pytest-xdist, in all its workers.
RAN = pytest.StashKey[list[str]]()
#: Of the configuration: what the binary means for the tests.
BINARY = pytest.StashKey[list[str]]()
#: Of the configuration: what stays, and how to reach it.
KEPT = pytest.StashKey[list[str]]()
#: Of a test: what its markers say.
EXPECTATIONS = pytest.StashKey[list[Expectation | OrderExpectation]]()
#: Of a test that runs: its expectations with what was recorded.
EXPECTING = pytest.StashKey[Expecting]()
#: Of a test that runs: its requests.
REQUESTS = pytest.StashKey[RequestLog]()
