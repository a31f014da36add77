"""Options, their ini twins and the environment."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.controlplane import releases
from pytest_kdelve.controlplane.releases import DEFAULT_KUBERNETES
from pytest_kdelve.delve import Address
from pytest_kdelve.plugin.state import SETTINGS

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_kdelve.plugin.options import Settings

BINARIES = {"apiserver": "kube-apiserver", "dlv": "dlv", "etcd": "etcd"}


def settings(pytester: pytest.Pytester, *arguments: str) -> Settings:
    return pytester.parseconfigure(*arguments).stash[SETTINGS]


def executable(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.touch(mode=0o755)
    return path


def test_help_lists_the_options(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest("--help")
    result.stdout.fnmatch_lines_random(
        [
            "  --kdelve-listen=HOST:PORT*",
            "  --kdelve-kubernetes=VERSION*",
            "  --kdelve-apiserver=PATH*",
            "  --kdelve-dlv=PATH*",
            "  --kdelve-etcd=PATH*",
            "  --kdelve-timeout=SECONDS*",
            "  --kdelve-apiserver-arg=ARG*",
            "  kdelve_listen (string):*",
            "  kdelve_apiserver_arg (linelist):*",
        ]
    )


def test_nothing_given(pytester: pytest.Pytester) -> None:
    default = settings(pytester)
    assert default.listen == Address("127.0.0.1", 0)
    assert default.versions.kubernetes == DEFAULT_KUBERNETES
    assert default.given == {}
    assert default.apiserver_args == ()
    assert default.timeout == 2.0


def test_ini_twins(pytester: pytest.Pytester) -> None:
    pytester.makeini("""
        [pytest]
        kdelve_listen = :12345
        kdelve_kubernetes = v1.36.4
        kdelve_timeout = 0.5
        kdelve_apiserver_arg =
            --v=4
            --cors-allowed-origins=.*, http://a b
    """)
    ini = settings(pytester)
    assert ini.listen == Address("127.0.0.1", 12345)
    assert ini.versions.kubernetes == "1.36.4"
    assert ini.timeout == 0.5
    assert ini.apiserver_args == ("--v=4", "--cors-allowed-origins=.*, http://a b")


def test_an_option_comes_before_its_ini_twin(pytester: pytest.Pytester) -> None:
    pytester.makeini("""
        [pytest]
        kdelve_listen = :12345
        kdelve_kubernetes = 1.36.4
        kdelve_timeout = 1
        kdelve_apiserver_arg = --v=4
    """)
    given = settings(
        pytester,
        "--kdelve-listen=127.0.0.1:2",
        "--kdelve-kubernetes=1.35.0",
        "--kdelve-timeout=0",
        "--kdelve-apiserver-arg=--v=5",
        "--kdelve-apiserver-arg=-a b",
    )
    assert given.listen.port == 2
    assert given.versions.kubernetes == "1.35.0"
    assert given.timeout == 0.0
    assert given.apiserver_args == ("--v=5", "-a b")


@pytest.mark.parametrize("name", BINARIES)
def test_a_binary_is_taken_from_option_then_ini_then_environment(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    places = [tmp_path / place for place in ("option", "ini", "environment")]
    option, ini, environment = (executable(folder, name) for folder in places)
    binary = BINARIES[name]
    monkeypatch.setenv(f"KDELVE_{name.upper()}", str(environment))
    assert settings(pytester).given == {binary: environment}
    pytester.makeini(f"[pytest]\nkdelve_{name} = {ini}\n")
    assert settings(pytester).given == {binary: ini}
    assert settings(pytester, f"--kdelve-{name}={option}").given == {binary: option}


def test_a_path_is_relative_to_where_it_is_written(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an ini file to its folder, on the command line to the working folder."""
    dlv = executable(pytester.path / "bin", "dlv")
    pytester.makeini("[pytest]\nkdelve_dlv = bin/dlv\n")
    pytester.mkdir("sub")
    monkeypatch.chdir(pytester.path / "sub")
    assert settings(pytester).given == {"dlv": dlv}
    given = settings(pytester, "--kdelve-dlv=../bin/dlv").given
    assert given["dlv"].samefile(dlv)


