"""What pytest's header says will be debugged, and what its summary says was."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.controlplane import build, releases
from pytest_kdelve.controlplane.binaries import recipes

if TYPE_CHECKING:
    from pathlib import Path

NOTHING_BUILT = (
    "kdelve: Kubernetes 1.37.2 (not built yet, to be built with Go 1.26), "
    "Delve 1.27.2 (not built yet), mode started, dlv at a free port of 127.0.0.1"
)
RAN = (
    "Kubernetes 1.37.2 (built with Go 1.26.8), Delve 1.27.2, mode started, "
    "dlv at 127.0.0.1:40123, pid of kube-apiserver 4711"
)
#: Says of a fake what is said of a real one.
NOTING = """
import pytest
from pytest_kdelve.plugin import header

@pytest.fixture(scope="session", autouse=True)
def noted(pytestconfig, request):
    if not hasattr(pytestconfig, "workerinput") or pytestconfig.workerinput["workerid"] == "gw0":
        header.note(pytestconfig, request.getfixturevalue("_kdelve_debugged"))
"""


def keep(cache: Path, kubernetes: str, go: str) -> None:
    """Put into a cache what a build with this version of Go would leave there."""
    for recipe in recipes(releases.choose(kubernetes)):
        folder = cache / "bin" / f"{recipe.name}-{recipe.version}-{go}"
        folder.mkdir(parents=True)
        (folder / recipe.name).touch(mode=0o755)
        record = build._record(recipe, go)  # noqa: SLF001 - as a build leaves it
        (folder / "build.json").write_text(json.dumps(record))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def header(pytester: pytest.Pytester, *arguments: str) -> str:
    """Return the plugin's line of a run that has nothing to do with it."""
    pytester.makepyfile("def test_one(): pass")
    result = pytester.runpytest(*arguments)
    result.assert_outcomes(passed=1)
    [line] = [line for line in result.outlines if line.startswith("kdelve: ")]
    result.stdout.no_fnmatch_line("*= kdelve =*")
    return line


@pytest.mark.usefixtures("no_process")
def test_nothing_is_built_yet(pytester: pytest.Pytester, cache: Path) -> None:
    assert header(pytester) == NOTHING_BUILT
    assert not cache.exists()


@pytest.mark.usefixtures("no_process")
def test_what_is_kept(pytester: pytest.Pytester, cache: Path) -> None:
    keep(cache, "1.37.2", "1.26.8")
    assert header(pytester, "--kdelve-listen=:12345") == (
        "kdelve: Kubernetes 1.37.2 (kept, built with Go 1.26.8), Delve 1.27.2 (kept), "
        "mode started, dlv at 127.0.0.1:12345"
    )


def test_of_several_kept_ones_it_is_not_known_yet(pytester: pytest.Pytester, cache: Path) -> None:
    """The Go on PATH decides, and to ask it would start it."""
    keep(cache, "1.36.4", "1.26.8")
    keep(cache, "1.36.4", "1.26.9")
    line = header(pytester, "--kdelve-kubernetes=v1.36.4", "--kdelve-listen=0.0.0.0:0")
    start, _, end = line.partition(" built with Go ")
    assert start == "kdelve: Kubernetes 1.36.4 (kept,"
    versions, _, rest = end.partition(")")
    assert sorted(versions.split(" or ")) == ["1.26.8", "1.26.9"]
    assert rest == ", Delve 1.27.2 (kept), mode started, dlv at a free port of 0.0.0.0"


def test_what_was_built_otherwise_is_not_what_is_kept(
    pytester: pytest.Pytester, cache: Path
) -> None:
    keep(cache, "1.37.2", "1.26.8")
    for file in cache.glob("bin/*/build.json"):
        file.write_text(file.read_text().replace("-N -l", ""))
    line = header(pytester)
    assert line == NOTHING_BUILT.replace("Delve 1.27.2 (not built yet)", "Delve 1.27.2 (kept)")


def test_given_binaries(pytester: pytest.Pytester, tmp_path: Path) -> None:
    for name in ("kube-apiserver", "dlv"):
        (tmp_path / name).touch(mode=0o755)
    line = header(
        pytester, f"--kdelve-apiserver={tmp_path}/kube-apiserver", f"--kdelve-dlv={tmp_path}/dlv"
    )
    assert line == (
        f"kdelve: Kubernetes of {tmp_path}/kube-apiserver (Go not known yet), Delve of "
        f"{tmp_path}/dlv, mode started, dlv at a free port of 127.0.0.1"
    )


def test_a_checkout(pytester: pytest.Pytester, checkout: Path) -> None:
    assert header(pytester, "--kdelve-source=kubernetes") == (
        f"kdelve: Kubernetes of the checkout {checkout}, a Delve that fits its Go, mode started, "
        "dlv at a free port of 127.0.0.1"
    )


