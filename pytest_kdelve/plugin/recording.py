"""What ``kdelve compare`` loads by ``-p``: it writes down what the tests of a run found.

What a test found is an attribute of its report, so it comes from pytest-xdist's workers, too. The
process that prints the reports writes it into a file at the end.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from pytest_kdelve.errors import KdelveError, LocationError
from pytest_kdelve.hits.order import OrderExpectation
from pytest_kdelve.plugin import workers
from pytest_kdelve.plugin.handle import Kdelve
from pytest_kdelve.plugin.remembered import Remembered
from pytest_kdelve.plugin.state import EXPECTATIONS, EXPECTING, SETTINGS
from pytest_kdelve.report import recorded
from pytest_kdelve.report.recorded import RecordedPlace, RecordedRun, RecordedTest
from pytest_kdelve.report.redact import redact

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from pytest_kdelve.delve.locations import Location, Place
    from pytest_kdelve.plugin.debugged import Debugged

_OPTION = "--kdelve-record"
#: Of a report: ``_Found`` as JSON.
_ATTRIBUTE = "kdelve_found"
#: Of the configuration, once a test has asked for it.
_DEBUGGED = pytest.StashKey["Debugged"]()
#: Of the configuration: why nothing is debugged.
_PROBLEM = pytest.StashKey[str]()


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a report does not say by itself; ``version`` and ``problem`` are those of the run."""

    places: tuple[RecordedPlace, ...]
    version: str
    problem: str


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register where to write."""
    group = parser.getgroup("kdelve")
    group.addoption(_OPTION, metavar="FILE", help="where to write what the tests found")


def pytest_configure(config: pytest.Config) -> None:
    """Gather the reports where they are printed."""
    if not workers.name(config):
        config.pluginmanager.register(_Gathered(config), "kdelve-gathered")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuse a checkout, which would be compared with itself."""
    if source := session.config.stash[SETTINGS].source:
        raise pytest.UsageError(
            f"--kdelve-source={source}: kdelve compare builds two releases; take that away, or "
            "kdelve_source from the ini file"
        )


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Take what is debugged, or why nothing is."""
    if fixturedef.argname != "_kdelve_debugged":
        return (yield)
    try:
        debugged = yield
    except (Exception, pytest.fail.Exception) as error:
        request.config.stash[_PROBLEM] = redact(str(error))
        raise
    request.config.stash[_DEBUGGED] = debugged  # type: ignore[misc] # that is what it gives
    return debugged


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what the test found, before its breakpoints are removed."""
    report = yield
    if call.when == "call" or (call.when == "setup" and not report.passed):
        debugged = item.config.stash.get(_DEBUGGED, None)
        found = _Found(
            places=tuple(_places(item, debugged, report)) if debugged else (),
            version=debugged.version.removeprefix("v") if debugged else "",
            problem=item.config.stash.get(_PROBLEM, ""),
        )
        setattr(report, _ATTRIBUTE, msgspec.json.encode(found).decode())
    return report


def _places(
    item: pytest.Item, debugged: Debugged, report: pytest.TestReport
) -> Iterator[RecordedPlace]:
    if report.skipped and not hasattr(report, "wasxfail"):
        return
    expecting = item.stash.get(EXPECTING, None)
    if expecting and report.when == "call":
        yield from recorded.places(expecting.outcomes())
    else:
        yield from _without_hits(item, debugged)
    debugger = getattr(item, "funcargs", {}).get("kdelve")
    if isinstance(debugger, Kdelve):
        for looked in debugger.looked:
            yield recorded.found(looked.call, looked.location, looked.found)


def _without_hits(item: pytest.Item, debugged: Debugged) -> Iterator[RecordedPlace]:
    """Yield the places of a test whose set-up failed, as it does for the first that is gone."""
    remembered = Remembered(item.config, debugged.recorder.resolve, debugged.version)

    def meaning(location: Location) -> Place | LocationError:
        try:
            return debugged.recorder.resolve(location)
        except LocationError as error:
            return remembered.explain(error, location)

    try:
        for each in item.stash.get(EXPECTATIONS, ()):
            if isinstance(each, OrderExpectation):
                for number, step in enumerate(each.steps):
                    name = recorded.step_name(number)
                    yield recorded.found(name, step.location, meaning(step.location))
            else:
                name = recorded.marker(each)
                yield recorded.found(name, each.location, meaning(each.location))
    except KdelveError:
        return  # The apiserver is gone, which is why the set-up failed.


class _Gathered:
    """The reports of a run; a plugin of pytest."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._tests: dict[str, RecordedTest] = {}
        self._places: dict[str, tuple[RecordedPlace, ...]] = {}
        self._versions: set[str] = set()
        self._problem = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take a report; the last one of a test that says how it ended counts."""
        if encoded := getattr(report, _ATTRIBUTE, None):
            found = msgspec.json.decode(encoded, type=_Found)
            self._places[report.nodeid] = found.places
            self._versions |= {found.version} - {""}
            self._problem = self._problem or found.problem
        status = self._config.hook.pytest_report_teststatus(report=report, config=self._config)
        if outcome := status[0]:
            self._tests[report.nodeid] = RecordedTest(
                test=report.nodeid,
                outcome=outcome,
                text=_text(report),
                places=self._places.get(report.nodeid, ()),
            )

    def pytest_sessionfinish(self) -> None:
        """Write; nobody else may read what variables held."""
        run = RecordedRun(
            tests=tuple(self._tests.values()),
            versions=tuple(sorted(self._versions)),
            problem=self._problem,
        )
        encoded = msgspec.json.encode(run)
        path = Path(self._config.getoption(_OPTION))
        path.touch(mode=0o600)
        path.write_bytes(encoded)


def _text(report: pytest.TestReport) -> str:
    """Return a failure's text, the reason of a skipped test, or nothing where it passed."""
    text = report.longreprtext if report.failed else ""
    if hasattr(report, "node"):
        # pytest-xdist has the worker's name, version of Python and path before it.
        text = text.partition("\n")[2]
    if isinstance(report.longrepr, tuple):
        text = str(report.longrepr[2]).removeprefix("Skipped: ")
    elif reason := getattr(report, "wasxfail", ""):
        text = reason
    # JSON has no halves of characters.
    return redact(text.encode(errors="backslashreplace").decode())
