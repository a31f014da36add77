"""Hits as they come in."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

from pytest_kdelve.errors import KdelveError

if TYPE_CHECKING:
    from pytest_kdelve.hits.model import Hit


class HitList(Sequence["Hit"]):
    """A sequence that grows while hits are recorded; a hit that is in it never changes."""

    def __init__(self, where: str = "") -> None:
        """``where`` is the place, for what errors say."""
        self._where = f" at {where}" if where else ""
        self._hits: list[Hit] = []
        self._changed = threading.Condition()

    def append(self, hit: Hit) -> None:
        """Add a hit and wake up who waits for it."""
        with self._changed:
            self._hits.append(hit)
            self._changed.notify_all()

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Hit]: ...
    def __getitem__(self, index: int | slice) -> Hit | Sequence[Hit]:
        with self._changed:
            return self._hits[index]

    def __len__(self) -> int:
        with self._changed:
            return len(self._hits)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return list(self) == list(other)

    __hash__ = None  # type: ignore[assignment] # it grows

    def __repr__(self) -> str:
        return f"[{', '.join(map(str, self))}]"

    @property
    def first(self) -> Hit:
        """The first hit; raises ``KdelveError`` where there is none."""
        if not self:
            raise KdelveError(f"no hit was recorded{self._where}, so there is no first one")
        return self[0]

    @property
    def only(self) -> Hit:
        """The single hit; raises ``KdelveError`` where there is none, or more than one."""
        if len(self) != 1:
            listed = "".join(f"\n  {hit} {hit.values}" for hit in self)
            raise KdelveError(f"one hit was expected{self._where}, {_recorded(len(self))}{listed}")
        return self[0]

    def wait(self, count: int = 1, timeout: float = 10.0) -> HitList:
        """Wait until there are ``count`` hits; raises ``KdelveError`` after ``timeout`` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._hits) >= count, timeout):
                message = f"{count} hits were awaited for {timeout:g} s{self._where}"
                raise KdelveError(f"{message}, {_recorded(len(self._hits))}")
        return self

    def grows_beyond(self, count: int, *, timeout: float) -> bool:
        """Wait for more than ``count`` hits; False where ``timeout`` seconds went by first."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._hits) > count, max(0.0, timeout))


def _recorded(count: int) -> str:
    return "1 was recorded" if count == 1 else f"{count} were recorded"


@dataclass(slots=True)
class Coverage:
    """Which hits at a place are not recorded.

    ``passes_others``: those of others' requests may be passed over by Delve. ``switched_off`` says
    since when, and why, not all of the rest are; it is empty where they are. With ``is_over`` there
    are none at all any more, else those in the goroutines of the test's requests.
    """

    passes_others: bool = False
    switched_off: str = ""
    is_over: bool = False


class Collected:
    """All hits at one place, the test's own kept apart from those of others.

    With ``by_anyone``, hits of others count as own. The rest is counted in ``others_count``; of
    those, ``unattributed_count`` are of no request that could be found. ``coverage`` is for who
    records to set.
    """

    def __init__(self, *, by_anyone: bool) -> None:
        self.own = HitList()
        self.others_count = 0
        self.unattributed_count = 0
        self.coverage = Coverage()
        self._by_anyone = by_anyone

    def add(self, hit: Hit) -> None:
        """Take one hit; called by the recorder."""
        if hit.is_own or self._by_anyone:
            self.own.append(hit)
            return
        self.others_count += 1
        self.unattributed_count += hit.request is None
