"""``kdelve up``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_kdelve.cli import versions
from pytest_kdelve.cli.kept import as_json
from pytest_kdelve.controlplane import build, kept
from pytest_kdelve.controlplane.kept import Wanted
from pytest_kdelve.controlplane.progress import for_stream
from pytest_kdelve.delve import Address

if TYPE_CHECKING:
    import argparse

_BINARIES = {"apiserver": "kube-apiserver", "dlv": "dlv", "etcd": "etcd"}


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "up",
        help="start an environment that stays, for pytest --kdelve-reuse, an IDE and Postman",
        description="Start etcd and a kube-apiserver under Delve, which stay until `kdelve down`. "
        "`pytest --kdelve-reuse` uses them if its options ask for the same.",
    )
    versions.add(parser)
    parser.add_argument("--listen", metavar="HOST:PORT", help="where dlv listens")
    for name, binary in _BINARIES.items():
        parser.add_argument(f"--{name}", metavar="PATH", help=f"use this {binary}")
    parser.add_argument(
        "--apiserver-arg",
        metavar="ARG",
        action="append",
        default=[],
        help="one more argument for the kube-apiserver; repeatable",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    versions.check_filled(options, ("listen", *_BINARIES))
    paths = {
        binary: getattr(options, name) or os.environ.get(f"KDELVE_{name.upper()}")
        for name, binary in _BINARIES.items()
    }
    given = {
        binary: str(Path(path).expanduser().absolute()) for binary, path in paths.items() if path
    }
    chosen, checkout = versions.read(options, given=given)
    wanted = Wanted.of(
        chosen,
        checkout=checkout,
        listen=str(Address.parse(options.listen)) if options.listen else "",
        given=given,
        apiserver_args=tuple(options.apiserver_arg),
    )
    started = kept.up(
        kept.DEFAULT_NAME, wanted, cache=build.cache_folder(), progress=for_stream(sys.stderr)
    )
    text = json.dumps(as_json(started), indent=2) if options.json else str(started)
    sys.stdout.write(f"{text}\n")
    return 0
