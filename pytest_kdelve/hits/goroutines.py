"""The goroutines that work for a subscriber's requests, for what stops in those only."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from pytest_kdelve.delve import api

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_kdelve.delve.client import Client
    from pytest_kdelve.hits.attribution import RequestFinder

#: Each is compared with the goroutine of every hit, and with its ancestors.
_MOST = 8
#: Goroutines of an HTTP/1 connection, and of a request that came by HTTP/2.
_SERVING = ("net/http.(*conn).serve", "erverConn).runHandler")
#: Frames of a handler's goroutine; a handler of a kube-apiserver has about 95.
_DEPTH = 128


class OwnGoroutines:
    """The goroutines that are known to have worked for a subscriber's request, the latest last."""

    def __init__(self) -> None:
        self._ids: deque[int] = deque(maxlen=_MOST)

    @property
    def ids(self) -> Sequence[int]:
        """Their Delve IDs."""
        return tuple(self._ids)

    def note(self, goroutine: int) -> bool:
        """Add a goroutine; False where it was known."""
        if goroutine in self._ids:
            return False
        self._ids.append(goroutine)
        return True

    def find(self, client: Client, finder: RequestFinder, owns: Callable[[str], bool]) -> None:
        """Add those that serve a request whose Audit-ID ``owns`` is true of.

        With 2,000 goroutines, 40 of which serve requests, that takes about 0.1 s.
        """
        for start in _SERVING:
            by_start = api.ListGoroutinesFilter(kind=api.GoroutineField.START_LOC, arg=start)
            for goroutine in client.list_goroutines(filters=[by_start]).goroutines or ():
                frames = client.stacktrace(goroutine.id, _DEPTH)
                found = finder.find(client, goroutine.id, frames)
                if found and owns(found.request.audit_id):
                    self.note(goroutine.id)
