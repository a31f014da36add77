"""A checkout of the kubernetes repository, edited or not, and the state that it is in."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec

from pytest_kdelve.controlplane.releases import minor, parse_kubernetes_version
from pytest_kdelve.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MODULE = re.compile(r"^module k8s\.io/kubernetes$", re.MULTILINE)
_NEEDED = ("go.mod", "cmd/kube-apiserver", "staging/src/k8s.io/apiserver/go.mod")
#: Has the minor release from 1.31 on.
_BASE = Path("staging/src/k8s.io/component-base/version/base.go")
_MINOR = re.compile(r'DefaultKubeBinaryVersion\s*=\s*"(\d+\.\d+)"')
#: Folders at the top of which nothing gets into a binary. Names that begin so Go passes over.
_NOT_BUILT = frozenset({"CHANGELOG", "docs", "hack", "test"})
_PASSED_OVER = (".", "_")
#: In seconds; of a repository of this size, git's answers take one or two.
_GIT_TIMEOUT = 60.0
_GIT_OWN = "GIT_(?!CONFIG)"
_MOST_NAMED = 5
_COMMIT_LENGTH = 12


class Checkout(msgspec.Struct, frozen=True, kw_only=True):
    """A folder with the source of Kubernetes, as it was when it was looked at.

    ``version`` has three numbers, and ``git_version`` is what the binaries say of themselves, as
    Kubernetes' own hack/lib/version.sh makes it. ``commit`` is empty where there is no git.
    ``edited`` are the files that differ from it and can get into a binary. ``digest`` changes with
    whatever is built.
    """

    folder: str
    version: str
    git_version: str
    commit: str = ""
    edited: tuple[str, ...] = ()
    digest: str = ""

    def without_state(self) -> Self:
        """Return the same without what editing changes."""
        return type(self)(folder=self.folder, version=self.version, git_version=f"v{self.version}")

    def __str__(self) -> str:
        """Return the folder and its state, in words."""
        if not self.digest:
            return self.folder
        if not self.commit:
            return f"{self.folder} ({self.git_version}, not in git)"
        named = ", ".join(self.edited[:_MOST_NAMED])
        more = f" and {rest} more" if (rest := len(self.edited) - _MOST_NAMED) > 0 else ""
        edited = f"edited: {named}{more}" if self.edited else "not edited"
        commit = self.commit[:_COMMIT_LENGTH]
        return f"{self.folder} ({self.git_version}, commit {commit}, {edited})"


def read(folder: Path, *, version: str = "") -> Checkout:
    """Look at a checkout; ``version`` is for one whose version neither git nor its source tells.

    Raises ``UsageError`` for a folder that is none, and where these tell another version.
    """
    folder = folder.resolve()
    check(folder)
    digest = _digest(folder)  # First: what is edited from now on is noticed.
    named = parse_kubernetes_version(version) if version else ""
    if not _is_in_git(folder):
        known = _version_of(folder, "", named)
        return Checkout(folder=str(folder), version=known, git_version=f"v{known}", digest=digest)
    commit = _git(folder, "rev-parse", "HEAD").strip()
    edited = tuple(_edited(folder))
    described = _git(folder, "describe", "--tags", "--match=v[0-9]*", "--abbrev=14", may_fail=True)
    known = _version_of(folder, described, named)
    return Checkout(
        folder=str(folder),
        version=known,
        git_version=_git_version(described.strip() or f"v{known}", dirty=bool(edited)),
        commit=commit,
        edited=edited,
        digest=digest,
    )


def check(folder: Path) -> None:
    """Raise ``UsageError`` for a folder that is no checkout of kubernetes."""
    try:
        _check(folder)
    except OSError as error:
        raise UsageError(f"the checkout {folder} cannot be read: {error}") from error


def _check(folder: Path) -> None:
    if not str(folder).isprintable():
        raise UsageError(f"{str(folder)!r}: the name of a checkout's folder has to be plain text")
    if not folder.is_dir():
        problem = "is no folder" if folder.exists() else "does not exist"
        raise UsageError(f"{folder} {problem}; name the folder of a checkout of kubernetes")
    missing = [name for name in _NEEDED if not (folder / name).exists()]
    if missing:
        raise UsageError(f"{folder} is no checkout of kubernetes: it has no {missing[0]}")
    if not _MODULE.search((folder / "go.mod").read_text(encoding="utf-8", errors="replace")):
        raise UsageError(
            f"{folder} is no checkout of kubernetes: its go.mod is of another module than "
            "k8s.io/kubernetes"
        )


def _version_of(folder: Path, described: str, named: str) -> str:
    told = list(_told(folder, described))
    if named and told and not any(f"{named}.".startswith(f"{each}.") for each in told):
        raise UsageError(
            f"the checkout {folder} is of Kubernetes {' or '.join(told)}, not {named}: name no "
            "version with it"
        )
    if named or told:
        newest = max(told, key=minor, default="")
        return named or (newest if newest.count(".") > 1 else f"{newest}.0")
    raise UsageError(
        f"the version of {folder} is not known: no tag such as v1.30.0 can be reached from its "
        "commit, and its source does not have it (it does from 1.31 on); name the version, too, by "
        "--kubernetes or --kdelve-kubernetes"
    )


def _told(folder: Path, described: str) -> Iterator[str]:
    """Yield the version that the nearest tag tells, and the minor release that the source does.

    A fork may lack newer tags, and the source may lag behind that of the next release.
    """
    if tag := re.match(r"v(1\.\d+\.\d+)", described):
        yield tag[1]
    base = folder / _BASE
    if base.exists() and (found := _MINOR.search(base.read_text(encoding="utf-8"))):
        yield found[1]


def _git_version(described: str, *, dirty: bool) -> str:
    """Return "v1.37.2-3+0123456789abcd-dirty" for what git describes as "v1.37.2-3-g0123…"."""
    far = re.fullmatch(r"(.*)-(\d+)-g([0-9a-f]{14,})", described)
    if far:
        between = "." if "-" in far[1] else "-"
        described = f"{far[1]}{between}{far[2]}+{far[3]}"
    return f"{described}-dirty" if dirty else described


def _edited(folder: Path) -> Iterator[str]:
    answer = _git(folder, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all")
    for name in (entry[3:] for entry in answer.split("\0") if entry):
        parts = name.split("/")
        if parts[0] not in _NOT_BUILT and all(map(_counts, parts)):
            yield name


def _is_in_git(folder: Path) -> bool:
    """Whether it is the top of a git repository, and not within somebody else's."""
    if not (folder / ".git").exists():
        return False
    return Path(_git(folder, "rev-parse", "--show-toplevel").strip()).resolve() == folder


