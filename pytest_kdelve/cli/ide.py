"""``kdelve ide``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_kdelve.cli.kept import NAME_HELP
from pytest_kdelve.controlplane import endpoint, ide
from pytest_kdelve.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from pytest_kdelve.controlplane.endpoint import Endpoint

_SOURCES = (
    "The source that the debugger shows is in {folder}, and that of what is in staging/ in the "
    "folders of its modules, such as k8s.io/apiserver@…, beside it: set breakpoints there.\n"
)
_CHECKOUT = "Set breakpoints in this checkout, and keep it at {version}, so that lines agree.\n"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "ide",
        help="let VS Code or GoLand connect to the kept environment's dlv",
        description="Write a debug configuration that connects to the dlv of the environment that "
        "`kdelve up` keeps. To disconnect does not end the kube-apiserver, nor resume it: remove "
        "your breakpoints and continue first.",
    )
    kinds = parser.add_subparsers(metavar="IDE", required=True)
    for name, write, file in (
        ("vscode", _write_vscode, ".vscode/launch.json, for VS Code's Go extension"),
        ("goland", _write_goland, "a Go Remote configuration in .run, for GoLand"),
    ):
        kind = kinds.add_parser(name, help=f"write {file}", description=f"Write {file}.")
        kind.add_argument(
            "--output",
            metavar="DIR",
            type=Path,
            default=Path(),
            help="the folder that is open in the IDE (default: the current one)",
        )
        kind.add_argument("--name", default="", help=NAME_HELP)
        kind.set_defaults(run=_run, write=write)


def _run(options: argparse.Namespace) -> int:
    reached, folder = endpoint.running(options.name), options.output.absolute()
    if not folder.is_dir():
        raise UsageError(f"cannot write into {folder}: it is no folder; give another by --output")
    try:
        file, advice = options.write(folder, reached)
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot write into {folder}: {error}; give another folder by --output"
        raise UsageError(message) from error
    sys.stdout.write(f"{file}\n")
    compiled = ide.compiled_folder(reached.main_source)
    sys.stderr.write(advice.format(folder=compiled, version=reached.version))
    return 0


def _write_vscode(folder: Path, reached: Endpoint) -> tuple[Path, str]:
    paths = ide.substitutions(folder, reached.main_source)
    file = ide.write_vscode(folder, reached.dlv.reachable(), paths)
    return file, _CHECKOUT if paths else _SOURCES


def _write_goland(folder: Path, reached: Endpoint) -> tuple[Path, str]:
    return ide.write_goland(folder, reached.dlv.reachable()), _SOURCES
