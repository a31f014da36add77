"""pytest-xdist: what each worker takes, and what is refused before workers start."""

from __future__ import annotations

import pytest

from pytest_kdelve.delve import Address
from pytest_kdelve.plugin import workers
from pytest_kdelve.plugin.state import SETTINGS

ONE_TEST = "def test_one(): pass"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ["-n3", "--kdelve-listen=:65534"],
            (
                "--kdelve-listen=127.0.0.1:65534: 3 workers take the ports from there to 65536, "
                "but 65535 is the last one; give a lower one"
            ),
        ),
        (
            ["-n2", "--kdelve-attach=1"],
            (
                "--kdelve-attach has one kube-apiserver, which 2 workers cannot share: each of "
                "them would stop it for the others; run without -n"
            ),
        ),
        (
            ["--dist=load", "--tx=2*popen", "--tx=popen", "--kdelve-connect=:1"],
            (
                "--kdelve-connect has one kube-apiserver, which 3 workers cannot share: each of "
                "them would stop it for the others; run without -n"
            ),
        ),
    ],
    ids=["port", "attach", "connect"],
)
def test_what_workers_cannot_do(pytester: pytest.Pytester, arguments: list[str], text: str) -> None:
    pytester.makepyfile(ONE_TEST)
    result = pytester.runpytest(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.errlines == [f"ERROR: {text}", ""]
    result.stdout.no_fnmatch_line("*created: *")


@pytest.mark.parametrize(
    "arguments",
    [
        ["-n2", "--kdelve-listen=:65534"],
        ["-n1", "--kdelve-attach=1"],
        ["-n0", "--kdelve-connect=:1"],
    ],
    ids=["port", "attach", "connect"],
)
def test_what_workers_can_do(pytester: pytest.Pytester, arguments: list[str]) -> None:
    pytester.makepyfile(ONE_TEST)
    pytester.runpytest(*arguments).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("worker", "listen", "port"),
    [("gw0", ":12345", 12345), ("gw3", ":12345", 12348), ("gw3", "", 0), ("", ":12345", 12345)],
)
def test_the_port_of_each(pytester: pytest.Pytester, worker: str, listen: str, port: int) -> None:
    config = pytester.parseconfigure(*([f"--kdelve-listen={listen}"] if listen else []))
    if worker:
        config.workerinput = {"workerid": worker}  # type: ignore[attr-defined]
    own = workers.own(config, config.stash[SETTINGS])
    assert own.listen == Address("127.0.0.1", port)
