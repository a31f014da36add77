"""The pytest plugin: options, markers, fixtures and the judgement of each test.

Nothing is started before a test asks for it: not by ``--help``, ``--collect-only`` or
``--setup-plan``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.errors import KdelveError, UsageError
from pytest_kdelve.plugin import (
    junit,
    markers,
    options,
    pausing,
    selecting,
    tracebacks,
    workers,
)
from pytest_kdelve.plugin.comparing import compare_for
from pytest_kdelve.plugin.fixtures import (
    _kdelve_debugged,
    _kdelve_expectations,
    _kdelve_namespace,
    _kdelve_pauses,
    _kdelve_requests,
    api,
    apiserver,
    credentials,
    kdelve,
    kdelve_apiserver_args,
    kdelve_cluster_role,
    kdelve_environment,
    kube_client,
    namespace,
)
from pytest_kdelve.plugin.header import (
    pytest_report_header,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
)
from pytest_kdelve.plugin.selecting import pytest_runtest_setup
from pytest_kdelve.plugin.state import (
    BINARY,
    EXPECTATIONS,
    EXPECTING,
    HOOKS,
    KEPT,
    RAN,
    REQUESTS,
    SETTINGS,
    STARTUP,
)
from pytest_kdelve.report.redact import redact

if TYPE_CHECKING:
    from collections.abc import Generator

# pytest finds fixtures and hooks among the names of the entry point's module.
__all__ = [
    "_kdelve_debugged",
    "_kdelve_expectations",
    "_kdelve_namespace",
    "_kdelve_pauses",
    "_kdelve_requests",
    "api",
    "apiserver",
    "credentials",
    "kdelve",
    "kdelve_apiserver_args",
    "kdelve_cluster_role",
    "kdelve_environment",
    "kube_client",
    "namespace",
    "pytest_report_header",
    "pytest_runtest_setup",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "pytest_testnodedown",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options."""
    options.add(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers and check the options."""
    config.stash[HOOKS] = hooks = pausing.Hooks()
    config.pluginmanager.register(hooks, "kdelve-pausing")
    for declaration in (*markers.DECLARATIONS, selecting.DECLARATION):
        config.addinivalue_line("markers", declaration)
    try:
        settings = options.read(config)
        workers.check(config, settings)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[SETTINGS] = settings
    config.stash[STARTUP] = []
    config.stash[RAN] = []
    config.stash[BINARY] = []
    config.stash[KEPT] = []
    if not settings.listen.is_loopback:
        warning = pytest.PytestConfigWarning(
            f"--kdelve-listen={settings.listen}: whoever reaches this port can run any code here"
        )
        try:
            config.issue_config_time_warning(warning, stacklevel=2)
        except pytest.PytestConfigWarning as error:  # with -W error
            raise pytest.UsageError(str(error)) from error


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
    """Gather what the chosen tests expect; start-up code is watched for all of them at once.

    What is wrong with a marker that a hook added after the collection is said at set-up.
    """
    for item in session.items:
        try:
            expectations = markers.expectations(item)
        except UsageError:
            continue
        item.stash[EXPECTATIONS] = expectations
        session.config.stash[STARTUP].extend(markers.startup(expectations))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Judge a test's expectations once it has passed by itself.

    A test that skips itself, or that is interrupted, is left alone.
    """
    expecting = item.stash.get(EXPECTING, None)
    try:
        result = yield
    except (Exception, pytest.fail.Exception):
        log = item.stash.get(REQUESTS, None)
        requests = "\n".join(map(str, log.exchanges)) if log else ""
        if summary := expecting.summary() if expecting else redact(requests):
            item.add_report_section("call", "kdelve", summary)
        raise
    if expecting and (failure := expecting.failure(compare_for(item))):
        pytest.fail(failure, pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the hits, and keep secrets out of what is printed and written, whoever printed them.

    A traceback shows the arguments of frames, so the token of a request that failed. That of an
    error of ours ends at the line of the test which met it.
    """
    if call.excinfo and isinstance(call.excinfo.value, KdelveError):
        tracebacks.cut(item, call.excinfo)
    if call.when != "teardown":
        junit.record(item)
    report = yield
    text = report.longreprtext
    # That of a skipped test is a tuple, which pytest takes apart.
    if not isinstance(report.longrepr, tuple) and redact(text) != text:
        report.longrepr = redact(text)
    report.user_properties = junit.redacted(report.user_properties)
    report.sections = [(name, redact(content)) for name, content in report.sections]
    return report
