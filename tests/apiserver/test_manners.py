"""Reruns, timeouts, JUnit files and workers, with the real parts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from tests.apiserver.running import Runner

ONE_RUN = """
    import itertools
    import signal

    import pytest
    from pytest_kdelve.delve.api import Breakpoint

    SERVICE = "/api/v1/namespaces/default/services/kubernetes"
    GETTER = dict(location="endpoints/handlers/get.go", at="getter(ctx, name, req)")
    runs = itertools.count(1)

    @pytest.mark.timeout(4)  # The apiserver's start takes longer, and is not the test's.
    @pytest.mark.flaky(reruns=1)
    @pytest.mark.hits("main.main", during="startup", count=1)
    @pytest.mark.hits(**GETTER, locals={"name": "kubernetes"}, count=1)
    def test_passes_the_second_time(api, namespace):
        if next(runs) == 1:
            api.get(SERVICE)
        api.get(SERVICE)

    @pytest.mark.timeout(2)
    @pytest.mark.hits(**GETTER)
    def test_hangs_in_a_watch(api, kdelve):
        api.get(SERVICE)
        with kdelve.watch("handlers.ListResource"):
            signal.pause()

    @pytest.mark.timeout(2)
    @pytest.mark.hits(**GETTER)
    def test_hangs_in_a_request(api, namespace):
        watched = {"watch": "1", "timeoutSeconds": "60"}
        for line in api.get("/api/v1/pods", params=watched, stream=True).iter_lines():
            pass

    def test_sets_and_clears_breakpoints_itself(api, kdelve):
        with kdelve.watch(**GETTER) as hits:
            client = kdelve.client
            [own] = [each for each in client.list_breakpoints() if each.id > 0]
            client.clear_breakpoint(own.id)
            with kdelve.watch(**GETTER) as again:
                api.get(SERVICE)
            assert len(hits) == len(again) == 1
        client.create_breakpoint(Breakpoint(addrs=own.addrs))
        assert api.get(SERVICE).ok

    def test_nothing_is_left_of_them(api, kdelve):
        assert all(each.id < 0 for each in kdelve.client.list_breakpoints())
        assert api.get(SERVICE).ok
        with kdelve.watch(**GETTER) as hits:
            api.get(SERVICE)
        assert len(hits) == 1
"""
RAN = (
    r"Kubernetes 1\.37\.2 \(built with Go 1\.26\.\d+\), Delve 1\.27\.2, mode started, "
    r"dlv at 127\.0\.0\.1:\d+, pid of kube-apiserver \d+"
)


def properties(runner: Runner) -> dict[str, list[str]]:
    root = ET.parse(runner.pytester.path / "junit.xml").getroot()  # noqa: S314 - our own file
    return {
        case.attrib["name"]: [each.attrib["value"] for each in case.iter("property")]
        for case in root.iter("testcase")
    }


def after(heading: str, lines: list[str]) -> list[str]:
    """Return the lines of one section of pytest's output."""
    start = next(n for n, line in enumerate(lines) if re.fullmatch(f"=+ {heading} =+", line))
    end = next(n for n in range(start + 1, len(lines)) if lines[n].startswith("==="))
    return lines[start + 1 : end]


def test_reruns_and_timeouts(runner: Runner) -> None:
    result = runner.run_file(ONE_RUN, "--junitxml=junit.xml", "-W", "error")
    result.assert_outcomes(passed=3, failed=2)
    assert result.parseoutcomes()["rerun"] == 1
    header = "kdelve: Kubernetes 1.37.2 (kept, built with Go 1.26.*), Delve 1.27.2 (kept), *"
    result.stdout.fnmatch_lines([header])
    [line] = after("kdelve", result.outlines)
    assert re.fullmatch(RAN, line)
    found = properties(runner)
    main, getter = found["test_passes_the_second_time"]
    assert re.fullmatch(r"k8s\.io/kubernetes/cmd/kube-apiserver/apiserver.go:\d+ main\.main", main)
    assert getter == (
        "k8s.io/apiserver/pkg/endpoints/handlers/get.go:74 "
        "k8s.io/apiserver/pkg/endpoints/handlers.getResourceHandler.func1 "
        "by GET /api/v1/namespaces/default/services/kubernetes with name == 'kubernetes'"
    )
    assert [len(found[f"test_hangs_in_a_{what}"]) for what in ("watch", "request")] == [1, 0]


def test_each_worker_has_an_apiserver_of_its_own(runner: Runner) -> None:
    result = runner.run_file(
        """
        import pytest

        @pytest.mark.parametrize("number", [1, 2])
        @pytest.mark.hits("main.main", during="startup")
        @pytest.mark.hits("endpoints/handlers/get.go", at="getter(ctx, name, req)", count=1)
        def test_one(api, number):
            assert api.get("/api/v1/namespaces/default/services/kubernetes").ok
        """,
        "-n2",
        "--junitxml=junit.xml",
    )
    result.assert_outcomes(passed=2)
    ran = after("kdelve", result.outlines)
    assert sorted(line.partition(": ")[0] for line in ran) == ["gw0", "gw1"]
    assert all(re.fullmatch(f"gw[01]: {RAN}", line) for line in ran)
    assert [len(hits) for hits in properties(runner).values()] == [2, 2]
