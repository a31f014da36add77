"""A kube-apiserver that was not built by this plugin, optimised or not."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.apiserver.running import failure_of

if TYPE_CHECKING:
    from pytest_kdelve.controlplane.build import Binaries
    from pytest_kdelve.plugin.debugged import Debugged
    from tests.apiserver.running import Runner

#: Names an optimised one, which takes 6 minutes to build, and which no user of this plugin needs:
#: ``go build k8s.io/kubernetes/cmd/kube-apiserver`` with the go.mod that is in the cache's folder
#: "modules".
OPTIMISED = "KDELVE_TEST_OPTIMISED"


def test_one_that_was_built_here_needs_no_inspection(request: pytest.FixtureRequest) -> None:
    debugged: Debugged = request.getfixturevalue("_kdelve_debugged")
    assert debugged.binary_notes == ()


def test_one_from_elsewhere_is_inspected(
    runner: Runner, kdelve_binaries: Binaries, tmp_path: Path
) -> None:
    program = tmp_path / "kube-apiserver"
    shutil.copy(kdelve_binaries.kube_apiserver, program)
    result = runner.run_file(
        """
        import pytest

        @pytest.mark.hits("filters/authorization.go", at="authorizationFinish := time.Now()",
                          locals={"authorized": "DecisionAllow"})
        def test_read(api):
            assert api.get("/api").ok
        """,
        f"--kdelve-apiserver={program}",
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [f"{program}: built by Go 1.* from k8s.io/kubernetes v1.37.2, k8s.io/apiserver v0.37.2, *"]
    )
    result.stdout.no_fnmatch_line("optimised*")


@pytest.mark.skipif(OPTIMISED not in os.environ, reason=f"{OPTIMISED} names no kube-apiserver")
class TestOptimised:
    def test_what_it_has_is_read_and_the_rest_is_not_guessed(self, runner: Runner) -> None:
        program = Path(os.environ[OPTIMISED])
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
