"""Go, Delve, their fit, and what is kept of the binaries.

Only files are looked at, and ``go`` and a given ``dlv`` are asked what they are, without network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_kdelve.controlplane import build, golang, releases
from pytest_kdelve.controlplane.doctor.check import Check, State
from pytest_kdelve.delve import versions
from pytest_kdelve.errors import BinaryError, BuildError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_kdelve.controlplane.golang import Installed
    from pytest_kdelve.controlplane.releases import Versions

#: In seconds; both answer in a few hundredths of one.
_ASK_TIMEOUT = 1.5
#: The Go from which on GOTOOLCHAIN is heeded.
_FETCHES_OTHERS = (1, 21, 0)
_NAMES = ("kube-apiserver", "kube-controller-manager", "etcd", "dlv")
_VARIABLES = {"kube-apiserver": "KDELVE_APISERVER", "etcd": "KDELVE_ETCD", "dlv": "KDELVE_DLV"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A ``go``, the toolchain that would build, and why it cannot; all texts are for people.

    ``version`` is that of the toolchain, empty where ``go`` gave no answer. It ``is_fetched`` where
    GOTOOLCHAIN has to name it.
    """

    path: Path
    version: str = ""
    origin: str = ""
    problem: str = ""
    is_fetched: bool = False
    installed: Installed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a test would use; ``kept`` has versions of Go by the names of binaries."""

    cache: Path
    versions: Versions
    candidates: Sequence[Candidate]
    given: Mapping[str, Path]
    kept: Mapping[str, Sequence[str]]

    @property
    def go(self) -> Candidate | None:
        """The one that would be used, as ``build.ensure`` picks it."""
        usable = (each for each in self.candidates if not each.problem)
        return min(usable, key=lambda each: each.is_fetched, default=None)

    @property
    def to_build(self) -> tuple[str, ...]:
        """The binaries that are neither given nor kept for the Go that would be used."""
        return tuple(name for name in _NAMES if name not in self.given and not self._is_kept(name))

    def _is_kept(self, name: str) -> bool:
        found = self.kept.get(name, ())
        is_of_kubernetes = name.startswith("kube-")
        return self.go.version in found if self.go and is_of_kubernetes else bool(found)

    @property
    def target_go(self) -> str:
        """The Go of the kube-apiserver, empty where that is not known."""
        if "kube-apiserver" in self.given:
            return self.versions.given_go
        kept = self.kept.get("kube-apiserver", ())
        return self.go.version if self.go else next(iter(kept), "")


def examine(cache: Path) -> Tools:
    """Look at what is here; ``cache`` is that of ``build.ensure``."""
    given = {
        name: Path(os.environ[variable]).expanduser().absolute()
        for name, variable in _VARIABLES.items()
        if os.environ.get(variable)
    }
    versions = releases.choose(given=given)
    if apiserver := given.get("kube-apiserver"):
        versions = replace(versions, given_go=golang.built_with(apiserver))
        if "dlv" not in given:
            with suppress(UsageError):  # No Delve debugs it; which ones there are is said below.
                delve = releases.delve_of(apiserver, versions.given_go)
                versions = replace(versions, delve=delve)
    try:
        kept = build.kept(versions, cache=cache)
    except (OSError, ValueError):
        kept = {}  # Building will tell what is wrong with the cache.
    candidates = [_candidate(path, versions.go) for path in golang.candidates()]
    return Tools(
        cache=cache,
        versions=versions,
        candidates=candidates,
        given=given,
        kept=kept,
    )


def _candidate(path: Path, wanted: str) -> Candidate:
    try:
        return judge(golang.installed(path, timeout=_ASK_TIMEOUT), wanted)
    except (BuildError, ValueError, KeyError) as error:
        # What is no go may answer anything.
        return Candidate(path=path, problem=str(error).splitlines()[0])


def judge(installed: Installed, wanted: str) -> Candidate:
    """Say which toolchain a ``go`` would build with, where it comes from, and whether it fits.

    ``wanted`` is a Go such as "1.26".
    """
    version = _selected(installed, f"{wanted}.0")
    is_fetched = not releases.is_of(version, wanted)
    if is_fetched:
        version = releases.toolchain(wanted).removeprefix("go")
    origin, problem = _origin(installed, version, is_named=is_fetched)
    return Candidate(
        path=installed.path,
        version=version,
        origin=origin,
        problem=problem,
        is_fetched=is_fetched,
        installed=installed,
    )


def _selected(installed: Installed, oldest: str) -> str:
    """Follow ``Select`` of cmd/go/internal/toolchain/select.go."""
    name, _, mode = installed.toolchain.partition("+")
    if name in {"auto", "path"}:
        name, mode = "local", name
    version = installed.version if name in {"local", ""} else name.removeprefix("go")
    if mode and golang.version_numbers(oldest) > golang.version_numbers(version):
        return oldest
    return version


def _origin(installed: Installed, version: str, *, is_named: bool) -> tuple[str, str]:
    """Return where a toolchain comes from, and the problem if it cannot come.

    It ``is_named`` by a GOTOOLCHAIN of ours, instead of the user's.
    """
    if version == installed.version:
        return "", ""
    fetched = installed.module_cache / "golang.org"
    if shutil.which(f"go{version}"):
        return f"go{version} is on PATH", ""
    if any(fetched.glob(f"toolchain@v0.0.1-go{version}.*")):
        return "it was fetched already", ""
    return _fetching(installed, version, is_named=is_named)


def _fetching(installed: Installed, version: str, *, is_named: bool) -> tuple[str, str]:
    if is_named and golang.version_numbers(installed.version) < _FETCHES_OTHERS:
        return "", f"Go {installed.version} cannot fetch another one"
    if installed.toolchain.endswith("path") and not is_named:
        return "", f"go{version} is not on PATH, and GOTOOLCHAIN={installed.toolchain}"
    if not installed.fetches:
        return "", f"Go {version} cannot be fetched: GOPROXY=off"
    return "it would be fetched from the module proxy", ""


def check_go(tools: Tools) -> Check:
    """Say which ``go`` would build, and what is wrong with the others."""
    seen = [_line(each) for each in tools.candidates] or [golang.no_candidates()]
    if tools.go is not None:
        return Check(name="go", state=State.OK, seen=tuple(seen))
    do = [golang.GET_GO.format(wanted=f"{tools.versions.go} (or any from 1.21 on)")]
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
        return _fit(tools.versions.delve or releases.DELVE_VERSION, how, tools)
    if broken := _broken("dlv", given):
        seen, do = broken
        return Check(name="delve", state=State.PROBLEM, seen=(seen,), do=(do,))
    return _fit(_version_of(given), f"given: {given}", tools)


def _fit(version: str, how: str, tools: Tools) -> Check:
    row = versions.debugs(versions.numbers(version))
    what = f"Delve {version or '(version not known)'}, {how}"
    if row is None:
        do = ("which Go it debugs is not known here: see that it fits yourself",)
        return Check(name="delve", state=State.WARNING, seen=(what,), do=do)
    what = f"{what}; it debugs Go {_dotted(row.oldest)} to {_dotted(row.newest)}"
    if not tools.target_go:
        path = tools.given.get("kube-apiserver")
        unknown = "the Go of the kube-apiserver is not known"
        hint = (f"see that it fits: `go version {path}`" if path else "see to Go first",)
        return Check(name="delve", state=State.WARNING, seen=(what, unknown), do=hint)
    seen = (what, f"kube-apiserver: Go {tools.target_go}")
    if row.oldest <= golang.version_numbers(tools.target_go)[:2] <= row.newest:
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
        return Check(name=name, state=State.OK, seen=(tools.versions.kubernetes, *lines))
    costs = (
        "run `kdelve build`, or the first test builds: from nothing it takes about 6 minutes on "
        "2 cores, and 5 GB of disk"
    )
    return Check(
        name=name, state=State.WARNING, seen=(tools.versions.kubernetes, *lines), do=(costs,)
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
