"""``kdelve compare``, with a fake apiserver that is of the version which pytest is given."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from textwrap import dedent
from typing import Any

import psutil
import pytest

from pytest_kdelve.process import poll
from tests.plugin.conftest import CONFTEST, ROOT

#: With Ctrl-C as a terminal gives it, even where pytest runs in a shell's background.
PROGRAM = """
import signal, sys
from pytest_kdelve.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main())
"""
VERSIONED = f"""
{CONFTEST}
import pathlib

@pytest.fixture(scope="session")
def _kdelve_debugged(pytestconfig, tmp_path_factory):
    version = pytestconfig.getoption("kdelve_kubernetes")
    source = pathlib.Path(version, "source.go")
    if source.exists():
        pathlib.Path("source.go").write_text(source.read_text())
    with debugged(tmp_path_factory.mktemp("fake"), pytestconfig.stash[STARTUP]) as fake:
        fake.version = f"v{{version}}"
        yield fake

@pytest.fixture
def is_new(apiserver):
    return apiserver.version == "v1.37.2"
"""
OLD = "package a\n\nfunc get() {\n\tgetter()\n\tgone()\n}\n"
NEW = "package a\n\n// get gets.\nfunc get() {\n\tcheck()\n\tgetter()\n}\n"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJrZGVsdmUifQ.c2lnbmF0dXJl"
TIMEOUT = 60.0


@pytest.fixture
def tests(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with the source of two versions."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    temporary = pytester.mkdir("temporary")
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setenv("COLUMNS", "92")
    pytester.makeconftest(VERSIONED)
    for version, text in (("1.36.4", OLD), ("1.37.2", NEW)):
        pytester.mkdir(version).joinpath("source.go").write_text(text)
    return pytester


def compare(
    tests: pytest.Pytester,
    *arguments: str,
    options: tuple[str, ...] = (),
    old: str = "1.36.4",
    new: str = "1.37.2",
) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does, and prove that it leaves no file."""
    argv = [sys.executable, "-c", PROGRAM, "compare", *options, old, new, *arguments]
    done = subprocess.run(
        argv, cwd=tests.path, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    assert list((tests.path / "temporary").glob("kdelve-*")) == []
    assert "Traceback (most recent call last)" not in done.stderr
    return done


def found(tests: pytest.Pytester, *arguments: str) -> dict[str, Any]:
    """Return the comparison of the tests as objects, by their names."""
    done = compare(tests, "-q", "--kdelve-timeout=0", *arguments, options=("--json",))
    assert done.returncode == 1, done.stderr
    comparison = json.loads(done.stdout)
    assert (comparison["old"], comparison["new"]) == ("1.36.4", "1.37.2")
    return {each["test"].partition("::")[2]: each for each in comparison["tests"]}


def changes(test: dict[str, Any]) -> list[tuple[str, str, list[str]]]:
    return [(place["asked_by"], place["location"], place["changes"]) for place in test["places"]]


def test_nothing_differs(tests: pytest.Pytester) -> None:
    tests.makepyfile("""
        import pytest

        @pytest.mark.hits("source.go", at="getter()", locals={"name": "a"})
        def test_one(api):
            api.get("/reach/source.go", params={"name": "a"})
    """)
    done = compare(tests, "-W", "error", new="1.36.4")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "Nothing differs between Kubernetes 1.36.4 and 1.36.4: 1 test, 1 place.\n"
    )
    assert done.stderr.startswith("kdelve: the tests with Kubernetes 1.36.4\n=")
    assert done.stderr.count("= 1 passed in ") == 2


def test_what_differs_is_side_by_side(tests: pytest.Pytester) -> None:
    tests.makepyfile(
        test_reading="""
        import pytest

        @pytest.mark.hits("source.go", at="getter()", locals={"name": "a"})
        def test_one(api, is_new):
            api.get("/reach/source.go", params={"name": "b" if is_new else "a"})

        @pytest.mark.hits("a.go:1")
        def test_same(api):
            api.get("/reach/a.go")
    """
    )
    done = compare(tests, "--kdelve-timeout=0")
    assert done.returncode == 1, done.stderr
    assert done.stdout == dedent("""\
        test_reading.py::test_one: passed → failed
          hits source.go at 'getter()': moved, source changed, values changed
            1.36.4 handlers.get                         │ 1.37.2 handlers.get
            /src/source.go:4                            │ /src/source.go:6
                 3 | func get() {                       │      4 | func get() {
                                                        │ +    5 |   check()
            >    4 |   getter()                         │ >    6 |   getter()
            -    5 |   gone()                           │
                 6 | }                                  │      7 | }
            name was 'a'                                │ name was 'b'

        Kubernetes 1.36.4 and 1.37.2: 2 tests, 2 places; tests with another outcome: 1, moved: 1,
        source changed: 1, values changed: 1, the same: 1.
    """)
    assert "= 2 passed in " in done.stderr
    assert "= 1 failed, 1 passed in " in done.stderr


