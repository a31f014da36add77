"""The binaries of a control plane: given, kept from an earlier build, or built now.

Everything lies in one cache folder::

    bin/NAME-VERSION-KEY/NAME            a binary; KEY is a hash of build.json
    bin/NAME-VERSION-KEY/build.json      what it was made from
    bin/NAME-checkout-KEY/               the same of a checkout; KEY is a hash of its folder
    bin/.partial-NAME-VERSION-KEY/       a build that is going on, or was killed
    locks/                               one lock file for each of them
    modules/kubernetes-VERSION/go.mod    what Kubernetes is built with
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import shutil
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec
import platformdirs

from pytest_kdelve.controlplane import golang, releases
from pytest_kdelve.controlplane.binaries import (
    KUBERNETES_MODULE,
    go_line,
    go_mod,
    go_of,
    kubernetes_go_mod,
    recipes,
)
from pytest_kdelve.controlplane.making import make_once
from pytest_kdelve.errors import BinaryError, BuildError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_kdelve.controlplane.binaries import Recipe
    from pytest_kdelve.controlplane.checkout import Checkout
    from pytest_kdelve.controlplane.golang import Go
    from pytest_kdelve.controlplane.progress import Progress
    from pytest_kdelve.controlplane.releases import Versions

_RECORD = "build.json"
#: A folder without a go.mod.
_ROOT = Path("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """Absolute paths of executable files."""

    dlv: Path
    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Workshop:
    """What one binary is built with."""

    cache: Path
    progress: Progress
    go: Go
    go_mod: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    """Where one binary is kept and built; ``title`` is unique to what it is made from."""

    cache: Path
    title: str
    name: str

    @property
    def lock(self) -> Path:
        return self.cache / "locks" / f"{self.title}.lock"

    @property
    def kept(self) -> Path:
        return self.cache / "bin" / self.title

    @property
    def binary(self) -> Path:
        return self.kept / self.name

    @property
    def partial(self) -> Path:
        return self.cache / "bin" / f".partial-{self.title}"

    @property
    def result(self) -> Path:
        """The folder that becomes ``kept`` once it is complete."""
        return self.partial / "result"


def cache_folder() -> Path:
    """Return the folder that KDELVE_CACHE names, or the one of this package in the user's cache."""
    given = os.environ.get("KDELVE_CACHE")
    return (
        Path(given).expanduser().absolute()
        if given
        else platformdirs.user_cache_path("pytest-kdelve")
    )


def ensure(
    versions: Versions,
    *,
    cache: Path,
    progress: Progress,
    given: Mapping[str, Path] = MappingProxyType({}),
    checkout: Checkout | None = None,
) -> Binaries:
    """Return the binaries of these versions, after building what is not in ``cache``.

    Those of Kubernetes are built from the ``checkout``, if there is one, and built again where
    what is kept of it is stale; of the controller-manager, edits do not count. ``given`` has paths
    by name ("dlv", "etcd", "kube-apiserver", "kube-controller-manager"); those are taken as they
    are. Where no Go that fits can be had, what one built earlier is taken.

    Raises ``BinaryError`` for a given path that is no executable file, and ``BuildError`` where Go
    is missing or fails.
    """
    names = (field.name.replace("_", "-") for field in fields(Binaries))
    paths = _ensure(tuple(names), recipes(versions, checkout), versions, cache, progress, given)
    return Binaries(**{name.replace("-", "_"): path for name, path in paths.items()})


def ensure_delve(
    versions: Versions,
    *,
    cache: Path,
    progress: Progress,
    given: Mapping[str, Path] = MappingProxyType({}),
) -> Path:
    """Return Delve alone; else as ``ensure``."""
    given = {name: path for name, path in given.items() if name == "dlv"}
    return _ensure(("dlv",), recipes(versions), versions, cache, progress, given)["dlv"]


