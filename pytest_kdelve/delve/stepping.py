"""Moving one goroutine of a target that is held, to an end that is always known."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from pytest_kdelve.delve.stops import Stop, StopReason
from pytest_kdelve.errors import DelveTimeoutError, RPCError, StepError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_kdelve.delve.session import Session

#: Seconds for one step; it may run a function that waits for others.
STEP_TIMEOUT = 30.0


class Step(enum.StrEnum):
    """How a goroutine is moved."""

    NEXT = "next"
    STEP = "step"
    STEPOUT = "stepout"


class _InterruptedError(Exception):
    """A hit on the way may not be passed."""


def move(
    session: Session,
    goroutine: int,
    step: Step,
    deliver: Callable[[Stop], bool],
    timeout: float,
) -> Stop:
    """Let a goroutine make one step, and return where it stands then.

    ``deliver`` gets each stop that has hits, and says whether the step may go on. Raises
    ``StepError`` where the step did not come to its end; the target stands still then.
    """
    try:
        session.switch_goroutine(goroutine)
    except RPCError as error:
        message = f"goroutine {goroutine} cannot {step}: it has ended, or cannot be selected"
        raise StepError(f"{message} ({error.text})") from error

    def pass_by(stop: Stop) -> None:
        if not deliver(stop):
            raise _InterruptedError

    moves = {Step.NEXT: session.next, Step.STEP: session.step, Step.STEPOUT: session.stepout}
    try:
        stop = moves[step](on_hit=pass_by, timeout=timeout)
    except _InterruptedError:
        session.cancel_next()
        why = "another hit on the way holds the target, too"
    except DelveTimeoutError:
        _halt(session, deliver)
        why = f"it did not come to its end within {timeout:g} s"
    except RPCError:
        # Delve refused it, or a condition failed on the way.
        _give_up(session)
        raise
    else:
        if stop.hits:
            deliver(stop)
        # A panic on the way, say, may not be passed.
        _give_up(session)
        if stop.reason is not StopReason.MANUAL:
            return stop
        why = "the target was halted on the way"
    raise StepError(f"{step} of goroutine {goroutine} was given up: {why}")


def _halt(session: Session, deliver: Callable[[Stop], bool]) -> None:
    stop = session.halt()
    if stop.hits:
        deliver(stop)
    _give_up(session)


def _give_up(session: Session) -> None:
    status = session.status
    if isinstance(status, Stop) and status.next_in_progress:
        session.cancel_next()
