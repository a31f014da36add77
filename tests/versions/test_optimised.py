"""A real optimised kube-apiserver: what can be read of it is right, the rest is not guessed."""

from __future__ import annotations

import re
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.controlplane import build, releases
from pytest_kdelve.controlplane.progress import for_stream
from tests.apiserver import tools
from tests.apiserver.running import ROOT, failure_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.apiserver.running import Runner

#: From nothing, a build takes longer than other tests may.
pytestmark = pytest.mark.timeout(1800)
#: These fail for another reason than a line or a value: closures in an inlined function have the
#: name of its caller before their own.
OTHERWISE = {"test_a_post_goes_through_admission_to_etcd"}


@pytest.fixture(scope="module")
def program() -> Path:
    progress = for_stream(sys.stderr)
    kept = build.ensure(releases.choose(), cache=build.cache_folder(), progress=progress)
    return tools.optimised(kept.kube_apiserver)


def test_what_it_has_is_read_and_the_rest_is_not_guessed(runner: Runner, program: Path) -> None:
    result = runner.run_file(
        """
        import pytest

        @pytest.mark.hits("filters/authorization.go", at="if authorized == authorizer.Decision")
        @pytest.mark.hits("validation/validation.go", at="for key, value := range cfg.Data {",
                          locals={"cfg.Data": {"key": "value"}})
        def test_read(api):
            created = {"metadata": {"generateName": "a-"}, "data": {"key": "value"}}
            path = "/api/v1/namespaces/default/configmaps?dryRun=All"
            assert api.post(path, json=created).status_code == 201

        @pytest.mark.hits("validation/validation.go", at="for key, value := range cfg.Data {",
                          locals={"len(allErrs)": 0})
        def test_assigned_again(api):
            created = {"metadata": {"generateName": "a-"}, "data": {"key": "value"}}
            path = "/api/v1/namespaces/default/configmaps?dryRun=All"
            assert api.post(path, json=created).status_code == 201
        """,
        f"--kdelve-apiserver={program}",
        "-q",
    )
    result.assert_outcomes(passed=1, failed=1)
    failure = failure_of(result, "test_assigned_again")
    assert "1 hit could not be compared" in failure
    assert "optimised: allErrs gets a value more than once in validation.Val" in failure
    result.stdout.fnmatch_lines([f"{program}: built by Go *", "optimised: *"], consecutive=True)


def test_each_example_holds_or_says_what_is_optimised(runner: Runner, program: Path) -> None:
    shutil.copytree(ROOT / "examples", runner.pytester.path / "examples")
    result = runner.run(f"--kdelve-apiserver={program}", timeout=900)
    outcomes = result.parseoutcomes()
    assert outcomes["passed"] >= 15
    failed = re.findall(r"^(?:FAILED|ERROR) \S+::(\w+)", result.stdout.str(), re.MULTILINE)
    assert len(failed) == outcomes["failed"] + outcomes["errors"]
    silent = {test for test in failed if "optimis" not in failure_of(result, test)}
    assert silent == OTHERWISE
