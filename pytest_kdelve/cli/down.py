"""``kdelve down``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pytest_kdelve.controlplane import kept
from pytest_kdelve.controlplane.reaping import reap
from pytest_kdelve.errors import ProcessError, UsageError

if TYPE_CHECKING:
    import argparse


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "down",
        help="end the environments that are kept",
        description="End the environments that are kept, and what runs that were killed have left "
        "behind. What somebody else started is not touched.",
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help="only these (default: all)")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    found = {each.name: each for each in kept.find_all()}
    if unknown := [name for name in options.names if name not in found]:
        raise UsageError(
            f"no environment {' or '.join(unknown)} is kept; there is {', '.join(found) or 'none'}"
        )
    if not found:
        sys.stdout.write("no environment is kept\n")
    for name in options.names or found:
        kept.down(found[name])
        sys.stdout.write(f"{name}: ended\n")
    if problems := reap():
        raise ProcessError("not all could be undone:\n  " + "\n  ".join(problems))
    return 0
