"""``kdelve status``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from pytest_kdelve.cli.kept import as_json
from pytest_kdelve.controlplane import kept

if TYPE_CHECKING:
    import argparse


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "status",
        help="show the environments that are kept, and how to reach them",
        description="Show the environments that are kept, and how to reach them. The exit code is "
        "1 where there is none, or where one is of no use any more.",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    found = kept.find_all()
    if options.json:
        text = json.dumps({each.name: as_json(each) for each in found}, indent=2)
    else:
        text = "\n".join(map(str, found)) or "no environment is kept; `kdelve up` starts one"
    sys.stdout.write(f"{text}\n")
    return 0 if found and not any(each.problem() for each in found) else 1
