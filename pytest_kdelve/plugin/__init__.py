"""The pytest plugin: options, markers, fixtures and the judgement of each test.

Nothing is started before a test asks for it: not by ``--help``, ``--collect-only`` or
``--setup-plan``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.errors import KdelveError, UsageError
from pytest_kdelve.plugin import markers, options
from pytest_kdelve.plugin.fixtures import (
    _kdelve_debugged,
    _kdelve_expectations,
    _kdelve_requests,
    api,
    apiserver,
    credentials,
    kdelve,
    kdelve_apiserver_args,
    kdelve_cluster_role,
    kdelve_environment,
    kube_client,
)
from pytest_kdelve.plugin.state import EXPECTATIONS, EXPECTING, SETTINGS, STARTUP

if TYPE_CHECKING:
    from collections.abc import Generator

# pytest finds fixtures among the names of the entry point's module.
__all__ = [
    "_kdelve_debugged",
    "_kdelve_expectations",
    "_kdelve_requests",
    "api",
    "apiserver",
    "credentials",
    "kdelve",
    "kdelve_apiserver_args",
    "kdelve_cluster_role",
    "kdelve_environment",
    "kube_client",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options."""
    options.add(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers and check the options."""
    for declaration in markers.DECLARATIONS:
        config.addinivalue_line("markers", declaration)
    try:
        settings = options.read(config)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[SETTINGS] = settings
    config.stash[STARTUP] = []
    if not settings.listen.is_loopback:
        warning = pytest.PytestConfigWarning(
            f"--kdelve-listen={settings.listen}: whoever reaches this port can run any code here"
        )
        config.issue_config_time_warning(warning, stacklevel=2)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Check the markers of what was collected, be it a function, a parameter or a TestCase's."""
    report = yield
    wrong = list(markers.problems(report.result or ()))
    if wrong:
        text = "\n".join(wrong)
        report = pytest.CollectReport(collector.nodeid, "failed", text, None)
    return report


def pytest_collection_finish(session: pytest.Session) -> None:
    """Gather what the chosen tests expect; start-up code is watched for all of them at once."""
    for item in session.items:
        try:
            expectations = markers.expectations(item)
        except UsageError as error:  # of a marker that somebody's hook added after collection
            raise pytest.UsageError(f"{item.nodeid}: {error}") from error
        item.stash[EXPECTATIONS] = expectations
        startup = [expectation for expectation in expectations if expectation.during == "startup"]
        session.config.stash[STARTUP].extend(startup)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Judge a test's expectations once it has passed by itself."""
    expecting = item.stash.get(EXPECTING, None)
    try:
        result = yield
    except BaseException:
        if expecting:
            item.add_report_section("call", "kdelve", expecting.summary())
        raise
    if expecting:
        try:
            failure = expecting.failure()
        except KdelveError as error:
            failure = str(expecting.explain(error))
        if failure:
            pytest.fail(failure, pytrace=False)
    return result
