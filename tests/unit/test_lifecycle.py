"""What is started in steps is ended in the reverse order, and is never left half started."""

from __future__ import annotations

import pytest

from pytest_kdelve.controlplane.lifecycle import Lifecycle


class Steps(Lifecycle):
    """Notes its steps; some of them can fail."""

    def __init__(self, *, failing: str = "", error: type[BaseException] = KeyError) -> None:
        super().__init__()
        self.done: list[str] = []
        self._failing = failing
        self._error = error

    def _start(self) -> None:
        for step in ("first", "second", "third"):
            if step == self._failing:
                raise self._error(step)
            self.done.append(f"{step} started")
            self._resources.callback(self.done.append, f"{step} ended")


def test_it_ends_in_the_reverse_order_and_once() -> None:
    steps = Steps()
    steps.start()
    assert steps.done == ["first started", "second started", "third started"]
    steps.stop()
    steps.stop()
    assert steps.done[3:] == ["third ended", "second ended", "first ended"]


def test_it_lasts_as_long_as_its_context() -> None:
    with Steps() as steps:
        assert steps.done[-1] == "third started"
    assert steps.done[-1] == "first ended"


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_a_step_that_fails_ends_those_before_it(error: type[BaseException]) -> None:
    steps = Steps(failing="third", error=error)
    with pytest.raises(error, match="third"):
        steps.start()
    assert steps.done == ["first started", "second started", "second ended", "first ended"]
