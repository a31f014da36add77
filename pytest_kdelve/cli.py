"""The command ``kdelve``.

Exit codes: 0 done, 1 it failed, 2 it was asked for in a wrong way, 130 Ctrl-C, 143 SIGTERM.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from pytest_kdelve.controlplane import build
from pytest_kdelve.controlplane.progress import for_stream
from pytest_kdelve.errors import KdelveError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

_FAILED, _WRONG_USAGE = 1, 2
_INTERRUPTED, _TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; ``argv`` is without the program's name.

    Wrong arguments and SIGTERM raise ``SystemExit``.
    """
    options = _parser().parse_args(argv)
    try:
        with _exit_on_sigterm():
            _build(options)
    except KdelveError as error:
        sys.stderr.write(f"kdelve: {error}\n")
        return _WRONG_USAGE if isinstance(error, UsageError) else _FAILED
    except KeyboardInterrupt:
        sys.stderr.write("kdelve: interrupted\n")
        return _INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kdelve", description="Run a real kube-apiserver under Delve."
    )
    number = version("pytest-kdelve")
    parser.add_argument("--version", action="version", version=f"%(prog)s {number}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    build_parser = commands.add_parser(
        "build",
        help="build and keep the binaries of a control plane, and show where they are",
        description="Build Delve, etcd, kube-apiserver and kube-controller-manager from their Go "
        "modules, and keep them. What is kept already is not built again.",
    )
    build_parser.add_argument(
        "--kubernetes",
        metavar="VERSION",
        default=build.DEFAULT_KUBERNETES,
        help="which Kubernetes (default: %(default)s)",
    )
    build_parser.add_argument("--json", action="store_true", help="print a JSON object")
    return parser


def _build(options: argparse.Namespace) -> None:
    binaries = build.ensure(
        options.kubernetes, cache=build.cache_folder(), progress=for_stream(sys.stderr)
    )
    rows = [build.record(path) | {"path": str(path)} for path in asdict(binaries).values()]
    sys.stdout.write((_as_json(rows) if options.json else _as_lines(rows)) + "\n")


def _as_json(rows: list[dict[str, Any]]) -> str:
    return json.dumps({row.pop("name"): row for row in rows}, indent=2)


def _as_lines(rows: list[dict[str, Any]]) -> str:
    return "\n".join(f"{row['name']:<24} {row['version']:<8} {row['path']}" for row in rows)


@contextmanager
def _exit_on_sigterm() -> Iterator[None]:
    """Leave by an exception on SIGTERM, so that what was begun is undone; once only."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.exit(_TERMINATED)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
