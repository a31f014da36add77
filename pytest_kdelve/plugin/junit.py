"""The hits of a test's markers as its properties, which pytest writes into JUnit files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_kdelve.plugin.state import EXPECTING
from pytest_kdelve.report.redact import redact

if TYPE_CHECKING:
    import pytest

    from pytest_kdelve.hits.model import Hit

_NAME = "kdelve_hit"
_MOST_HITS = 100
#: Of one value, and of all that is said of one hit.
_LONGEST_VALUE = 200
_LONGEST_TEXT = 1000


def record(item: pytest.Item) -> None:
    """Make properties of what was hit until now, instead of those of an earlier run of the test."""
    expecting = item.stash.get(EXPECTING, None)
    hits = sorted(expecting.hits(), key=lambda hit: hit.time) if expecting else []
    texts = [_text(hit) for hit in hits[:_MOST_HITS]]
    if len(hits) > _MOST_HITS:
        texts.append(f"… and {len(hits) - _MOST_HITS} more hits")
    others = [each for each in item.user_properties if each[0] != _NAME]
    item.user_properties[:] = [*others, *((_NAME, text) for text in texts)]


def redacted(properties: list[tuple[str, object]]) -> list[tuple[str, object]]:
    """Return a test's properties, whoever made them, with secrets blotted out."""
    return [(name, _redacted(value)) for name, value in properties]


def _redacted(value: object) -> object:
    text = str(value)
    return value if redact(text) == text else redact(text)


def _text(hit: Hit) -> str:
    by = f" by {hit.request}" if hit.request else ""
    values = ", ".join(
        f"{expression} == {_shortened(repr(value), _LONGEST_VALUE)}"
        for expression, value in hit.values.items()
    )
    text = f"{hit}{by}{' with ' if values else ''}{values}"
    return _shortened(text, _LONGEST_TEXT)


def _shortened(text: str, longest: int) -> str:
    # What is cut in its middle can no longer be told to be a secret.
    text = redact(text)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