def _ensure(
    names: Sequence[str],
    known: Sequence[Recipe],
    versions: Versions,
    cache: Path,
    progress: Progress,
    given: Mapping[str, Path],
) -> dict[str, Path]:
    paths = {name: checked(name, path) for name, path in given.items()}
    wanted = [recipe for recipe in known if recipe.name in names and recipe.name not in paths]
    try:
        return paths | _obtain(wanted, versions, cache=cache.absolute(), progress=progress)
    except OSError as error:
        raise BuildError(
            f"cannot build into {cache}: {error}; KDELVE_CACHE can name another folder"
        ) from error


def is_kept(binary: Path) -> bool:
    """Whether a file is a binary of the cache that ``cache_folder`` returns."""
    return binary.absolute().is_relative_to(cache_folder() / "bin")


def record(binary: Path) -> dict[str, Any]:
    """Return what a binary of this cache was made from: name, version, go, flags and more.

    Raises ``OSError`` and ``ValueError`` where that cannot be read.
    """
    text = binary.with_name(_RECORD).read_text(encoding="utf-8")
    contents: dict[str, Any] = json.loads(text)
    return contents


def kept(versions: Versions, *, cache: Path) -> Mapping[str, Sequence[str]]:
    """Return for each binary the versions of Go with which what is kept was built, latest first.

    Only files are looked at. Raises ``OSError`` and ``ValueError`` for what cannot be read.
    """
    return {
        recipe.name: [record(path)["go"] for path in _kept_of_any_go(recipe, versions, cache)]
        for recipe in recipes(versions)
    }


def checked(name: str, path: Path) -> Path:
    """Return the absolute path of a given binary; ``BinaryError`` if it cannot be run."""
    if path.is_file() and os.access(path, os.X_OK):
        return path.absolute()
    problem = "is not an executable file" if path.exists() else "does not exist"
    option = name.removeprefix("kube-")
    raise BinaryError(
        f"the given {name} {path} {problem}; correct the path (--kdelve-{option}, its ini twin or "
        f"KDELVE_{option.upper()}), or leave it out to have {name} built"
    )


def _obtain(
    wanted: Sequence[Recipe], versions: Versions, *, cache: Path, progress: Progress
) -> dict[str, Path]:
    here = {
        recipe.name: path
        for recipe in wanted
        for path in _kept_of_any_go(recipe, versions, cache)[:1]
    }
    # Whichever Go built etcd, it does the same; of Kubernetes it is what is read.
    to_build = [recipe for recipe in wanted if recipe.name not in here or recipe.is_of_kubernetes]
    try:
        # All of them before the first build, which takes minutes.
        workshops = _workshops(to_build, versions, cache, progress)
    except BuildError:
        if len(here) < len(wanted):
            raise
        return here
    built = {
        recipe.name: _kept_or_built(recipe, workshop)
        for recipe, workshop in zip(to_build, workshops, strict=True)
    }
    return here | built


def _workshops(
    recipes: Sequence[Recipe], versions: Versions, cache: Path, progress: Progress
) -> list[_Workshop]:
    find = functools.cache(golang.find)
    workshops = []
    for recipe in recipes:
        wanted = go_of(recipe, versions)
        if recipe.checkout:
            folder = Path(recipe.checkout.folder)
            oldest = go_line((folder / "go.mod").read_text(encoding="utf-8"))
            text, go = "", find(wanted, folder, oldest=oldest)
        elif recipe.is_of_kubernetes:
            file = cache / "modules" / f"kubernetes-{recipe.version}" / "go.mod"
            text = _kept_go_mod(file, recipe.version, cache=cache, progress=progress)
            go = find(wanted, file.parent, oldest=go_line(text))
        else:
            text, go = go_mod(recipe, go=wanted), find(wanted, _ROOT)
        workshops.append(_Workshop(cache=cache, progress=progress, go=go, go_mod=text))
    return workshops


def _kept_go_mod(file: Path, version: str, *, cache: Path, progress: Progress) -> str:
    def make() -> None:
        original = golang.own_go_mod(KUBERNETES_MODULE, f"v{version}")
        partial = file.with_suffix(".partial")
        partial.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(kubernetes_go_mod(original, version), encoding="utf-8")
        partial.replace(file)

    what = f"go.mod for Kubernetes {version}"
    lock = cache / "locks" / f"{file.parent.name}.lock"
    make_once(what, make, is_made=file.exists, lock=lock, progress=progress)
    return file.read_text(encoding="utf-8")


