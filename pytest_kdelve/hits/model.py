"""What a hit is."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_kdelve.delve import structs
from pytest_kdelve.delve.functions import has_suffix
from pytest_kdelve.delve.sources import short_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime


for _package in ("k8s.io/api/core/v1", "k8s.io/kubernetes/pkg/apis/core"):
    structs.hide(f"{_package}.Secret", "Data", "StringData")


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a stack; ``file`` is the path that the compiler saw."""

    function: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.function} {short_path(self.file)}:{self.line}"


@dataclass(frozen=True, slots=True, repr=False)
class Stack:
    """Frames, innermost first; ``"handlers.createHandler" in stack`` looks for a function.

    A function is named in full or by any suffix, as in a location, and counts when one of its
    closures is on the stack, too. It is no ``Sequence``, for which type checkers refuse to look
    for a text among frames.
    """

    frames: tuple[Frame, ...] = ()

    def __contains__(self, item: object) -> bool:
        if isinstance(item, str):
            return bool(item) and any(_names(frame.function, item) for frame in self.frames)
        return item in self.frames

    def __getitem__(self, index: int) -> Frame:
        return self.frames[index]

    def __iter__(self) -> Iterator[Frame]:
        return iter(self.frames)

    def __len__(self) -> int:
        return len(self.frames)

    def __str__(self) -> str:
        return "\n".join(map(str, self.frames))

    def __repr__(self) -> str:
        functions = ", ".join(frame.function.rpartition("/")[2] for frame in self.frames)
        return f"<Stack, innermost first: {functions}>"


def _names(function: str, wanted: str) -> bool:
    outer, found, closure = function.partition(".func")
    is_closure = found and closure[:1].isdigit()
    return has_suffix(function, wanted) or bool(is_closure and has_suffix(outer, wanted))


class Attribution(enum.Enum):
    """How it was found out which request caused a hit."""

    FRAME = "the request is in the frame"
    OUTER_FRAME = "the request is in an outer frame of the goroutine"
    CONTEXT = "the request is that of a context in the goroutine's frames"
    ANCESTOR = "the request is that of a goroutine that this one descends from"
    NONE = "no request was found in the goroutine, nor in those that it descends from"


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the apiserver saw it; ``audit_id`` is empty where the client sent none."""

    method: str
    path: str
    audit_id: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Hit:
    """One stop of one goroutine at one place.

    ``source`` is the line's text, empty where it is not on this machine. ``values`` holds the
    expressions that were asked for, by their text; ``locals`` holds them, too, beside the local
    variables that were loaded; ``time`` is when it was read, in UTC. ``is_own`` says that a
    request of the test caused it.
    """

    file: str
    line: int
    source: str
    function: str
    goroutine: int
    stack: Stack
    args: Mapping[str, object]
    locals: Mapping[str, object]
    values: Mapping[str, object]
    request: Request | None
    attribution: Attribution
    is_own: bool
    time: datetime

    def __str__(self) -> str:
        return f"{short_path(self.file)}:{self.line} {self.function}"

    def __repr__(self) -> str:
        # Whole locals and stacks are too long for a failure's text, and may hold secrets.
        return f"<Hit {self} {self.values}>"