def test_what_becomes_of_places(tests: pytest.Pytester) -> None:
    """Of a test whose set-up fails, too, since one of them is gone."""
    tests.makepyfile("""
        import pytest
        from pytest_kdelve import at

        @pytest.mark.hits("source.go", at="getter()")
        @pytest.mark.hits("a.go:1", count=range(1, 3))
        @pytest.mark.not_hits("b.go:1", by="anyone")
        def test_reached(api, is_new):
            api.get("/reach/source.go/a.go" + ("/a.go" if is_new else ""))
            if is_new:
                api.get("/reach/b.go")

        @pytest.mark.hits("a.go:1")
        @pytest.mark.hits("source.go:5")
        @pytest.mark.hits_in_order("a.go:1", at("source.go", "getter()"))
        def test_gone(api):
            api.get("/reach/a.go/source.go")

        @pytest.mark.hits("missing.go:1")
        def test_nowhere(api): pass

        def test_looked(api, kdelve):
            with kdelve.watch("source.go", at="getter()"):
                api.get("/reach/source.go")
            with kdelve.pause("source.go:6"):
                pass
            with kdelve.watch("missing.go:1"):
                pass
    """)
    tests.path.joinpath("1.37.2/source.go").write_text(NEW.replace("\tcheck()\n", "\n"))
    comparison = found(tests)
    moved = ["moved", "source changed"]
    assert {name: changes(test) for name, test in comparison.items()} == {
        "test_reached": [
            ("hits", "source.go at 'getter()'", moved),
            ("hits", "a.go:1", ["another number of hits"]),
            ("not_hits", "b.go:1", ["newly reached"]),
        ],
        "test_gone": [
            ("hits", "a.go:1", []),
            ("hits", "source.go:5", ["gone"]),
            ("hits_in_order, step 1", "a.go:1", []),
            ("hits_in_order, step 2", "source.go at 'getter()'", moved),
        ],
        "test_nowhere": [("hits", "missing.go:1", [])],
        "test_looked": [
            ("kdelve.watch", "source.go at 'getter()'", moved),
            ("kdelve.pause", "source.go:6", ["line changed"]),
            ("kdelve.watch", "missing.go:1", []),
        ],
    }
    gone = comparison["test_gone"]["places"][1]
    assert gone["old"]["source"]["text"] == "gone()"
    assert gone["new"]["source"] is None
    assert gone["new"]["error"].startswith("source.go:5: line 5 has no statement\nWith v1.36.4, ")


def test_how_tests_end(tests: pytest.Pytester) -> None:
    tests.makepyfile("""
        import pytest

        def test_fails(is_new):
            assert not is_new, "it is new"

        def test_skips(is_new):
            if is_new:
                pytest.skip("needs an older one")

        @pytest.mark.xfail(reason="as expected")
        def test_xfails(is_new):
            assert not is_new

        @pytest.fixture
        def broken(is_new):
            yield
            assert not is_new

        def test_errors(broken): pass

        def test_same(api): pass

        @pytest.mark.hits("a.go:1")
        @pytest.mark.skip(reason="never")
        def test_never(): pass
    """)
    comparison = found(tests)
    ends = {name: [t["old"]["outcome"], t["new"]["outcome"]] for name, t in comparison.items()}
    assert ends == {
        "test_fails": ["passed", "failed"],
        "test_skips": ["passed", "skipped"],
        "test_xfails": ["xpassed", "xfailed"],
        "test_errors": ["passed", "error"],
        "test_same": ["passed", "passed"],
        "test_never": ["skipped", "skipped"],
    }
    texts = {name: test["new"]["text"] for name, test in comparison.items()}
    assert "AssertionError: it is new" in texts.pop("test_fails")
    assert "assert not is_new" in texts.pop("test_errors")
    assert texts == {
        "test_skips": "needs an older one",
        "test_xfails": "as expected",
        "test_same": "",
        "test_never": "never",
    }


