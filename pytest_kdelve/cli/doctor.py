"""``kdelve doctor``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from pytest_kdelve.controlplane import doctor
from pytest_kdelve.controlplane.doctor import State
from pytest_kdelve.delve import Address
from pytest_kdelve.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from pytest_kdelve.controlplane.doctor import Check


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "doctor",
        help="say what this machine lacks to debug a kube-apiserver, and what to do",
        description="Look at Go, Delve, what is kept, the permission to trace, disk, memory, "
        "ports and what listens there. Nothing is changed. The exit code is 1 if there is a "
        "problem.",
    )
    parser.add_argument(
        "--listen",
        metavar="HOST:PORT",
        help="where Delve shall listen, as in pytest --kdelve-listen",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    checks = doctor.examine(_address(options.listen))
    sys.stdout.write((_as_json(checks) if options.json else _as_text(checks)) + "\n")
    return int(_worst(checks) is State.PROBLEM)


def _address(text: str | None) -> Address | None:
    try:
        return Address.parse(text) if text else None
    except UsageError as error:
        raise UsageError(f"--listen: {error}") from error


def _worst(checks: Sequence[Check]) -> State:
    return doctor.worst([check.state for check in checks])


def _as_json(checks: Sequence[Check]) -> str:
    rows = {
        check.name: {"state": check.state, "seen": check.seen, "do": check.do} for check in checks
    }
    return json.dumps({"state": _worst(checks), "checks": rows}, indent=2, ensure_ascii=False)


def _as_text(checks: Sequence[Check]) -> str:
    """Put the worst last, where a terminal ends."""
    order = list(State)
    width = max(len(check.name) for check in checks)
    lines = [
        line
        for check in sorted(checks, key=lambda check: order.index(check.state))
        for line in _block(check, width)
    ]
    return "\n".join(lines)


def _block(check: Check, width: int) -> Iterator[str]:
    first, *others = check.seen
    margin = max(map(len, State))
    yield f"{check.state:<{margin}}  {check.name:<{width}}  {first}"
    indent = " " * (margin + width + 4)
    yield from (f"{indent}{line}" for line in others)
    for text in check.do:
        advice, *commands = text.splitlines()
        yield f"{indent}-> {advice}"
        yield from (f"{indent}   {command}" for command in commands)
