"""The source of numbered lines, kept between runs: where it has moved to when a test fails.

A location with a number and no text means another line once the file changes. What stood on it
when its test last passed is kept in pytest's cache, one file for each location, so that the
workers of pytest-xdist do not overwrite each other's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_kdelve.delve.texts import fold
from pytest_kdelve.errors import LocationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pytest

    from pytest_kdelve.delve.locations import Location, Place


@dataclass(frozen=True, slots=True)
class _Line:
    """A line's text without the white space around it, and the version of Kubernetes."""

    text: str
    version: str


class Remembered:
    """The lines of one run's pytest, for one version of Kubernetes.

    ``resolve`` gives the place of a location, or raises ``LocationError``.
    """

    def __init__(
        self, config: pytest.Config, resolve: Callable[[Location], Place], version: str
    ) -> None:
        # Without the cacheprovider plugin there is none.
        self._cache: pytest.Cache | None = getattr(config, "cache", None)
        self._resolve = resolve
        self._version = version

    def keep(self, places: Iterable[tuple[Location, Place]]) -> None:
        """Remember the lines of a test that has passed."""
        for location, place in places:
            line = _Line(place.source, self._version)
            if _is_numbered(location) and line.text and self._get(location) != line:
                self._set(location, line)

    def moved(self, location: Location, place: Place) -> Sequence[str]:
        """Return where the text of a location is now, as lines; none if it is where it was."""
        line = self._get(location)
        if line is None or not place.source or fold(place.source) == fold(line.text):
            return ()
        return self._said(location, line, place.line).splitlines()

    def explain(self, error: LocationError, location: Location) -> LocationError:
        """Return an error that also says where the text of a location is now."""
        line = self._get(location)
        if line is None:
            return error
        return LocationError(f"{error}\n{self._said(location, line, location.line)}")

    def _said(self, location: Location, line: _Line, number: int | None) -> str:
        was = f"With {line.version}, line {number} was {line.text!r}"
        try:
            place = self._resolve(replace(location, line=None, at=line.text))
        except LocationError as error:
            return f"{was}. Looked up now: {error}"
        return f"{was}, which is now on line {place.line}: write at={line.text!r}"

    def _get(self, location: Location) -> _Line | None:
        if self._cache is None or not _is_numbered(location):
            return None
        kept = self._cache.get(_key(location), None)
        # Another release of this plugin may have written it in another form.
        if not isinstance(kept, dict) or not {"text", "version"} <= kept.keys():
            return None
        return _Line(str(kept["text"]), str(kept["version"]))

    def _set(self, location: Location, line: _Line) -> None:
        if self._cache is not None:
            kept = {"location": location.text, "text": line.text, "version": line.version}
            self._cache.set(_key(location), kept)


def _is_numbered(location: Location) -> bool:
    return location.line is not None and location.at is None


def _key(location: Location) -> str:
    return f"kdelve/lines/{hashlib.sha256(location.text.encode()).hexdigest()[:16]}"
