"""The examples hold against the real server, in any order and more than once."""

from __future__ import annotations

import runpy
import shutil
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from packaging.specifiers import SpecifierSet

from tests.apiserver.running import ROOT, failure_of, if_kept
from tests.apiserver.twins import TWINS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.apiserver.running import Runner

OLDEST = "1.24.0"
#: There, a context has the Audit-ID in another way.
BY_CONTEXT = """
    def test_a_watch_is_the_tests_by_its_context(api, kdelve):
        path = "/api/v1/namespaces/default/services"
        with kdelve.watch("cacher.(*cacheWatcher).processInterval") as hits:
            api.get(path, params={"watch": "1", "timeoutSeconds": "1"})
        assert hits.only.attribution.name == "CONTEXT"
        assert str(hits.only.request) == f"GET {path}"
"""


def test_the_examples_hold(runner: Runner) -> None:
    """Last to first, and then again: no example may need what another one has done."""
    shutil.copytree(ROOT / "examples", runner.pytester.path / "examples")
    runner.pytester.makeconftest(
        """
        def pytest_generate_tests(metafunc):
            metafunc.fixturenames.append("run")
            metafunc.parametrize("run", range(2))

        def pytest_collection_modifyitems(items):
            items.sort(key=lambda item: (item.callspec.params["run"], item.nodeid), reverse=True)
        """
    )
    result = runner.run("-W", "error")
    result.assert_outcomes(passed=2 * len(TWINS))


def not_for(version: str) -> Iterator[tuple[str, str]]:
    """Yield the examples whose marks exclude a version, and what is said where they are skipped."""
    for path in (ROOT / "examples").glob("test_*.py"):
        for name, value in runpy.run_path(str(path)).items():
            for mark in getattr(value, "pytestmark", ()):
                versions = SpecifierSet(mark.args[0] if mark.name == "kubernetes" else "")
                if version not in versions:
                    reason = mark.kwargs["reason"]
                    yield name, f"for Kubernetes {versions}, not {version}: {reason}"


@if_kept(OLDEST)
def test_the_examples_hold_on_the_oldest_version(runner: Runner) -> None:
    """With Go 1.18.2 and Delve 1.9.1; on those between by ``tox -e versions``."""
    shutil.copytree(ROOT / "examples", runner.pytester.path / "examples")
    runner.pytester.makepyfile(BY_CONTEXT)
    result = runner.run(
        "-W",
        "error",
        f"--kdelve-kubernetes={OLDEST}",
        "--junitxml=junit.xml",
        timeout=580,
    )
    excluded = dict(not_for(OLDEST))
    result.assert_outcomes(passed=len(TWINS) - len(excluded) + 1, skipped=len(excluded))
    junit = ET.parse(runner.pytester.path / "junit.xml").getroot()  # noqa: S314 - our own file
    skipped = {case.get("name"): case.find("skipped") for case in junit.iter("testcase")}
    messages = {name: skip.get("message") for name, skip in skipped.items() if skip is not None}
    assert messages == excluded
    result.stdout.fnmatch_lines(
        [f"Kubernetes {OLDEST} (built with Go 1.18.2), Delve 1.9.1, mode started, *"]
    )


def test_a_place_that_must_not_be_reached_fails_when_it_is(runner: Runner) -> None:
    """The twin of the examples' ``not_hits``: the same mark where the request goes through."""
    result = runner.run_file(
        """
        import pytest

        @pytest.mark.not_hits("endpoints/handlers/get.go", at="getter(ctx, name, req)")
        def test_reached(api):
            assert api.get("/api/v1/namespaces/default/services/kubernetes").ok

        @pytest.mark.hits("handlers.DeleteResource", at="ctx := req.Context()", timeout=0)
        def test_never_reached(api):
            assert api.get("/api/v1/namespaces/default/services/kubernetes").ok
        """
    )
    result.assert_outcomes(failed=2)
    reached = failure_of(result, "test_reached")
    assert "Expected no hit by this test's requests, but there was 1 hit:" in reached
    assert "1 hit as described" in reached
    assert "Nothing reached it." in failure_of(result, "test_never_reached")
