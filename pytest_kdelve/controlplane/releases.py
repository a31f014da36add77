"""Which Go and which Delve a release of Kubernetes is built and debugged with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_kdelve.delve import versions
from pytest_kdelve.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from pytest_kdelve.delve.versions import Minor

DEFAULT_KUBERNETES = "1.37.2"
DELVE_VERSION = "1.27.2"
ETCD_VERSION = "3.7.3"
#: The go line of the go.mod of this etcd's server module.
_ETCD_GO: Minor = (1, 26)

#: A release with its patch, such as (1, 24, 10).
Patch = tuple[int, int, int]

#: The Go from which release on: the one that 1.N.0 was released with, as ``.go-version`` in its
#: module says, and before 1.27 its build/dependencies.yaml. Later patches may have moved on to a
#: newer one, which only 1.24.10 needs: so says the go line of its go.mod.
GO_OF_KUBERNETES: Mapping[Patch, Minor] = MappingProxyType(
    {
        (1, 24, 0): (1, 18),
        (1, 24, 10): (1, 19),
        (1, 25, 0): (1, 19),
        (1, 26, 0): (1, 19),
        (1, 27, 0): (1, 20),
        (1, 28, 0): (1, 20),
        (1, 29, 0): (1, 21),
        (1, 30, 0): (1, 22),
        (1, 31, 0): (1, 22),
        (1, 32, 0): (1, 23),
        (1, 33, 0): (1, 24),
        (1, 34, 0): (1, 24),
        (1, 35, 0): (1, 25),
        (1, 36, 0): (1, 26),
        (1, 37, 0): (1, 26),
    }
)
#: What is fetched of a Go that is not here: the newest patch when this was written, and of 1.18
#: the one that all tests of the Delve client run with.
_PATCHES: Mapping[Minor, str] = MappingProxyType(
    {
        (1, 18): "1.18.2",
        (1, 19): "1.19.13",
        (1, 20): "1.20.14",
        (1, 21): "1.21.13",
        (1, 22): "1.22.12",
        (1, 23): "1.23.12",
        (1, 24): "1.24.13",
        (1, 25): "1.25.12",
        (1, 26): "1.26.10",
        (1, 27): "1.27.4",
    }
)
#: The Delves that all tests of the Delve client run with; they come before others that fit.
_TESTED = (DELVE_VERSION, versions.OLDEST_DELVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """What a control plane is built from, none of it with a leading "v" or "go".

    ``go`` is "1.26" for any patch of it, or a certain one such as "1.26.8". ``delve`` is empty
    where a dlv is given, or where it depends on a kube-apiserver that is given, of which
    ``given_go`` is the Go; that is empty for what is built here, or not known.
    """

    kubernetes: str
    go: str
    delve: str
    etcd: str = ETCD_VERSION
    given_go: str = ""

    @property
    def go_of_delve(self) -> str:
        """The Go that builds Delve: that of Kubernetes, or the nearest that Delve goes with.

        It is not older than that of a kube-apiserver that is given.
        """
        row = versions.debugs(versions.numbers(self.delve))
        given = dotted(minor(self.given_go)) if self.given_go else self.go
        go = max(self.go, given, key=minor)
        return _between(go, row.builder, row.newest) if row else go

    def can_use(self, dlv_go: str) -> bool:
        """Whether a dlv that this Go has built debugs the kube-apiserver."""
        is_new = minor(self.given_go or self.go) >= versions.NEW_DWARF
        return not is_new or minor(dlv_go) >= versions.NEW_DWARF

    @property
    def go_of_etcd(self) -> str:
        """The Go that builds etcd: that of Kubernetes, unless etcd needs a newer one."""
        return _between(self.go, _ETCD_GO, None)


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody names of versions, as text; empty is for us to choose."""

    kubernetes: str = ""
    go: str = ""
    delve: str = ""

    def choose(self, *, default: str = DEFAULT_KUBERNETES, given: Collection[str] = ()) -> Versions:
        """Return what ``choose`` makes of them; ``default`` is a version of Kubernetes."""
        return choose(self.kubernetes or default, go=self.go, delve=self.delve, given=given)


def choose(
    kubernetes: str = DEFAULT_KUBERNETES,
    *,
    go: str = "",
    delve: str = "",
    given: Collection[str] = (),
) -> Versions:
    """Return versions that fit each other; what is empty is chosen.

    ``given`` has the names of binaries that are not built: with a kube-apiserver, whether Delve
    fits is for ``delve_of``. Nothing is asked or fetched. Raises ``UsageError`` for what is no
    version or not known, and for versions that do not fit.
    """
    version = parse_kubernetes_version(kubernetes)
    released = _go_of(version, go)
    chosen = parse_go(go) if go else dotted(released)
    if minor(chosen) < released:
        raise UsageError(
            f"Kubernetes {version} cannot be built by Go {chosen}: it was released with Go "
            f"{dotted(released)}; name that or a newer one, or none"
        )
    delve = _parse("Delve", delve) if delve else ""
    if delve and "dlv" in given:
        raise UsageError(f"a dlv is given, so it cannot be Delve {delve} as well: name one of both")
    if not {"dlv", "kube-apiserver"} & {*given}:
        delve = delve or delve_for(chosen)
        _check_fit(delve, chosen, f"Kubernetes {version} is to be built by Go {chosen}")
    return Versions(kubernetes=version, go=chosen, delve=delve)


