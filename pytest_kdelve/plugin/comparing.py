"""How two values differ, in pytest's own style."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from pytest_kdelve.report.values import Compare

#: What pytest cuts an assertion's explanation to, unless -vv or CI is given, is shorter still.
_MOST_LINES = 40
_UNCUT = 2
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def compare_for(item: pytest.Item) -> Compare:
    """Return what asks ``pytest_assertrepr_compare``, of the plugins and conftests of a test.

    It is asked as for ``assert actual == expected``, and without colours, which are no part of
    the values.
    """

    def compare(expected: object, actual: object) -> Sequence[str]:
        explanations = item.ihook.pytest_assertrepr_compare(
            config=item.config, op="==", left=actual, right=expected
        )
        explanation = next(filter(None, explanations), ())
        lines = [_COLOUR.sub("", line).replace("\n", "\\n") for line in explanation]
        if item.config.get_verbosity() >= _UNCUT or len(lines) <= _MOST_LINES:
            return lines
        return [*lines[:_MOST_LINES], f"… and {len(lines) - _MOST_LINES} more lines, with -vv"]

    return compare
