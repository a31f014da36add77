"""A kube-apiserver that was not built by this plugin."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.apiserver.running import failure_of

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_kdelve.controlplane.build import Binaries
    from pytest_kdelve.plugin.debugged import Debugged
    from tests.apiserver.running import Runner


def test_one_that_was_built_here_needs_no_inspection(request: pytest.FixtureRequest) -> None:
    debugged: Debugged = request.getfixturevalue("_kdelve_debugged")
    assert debugged.binary_notes == ()


@pytest.mark.parametrize("is_kept", [False, True])
def test_another_program_is_refused(
    runner: Runner, kdelve_binaries: Binaries, *, is_kept: bool
) -> None:
    """Before it runs, with arguments that are not its own."""
    program = kdelve_binaries.kube_controller_manager
    if not is_kept:
        program = runner.pytester.path / "kube-apiserver"
        shutil.copy(kdelve_binaries.kube_controller_manager, program)
    result = runner.run_file("def test_read(api): pass", f"--kdelve-apiserver={program}")
    result.assert_outcomes(errors=1)
    assert failure_of(result, "test_read") == (
        f"{program} is no kube-apiserver, but was built by Go from "
        "k8s.io/kubernetes/cmd/kube-controller-manager: name another one"
    )


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
