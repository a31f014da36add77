"""What a Go program was built from, and what of it the debugger can tell.

Everything is asked of Delve, so it is the same for a program on another machine.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_kdelve.delve import api
from pytest_kdelve.delve.optimised import is_optimised
from pytest_kdelve.delve.versions import go_number
from pytest_kdelve.errors import BinaryError, RPCError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_kdelve.delve.client import Client

#: What builds a program of which Delve can tell everything.
REMEDY = "build it with `go build -gcflags='all=-N -l'` and without `-ldflags=-s` or `-w`"
#: The text that Go's linker puts into each program (``runtime/debug/mod.go``), between markers.
_BUILD_INFO = "runtime.modinfo"
#: Of a program with 300 modules it is 25 KB.
_WHOLE_TEXT = api.LoadConfig(max_string_len=1024 * 1024)
#: The version of what is taken from a folder.
_OF_A_FOLDER = frozenset({"", "(devel)"})
#: A file that every Go program has.
_EVERYWHERE = r"(^|/)runtime/proc\.go$"


@dataclass(frozen=True, slots=True)
class Module:
    """A Go module, such as ("k8s.io/api", "v0.37.2"), and what was taken in its place."""

    path: str
    version: str
    replaced_by: Module | None = None

    def __str__(self) -> str:
        text = f"{self.path} {self.version}".strip()
        return f"{text} => {self.replaced_by}" if self.replaced_by else text


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildInfo:
    """What ``go version -m`` says of a program; all is empty where it was built without modules.

    ``modules`` has the module of the main package first. ``settings`` are such as ``-gcflags``,
    ``-trimpath`` and ``vcs.revision``; there are none before Go 1.18.
    """

    package: str = ""
    modules: tuple[Module, ...] = ()
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def parse(cls, text: str) -> BuildInfo:
        """Read the text of a program; passes over what it does not know."""
        package = ""
        modules: list[Module] = []
        settings: dict[str, str] = {}
        for line in text.split("\n"):
            verb, _, rest = line.partition("\t")
            if verb == "path":
                package = rest
            elif verb in {"mod", "dep"}:
                modules.append(_module(rest))
            elif verb == "=>" and modules:
                old = modules.pop()
                modules.append(Module(old.path, old.version, _module(rest)))
            elif verb == "build":
                settings.update(_setting(rest))
        return cls(package=package, modules=tuple(modules), settings=MappingProxyType(settings))

    def module(self, path: str) -> Module | None:
        """Return the module of this path, None where the program has none."""
        return next((each for each in self.modules if each.path == path), None)

    @property
    def is_editable(self) -> bool:
        """Whether it was built in a folder of its source, and not from a version of a module."""
        main = next(iter(self.modules), None)
        return bool(main and (main.version in _OF_A_FOLDER or "vcs.revision" in self.settings))

    @property
    def replacements(self) -> Mapping[str, str]:
        """What was taken in place of which "module@version": another such, or a folder.

        With ``-trimpath``, a file has the name of the module that was replaced.
        """
        return {
            f"{each.path}@{each.version}": other.path
            if other.version in _OF_A_FOLDER
            else f"{other.path}@{other.version}"
            for each in self.modules
            if (other := each.replaced_by)
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What was found out of a program.

    ``go_version`` is such as "1.26.8". ``optimised`` and ``debuggable`` are the functions that
    were looked at, by how they were compiled. ``is_trimmed`` is whether paths are without the
    folders of the machine where it was built (``-trimpath``).
    """

    go_version: str
    build: BuildInfo
    optimised: tuple[str, ...]
    debuggable: tuple[str, ...]
    is_trimmed: bool


def inspect(client: Client, program: str, functions: Iterable[str]) -> Inspection:
    """Look at a stopped program; ``functions`` are full names, of packages that may differ.

    One that the program lacks is passed over. Raises ``BinaryError`` for a program without debug
    information, of which Delve knows functions, but no variables and types.
    """
    version = client.get_version().target_go_version
    if not version:
        raise BinaryError(
            f"{program} has no debug information of Go: it is stripped, or no Go program; {REMEDY}"
        )
    compiled = dict(_compiled(client, functions))
    return Inspection(
        go_version=go_number(version),
        build=build_info(client),
        optimised=tuple(name for name, is_fast in compiled.items() if is_fast),
        debuggable=tuple(name for name, is_fast in compiled.items() if not is_fast),
        is_trimmed=any(not path.startswith("/") for path in client.list_sources(_EVERYWHERE)),
    )


def _compiled(client: Client, functions: Iterable[str]) -> Iterator[tuple[str, bool]]:
    for name in functions:
        try:
            yield name, any(map(is_optimised, client.find_location(name)))
        except RPCError:
            continue


def build_info(client: Client) -> BuildInfo:
    """Return what a stopped program says of its build; empty where it says nothing."""
    try:
        text = client.eval(_BUILD_INFO, api.EvalScope(), _WHOLE_TEXT).value
    except RPCError:
        return BuildInfo()
    # The markers around it are no text, so that Delve may have sent any number of characters.
    _, begin, rest = text.partition("path\t")
    return BuildInfo.parse(f"{begin}{rest}")


def _module(fields: str) -> Module:
    path, version, *_sum = [*fields.split("\t"), ""]
    return Module(path, version)


def _setting(text: str) -> dict[str, str]:
    key, _, value = text.partition("=")
    # Go quotes as Python does.
    return {key: str(ast.literal_eval(value)) if value.startswith('"') else value}
