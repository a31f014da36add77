"""What Delve's own source says of its API, read from its Go module."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

from tests.delve import toolchains

DELVE_MODULE = "github.com/go-delve/delve"
_STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_METHOD = re.compile(r"^func \(\w+ \*RPCServer\) ([A-Z]\w*)\(", re.MULTILINE)
_FIELD = re.compile(r"(?P<names>\w+(?:, \w+)*)\s+(?P<type>[^\s`]+)")
_TAG = re.compile(r'json:"([^",]+)')
_EMBEDDED = re.compile(r"\*?(?:api\.)?(\w+)")
_COMMAND = re.compile(r'^\t\w+ = "(\w+)"$', re.MULTILINE)


@cache
def folder(version: str) -> Path:
    """Return the folder of a version of Delve in the Go module cache."""
    answer = toolchains.go("mod", "download", "-json", f"{DELVE_MODULE}@v{version}")
    return Path(json.loads(answer)["Dir"])


@cache
def go_range(version: str) -> tuple[tuple[int, int], ...]:
    """Return the oldest and the newest Go whose programs it debugs, and that of its go.mod."""
    source = (folder(version) / "pkg/goversion/compat.go").read_text(encoding="utf-8")
    numbers = dict(re.findall(r"(M\w+SupportedVersionOfGo\w+)\s*=\s*(\d+)", source))
    minors = (int(numbers[f"{end}SupportedVersionOfGoMinor"]) for end in ("Min", "Max"))
    assert {numbers[f"{end}SupportedVersionOfGoMajor"] for end in ("Min", "Max")} == {"1"}
    line = re.search(r"^go 1\.(\d+)", (folder(version) / "go.mod").read_text(), re.MULTILINE)
    assert line
    return (*((1, minor) for minor in minors), (1, int(line[1])))


@cache
def methods(version: str) -> frozenset[str]:
    """Return the RPCs that a client may call."""
    files = ("service/rpc2/server.go", "service/rpccommon/server.go")
    return frozenset(name for file in files for name in _METHOD.findall(_text(version, file)))


@cache
def structs(version: str) -> dict[str, frozenset[str]]:
    """Return the names of each type's fields in JSON, with those of the types that it embeds."""
    files = ("service/api/types.go", "service/rpc2/server.go")
    bodies = {name: body for file in files for name, body in _STRUCT.findall(_text(version, file))}
    return {name: frozenset(_fields(name, bodies)) for name in bodies}


def commands(version: str) -> frozenset[str]:
    """Return the names that a DebuggerCommand may have."""
    return frozenset(_COMMAND.findall(_text(version, "service/api/types.go")))


def _text(version: str, file: str) -> str:
    return (folder(version) / file).read_text(encoding="utf-8")


def _fields(struct: str, bodies: dict[str, str]) -> list[str]:
    found = []
    for line in bodies[struct].splitlines():
        code = line.partition("//")[0].strip()
        tag = _TAG.search(line)
        if embedded := _EMBEDDED.fullmatch(code):
            found += _fields(embedded[1], bodies)
        elif field := _FIELD.match(code):
            found += [tag[1]] if tag else field["names"].split(", ")
    return [name for name in found if name != "-"]
