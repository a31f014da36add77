"""What each binary is made from: its Go module, package, flags and generated go.mod."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_kdelve.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

KUBERNETES_MODULE = "k8s.io/kubernetes"

_MODULE_LINE = "module kdelve.build"
_STAGING = "./staging/src/"
#: What the debugger needs: no optimisation, and debug information that is read without unpacking.
_DEBUGGABLE = "-gcflags=all=-N -l"
_UNPACKED_DWARF = "-compressdwarf=false"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one binary is built. ``version`` has no leading "v"; ``flags`` are those of go build."""

    name: str
    version: str
    module: str
    package: str
    flags: tuple[str, ...]


def parse_kubernetes_version(text: str) -> str:
    """Return ``1.37.2`` for "1.37.2" and for "v1.37.2"; anything else is a ``UsageError``."""
    match = re.fullmatch(r"v?([0-9]+\.[0-9]+\.[0-9]+)", text)
    if match is None:
        raise UsageError(
            f"{text!r} is no Kubernetes version; write all three numbers, such as 1.37.2 or v1.37.2"
        )
    return match[1]


def recipes(*, kubernetes: str, etcd: str, delve: str) -> tuple[Recipe, ...]:
    """Return the four binaries' recipes, the one that takes longest first."""
    return (
        _of_kubernetes("kube-apiserver", kubernetes),
        _of_kubernetes("kube-controller-manager", kubernetes),
        Recipe(
            name="etcd",
            version=etcd,
            module="go.etcd.io/etcd/server/v3",
            package="go.etcd.io/etcd/server/v3",
            flags=("-buildvcs=false", "-ldflags=-s -w"),
        ),
        Recipe(
            name="dlv",
            version=delve,
            module="github.com/go-delve/delve",
            package="github.com/go-delve/delve/cmd/dlv",
            flags=("-buildvcs=false", "-ldflags=-s -w"),
        ),
    )


def _of_kubernetes(name: str, version: str) -> Recipe:
    """Both binaries take the same flags, so that the second one reuses what was compiled."""
    major, minor, _patch = version.split(".")
    variables = {"gitVersion": f"v{version}", "gitMajor": major, "gitMinor": minor}
    linked = " ".join(
        f"-X k8s.io/component-base/version.{key}={value}" for key, value in variables.items()
    )
    return Recipe(
        name=name,
        version=version,
        module=KUBERNETES_MODULE,
        package=f"{KUBERNETES_MODULE}/cmd/{name}",
        flags=("-buildvcs=false", _DEBUGGABLE, f"-ldflags={_UNPACKED_DWARF} {linked}"),
    )


def go_mod(recipe: Recipe, kubernetes: str) -> str:
    """Return the go.mod to build a recipe with; ``kubernetes`` is that of ``kubernetes_go_mod``.

    All binaries are built for one Go language version, hence by one toolchain.
    """
    if recipe.module == KUBERNETES_MODULE:
        return kubernetes
    return "\n\n".join(
        [
            _MODULE_LINE,
            f"go {go_line(kubernetes)}",
            f"require {recipe.module} v{recipe.version}\n",
        ]
    )


def kubernetes_go_mod(original: str, version: str) -> str:
    """Return a go.mod that requires Kubernetes from the modules that its release consists of.

    ``original`` is the text of k8s.io/kubernetes' own go.mod. Its replacements by a folder of its
    own repository become the module of the same name, which is released as v0.MINOR.PATCH.
    """
    staged = "v0." + version.partition(".")[2]
    kept, replaced = [], []
    for verb, rest in _directives(original):
        if verb in {"go", "godebug"}:
            kept.append(f"{verb} {rest}")
        elif verb == "replace":
            replaced += [f"replace {line}" for line in _replacement(rest, staged)]
    lines = [_MODULE_LINE, *kept, f"require {KUBERNETES_MODULE} v{version}", *replaced]
    return "\n".join(lines) + "\n"


def go_line(text: str) -> str:
    """Return the Go version that a go.mod asks for, such as "1.26.0"."""
    return next(rest for verb, rest in _directives(text) if verb == "go")


def _replacement(line: str, staged: str) -> list[str]:
    """Return the replacement to write instead, or none for a folder outside of the module."""
    old, _, new = (part.strip() for part in line.partition("=>"))
    if new.startswith(_STAGING):
        return [f"{old} => {new.removeprefix(_STAGING)} {staged}"]
    has_version = len(new.split()) == 2  # noqa: PLR2004 - "path version"
    return [f"{old} => {new}"] if has_version else []


def _directives(text: str) -> Iterator[tuple[str, str]]:
    """Yield the lines of a go.mod as (verb, rest); in a block, the verb is that of the block."""
    block = ""
    for raw in text.splitlines():
        line = raw.partition("//")[0].strip()
        if line == ")":
            block = ""
        elif line.endswith("("):
            block = line.removesuffix("(").strip()
        elif line:
            verb, _, rest = f"{block} {line}".strip().partition(" ")
            yield verb, rest.strip()
