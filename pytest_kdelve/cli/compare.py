"""``kdelve compare``."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from pytest_kdelve.cli import pytest_runs
from pytest_kdelve.controlplane import releases
from pytest_kdelve.errors import UsageError
from pytest_kdelve.report.comparison import as_json, compare
from pytest_kdelve.report.side_by_side import render

if TYPE_CHECKING:
    from pytest_kdelve.report.comparison import Comparison

_VERSION = "--kdelve-kubernetes"
_OWN_OPTIONS = ("--json", "--verbose")
#: Columns where there is no terminal, such as in the log of a CI job.
_COLUMNS = 140


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "compare",
        usage="%(prog)s [-h] [--json] [-v] OLD NEW [PYTEST ARGUMENT ...]",
        help="run reading tests on two versions of Kubernetes, and show what differs",
        description="Run pytest with one version of Kubernetes, then with another, and show side "
        "by side which places moved, which values changed and which are gone. What pytest prints "
        "goes to stderr. The exit code is 0 if nothing differs, 1 if something does, and 2 if the "
        "tests could not be run.",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="list what is the same, too; cut nothing"
    )
    parser.add_argument("old", metavar="OLD", help="a version such as 1.36.5")
    parser.add_argument("new", metavar="NEW", help="the version to compare it with")
    arguments = parser.add_argument(
        "arguments",
        metavar="PYTEST ARGUMENT",
        nargs=argparse.REMAINDER,
        help="files, folders and options for pytest, as in examples -k admission; without any, "
        "it finds the tests by its own settings",
    )
    arguments.required = False  # What is missing is OLD or NEW.
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    old, new = (releases.choose(text).kubernetes for text in (options.old, options.new))
    for option in _OWN_OPTIONS:
        if option in options.arguments:
            raise UsageError(
                f"{option} stands before the versions: kdelve compare {option} {old} {new} ...; "
                "what follows them is for pytest"
            )
    if any(argument.partition("=")[0] == _VERSION for argument in options.arguments):
        raise UsageError(f"{_VERSION}: the versions are {old} and {new}, before it; take it away")
    with tempfile.TemporaryDirectory(prefix="kdelve-compare-") as folder:
        runs = [
            pytest_runs.run(version, options.arguments, Path(folder) / f"{number}.json")
            for number, version in enumerate((old, new))
        ]
    comparison = compare(old, runs[0], new, runs[1])
    _print(comparison, as_object=options.json, is_verbose=options.verbose)
    return int(comparison.differs)


def _print(comparison: Comparison, *, as_object: bool, is_verbose: bool) -> None:
    if as_object:
        sys.stdout.write(json.dumps(as_json(comparison), indent=2, ensure_ascii=False) + "\n")
        return
    columns = shutil.get_terminal_size((_COLUMNS, 0)).columns
    console = Console(file=sys.stdout, width=columns, highlight=False, markup=False)
    with console.capture() as captured:
        for each in render(comparison, is_verbose=is_verbose):
            console.print(each)
    lines = captured.get().splitlines()
    # Columns are filled up with spaces, the last one, too.
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in lines))