def test_another_go(pytester: pytest.Pytester, cache: Path) -> None:
    keep(cache, "1.37.2", "1.26.8")
    keep(cache, "1.24.0", "1.18.2")
    line = header(pytester, "--kdelve-go=1.27")
    assert "Kubernetes 1.37.2 (not built yet, to be built with Go 1.27), Delve 1.27.2 (k" in line
    line = header(pytester, "--kdelve-kubernetes=1.24.0")
    assert "Kubernetes 1.24.0 (kept, built with Go 1.18.2), Delve 1.9.1 (kept)" in line


def test_what_runs_already(pytester: pytest.Pytester) -> None:
    attach = header(pytester, "--kdelve-attach=7")
    assert attach == (
        "kdelve: a Delve that fits its Go, mode attach, dlv at a free port of 127.0.0.1, "
        "pid of kube-apiserver 7"
    )
    assert header(pytester, "--kdelve-connect=:1") == "kdelve: mode connect, dlv at 127.0.0.1:1"
    assert header(pytester, "--kdelve-takeover=7") == attach.replace("attach", "takeover")
    only = header(pytester, "--kdelve-takeover")
    assert only.endswith(
        "mode takeover, dlv at a free port of 127.0.0.1, of the only kube-apiserver that runs"
    )


@pytest.mark.parametrize("text", ["", "{", "{}"])
def test_a_broken_cache_breaks_no_other_test(
    pytester: pytest.Pytester, cache: Path, text: str
) -> None:
    """A build will say what is wrong with it."""
    keep(cache, "1.37.2", "1.26.8")
    for file in cache.glob("bin/*/build.json"):
        file.write_text(text)
    assert header(pytester) == NOTHING_BUILT


def test_quiet_runs_and_those_without_the_plugin(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_one(): pass")
    for option in ("-q", "-pno:kdelve"):
        pytester.runpytest(option).stdout.no_fnmatch_line("*kdelve*")


@pytest.mark.parametrize(("option", "is_said"), [("-v", True), ("-vv", True), ("-q", False)])
def test_the_summary_says_what_ran(faked: pytest.Pytester, option: str, *, is_said: bool) -> None:
    faked.makepyfile(f"{NOTING}\ndef test_one(api): pass")
    result = faked.runpytest(option)
    result.assert_outcomes(passed=1)
    assert (RAN in result.outlines) is is_said


BINARY_NOTES = ("/x/kube-apiserver: built by Go 1.26.8", "optimised: what that means")
NOTING_A_BINARY = f"""
import pytest
from pytest_kdelve.plugin import header

@pytest.fixture(scope="session", autouse=True)
def noted(pytestconfig, request):
    debugged = request.getfixturevalue("_kdelve_debugged")
    debugged.binary_notes = {BINARY_NOTES}
    header.note(pytestconfig, debugged)
"""


@pytest.mark.parametrize("options", [(), ("-q",), ("-qq",), ("-n2",)])
def test_what_the_binary_means_is_said_once(
    faked: pytest.Pytester, options: tuple[str, ...]
) -> None:
    """However quiet the run is, since it decides what its outcome is worth."""
    tests = '@pytest.mark.parametrize("number", range(4))\ndef test_one(number): pass'
    faked.makepyfile(f"{NOTING_A_BINARY}\n{tests}")
    result = faked.runpytest(*options)
    for note in BINARY_NOTES:
        assert result.outlines.count(note) == 1
    result.stdout.fnmatch_lines(["*= kdelve =*"])


def test_nothing_needs_xdist(faked: pytest.Pytester) -> None:
    faked.makepyfile(f"{NOTING}\ndef test_one(): pass")
    result = faked.runpytest("-p", "no:xdist", "-W", "error")
    result.assert_outcomes(passed=1)
    assert RAN in result.outlines


def test_the_summary_of_a_distributed_run(faked: pytest.Pytester) -> None:
    """It names the workers that debugged something."""
    tests = '@pytest.mark.parametrize("number", range(4))\ndef test_one(number): pass'
    faked.makepyfile(f"{NOTING}\n{tests}")
    result = faked.runpytest("-n2")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["*= kdelve =*", f"gw0: {RAN}", "*= 4 passed *"], consecutive=True)


def test_a_worker_that_crashes_says_nothing(faked: pytest.Pytester) -> None:
    faked.makepyfile(f"{NOTING}\nimport os\ndef test_one(): os._exit(1)")
    result = faked.runpytest("-n1", "--max-worker-restart=0")
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
    result.stdout.no_fnmatch_line("*= kdelve =*")
