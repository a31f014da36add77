"""What ``kdelve compare`` refuses, and what it says and leaves where it cannot end as it should."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from pytest_kdelve.process import poll
from tests.commands import KDELVE, family_of
from tests.plugin.comparing import TIMEOUT, compare
from tests.plugin.conftest import CONFTEST

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("source", "arguments", "said"),
    [
        ("", (), "kdelve: pytest found no test: "),
        ("import nothing", (), "with Kubernetes 1.36.4, pytest ended with exit code 2, as printed"),
        ("def test_one(): pass", ("--no-such",), "pytest ended with exit code 4, as printed above"),
        ("def test_one(): pass", ("--collect-only",), "pytest ran no test, so nothing is compared"),
        ("def test_one(): pass", ("--json",), "--json stands before the versions: kdelve compare"),
        (
            "",
            ("--kdelve-kubernetes=1.30.14",),
            "--kdelve-kubernetes: the versions are 1.36.4 and",
        ),
        (
            "",
            ("--kdelve-kubernetes", "1.30.14"),
            "--kdelve-kubernetes: the versions are 1.36.4 and",
        ),
    ],
)
def test_what_cannot_be_compared(
    tests: pytest.Pytester, source: str, arguments: tuple[str, ...], said: str
) -> None:
    """It is no difference, so it has an exit code of its own; the other run is not made then."""
    tests.makepyfile(source)
    done = compare(tests, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "the tests with Kubernetes 1.37.2" not in done.stderr


@pytest.mark.parametrize("new", ["1.37", "1.23.0", "1.99.0"])
def test_a_version_that_cannot_be_had_is_refused_before_the_first_run(
    tests: pytest.Pytester, new: str
) -> None:
    tests.makepyfile("def test_one(): pass")
    done = compare(tests, new=new)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert new in done.stderr


def test_nothing_to_debug(tests: pytest.Pytester) -> None:
    tests.makeconftest("""
        import pytest

        @pytest.fixture(scope="session")
        def _kdelve_debugged():
            pytest.fail("no Go for Bearer aB1.cD2", pytrace=False)
    """)
    tests.makepyfile("def test_one(): pass", test_two="def test_two(api): pass")
    done = compare(tests)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(
        "kdelve: with Kubernetes 1.36.4, there was nothing to debug, so there is nothing to "
        "compare: no Go for Bearer (redacted)\n"
    )


def test_a_checkout_is_not_compared_with_itself(tests: pytest.Pytester, checkout: Path) -> None:
    tests.makeini("[pytest]\nkdelve_source = kubernetes")
    tests.makepyfile("def test_one(api): pass")
    done = compare(tests)
    assert (done.returncode, done.stdout) == (2, "")
    said = f"ERROR: --kdelve-source={checkout}: kdelve compare builds two releases; take that"
    assert said in done.stderr


def test_arguments_behind_dashes_are_pytests(tests: pytest.Pytester) -> None:
    path = tests.makepyfile("def test_one(): pass\n\ndef test_two(): pass\n")
    done = compare(tests, "-k", "two", "--", str(path))
    assert (done.returncode, done.stderr.count("= 1 passed, 1 deselected in")) == (0, 2)


def test_a_failure_that_cannot_be_written_as_it_is(
    tests: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor can all that is printed be where it goes to."""
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    tests.makepyfile("""
        import pytest

        def test_one(is_new):
            if is_new:
                pytest.fail("half: \\udc80", pytrace=False)
    """)
    done = compare(tests)
    assert done.returncode == 1, done.stderr
    assert "test_one: passed \\u2192 failed" in done.stdout
    assert "half: \\udc80" in done.stdout


def test_nobody_reads_on(tests: pytest.Pytester) -> None:
    tests.makepyfile("def test_one(): pass")
    argv = [sys.executable, "-c", KDELVE, "compare", "--json", "1.36.4", "1.37.2"]
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            argv,
            cwd=tests.path,
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=TIMEOUT,
            check=False,
        )
    finally:
        os.close(writing)
    assert done.returncode == 141
    assert b"Traceback" not in done.stderr


def test_another_version_than_the_one_that_was_asked_for(tests: pytest.Pytester) -> None:
    tests.makeconftest(CONFTEST)
    tests.makepyfile("def test_one(api): pass")
    done = compare(tests)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(
        "kdelve: the tests with Kubernetes 1.36.4 debugged 1.37.2; take away what gives pytest "
        "another kube-apiserver: an option, a setting in its ini file, or KDELVE_APISERVER\n"
    )


def test_a_kube_apiserver_that_an_ini_file_gives(tests: pytest.Pytester) -> None:
    tests.makeini("[pytest]\nkdelve_apiserver = /bin/true")
    tests.makepyfile("def test_one(api): pass")
    done = compare(tests)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--kdelve-kubernetes is for a kube-apiserver that is built, but /bin/tr" in done.stderr
    assert "the tests with Kubernetes 1.37.2" not in done.stderr


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
)
def test_an_interrupted_one_waits_for_pytest(
    tests: pytest.Pytester, number: signal.Signals, code: int
) -> None:
    """Who gets the signal is the command alone, as from a service's manager."""
    tests.makepyfile("""
        import pathlib, signal, time
        import pytest
        from pytest_kdelve.plugin import signals

        @pytest.fixture
        def started():
            with signals.as_interrupts():
                yield
                pathlib.Path("torn-down").touch()

        def test_one(started):
            pathlib.Path("running").touch()
            signal.pause()
    """)
    argv = [sys.executable, "-c", KDELVE, "compare", "1.36.4", "1.37.2"]
    with (tests.path / "stderr").open("wb") as stderr:
        command = subprocess.Popen(argv, cwd=tests.path, stdout=stderr, stderr=stderr)
    with family_of(command, TIMEOUT) as family:
        assert poll((tests.path / "running").exists, timeout=TIMEOUT)
        family.extend(family[0].children(recursive=True))
        assert len(family) == 2
        command.send_signal(number)
        assert command.wait(TIMEOUT) == code
        assert (tests.path / "torn-down").exists()
        _gone, left = psutil.wait_procs(family, timeout=0)
        assert left == []
    assert list((tests.path / "temporary").iterdir()) == []
    assert "1.37.2" not in (tests.path / "stderr").read_text()


def test_the_record_is_nobody_elses(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_one(): pass")
    pytester.runpytest("-p", "pytest_kdelve.plugin.recording", "--kdelve-record=record")
    assert (pytester.path / "record").stat().st_mode & 0o777 == 0o600


def test_pytest_has_its_option_only_when_it_is_asked_to_compare(pytester: pytest.Pytester) -> None:
    assert "--kdelve-record" not in pytester.runpytest("--help").stdout.str()
