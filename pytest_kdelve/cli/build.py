"""``kdelve build``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pytest_kdelve.cli import versions
from pytest_kdelve.controlplane import build, kept
from pytest_kdelve.controlplane.progress import for_stream

if TYPE_CHECKING:
    import argparse


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "build",
        help="build and keep the binaries of a control plane, and show where they are",
        description="Build Delve, etcd, kube-apiserver and kube-controller-manager from their Go "
        "modules, and keep them. What is kept already is not built again, unless it is of a "
        "checkout that was edited since.",
    )
    versions.add(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    chosen, checkout = versions.read(options)
    binaries = build.ensure(
        chosen, cache=build.cache_folder(), progress=for_stream(sys.stderr), checkout=checkout
    )
    rows = [build.record(path) | {"path": str(path)} for path in asdict(binaries).values()]
    lines = [_as_json(rows)] if options.json else [*_as_lines(rows), *kept.notes_on(checkout)]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _as_json(rows: list[dict[str, Any]]) -> str:
    return json.dumps({row.pop("name"): row for row in rows}, indent=2)


def _as_lines(rows: list[dict[str, Any]]) -> list[str]:
    return [f"{row['name']:<24} {_version(row):<8} {row['path']}" for row in rows]


def _version(row: dict[str, Any]) -> str:
    checkout = row.get("checkout")
    version: str = checkout["git_version"].removeprefix("v") if checkout else row["version"]
    return version