def test_what_workers_found(tests: pytest.Pytester) -> None:
    """Each of pytest-xdist's has an apiserver of its own; what is secret stays so."""
    tests.makepyfile(f"""
        import re
        import pytest

        @pytest.mark.parametrize("number", range(4))
        @pytest.mark.hits("a.go:1", locals={{"name": re.compile("^n|^m"), "token": re.compile("")}})
        def test_one(api, number, is_new):
            token = {{"token": "{JWT}"}}
            api.get("/reach/a.go", params={{"name": f"n{{number}}", **token}})
            if is_new and number == 3:
                api.get("/reach/a.go", params={{"name": "m", **token}})
                assert False, token
    """)
    comparison = found(tests, "-n2")
    assert sorted(comparison) == [f"test_one[{number}]" for number in range(4)]
    failed = comparison.pop("test_one[3]")
    assert not any(test["differs"] for test in comparison.values())
    assert changes(failed) == [("hits", "a.go:1", ["values changed"])]
    [place] = failed["places"]
    assert place["values"] == {"name": {"old": ["'n3'"], "new": ["'n3'", "'m'"]}}
    assert place["new"]["requests"] == ["GET /reach/a.go"] * 2
    assert failed["new"]["text"].startswith("api = <")
    assert "(redacted)" in failed["new"]["text"]
    assert "eyJ" not in json.dumps(failed)


@pytest.mark.parametrize(
    ("source", "arguments", "said"),
    [
        ("", (), "kdelve: pytest found no test: "),
        ("import nothing", (), "with Kubernetes 1.36.4, pytest ended with exit code 2, as printed"),
        ("def test_one(): pass", ("--no-such",), "pytest ended with exit code 4, as printed above"),
        ("def test_one(): pass", ("--collect-only",), "pytest ran no test, so nothing is compared"),
        ("def test_one(): pass", ("--json",), "--json stands before the versions: kdelve compare"),
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


def test_a_checkout_is_not_compared_with_itself(tests: pytest.Pytester) -> None:
    tests.makeini("[pytest]\nkdelve_source = .")
    tests.makepyfile("def test_one(api): pass")
    done = compare(tests)
    assert (done.returncode, done.stdout) == (2, "")
    said = f"ERROR: --kdelve-source={tests.path}: kdelve compare builds two releases; take that"
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
    argv = [sys.executable, "-c", PROGRAM, "compare", "--json", "1.36.4", "1.37.2"]
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
    """As where an option behind the versions names another one."""
    tests.makeconftest(CONFTEST)
    tests.makepyfile("def test_one(api): pass")
    done = compare(tests, "--kdelve-kubernetes=1.35.0")
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
    argv = [sys.executable, "-c", PROGRAM, "compare", "1.36.4", "1.37.2"]
    with (tests.path / "stderr").open("wb") as stderr:
        command = subprocess.Popen(argv, cwd=tests.path, stdout=stderr, stderr=stderr)
    family = [psutil.Process(command.pid)]
    try:
        assert poll((tests.path / "running").exists, timeout=TIMEOUT)
        family += family[0].children(recursive=True)
        assert len(family) == 2
        command.send_signal(number)
        assert command.wait(TIMEOUT) == code
        assert (tests.path / "torn-down").exists()
        _gone, left = psutil.wait_procs(family, timeout=0)
        assert left == []
    finally:
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        command.wait(TIMEOUT)
    assert list((tests.path / "temporary").iterdir()) == []
    assert "1.37.2" not in (tests.path / "stderr").read_text()


def test_the_record_is_nobody_elses(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_one(): pass")
    pytester.runpytest("-p", "pytest_kdelve.plugin.recording", "--kdelve-record=record")
    assert (pytester.path / "record").stat().st_mode & 0o777 == 0o600


def test_pytest_has_its_option_only_when_it_is_asked_to_compare(pytester: pytest.Pytester) -> None:
    assert "--kdelve-record" not in pytester.runpytest("--help").stdout.str()
