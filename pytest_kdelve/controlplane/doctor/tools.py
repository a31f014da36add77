"""Go, Delve, their fit, and what is kept of the binaries.

Only files are looked at, and ``go`` and a given ``dlv`` are asked what they are, without network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_kdelve.controlplane import build, golang
from pytest_kdelve.controlplane.doctor.check import Check, State
from pytest_kdelve.delve import versions
from pytest_kdelve.errors import BinaryError, BuildError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_kdelve.controlplane.golang import Installed

#: In seconds; both answer in a few hundredths of one.
_ASK_TIMEOUT = 1.5
_NAMES = ("kube-apiserver", "kube-controller-manager", "etcd", "dlv")
_VARIABLES = {"kube-apiserver": "KDELVE_APISERVER", "etcd": "KDELVE_ETCD", "dlv": "KDELVE_DLV"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A ``go``, the toolchain that would build, and why it cannot; all texts are for people.

    ``version`` is that of the toolchain, empty where ``go`` gave no answer.
    """

    path: Path
    version: str = ""
    origin: str = ""
    problem: str = ""
    installed: Installed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a test would use; ``kept`` has versions of Go by the names of binaries."""

    cache: Path
    oldest: str
    candidates: Sequence[Candidate]
    given: Mapping[str, Path]
    kept: Mapping[str, Sequence[str]]

    @property
    def go(self) -> Candidate | None:
        """The one that would be used, as ``build.ensure`` picks it."""
        return next((each for each in self.candidates if not each.problem), None)

    @property
    def to_build(self) -> tuple[str, ...]:
        """The binaries that are neither given nor kept for the Go that would be used."""
        return tuple(name for name in _NAMES if name not in self.given and not self._is_kept(name))

    def _is_kept(self, name: str) -> bool:
        found = self.kept.get(name, ())
        return bool(found) if self.go is None else self.go.version in found

    @property
    def target_go(self) -> str:
        """The Go of the kube-apiserver, empty where that is not known."""
        if "kube-apiserver" in self.given:
            return ""
        kept = self.kept.get("kube-apiserver", ())
        return self.go.version if self.go else next(iter(kept), "")


def examine(cache: Path) -> Tools:
    """Look at what is here; ``cache`` is that of ``build.ensure``."""
    given = {
        name: Path(os.environ[variable]).expanduser().absolute()
        for name, variable in _VARIABLES.items()
        if os.environ.get(variable)
    }
    try:
        kept = build.kept(build.DEFAULT_KUBERNETES, cache=cache)
        oldest = build.oldest_go(build.DEFAULT_KUBERNETES, cache=cache)
    except (OSError, ValueError):
        # Building will tell what is wrong with the cache.
        kept, oldest = {}, ".".join(map(str, build.NEWEST_GO))
    newest = None if "dlv" in given else build.NEWEST_GO
    candidates = [_candidate(path, oldest, newest) for path in golang.candidates()]
    return Tools(cache=cache, oldest=oldest, candidates=candidates, given=given, kept=kept)


def _candidate(path: Path, oldest: str, newest: tuple[int, int] | None) -> Candidate:
    try:
        installed = golang.installed(path, timeout=_ASK_TIMEOUT)
        return judge(installed, oldest=oldest, newest=newest)
    except (BuildError, ValueError, KeyError) as error:
        # What is no go may answer anything.
        return Candidate(path=path, problem=str(error).splitlines()[0])


def judge(installed: Installed, *, oldest: str, newest: tuple[int, int] | None) -> Candidate:
    """Say which toolchain a ``go`` would build with, where it comes from, and whether it fits."""
    version = _selected(installed, oldest)
    origin, problem = _origin(installed, version)
    numbers = golang.version_numbers(version)
    if numbers < golang.version_numbers(oldest):
        problem = f"older than {oldest}, and GOTOOLCHAIN={installed.toolchain} keeps it so"
    elif newest is not None and numbers[:2] > newest:
        problem = f"newer than {_dotted(newest)}, the newest that this Delve debugs"
    return Candidate(
        path=installed.path, version=version, origin=origin, problem=problem, installed=installed
    )


def _selected(installed: Installed, oldest: str) -> str:
    """Follow ``Select`` of cmd/go/internal/toolchain/select.go."""
    name, _, mode = installed.toolchain.partition("+")
    if name in {"auto", "path"}:
        name, mode = "local", name
    version = installed.version if name in {"local", ""} else name.removeprefix("go")
    if mode and golang.version_numbers(oldest) > golang.version_numbers(version):
        return oldest if oldest.count(".") > 1 else f"{oldest}.0"
    return version


def _origin(installed: Installed, version: str) -> tuple[str, str]:
    """Return where a toolchain comes from, and the problem if it cannot come."""
    if version == installed.version:
        return "", ""
    fetched = installed.module_cache / "golang.org"
    if shutil.which(f"go{version}"):
        return f"go{version} is on PATH", ""
    if any(fetched.glob(f"toolchain@v0.0.1-go{version}.*")):
        return "it was fetched already", ""
    if installed.toolchain.endswith("path"):
        return "", f"go{version} is not on PATH, and GOTOOLCHAIN={installed.toolchain}"
    if not installed.fetches:
        return "", f"Go {version} cannot be fetched: GOPROXY=off"
    return "it would be fetched from the module proxy", ""


def check_go(tools: Tools) -> Check:
    """Say which ``go`` would build, and what is wrong with the others."""
    seen = [_line(each) for each in tools.candidates] or [golang.no_candidates()]
    wanted = f"{tools.oldest} or newer (at most {_dotted(build.NEWEST_GO)})"
    if tools.go is not None:
        return Check(name="go", state=State.OK, seen=tuple(seen))
    do = [golang.GET_GO.format(wanted=wanted)]
    if not tools.to_build:
        do.insert(0, "nothing has to be built, so this can wait;")
    state = State.PROBLEM if tools.to_build else State.WARNING
    return Check(name="go", state=state, seen=tuple(seen), do=tuple(do))


def _line(candidate: Candidate) -> str:
    version = f"Go {candidate.version}" if candidate.version else "no answer"
    notes = [note for note in (candidate.origin, candidate.problem) if note]
    return f"{version} by {candidate.path}" + "".join(f"; {note}" for note in notes)


def check_delve(tools: Tools) -> Check:
    """Say which Delve would debug, and whether it fits the Go of the target."""
    given = tools.given.get("dlv")
    if given is None:
        how = "to be built" if "dlv" in tools.to_build else "kept"
        return _fit(build.DELVE_VERSION, how, tools)
    if broken := _broken("dlv", given):
        seen, do = broken
        return Check(name="delve", state=State.PROBLEM, seen=(seen,), do=(do,))
    return _fit(_version_of(given), f"given: {given}", tools)


def _fit(version: str, how: str, tools: Tools) -> Check:
    debugs = versions.go_range(versions.numbers(version))
    what = f"Delve {version or '(version not known)'}, {how}"
    if debugs is None:
        do = ("which Go it debugs is not known here: see that it fits yourself",)
        return Check(name="delve", state=State.WARNING, seen=(what,), do=do)
    oldest, newest = debugs
    what = f"{what}; it debugs Go {_dotted(oldest)} to {_dotted(newest)}"
    if not tools.target_go:
        path = tools.given.get("kube-apiserver")
        unknown = "the Go of the kube-apiserver is not known"
        hint = (f"see that it fits: `go version {path}`" if path else "see to Go first",)
        return Check(name="delve", state=State.WARNING, seen=(what, unknown), do=hint)
    seen = (what, f"kube-apiserver: Go {tools.target_go}")
    if oldest <= golang.version_numbers(tools.target_go)[:2] <= newest:
        return Check(name="delve", state=State.OK, seen=seen)
    do = ("leave out KDELVE_DLV to have one built that fits, or give another one",)
    return Check(name="delve", state=State.PROBLEM, seen=seen, do=do)


def _version_of(dlv: Path) -> str:
    """Return "1.27.2", or nothing if this is no dlv or does not answer."""
    try:
        answer = subprocess.run(
            [str(dlv), "version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            text=True,
            errors="replace",
            timeout=_ASK_TIMEOUT,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    lines = [line for line in answer.stdout.splitlines() if line.startswith("Version: ")]
    return _dotted(versions.numbers(lines[0])) if lines else ""


def check_kept(tools: Tools) -> Check:
    """Say which binaries of the default Kubernetes are here, and what the others cost."""
    name = "kubernetes"
    # A given dlv has a check of its own.
    given = [(key, path) for key, path in tools.given.items() if key != "dlv"]
    if broken := [texts for key, path in given if (texts := _broken(key, path))]:
        seen, do = zip(*broken, strict=True)
        return Check(name=name, state=State.PROBLEM, seen=seen, do=do)
    lines = [_state_of(each, tools) for each in _NAMES if each != "dlv"]
    if not tools.to_build:
        return Check(name=name, state=State.OK, seen=(build.DEFAULT_KUBERNETES, *lines))
    costs = (
        "run `kdelve build`, or the first test builds: from nothing it takes about 6 minutes on "
        "2 cores, and 5 GB of disk"
    )
    return Check(
        name=name, state=State.WARNING, seen=(build.DEFAULT_KUBERNETES, *lines), do=(costs,)
    )


def _broken(name: str, path: Path) -> tuple[str, str] | None:
    """Return what is wrong with a given binary, and what to do."""
    try:
        build.checked(name, path)
    except BinaryError as error:
        seen, _, do = str(error).rpartition("; ")
        return seen, do
    return None


def _state_of(name: str, tools: Tools) -> str:
    if name in tools.given:
        return f"{name}: given, {tools.given[name]}"
    kept = ", ".join(tools.kept.get(name, ()))
    if name not in tools.to_build:
        return f"{name}: kept, built with Go {tools.go.version if tools.go else kept}"
    return f"{name}: to be built" + (f" (what is kept was built with Go {kept})" if kept else "")


def _dotted(numbers: Sequence[int]) -> str:
    return ".".join(map(str, numbers))