def _kept_of_any_go(recipe: Recipe, versions: Versions, cache: Path) -> list[Path]:
    """Return the kept binaries that were built like this one by a Go that fits, latest first."""
    found = {}
    for path in (cache / "bin").glob(f"{recipe.name}-{recipe.label}-*/{recipe.name}"):
        made_from = _made_from(path)
        go = str(made_from.get("go", ""))
        if made_from == _record(recipe, go) and _fits(recipe, go, versions):
            with suppress(FileNotFoundError):
                found[path] = path.stat().st_mtime
    return sorted(found, key=lambda path: found[path], reverse=True)


def _fits(recipe: Recipe, go: str, versions: Versions) -> bool:
    """Whether what this Go has built does the same as what would be built."""
    if recipe.is_of_kubernetes:
        return releases.is_of(go, versions.go)
    return recipe.name != "dlv" or versions.can_use(go)


def _made_from(binary: Path) -> dict[str, Any]:
    """Return the record; empty where it is damaged, or is being replaced at this moment."""
    try:
        return dict(record(binary))
    except (OSError, TypeError, ValueError):
        return {}


def _record(recipe: Recipe, go_version: str) -> dict[str, Any]:
    """Return all that decides what comes out of a build."""
    system = f"{sys.platform}/{platform.machine()}"
    made_from = asdict(recipe) | {"flags": list(recipe.flags)}
    checkout = made_from.pop("checkout")
    if checkout:
        made_from["checkout"] = msgspec.json.decode(msgspec.json.encode(checkout))
    return made_from | {"go": go_version, "system": system}


def _kept_or_built(recipe: Recipe, workshop: _Workshop) -> Path:
    made_from = _record(recipe, workshop.go.version)
    # Of a checkout, one build is kept: each edit would leave another one.
    text = recipe.checkout.folder if recipe.checkout else json.dumps(made_from, sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()[:12]
    title = f"{recipe.name}-{recipe.label}-{key}"
    places = _Places(cache=workshop.cache, title=title, name=recipe.name)

    def is_made() -> bool:
        return places.binary.exists() and _made_from(places.binary) == made_from

    make_once(
        f"{recipe.name} of {recipe.checkout}"
        if recipe.checkout
        else f"{recipe.name} {recipe.version}",
        lambda: _build(recipe, workshop, places),
        is_made=is_made,
        lock=places.lock,
        progress=workshop.progress,
    )
    return places.binary


def _build(recipe: Recipe, workshop: _Workshop, places: _Places) -> None:
    """Build in the partial folder, and move what is complete; the caller holds the lock."""
    _clear(places)
    began = time.time()
    try:
        places.result.mkdir(parents=True)
        if not recipe.checkout:
            (places.partial / "go.mod").write_text(workshop.go_mod, encoding="utf-8")
        golang.build(
            workshop.go,
            work=places.partial,
            checkout=Path(recipe.checkout.folder) if recipe.checkout else None,
            package=recipe.package,
            flags=recipe.flags,
            out=places.result / recipe.name,
            tick=workshop.progress.tick,
        )
        if recipe.checkout:
            # What was edited meanwhile may be in it or not, so it is to be newer than the binary.
            os.utime(places.result / recipe.name, (began, began))
        made_from = json.dumps(_record(recipe, workshop.go.version), indent=2) + "\n"
        (places.result / _RECORD).write_text(made_from, encoding="utf-8")
        shutil.rmtree(places.kept, ignore_errors=True)
        places.result.rename(places.kept)
    finally:
        _clear(places)


def _clear(places: _Places) -> None:
    """Remove what an interrupted build left, after ending what still works on it."""
    if places.partial.exists():
        golang.end_build(places.partial)
        shutil.rmtree(places.partial)
