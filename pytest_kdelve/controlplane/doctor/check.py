"""What one check of ``kdelve doctor`` found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class State(StrEnum):
    """How it stands; the worst comes last."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What was looked at, how it stands, what was seen, and what to do.

    Each of ``seen`` is a line; each of ``do`` is a line, and then perhaps commands, a line each.
    """

    name: str
    state: State
    seen: tuple[str, ...]
    do: tuple[str, ...] = ()


def worst(states: list[State]) -> State:
    """Return the worst of the states, ``OK`` for none."""
    return max(states, key=list(State).index, default=State.OK)


def text_of(path: Path) -> str | None:
    """Return the text of a file, such as one in /proc; None where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def size(count: float) -> str:
    """Return a number of bytes as people write it: "430 MB", "5.1 GB"."""
    gigabytes = count / 10**9
    return f"{gigabytes:.1f} GB" if gigabytes >= 1 else f"{count / 10**6:.0f} MB"
