"""What failures say on the real server, compared as text."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tests.apiserver.running import ROOT, failure_of

if TYPE_CHECKING:
    import pytest

    from tests.apiserver.running import Runner

TESTS = """
    import pytest
    from pytest_kdelve import at

    SERVICES = "/api/v1/namespaces/default/services"
    AUTHORIZED = at("filters/authorization.go", "authorizationFinish := time.Now()")
    GETTER = at("endpoints/handlers/get.go", "getter(ctx", locals={"name": "kubernetes"})

    @pytest.mark.hits("handlers.getResourceHandler", at="About to write a response")
    def test_left_before_the_line(api):
        api.get(f"{SERVICES}/nope")

    @pytest.mark.hits("handlers.createHandler", at="return result, err")
    def test_left_the_function_outside(api):
        api.post("/api/v1/namespaces/default/configmaps", data="{")

    @pytest.mark.hits("filters/authorization.go", at="authorizationFinish := time.Now()")
    @pytest.mark.hits("handlers.DeleteResource", at="ctx := req.Context()")
    def test_went_another_way(api):
        api.get("/api")

    @pytest.mark.hits("registry.(*Store).Get", at="return nil, err", locals={"name": "x"})
    def test_not_the_same_return(api):
        api.get(f"{SERVICES}/kubernetes")

    @pytest.mark.hits_in_order(GETTER, AUTHORIZED)
    def test_in_another_order(api):
        api.get(f"{SERVICES}/kubernetes")
        api.get(f"{SERVICES}/nope")

    @pytest.mark.hits_in_order(AUTHORIZED, GETTER)
    def test_in_order(api, kdelve):
        api.get(f"{SERVICES}/kubernetes")
        authorized, got = kdelve.hits()
        assert authorized.request == got.request
        assert got.values == {"name": "kubernetes"}

    @pytest.mark.hits(
        "endpoints/handlers/get.go",
        at="getter(ctx, name, req)",
        locals={
            "req.URL": {
                "Path": f"{SERVICES}/kubernetes/status",
                "RawQuery": "",
                "RawFragment": "",
                "Quary": "",
            }
        },
    )
    def test_with_another_url(api):
        api.get(f"{SERVICES}/kubernetes")
"""


PATH = "/api/v1/namespaces/default/services/kubernetes"
#: By the names of the tests: what they print, without the numbers of goroutines.
EXPECTED = dict(
    re.findall(
        r"^___ (\w+) ___\n(.*?)\s*(?=^___|\Z)",
        (ROOT / "tests" / "apiserver" / "failures.txt").read_text(),
        re.DOTALL | re.MULTILINE,
    )
)


def texts(result: pytest.RunResult, test: str) -> str:
    """Return a failure's text without what differs from run to run.

    The kube-apiserver itself gets its Service every ten seconds, too.
    """
    text = re.sub(r"goroutine \d+", "goroutine", failure_of(result, test))
    others = r"Only others reached it: \d+ hits? by other requests or goroutines\."
    return re.sub(others, "Nothing reached it.", text)


def test_failures_say_how_far_requests_came(runner: Runner, subtests: pytest.Subtests) -> None:
    result = runner.run_file(TESTS, "--kdelve-timeout=0.5")
    result.assert_outcomes(passed=1, failed=6)
    assert len(EXPECTED) == 5
    for test, expected in EXPECTED.items():
        with subtests.test(test):
            assert texts(result, test).rstrip() == expected
    with subtests.test("as in an assertion of pytest"):
        lines = failure_of(result, "test_with_another_url").splitlines()
        assert "      req.URL, seen == expected:" in lines
        assert any(line.startswith("        it has no field 'Quary'; its") for line in lines)
        assert f"        {{'Path': '{PATH}'}} != {{'Path': '{PATH}/status'}}" in lines


def test_a_failure_says_where_the_text_of_a_number_is_now(runner: Runner) -> None:
    """What an older version had on a line is put where a passing test keeps it."""
    source = """
        import pytest

        @pytest.mark.hits("endpoints/handlers/get.go:80", timeout=0)
        def test_one(api):
            api.get("/api/v1/namespaces/default/services/{name}")
    """
    runner.run_file(source.replace("{name}", "kubernetes")).assert_outcomes(passed=1)
    [file] = (runner.pytester.path / ".pytest_cache/v/kdelve/lines").iterdir()
    kept = json.loads(file.read_text())
    assert kept == {
        "location": "endpoints/handlers/get.go:80",
        "text": 'span.AddEvent("About to write a response")',
        "version": "v1.37.2",
    }
    older = {"text": "result, err := getter(ctx, name, req)", "version": "v1.36.1"}
    file.write_text(json.dumps({**kept, **older}))
    result = runner.run_file(source.replace("{name}", "nope"))
    result.assert_outcomes(failed=1)
    assert (
        "  With v1.36.1, line 80 was 'result, err := getter(ctx, name, req)', which is now on line "
        "74: write at='result, err := getter(ctx, name, req)'\n"
    ) in failure_of(result, "test_one")
