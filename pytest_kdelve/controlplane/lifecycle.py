"""What is started as a whole or not at all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import ExitStack
from typing import Self


class Lifecycle(ABC):
    """Something that starts in steps, and that ends what it started in the reverse order.

    Each step of ``_start`` puts its end into ``_resources``.
    """

    def __init__(self) -> None:
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start everything; raises ``KdelveError``, and leaves nothing behind then."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End everything."""
        self._resources.close()

    @abstractmethod
    def _start(self) -> None:
        """Do the steps."""
