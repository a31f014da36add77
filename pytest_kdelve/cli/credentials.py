"""``kdelve credentials``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_kdelve.cli.kept import NAME_HELP
from pytest_kdelve.controlplane import clients, endpoint
from pytest_kdelve.errors import UsageError

if TYPE_CHECKING:
    import argparse

_CLIENTS = {
    "kubeconfig": (clients.write_kubeconfig, "a kubeconfig, for kubectl and all that read one"),
    "curl": (clients.write_curl, "a file for curl's --config"),
    "postman": (clients.write_postman, "a collection and an environment for Postman and newman"),
}


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "credentials",
        help="write files with which kubectl, curl or Postman reach the kept kube-apiserver",
        description="Write the token and the CA of the environment that `kdelve up` keeps for a "
        "client, into files that only you can read. What is printed is a command that uses them.",
    )
    kinds = parser.add_subparsers(metavar="CLIENT", required=True)
    for name, (write, text) in _CLIENTS.items():
        client = kinds.add_parser(name, help=text, description=f"Write {text}.")
        client.add_argument(
            "--output",
            metavar="DIR",
            type=Path,
            help="write there (default: the environment's folder, which `kdelve down` removes)",
        )
        client.add_argument("--name", default="", help=NAME_HELP)
        client.set_defaults(run=_run, write=write)


def _run(options: argparse.Namespace) -> int:
    reached = endpoint.running(options.name)
    folder = (options.output or reached.folder).absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        written = options.write(folder, url=reached.url, ca=reached.ca_file, token=reached.token)
    except OSError as error:
        message = f"cannot write into {folder}: {error}; give another folder by --output"
        raise UsageError(message) from error
    for file in written.files:
        sys.stderr.write(f"wrote {file}\n")
    sys.stdout.write(f"{written.command}\n")
    return 0
