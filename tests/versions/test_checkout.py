"""A real checkout of kubernetes: built, read, edited and read again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.controlplane.releases import DEFAULT_KUBERNETES
from tests.versions import source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.apiserver.running import Runner

#: From nothing, a build takes longer than other tests may.
pytestmark = pytest.mark.timeout(1800)
EDITED = "staging/src/k8s.io/apiserver/pkg/endpoints/handlers/get.go"
TESTS = """
    import pytest

    LOCALS = {{"name": "kubernetes", "namespace": "default"}}

    @pytest.mark.hits("{location}", at="getter(ctx, name, req){at}", locals=LOCALS)
    def test_get(api, apiserver):
        assert apiserver.version == "{version}"
        assert api.get("/api/v1/namespaces/default/services/kubernetes").ok

    @pytest.mark.kubernetes("<1.37", reason="it is not")
    def test_version(api):
        raise AssertionError("it is skipped")
"""


@pytest.fixture(scope="module")
def assembled() -> Iterator[Path]:
    folder = source.assemble(DEFAULT_KUBERNETES)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def checkout(assembled: Path) -> Path:
    source.git(assembled, "checkout", "--quiet", "--", ".")
    return assembled


def edit(checkout: Path, comment: str) -> str:
    """Add to the line that the tests are about; returns what is added."""
    file = checkout / EDITED
    text = file.read_text(encoding="utf-8")
    before = "getter(ctx, name, req)"
    file.write_text(text.replace(before, f"{before} // {comment}"), encoding="utf-8")
    return f" // {comment}"


def reading(location: str = "endpoints/handlers/get.go", at: str = "", dirty: str = "") -> str:
    return TESTS.format(location=location, at=at, version=f"v{DEFAULT_KUBERNETES}{dirty}")


def test_a_checkout_is_built_read_edited_and_read_again(runner: Runner, checkout: Path) -> None:
    option = f"--kdelve-source={checkout}"
    commit = source.git(checkout, "rev-parse", "--short=12", "HEAD").strip()
    state = f"{checkout} (v{DEFAULT_KUBERNETES}, commit {commit}"
    built = json.loads(kdelve("build", f"--source={checkout}", "--json"))
    binary = Path(built["kube-apiserver"]["path"])
    runner.pytester.makepyfile(reading())
    plain = runner.run(option)
    plain.assert_outcomes(passed=1, skipped=1)
    assert f"Kubernetes was built from {state}, not edited)" in plain.outlines
    assert "building kube-apiserver" not in plain.stderr.str()

    added = edit(checkout, "the edited line")
    runner.pytester.makepyfile(reading(location=EDITED, at=added, dirty="-dirty"))
    stale = runner.run(f"--kdelve-apiserver={binary}", timeout=600)
    stale.assert_outcomes(errors=1, skipped=1)
    assert "is newer than" in stale.stdout.str()

    state = state.replace(f"v{DEFAULT_KUBERNETES}", f"v{DEFAULT_KUBERNETES}-dirty")
    edited = runner.run(option, timeout=600)
    edited.assert_outcomes(passed=1, skipped=1)
    assert f"Kubernetes was built from {state}, edited: {EDITED})" in edited.outlines
    building = f"kdelve: building kube-apiserver of {state}, edited: {EDITED})"
    assert building in edited.errlines + edited.outlines
    assert source.git(checkout, "status", "--short").split() == ["M", EDITED], "is left as it is"

    # The twin: the text that is not in the source any more.
    runner.pytester.makepyfile(reading(location=EDITED, at=" // another text", dirty="-dirty"))
    runner.run(option).assert_outcomes(errors=1, skipped=1)


def test_a_kept_environment_of_a_checkout_that_was_edited_is_replaced(
    runner: Runner, checkout: Path
) -> None:
    options = (f"--kdelve-source={checkout}", "--kdelve-reuse")
    runner.pytester.makepyfile(reading())
    runner.pytester.runpytest_subprocess(*options, timeout=600).assert_outcomes(passed=1, skipped=1)
    runner.pytester.makepyfile(reading(at=edit(checkout, "edited later"), dirty="-dirty"))
    result = runner.pytester.runpytest_subprocess(*options, timeout=600)
    result.assert_outcomes(passed=1, skipped=1, warnings=1)
    assert "of no use any more, and is replaced: it is stale: built from" in result.stdout.str()
    kdelve("down")
    runner.check_nothing_is_left()


def kdelve(*arguments: str) -> str:
    program = "import sys; from pytest_kdelve.cli import main; sys.exit(main())"
    argv = [sys.executable, "-c", program, *arguments]
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, timeout=1700).stdout