def _git(folder: Path, *arguments: str, may_fail: bool = False) -> str:
    argv = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    # The others may name another repository.
    others = {key: os.environ[key] for key in os.environ if not re.match(_GIT_OWN, key)}
    try:
        done = subprocess.run(
            argv,
            env=others,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_GIT_TIMEOUT,
            text=True,
            errors="backslashreplace",
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"git cannot tell the state of {folder}: {error}") from error
    if done.returncode and not may_fail:
        raise UsageError(f"git cannot tell the state of {folder}: {done.stderr.strip()}")
    return "" if done.returncode else done.stdout


def _digest(folder: Path) -> str:
    """Return a hash of the names, sizes and times of all files that can get into a binary.

    Of a link to a file, those of the file; what a link to a folder leads to, if that is outside,
    is not looked at.
    """
    found = hashlib.sha256()
    try:
        for entry in sorted(_files(folder), key=lambda entry: entry.path):
            with suppress(FileNotFoundError):  # It may have been an editor's, and gone again.
                status = entry.stat(follow_symlinks=not entry.is_dir())
                line = f"{entry.path}\0{status.st_size}\0{status.st_mtime_ns}\n"
                found.update(line.encode(errors="surrogateescape"))
    except OSError as error:
        raise UsageError(f"the checkout {folder} cannot be read: {error}") from error
    return found.hexdigest()[:16]


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    pending = [entry for entry in _entries(folder) if entry.name not in _NOT_BUILT]
    while pending:
        entry = pending.pop()
        if entry.is_dir(follow_symlinks=False):
            pending.extend(_entries(entry))
        else:
            yield entry


def _entries(folder: Path | os.DirEntry[str]) -> list[os.DirEntry[str]]:
    try:
        return [entry for entry in os.scandir(folder) if _counts(entry.name)]
    except FileNotFoundError:
        return []  # It has just been removed.


def _counts(name: str) -> bool:
    return not (name.startswith(_PASSED_OVER) or name.endswith("_test.go"))
