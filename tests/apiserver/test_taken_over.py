"""--kdelve-takeover: whatever happens to pytest, the original runs again afterwards."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil
import pytest

from pytest_kdelve.controlplane import listening
from pytest_kdelve.controlplane.environment import answers_ok
from pytest_kdelve.controlplane.reaping import reap
from pytest_kdelve.process import poll
from tests.apiserver import plain
from tests.apiserver.running import failure_of
from tests.apiserver.test_deaths import (
    STANDS,
    kill_with_guardian,
    started,
    wait_until_it_stands,
)
from tests.apiserver.test_existing import names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kdelve.controlplane.build import Binaries
    from tests.apiserver.plain import Plain
    from tests.apiserver.running import Runner

#: Seconds until the original is back: what is left has to end, and a kube-apiserver to start.
BACK = 60.0
DIFFICULT = (
    r"--cors-allowed-origins=^https?://[a-z]+\.example\.(com|org)(:[0-9]+)?$,//localhost(:|$)",
    f"--cors-allowed-origins=//{'x' * 10240}$",
    "--audit-log-path=",
    '--etcd-prefix=/it\'s "quoted" $HOME `date` & two  words; \\',
)
TESTS = """
    import pytest

    @pytest.mark.hits("endpoints/handlers/get.go", at="getter(ctx, name, req)",
                      locals={"name": "kubernetes"})
    @pytest.mark.hits("main.main", during="startup")
    def test_get(api, apiserver):
        assert apiserver.mode == "takeover"
        assert apiserver.argv[-1].endswith("two  words; " + chr(92))
        assert api.get("/api/v1/namespaces/default/services/kubernetes").status_code == 200
"""


class Original:
    """Somebody's kube-apiserver, by whatever pid it runs."""

    def __init__(self, running: Plain) -> None:
        self.running = running
        self.port = urlsplit(running.access.url).port or 0
        self.looks = self.look()

    @property
    def pid(self) -> int:
        [pid] = filter(None, listening.listeners_at(self.port))
        return pid

    def look(self) -> list[object]:
        folder = Path(f"/proc/{self.pid}")
        files = [(folder / name).read_bytes() for name in ("cmdline", "environ")]
        streams = [(folder / "fd" / str(number)).readlink() for number in range(3)]
        return [*files, (folder / "cwd").readlink(), *streams, psutil.Process(self.pid).uids()]

    def is_back(self) -> bool:
        with self.running.access.session() as session:
            is_ready = answers_ok(session, f"{self.running.access.url}/readyz")
        return is_ready and "dlv" not in psutil.Process(self.pid).parents()[0].name()


@pytest.fixture(scope="module")
def original(
    kdelve_binaries: Binaries, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Original]:
    folder = tmp_path_factory.mktemp("original")
    with plain.running(kdelve_binaries, folder, *DIFFICULT) as running:
        found = Original(running)
        yield found
        for pid in filter(None, listening.listeners_at(found.port)):
            psutil.Process(pid).kill()


@pytest.fixture
def arguments(original: Original) -> Iterator[list[str]]:
    """Give what takes it over, and prove that it is back as it was."""
    kubeconfig = original.running.kubeconfig
    yield [f"--kdelve-takeover={original.pid}", f"--kdelve-kubeconfig={kubeconfig}"]
    assert poll(original.is_back, timeout=BACK)
    assert original.look() == original.looks
    assert names(original.running) == []


def test_it_is_debugged_from_its_start_and_put_back(
    runner: Runner, original: Original, arguments: list[str]
) -> None:
    pid = original.pid
    runner.run_file(TESTS, *arguments).assert_outcomes(passed=1)
    assert original.pid != pid, "it listens already"


@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_pytest(
    runner: Runner, original: Original, arguments: list[str], way: signal.Signals
) -> None:
    pid = original.pid
    with started(runner, STANDS, *arguments) as run:
        wait_until_it_stands(runner)
        run.send_signal(way)
        assert poll(lambda: run.poll() is not None, timeout=BACK)
        assert poll(lambda: is_over(runner), timeout=BACK)
        runner.check_nothing_is_left()
    assert original.pid != pid


def test_pytest_and_its_guardian_are_killed(
    runner: Runner, original: Original, arguments: list[str]
) -> None:
    """The next run puts it back, or ``kdelve down``."""
    pid = original.pid
    with started(runner, STANDS, *arguments) as run:
        wait_until_it_stands(runner)
        kill_with_guardian(runner, run)
        assert reap() == []
        runner.check_nothing_is_left()
    assert original.pid != pid


def is_over(runner: Runner) -> bool:
    footprint = runner.footprint
    return not (footprint.processes() or footprint.folders() or footprint.journals())


def test_delve_is_killed(runner: Runner, arguments: list[str]) -> None:
    source = """
        import psutil, pytest

        @pytest.mark.hits("handlers.ListResource")
        def test_kill(api, apiserver):
            [dlv] = [each for each in psutil.process_iter()
                     if each.name() == "dlv" and f" {apiserver.pid}" in " ".join(each.cmdline())]
            dlv.kill()
            api.get("/api", timeout=5)  # Whether it runs on by itself is left to chance.
    """
    result = runner.run_file(source, *arguments)
    result.assert_outcomes(failed=1)


def test_a_start_that_fails(runner: Runner, original: Original, arguments: list[str]) -> None:
    """It was stopped by then: what is wrong is the ClusterRole."""
    runner.pytester.makeconftest(
        """
        import pytest

        @pytest.fixture(scope="session")
        def kdelve_cluster_role():
            return "no-such-role"
        """
    )
    pid = original.pid
    result = runner.run_file(TESTS, *arguments)
    result.assert_outcomes(errors=1)
    assert "could not read the ClusterRole 'no-such-role': 404" in failure_of(result, "test_get")
    assert original.pid != pid


def test_who_is_refused_is_left_alone(
    runner: Runner, original: Original, arguments: list[str]
) -> None:
    pid = original.pid
    stripped = original.running.etcd.pid
    result = runner.run_file(TESTS, f"--kdelve-takeover={stripped}", arguments[1])
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*is stripped*"])
    assert original.pid == pid
    assert original.running.etcd.is_running()
