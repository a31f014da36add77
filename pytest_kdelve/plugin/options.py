"""Options and their ini twins, checked and turned into ``Settings``."""

from __future__ import annotations

import os
import threading
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from pytest_kdelve.controlplane import checkout, releases
from pytest_kdelve.controlplane.releases import Asked
from pytest_kdelve.delve import Address
from pytest_kdelve.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import pytest

    from pytest_kdelve.controlplane.environment import Mode
    from pytest_kdelve.controlplane.releases import Versions

_DEFAULT_TIMEOUT = "2"
Keep = Literal["never", "on-failure", "always"]
#: Says in --kdelve-takeover that there is one kube-apiserver.
_ONLY = "auto"
#: Option and what it gives instead of a built binary.
_BINARIES = {"apiserver": "kube-apiserver", "dlv": "dlv", "etcd": "etcd"}
_HELP = {
    "listen": "where dlv listens; :PORT is loopback (default: a free port of loopback)",
    "kubernetes": "which Kubernetes to build and run, from 1.24.0 on (default: "
    f"{releases.DEFAULT_KUBERNETES})",
    "source": "build Kubernetes from this checkout, edited or not",
    "go": "the Go to build it with, 1.26 or 1.26.8 (default: the one it was released with)",
    "delve": "which Delve to build (default: one that fits the Go of the kube-apiserver)",
    "apiserver": "use this kube-apiserver, which is not stripped; built without -gcflags "
    "'all=-N -l', it hides some lines and values",
    "dlv": "use this Delve",
    "etcd": "use this etcd",
    "attach": "attach to this running kube-apiserver; it goes on afterwards",
    "connect": "use a headless dlv that runs already; it and its apiserver go on afterwards",
    "kubeconfig": "an administrator's, for an apiserver that was not started here (default: "
    "KUBECONFIG, then the usual places)",
    "keep": "what stays at the end, for an IDE: never (default), on-failure, or always",
    "timeout": f"how long a hit is waited for once a test is over (default: {_DEFAULT_TIMEOUT})",
}
_OF_OURS = ("apiserver", "etcd", "apiserver-arg", "keep", "reuse", "kubernetes", "source", "go")
#: What a way to an apiserver leaves no room for.
_UNUSED = {
    "takeover": _OF_OURS,
    "attach": _OF_OURS,
    "connect": (*_OF_OURS, "dlv", "delve", "listen"),
}
_METAVARS = {
    "listen": "HOST:PORT",
    "kubernetes": "VERSION",
    "source": "DIR",
    "go": "VERSION",
    "delve": "VERSION",
    "apiserver": "PATH",
    "dlv": "PATH",
    "etcd": "PATH",
    "attach": "PID",
    "connect": "HOST:PORT",
    "kubeconfig": "PATH",
    "keep": "WHEN",
    "timeout": "SECONDS",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the user asked for; ``given`` maps a binary's name to its path, ``timeout`` is in s.

    ``versions`` were chosen for what was ``asked``; not yet so for a checkout, the ``source``.
    ``takeover`` and ``attach`` are process ids; the former is 0 where it is to be found.
    ``kubeconfig`` is as in KUBECONFIG, and empty where it is to be found.
    """

    listen: Address
    versions: Versions
    asked: Asked
    source: Path | None
    given: Mapping[str, Path]
    apiserver_args: tuple[str, ...]
    timeout: float
    takeover: int | None
    attach: int | None
    connect: Address | None
    kubeconfig: str
    keep: Keep
    reuse: bool

    @property
    def mode(self) -> Mode:
        """How an apiserver comes to be debugged."""
        if self.attach is not None:
            return "attach"
        if self.takeover is not None:
            return "takeover"
        if self.connect is not None:
            return "connect"
        return "reuse" if self.reuse else "started"


def add(parser: pytest.Parser) -> None:
    """Register the options."""
    group = parser.getgroup("kdelve", "a kube-apiserver under Delve")
    for name, text in _HELP.items():
        group.addoption(f"--kdelve-{name}", metavar=_METAVARS[name], help=text)
        parser.addini(f"kdelve_{name}", f"{text}; as --kdelve-{name}")
    text = (
        "stop a running kube-apiserver, run the same argv under dlv, and put the original back at "
        f"the end; without PID, or with {_ONLY!r}, the only one"
    )
    group.addoption("--kdelve-takeover", nargs="?", const=_ONLY, metavar="PID", help=text)
    parser.addini("kdelve_takeover", f"{text}; as --kdelve-takeover")
    text = "use the environment that `kdelve up` or an earlier run keeps, or start one that stays"
    group.addoption("--kdelve-reuse", action="store_true", help=text)
    parser.addini("kdelve_reuse", f"{text}; as --kdelve-reuse", type="bool", default=False)
    text = "one more argument for the kube-apiserver; repeatable"
    group.addoption("--kdelve-apiserver-arg", action="append", metavar="ARG", help=text)
    parser.addini("kdelve_apiserver_arg", f"{text}; one a line", type="linelist")


def read(config: pytest.Config) -> Settings:
    """Return the checked settings; raises ``UsageError`` with the option's name."""
    _check_filled(config)
    given = {binary: path for name, binary in _BINARIES.items() if (path := _path(config, name))}
    source = _source(config)
    is_unknown = source or any(_value(config, way) for way in _UNUSED)
    asked = _asked(config)
    settings = Settings(
        listen=_address(config, "listen") or Address(),
        versions=_versions(asked, given, is_known=not is_unknown),
        asked=asked,
        source=source,
        given=given,
        apiserver_args=tuple(
            config.getoption("kdelve_apiserver_arg") or config.getini("kdelve_apiserver_arg")
        ),
        timeout=_timeout(config),
        takeover=_takeover(config),
        attach=_pid(config, "attach"),
        connect=_connect(config),
        kubeconfig=_kubeconfig(config),
        keep=_keep(config),
        reuse=config.getoption("kdelve_reuse") or config.getini("kdelve_reuse"),
    )
    _check_together(config, settings)
    return settings


def _check_filled(config: pytest.Config) -> None:
    """Refuse an option without a value, such as one from a variable of a CI job that is not set."""
    for name in (*_HELP, "takeover"):
        if config.getoption(f"kdelve_{name}") == "":
            raise UsageError(f"--kdelve-{name}= is empty: give it a value, or leave it out")


def _check_together(config: pytest.Config, settings: Settings) -> None:
    """Refuse options that contradict each other, or a kube-apiserver that is given.

    Else ini and environment contradict nothing, since they may be for other runs.
    """
    ways = [way for way in _UNUSED if getattr(settings, way) is not None]
    if len(ways) > 1:
        raise UsageError(f"{' and '.join(f'--kdelve-{way}' for way in ways)}: give one of them")
    for way in ways:
        for name in _UNUSED[way]:
            if config.getoption(f"kdelve_{name.replace('-', '_')}"):
                raise UsageError(
                    f"--kdelve-{name} means nothing with --kdelve-{way}: that runs already"
                )
    given = settings.given.get("kube-apiserver")
    if not ways and settings.source and given:
        raise UsageError(
            f"--kdelve-source={settings.source} and --kdelve-apiserver={given}: give one of them "
            "(each may also come from its ini twin, the latter from KDELVE_APISERVER)"
        )
    for name in ("kubernetes", "go"):
        if not ways and given and config.getoption(f"kdelve_{name}"):
            raise UsageError(
                f"--kdelve-{name} is for a kube-apiserver that is built, but {given} is given (by "
                "--kdelve-apiserver, its ini twin or KDELVE_APISERVER): give one of them"
            )
    if not ways and config.getoption("kdelve_kubeconfig"):
        raise UsageError(
            "--kdelve-kubeconfig is for an apiserver that was not started here: give "
            "--kdelve-takeover, --kdelve-attach or --kdelve-connect, too"
        )


def _value(config: pytest.Config, name: str) -> str:
    return str(config.getoption(f"kdelve_{name}") or config.getini(f"kdelve_{name}") or "")


def _address(config: pytest.Config, name: str) -> Address | None:
    text = _value(config, name)
    if not text:
        return None
    try:
        return Address.parse(text)
    except UsageError as error:
        raise UsageError(f"--kdelve-{name}: {error}") from error


def _connect(config: pytest.Config) -> Address | None:
    address = _address(config, "connect")
    if address and not address.port:
        text = _value(config, "connect")
        raise UsageError(f"--kdelve-connect: {text!r} has no port to connect to")
    return address


def _keep(config: pytest.Config) -> Keep:
    text = _value(config, "keep") or "never"
    for keep in get_args(Keep):
        if text == keep:
            return keep  # type: ignore[no-any-return]
    raise UsageError(f"--kdelve-keep: {text!r}; it is {', '.join(get_args(Keep))}")


def _takeover(config: pytest.Config) -> int | None:
    if _value(config, "takeover") == _ONLY:
        return 0
    try:
        return _pid(config, "takeover")
    except UsageError as error:
        raise UsageError(f"{error}; without one, write --kdelve-takeover={_ONLY}") from error


def _pid(config: pytest.Config, name: str) -> int | None:
    text = _value(config, name)
    if text and not (text.isascii() and text.isdigit() and int(text)):
        raise UsageError(f"--kdelve-{name}: {text!r} is no process id")
    return int(text) if text else None


def _kubeconfig(config: pytest.Config) -> str:
    """Return a path; one of the ini file starts from its folder."""
    if text := config.getoption("kdelve_kubeconfig"):
        return str(config.invocation_params.dir / Path(text).expanduser())
    if text := config.getini("kdelve_kubeconfig"):
        return str(_ini_folder(config) / Path(text).expanduser())
    return ""


def _versions(asked: Asked, given: Collection[str], *, is_known: bool) -> Versions:
    """Choose; where Kubernetes is not known yet, what depends on it is only read."""
    try:
        if is_known:
            return asked.choose(given=given)
        if asked.kubernetes:
            releases.parse_kubernetes_version(asked.kubernetes)
        if asked.go:
            releases.parse_go(asked.go)
        return Asked(delve=asked.delve).choose(given={*given, "kube-apiserver"})
    except UsageError as error:
        named = [f"--kdelve-{name}" for name, text in asdict(asked).items() if text]
        raise UsageError(f"{' and '.join(named)}: {error}") from error


def _asked(config: pytest.Config) -> Asked:
    asked = Asked(*(_value(config, name) for name in Asked.__match_args__))
    if config.getoption("kdelve_source") and not config.getoption("kdelve_kubernetes"):
        # The ini file's is for runs without a checkout, which has its own.
        return replace(asked, kubernetes="")
    return asked


def _source(config: pytest.Config) -> Path | None:
    """Return a folder; one of the ini file starts from its folder."""
    if text := config.getoption("kdelve_source"):
        return _folder(config.invocation_params.dir / Path(text).expanduser())
    if text := config.getini("kdelve_source"):
        return _folder(_ini_folder(config) / Path(text).expanduser())
    return None


def _folder(path: Path) -> Path:
    try:
        checkout.check(path.resolve())
    except UsageError as error:
        raise UsageError(f"--kdelve-source: {error}") from error
    return path


def _path(config: pytest.Config, name: str) -> Path | None:
    """Return a given binary: option, then ini (from its file's folder), then environment.

    The environment may be meant for another project, so it is checked only once it is used.
    """
    if text := config.getoption(f"kdelve_{name}"):
        return _executable(name, config.invocation_params.dir / Path(text).expanduser())
    if text := config.getini(f"kdelve_{name}"):
        return _executable(name, _ini_folder(config) / Path(text).expanduser())
    text = os.environ.get(f"KDELVE_{name.upper()}", "")
    return Path(text).expanduser().absolute() if text else None


def _ini_folder(config: pytest.Config) -> Path:
    return config.inipath.parent if config.inipath else config.invocation_params.dir


def _executable(name: str, path: Path) -> Path:
    if not path.is_file() or not os.access(path, os.X_OK):
        problem = "is not an executable file" if path.exists() else "does not exist"
        raise UsageError(f"--kdelve-{name}: {path} {problem}")
    return path


def _timeout(config: pytest.Config) -> float:
    text = _value(config, "timeout") or _DEFAULT_TIMEOUT
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= threading.TIMEOUT_MAX:
        raise UsageError(f"--kdelve-timeout: {text!r} is no number of seconds")
    return seconds
