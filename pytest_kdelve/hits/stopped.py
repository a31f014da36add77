"""What Delve said of one thread at one breakpoint, taken apart."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_kdelve.delve import api
from pytest_kdelve.hits import frames
from pytest_kdelve.hits.attribution import Finding, read_request
from pytest_kdelve.hits.model import Attribution, Frame, Hit, Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_kdelve.hits.breakpoints import Armed

    ByName = Callable[[Sequence[api.Variable] | None], Mapping[str, object]]

_NOT_COLLECTED = api.Variable(unreadable="Delve collected nothing for this stop")


class Stopped:
    """What Delve said of one thread at one breakpoint, taken apart.

    ``variables`` has the expressions' values by the text that was asked for: Delve returns them
    under other names, but in the order in which they were asked for.
    """

    def __init__(self, thread: api.Thread, armed: Armed, selected: api.Goroutine | None) -> None:
        self.thread = thread
        self.armed = armed
        self.holder = armed.holder
        self._info = thread.breakpoint_info or api.BreakpointInfo()
        self.frames = self._info.stacktrace or []
        self._functions = list(map(frames.function_of, self.frames))
        asked = len(armed.expressions)
        variables = self._info.variables or [_NOT_COLLECTED] * asked
        first = len(variables) - asked
        self.variables = dict(zip(armed.expressions, variables[first:], strict=True))
        self.is_selected = selected is not None and selected.id == thread.goroutine_id
        fits = self.holder is not None and self.holder.fits(self._functions)
        # Of several threads in one stop, Delve reads outer frames of the selected one for all.
        is_its_own = self.holder is not None and (self.is_selected or not self.holder.frame)
        self.request = read_request(variables[:first]) if fits and is_its_own else None

    def hit(
        self,
        found: Mapping[str, object],
        finding: Finding | None,
        *,
        source: str,
        is_own: bool,
        by_name: ByName,
    ) -> Hit:
        """Return the hit, with the values that one subscription asked for.

        ``by_name`` makes values of the variables of its frame.
        """
        return Hit(
            file=self.thread.file,
            line=self.thread.line,
            source=source,
            function=self.thread.function.name if self.thread.function else "",
            goroutine=self.thread.goroutine_id,
            stack=Stack(
                tuple(
                    Frame(name, frame.file, frame.line)
                    for name, frame in zip(self._functions, self.frames, strict=True)
                )
            ),
            args=by_name(self._info.arguments),
            locals={**by_name(self._info.locals), **found},
            values=dict(found),
            request=finding.request if finding else None,
            attribution=finding.attribution if finding else Attribution.NONE,
            is_own=is_own,
            time=datetime.now(UTC),
        )
