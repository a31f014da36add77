"""What each binary is made from: its Go module, package, flags and generated go.mod."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_kdelve.controlplane import releases

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kdelve.controlplane.checkout import Checkout
    from pytest_kdelve.controlplane.releases import Versions

KUBERNETES_MODULE = "k8s.io/kubernetes"

_MODULE_LINE = "module kdelve.build"
#: From this Go on, releases have three numbers.
_THREE_NUMBERS = (1, 21)
_STAGING = "./staging/src/"
#: What the debugger needs: no optimisation, and debug information that is read without unpacking.
_DEBUGGABLE = "-gcflags=all=-N -l"
#: As in hack/lib/version.sh; /version of old releases is that of the first one.
_VERSION_PACKAGES = ("k8s.io/client-go/pkg/version", "k8s.io/component-base/version")
_UNPACKED_DWARF = "-compressdwarf=false"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one binary is built. ``version`` has no leading "v"; ``flags`` are those of go build.

    It is built from the ``checkout`` where there is one, else from its module.
    """

    name: str
    version: str
    module: str
    package: str
    flags: tuple[str, ...]
    checkout: Checkout | None = None

    @property
    def label(self) -> str:
        """Its version, or that it is of a checkout."""
        return "checkout" if self.checkout else self.version

    @property
    def is_of_kubernetes(self) -> bool:
        """Whether it comes from the module of Kubernetes itself."""
        return self.module == KUBERNETES_MODULE


def recipes(versions: Versions, checkout: Checkout | None = None) -> tuple[Recipe, ...]:
    """Return the four binaries' recipes, the one that takes longest first."""
    # It only fills a Secret, so it need not be built again after each edit.
    of_manager = checkout.without_state() if checkout else None
    return (
        _of_kubernetes("kube-apiserver", versions.kubernetes, checkout),
        _of_kubernetes("kube-controller-manager", versions.kubernetes, of_manager),
        Recipe(
            name="etcd",
            version=versions.etcd,
            module="go.etcd.io/etcd/server/v3",
            package="go.etcd.io/etcd/server/v3",
            flags=("-buildvcs=false", "-ldflags=-s -w"),
        ),
        Recipe(
            name="dlv",
            version=versions.delve,
            module="github.com/go-delve/delve",
            package="github.com/go-delve/delve/cmd/dlv",
            flags=("-buildvcs=false", "-ldflags=-s -w"),
        ),
    )


def _of_kubernetes(name: str, version: str, checkout: Checkout | None) -> Recipe:
    """Both binaries take the same flags, so that the second one reuses what was compiled."""
    major, minor, _patch = version.split(".")
    git_version = checkout.git_version if checkout else f"v{version}"
    variables = {"gitVersion": git_version, "gitMajor": major, "gitMinor": minor}
    linked = " ".join(
        f"-X {package}.{key}={value}"
        for package in _VERSION_PACKAGES
        for key, value in variables.items()
    )
    return Recipe(
        name=name,
        version=version,
        module=KUBERNETES_MODULE,
        package=f"{KUBERNETES_MODULE}/cmd/{name}",
        flags=("-buildvcs=false", _DEBUGGABLE, f"-ldflags={_UNPACKED_DWARF} {linked}"),
        checkout=checkout,
    )


def go_of(recipe: Recipe, versions: Versions) -> str:
    """Return the Go that builds it, "1.26" for any patch of it, or a certain one."""
    return {"etcd": versions.go_of_etcd, "dlv": versions.go_of_delve}.get(recipe.name, versions.go)


def go_mod(recipe: Recipe, *, go: str) -> str:
    """Return the go.mod to build a recipe with that is not of Kubernetes."""
    # From Go 1.21 on, "1.26" would be a language version from before the release 1.26.0.
    number = go if go.count(".") > 1 or releases.minor(go) < _THREE_NUMBERS else f"{go}.0"
    return f"{_MODULE_LINE}\n\ngo {number}\n\nrequire {recipe.module} v{recipe.version}\n"


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
    """Return the Go version that a go.mod asks for, such as "1.26.0"; empty where it does not."""
    return next((rest for verb, rest in _directives(text) if verb == "go"), "")


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
