"""What a target is at one moment: it stands still, runs, or is out of reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_kdelve.delve.stops import Stop, StopReason
from pytest_kdelve.errors import DelveConnectionError, TargetExitedError, TargetRunningError

if TYPE_CHECKING:
    from pytest_kdelve.delve.rpc import Pending


@dataclass(frozen=True, slots=True)
class Running:
    """The target runs.

    ``pending`` is the command that made it, None where that was another client's. ``otherwise``
    is why it will have stopped if it does so at no breakpoint. One that ``is_followed`` is moved by
    another client, while the connection waits for its stop and cannot halt it.
    """

    pending: Pending | None = None
    otherwise: StopReason = StopReason.UNKNOWN
    is_followed: bool = False


@dataclass(frozen=True, slots=True)
class Exited:
    """The target has ended; ``status`` is its exit status, negative for a signal."""

    status: int


@dataclass(frozen=True, slots=True)
class Closed:
    """The session is over, and why."""

    reason: str


Status = Stop | Running | Exited | Closed


def require_stop(status: Status) -> Stop:
    """Return the stop; raises the error that says why there is none."""
    match status:
        case Stop():
            return status
        case Running():
            raise TargetRunningError(
                "the target runs, so Delve would answer only at its next stop; halt it first"
            )
        case Exited():
            message = f"the debugged process exited with status {status.status}"
            raise TargetExitedError(message, status=status.status)
        case Closed():
            raise DelveConnectionError(status.reason)