def test_versions_that_do_not_fit_each_other_are_all_named(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_one(): pass")
    options = ("--kdelve-kubernetes=1.24.0", "--kdelve-go=1.18.2", "--kdelve-delve=1.27.2")
    result = pytester.runpytest(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.errlines[0] == (
        "ERROR: --kdelve-kubernetes and --kdelve-go and --kdelve-delve: Delve 1.27.2 debugs "
        "programs of Go 1.25 to 1.27, and Kubernetes 1.24.0 is to be built by Go 1.18.2; name no "
        "Delve to have one that fits (1.9.1)"
    )


def test_versions_that_fit(pytester: pytest.Pytester) -> None:
    old = settings(pytester, "--kdelve-kubernetes=1.24.0", "--kdelve-go=1.19")
    assert old.versions == releases.choose("1.24.0", go="1.19")
    assert settings(pytester, "--kdelve-delve=1.26.0").versions.delve == "1.26.0"


@pytest.mark.parametrize("name", ["kubernetes", "apiserver", "source", "takeover", "listen"])
def test_an_empty_value_is_refused(pytester: pytest.Pytester, name: str) -> None:
    """Else a CI job whose variable is not set would pass, with another version."""
    result = pytester.runpytest(f"--kdelve-{name}=")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.errlines[0] == (
        f"ERROR: --kdelve-{name}= is empty: give it a value, or leave it out"
    )


@pytest.mark.parametrize("option", ["kubernetes=1.30.14", "go=1.26"])
def test_what_is_given_is_not_built(pytester: pytest.Pytester, option: str) -> None:
    path = executable(pytester.path, "kube-apiserver")
    result = pytester.runpytest(f"--kdelve-apiserver={path}", f"--kdelve-{option}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.errlines[0] == (
        f"ERROR: --kdelve-{option.partition('=')[0]} is for a kube-apiserver that is built, but "
        f"{path} is given (by --kdelve-apiserver, its ini twin or KDELVE_APISERVER): give one of "
        "them"
    )
    pytester.makeini("[pytest]\nkdelve_kubernetes = 1.30.14")
    assert settings(pytester, f"--kdelve-apiserver={path}").given == {"kube-apiserver": path}


def test_the_versions_of_a_checkout_are_not_chosen_yet(
    pytester: pytest.Pytester, checkout: Path
) -> None:
    """So none can be wrong yet."""
    asked = releases.Asked(kubernetes="1.24.0", go="1.18", delve="1.9.1")
    named = [f"--kdelve-{name}={text}" for name, text in asdict(asked).items()]
    found = settings(pytester, "--kdelve-source=kubernetes", *named)
    assert found.source == checkout
    assert found.asked == asked
    for wrong in ("--kdelve-go=newest", "--kdelve-kubernetes=1.24"):
        result = pytester.runpytest("--kdelve-source=kubernetes", wrong)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
    pytester.makeini("[pytest]\nkdelve_kubernetes = 1.30.14\nkdelve_go = 1.22")
    assert settings(pytester, "--kdelve-source=kubernetes").asked == releases.Asked(go="1.22")
    pytester.makeini("[pytest]\nkdelve_kubernetes = 1.30.14\nkdelve_source = kubernetes")
    assert settings(pytester).asked == releases.Asked(kubernetes="1.30.14")


def test_another_folder_is_no_checkout(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_one(): pass")
    result = pytester.runpytest("--kdelve-source=.")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.errlines[0] == (
        f"ERROR: --kdelve-source: {pytester.path} is no checkout of kubernetes: it has no go.mod"
    )


@pytest.mark.parametrize("way", ["option", "ini", "environment"])
def test_a_checkout_or_a_binary(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, checkout: Path, way: str
) -> None:
    """Nothing may be said to be built from a checkout that is not."""
    pytester.makepyfile("def test_one(): pass")
    path = executable(pytester.path, "kube-apiserver")
    options = ["--kdelve-source=kubernetes"]
    if way == "option":
        options.append(f"--kdelve-apiserver={path}")
    elif way == "ini":
        pytester.makeini(f"[pytest]\nkdelve_apiserver = {path}")
    else:
        monkeypatch.setenv("KDELVE_APISERVER", str(path))
    result = pytester.runpytest(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.errlines[0] == (
        f"ERROR: --kdelve-source={checkout} and --kdelve-apiserver={path}: give one of them "
        "(each may also come from its ini twin, the latter from KDELVE_APISERVER)"
    )


def test_a_path_in_the_home_folder(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    dlv = executable(tmp_path / "bin", "dlv")
    assert settings(pytester, "--kdelve-dlv=~/bin/dlv").given == {"dlv": dlv}


NO_ADDRESS = "is no address; write HOST:PORT, or :PORT for loopback"
NO_CHECKOUT = "name the folder of a checkout of kubernetes"
NO_VERSION = "is no Kubernetes version; write all three numbers, such as 1.37.2 or v1.37.2"
WRONG = {
    "listen without a port": ("listen", "localhost", f"'localhost' {NO_ADDRESS}"),
    "listen at a text": ("listen", "localhost:dlv", f"'localhost:dlv' {NO_ADDRESS}"),
    "listen at port 99999": ("listen", ":99999", f"':99999' {NO_ADDRESS}"),
    "connect without a port": ("connect", "localhost", f"'localhost' {NO_ADDRESS}"),
    "connect to any port": ("connect", ":0", "':0' has no port to connect to"),
    "attach to a name": ("attach", "kube-apiserver", "'kube-apiserver' is no process id"),
    "take over a path": (
        *("takeover", "tests"),
        "'tests' is no process id; without one, write --kdelve-takeover=auto",
    ),
    "attach to nobody": ("attach", "0", "'0' is no process id"),
    "keep now and then": ("keep", "sometimes", "'sometimes'; it is never, on-failure, always"),
    "timeout is a text": ("timeout", "soon", "'soon' is no number of seconds"),
    "negative timeout": ("timeout", "-1", "'-1' is no number of seconds"),
    "timeout is no number": ("timeout", "nan", "'nan' is no number of seconds"),
    "endless timeout": ("timeout", "inf", "'inf' is no number of seconds"),
    "timeout beyond the clock": ("timeout", "1e300", "'1e300' is no number of seconds"),
    "two numbers of a version": ("kubernetes", "1.37", f"'1.37' {NO_VERSION}"),
    "no version": ("kubernetes", "latest", f"'latest' {NO_VERSION}"),
    "no Go": (
        "go",
        "newest",
        "'newest' is no Go version; write 1.26 for any patch of it, or all three numbers",
    ),
    "a Go that is too old": (
        *("go", "1.25"),
        (
            "Kubernetes 1.37.2 cannot be built by Go 1.25: it was released with Go 1.26; name that "
            "or a newer one, or none"
        ),
    ),
    "a Delve that does not fit": (
        *("delve", "1.9.1"),
        (
            "Delve 1.9.1 debugs programs of Go 1.17 to 1.19, and Kubernetes 1.37.2 is to be built "
            "by Go 1.26; name no Delve to have one that fits (1.27.2)"
        ),
    ),
    "no source": (
        "source",
        "/nowhere/kubernetes",
        "/nowhere/kubernetes does not exist; name the folder of a checkout of kubernetes",
    ),
    "source is a file": (
        "source",
        "/etc/passwd",
        "/etc/passwd is no folder; name the folder of a checkout of kubernetes",
    ),
    "no apiserver": ("apiserver", "/nowhere/k", "/nowhere/k does not exist"),
    "no dlv": ("dlv", "/nowhere/dlv", "/nowhere/dlv does not exist"),
    "no etcd": ("etcd", "/nowhere/etcd", "/nowhere/etcd does not exist"),
    "a folder": ("dlv", "/usr", "/usr is not an executable file"),
    "not executable": ("dlv", "/etc/passwd", "/etc/passwd is not an executable file"),
}


@pytest.mark.parametrize("where", ["option", "ini"])
@pytest.mark.parametrize(("name", "value", "text"), WRONG.values(), ids=WRONG)
def test_what_cannot_work_is_a_usage_error(
    pytester: pytest.Pytester, name: str, value: str, text: str, where: str
) -> None:
    pytester.makepyfile("def test_one(): pass")
    pytester.makeini(f"[pytest]\nkdelve_{name} = {value}\n" if where == "ini" else "[pytest]\n")
    given = [f"--kdelve-{name}={value}"] if where == "option" else []
    result = pytester.runpytest(*given)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.errlines == [f"ERROR: --kdelve-{name}: {text}", ""]
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["attach=1", "connect=:1"], "--kdelve-attach and --kdelve-connect: give one of them"),
        (
            ["attach=1", "apiserver-arg=--v=1"],
            "--kdelve-apiserver-arg means nothing with --kdelve-attach: that runs already",
        ),
        (
            ["connect=:1", "listen=:2"],
            "--kdelve-listen means nothing with --kdelve-connect: that runs already",
        ),
        (
            ["connect=:1", "reuse"],
            "--kdelve-reuse means nothing with --kdelve-connect: that runs already",
        ),
        (
            ["attach=1", "keep=always"],
            "--kdelve-keep means nothing with --kdelve-attach: that runs already",
        ),
        (
            ["kubeconfig=a"],
            (
                "--kdelve-kubeconfig is for an apiserver that was not started here: give "
                "--kdelve-takeover, --kdelve-attach or --kdelve-connect, too"
            ),
        ),
    ],
)
def test_what_contradicts_itself(
    pytester: pytest.Pytester, arguments: list[str], text: str
) -> None:
    pytester.makepyfile("def test_one(): pass")
    result = pytester.runpytest(*(f"--kdelve-{each}" for each in arguments))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.errlines == [f"ERROR: {text}", ""]


def test_ini_and_environment_may_be_for_other_runs(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KDELVE_ETCD", str(executable(tmp_path / "bin", "etcd")))
    pytester.makeini("[pytest]\nkdelve_listen = :12345\nkdelve_kubeconfig = conf/admin\n")
    assert settings(pytester).mode == "started"
    connecting = settings(pytester, "--kdelve-connect=:12346")
    assert (connecting.mode, connecting.connect) == ("connect", Address("127.0.0.1", 12346))
    assert connecting.kubeconfig == str(pytester.path / "conf" / "admin")
    for given in ("--kdelve-takeover", "--kdelve-takeover=auto"):
        assert (settings(pytester, given).mode, settings(pytester, given).takeover) == (
            "takeover",
            0,
        )
    assert settings(pytester, "--kdelve-takeover=7").takeover == 7
    attaching = settings(pytester, "--kdelve-attach=7", "--kdelve-kubeconfig=admin")
    assert (attaching.mode, attaching.attach) == ("attach", 7)
    assert attaching.kubeconfig == str(pytester.path / "admin")


def test_no_kubeconfig_is_an_error_of_who_needs_it(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setattr("pytest_kdelve.controlplane.access.USUAL_PLACES", ())
    pytester.makepyfile("def test_one(api): pass")
    result = pytester.runpytest("--kdelve-connect=:1")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["an administrator's kubeconfig is needed for an apiserver *"])


@pytest.mark.parametrize("name", BINARIES)
@pytest.mark.parametrize(
    ("path", "problem"),
    [("/nowhere/it", "does not exist"), ("/etc/passwd", "is not an executable file")],
)
def test_a_wrong_path_in_the_environment_is_an_error_of_who_needs_it(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, name: str, path: str, problem: str
) -> None:
    """It may be meant for another project."""
    variable = f"KDELVE_{name.upper()}"
    monkeypatch.setenv(variable, path)
    pytester.makepyfile("def test_one(api): pass\ndef test_two(): pass")
    result = pytester.runpytest()
    result.assert_outcomes(passed=1, errors=1)
    binary = BINARIES[name]
    result.stdout.fnmatch_lines(
        [
            "*__ ERROR at setup of test_one __*",
            (
                f"the given {binary} {path} {problem}; correct the path (--kdelve-{name}, its ini "
                f"twin or {variable}), or leave it out to have {binary} built"
            ),
            "*= short test summary info =*",
        ],
        consecutive=True,
    )


@pytest.mark.parametrize("address", [":12345", "localhost:12345", "127.0.0.1:1", "[[]::1[]]:1"])
def test_loopback(pytester: pytest.Pytester, address: str) -> None:
    address = address.replace("[[]", "[").replace("[]]", "]")
    pytester.makepyfile("def test_one(): pass")
    result = pytester.runpytest("-W", "error", f"--kdelve-listen={address}")
    result.assert_outcomes(passed=1)
    assert settings(pytester, f"--kdelve-listen={address}").listen.is_loopback


@pytest.mark.parametrize("address", ["0.0.0.0:12345", "192.0.2.1:12345", "[::]:12345"])
def test_another_address_than_loopback_is_warned_about(
    pytester: pytest.Pytester, address: str
) -> None:
    pytester.makepyfile("def test_one(): pass")
    result = pytester.runpytest(f"--kdelve-listen={address}")
    result.assert_outcomes(passed=1, warnings=1)
    warning = f"--kdelve-listen={address}: whoever reaches this port can run any code here"
    shown = f": PytestConfigWarning: {warning}"
    assert any(line.endswith(shown) for line in result.outlines)


def test_the_warning_as_an_error(pytester: pytest.Pytester) -> None:
    """Whoever makes errors of warnings refuses such an address."""
    pytester.makepyfile("def test_one(): pass")
    result = pytester.runpytest("-W", "error", "--kdelve-listen=0.0.0.0:1")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.errlines == [
        "ERROR: --kdelve-listen=0.0.0.0:1: whoever reaches this port can run any code here",
        "",
    ]