def delve_of(binary: Path, go: str, *, delve: str = "") -> str:
    """Return the Delve for a binary that this Go has built, such as "1.26.8"; else as ``choose``.

    Where the Go is empty, since it is not known, it is taken for that of ``DEFAULT_KUBERNETES``.
    """
    go = go or choose().go
    delve = delve or delve_for(go)
    _check_fit(delve, go, f"{binary} was built by Go {go}")
    return delve


def delve_for(go: str) -> str:
    """Return the Delve to debug programs of this Go with; ``UsageError`` if none is known."""
    wanted = minor(go)
    for delve in _TESTED:
        row = versions.debugs(versions.numbers(delve))
        if row and row.oldest <= wanted <= row.newest:
            return delve
    for row in reversed(versions.GO):
        if row.oldest <= wanted <= row.newest and row.builder <= wanted:
            return row.last
    oldest, newest = versions.GO[0], versions.GO[-1]
    raise UsageError(
        f"no Delve is known that debugs programs of Go {go}: Delve {oldest.first} begins with Go "
        f"{dotted(oldest.oldest)}, and Delve {newest.last} ends with Go {dotted(newest.newest)}; "
        "name another Go, or a newer Delve"
    )


def toolchain(go: str) -> str:
    """Return the toolchain to fetch for "1.26" or "1.26.8", such as "go1.26.8"."""
    if go.count(".") > 1:
        return f"go{go}"
    return f"go{_PATCHES.get(minor(go), f'{go}.0')}"


def is_of(version: str, go: str) -> bool:
    """Whether a toolchain's version, such as "1.26.8", is the wanted Go, "1.26" or "1.26.8"."""
    wanted = versions.numbers(go)
    return versions.numbers(version)[: len(wanted)] == wanted


def parse_kubernetes_version(text: str) -> str:
    """Return "1.37.2" for that and for "v1.37.2"; anything else is a ``UsageError``."""
    return _parse("Kubernetes", text)


def parse_go(text: str) -> str:
    """Return "1.26" or "1.26.8", also for "go1.26.8"; anything else is a ``UsageError``."""
    match = re.fullmatch(r"(?:go)?([0-9]+\.[0-9]+(?:\.[0-9]+)?)", text)
    if match is None:
        raise UsageError(
            f"{text!r} is no Go version; write 1.26 for any patch of it, or all three numbers"
        )
    return match[1]


def minor(version: str) -> Minor:
    """Return "1.26.8" and "1.26" as (1, 26)."""
    first, second, *_ = versions.numbers(version)
    return first, second


def dotted(numbers: tuple[int, ...]) -> str:
    """Return (1, 26) as "1.26"."""
    return ".".join(map(str, numbers))


def _go_of(kubernetes: str, go: str) -> Minor:
    release = versions.numbers(kubernetes)
    oldest, newest = min(GO_OF_KUBERNETES), max(GO_OF_KUBERNETES)
    if release < oldest:
        raise UsageError(
            f"Kubernetes {kubernetes} is too old: {dotted(oldest)} is the oldest that is built "
            "and debugged here"
        )
    if release[:2] > newest[:2] and not go:
        raise UsageError(
            f"Kubernetes {kubernetes} is newer than this release of pytest-kdelve knows (to "
            f"{dotted(newest[:2])}): name the Go that it was released with, too (--go, --kdelve-go)"
        )
    return GO_OF_KUBERNETES[max(first for first in GO_OF_KUBERNETES if first <= release)]


def _check_fit(delve: str, go: str, what: str) -> None:
    """Raise ``UsageError`` for a Delve that is known not to debug what this Go builds."""
    if versions.numbers(delve) < versions.numbers(versions.OLDEST_DELVE):
        raise UsageError(
            f"Delve {delve} is too old: {versions.OLDEST_DELVE} is the oldest that is supported"
        )
    row = versions.debugs(versions.numbers(delve))
    if row and not row.oldest <= minor(go) <= row.newest:
        raise UsageError(
            f"Delve {delve} debugs programs of Go {dotted(row.oldest)} to {dotted(row.newest)}, "
            f"and {what}; name no Delve to have one that fits ({delve_for(go)})"
        )


def _parse(what: str, text: str) -> str:
    match = re.fullmatch(r"v?((?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*)){2})", text)
    if match is None:
        example = {"Kubernetes": DEFAULT_KUBERNETES, "Delve": DELVE_VERSION}[what]
        raise UsageError(
            f"{text!r} is no {what} version; write all three numbers, such as {example} or "
            f"v{example}"
        )
    return match[1]


def _between(go: str, oldest: Minor, newest: Minor | None) -> str:
    if newest and minor(go) > newest:
        return dotted(newest)
    return go if minor(go) >= oldest else dotted(oldest)
