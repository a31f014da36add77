"""The marker ``kubernetes``: which versions a test is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from pytest_kdelve.delve.versions import numbers
from pytest_kdelve.errors import UsageError
from pytest_kdelve.plugin.state import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "kubernetes"
_ARGUMENTS = "versions, *, reason=''"
DECLARATION = f"{NAME}({_ARGUMENTS}): this test is for these versions, such as '>=1.30'."


@dataclass(frozen=True, slots=True)
class Selection:
    """Versions of Kubernetes, and why it is these."""

    versions: SpecifierSet
    reason: str

    def refusal(self, version: str) -> str:
        """Say why the test is not for a version, such as "v1.37.2"; empty where it is.

        Of a version with a suffix, such as "v1.38.0-alpha.1", the numbers count.
        """
        number = ".".join(map(str, numbers(version.removeprefix("v"))))
        because = f": {self.reason}" if self.reason else ""
        is_for = number in self.versions
        return "" if is_for else f"for Kubernetes {self.versions}, not {number}{because}"


def selections(node: pytest.Item) -> Iterator[Selection]:
    """Yield what the markers of a test say; all of them must hold.

    Raises ``UsageError`` for a marker with wrong arguments.
    """
    for mark in node.iter_markers(NAME):
        try:
            yield _selection(*mark.args, **mark.kwargs)
        except (TypeError, InvalidSpecifier) as error:
            arguments = ", ".join(
                [*map(repr, mark.args), *(f"{k}={v!r}" for k, v in mark.kwargs.items())]
            )
            problem = str(error).removeprefix(f"{_selection.__name__}() ")
            raise UsageError(
                f"@pytest.mark.{NAME}({arguments}): {problem}; write {NAME}({_ARGUMENTS}) with "
                "versions such as '>=1.30', '<1.33' or '>=1.30,<1.33'"
            ) from error


def known_version(config: pytest.Config) -> str | None:
    """Return the version that will be debugged, None where only what runs can tell it."""
    settings = config.stash[SETTINGS]
    is_started = settings.mode in {"started", "reuse"}
    is_unknown = settings.source or "kube-apiserver" in settings.given
    return settings.versions.kubernetes if is_started and not is_unknown else None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test before anything is started for it."""
    version = known_version(item.config)
    if version is None:
        return
    try:
        refusals = [refusal for each in selections(item) if (refusal := each.refusal(version))]
    except UsageError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    if refusals:
        item.add_marker(pytest.mark.skip(reason="; ".join(refusals)))


def _selection(versions: object, *, reason: object = "") -> Selection:
    if not isinstance(versions, str) or not len(SpecifierSet(versions)):
        raise InvalidSpecifier(f"{versions!r} is no text with versions")
    if not isinstance(reason, str):
        raise TypeError(f"reason={reason!r} is no text")
    return Selection(SpecifierSet(versions), reason)
