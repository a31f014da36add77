"""What a whole run of a small Go program passes, recorded."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_kdelve.delve.locations import Location
from pytest_kdelve.delve.values import Unreadable
from pytest_kdelve.hits.breakpoints import Subscription
from pytest_kdelve.hits.collected import HitList
from pytest_kdelve.hits.recorder import Recorder
from tests.delve.conftest import ended

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.delve.conftest import Debug

OPTIMISED: tuple[str, ...] = ()


@contextmanager
def recording(
    debug: Debug,
    location: str,
    at: str | None,
    *expressions: str,
    flags: tuple[str, ...] = OPTIMISED,
) -> Iterator[HitList]:
    """Yield the hits at a place, which begins with the program's name, of the whole run."""
    hits = HitList()
    recorder = Recorder(debug(location.partition("/")[0], flags=flags).connect)
    try:
        subscription = Subscription(
            place=recorder.resolve(Location.parse(location, at)),
            expressions=dict.fromkeys(expressions, 1),
            load_frame=True,
            owner="",
            by_anyone=True,
            sink=hits.append,
        )
        recorder.add([subscription])
        recorder.start()
        ended(recorder.loop)
        yield hits
    finally:
        recorder.close()


def reasons(found: Sequence[object]) -> set[str]:
    """Return why values are unreadable, of which each must be."""
    assert all(isinstance(value, Unreadable) for value in found), found
    return {value.reason for value in found if isinstance(value, Unreadable)}
