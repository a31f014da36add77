"""The places of ``hits_in_order``, as a test writes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Step:
    """One place of ``hits_in_order``; what is wrong with it is said when the marker is read."""

    location: str
    at: str | None = None
    locals: Mapping[str, object] = field(default_factory=dict)


def at(
    location: str,
    text: str | None = None,
    *,
    locals: Mapping[str, object] | None = None,  # noqa: A002 - the interface's name
) -> Step:
    """Return a place for ``hits_in_order``.

    ``location``, the ``text`` of the line, and ``locals`` mean what ``location``, ``at`` and
    ``locals`` mean for ``hits``.
    """
    return Step(location, text, {} if locals is None else locals)
