"""A debugged kube-apiserver that needs neither Delve nor a kube-apiserver.

``GET /reach/FILE/FILE?NAME=VALUE`` reaches these files in this order, with these values.
``/others/FILE`` does so on behalf of somebody else, ``/die`` ends the server instead of answering,
``/die-later`` after it. ``/ide`` lets another client have the server meanwhile. What was reached is
answered once nobody holds the server any more.
"""

from __future__ import annotations

import json
import threading
import time
import zlib
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import requests

from pytest_kdelve.controlplane import certificates
from pytest_kdelve.controlplane.credentials import Credentials
from pytest_kdelve.controlplane.namespaces import Namespaces
from pytest_kdelve.delve import Address
from pytest_kdelve.delve.locations import Place
from pytest_kdelve.delve.values import Unreadable
from pytest_kdelve.errors import (
    KdelveError,
    LocationError,
    ProcessExitedError,
    TargetExitedError,
)
from pytest_kdelve.hits.bodies import Body, Exit
from pytest_kdelve.hits.clock import Clock
from pytest_kdelve.hits.collected import Collected
from pytest_kdelve.hits.model import Request
from pytest_kdelve.plugin.debugged import Watched
from tests.unit.builders import make_hit
from tests.unit.fake_http import Answer, FakeApiserver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pytest_kdelve.delve.locations import Location
    from pytest_kdelve.hits.breakpoints import Subscription
    from pytest_kdelve.hits.expectations import Expectation

INNER = "handlers.getResourceHandler.func1"
DEATH = "kube-apiserver ended with status 2\n  last lines of its log:\n    panic: Bearer aB1.cD2"

#: Of an apiserver in which there is nothing but one namespace.
EMPTY = {
    "POST /api/v1/namespaces": Answer(201, {"metadata": {"name": "kdelve-1"}}),
    "GET /api": Answer(body={"versions": []}),
    "GET /apis": Answer(body={"groups": []}),
}


def _values(query: str) -> dict[str, object]:
    """Return the values of a query, of which those that begin with a bracket are JSON."""
    return {
        name: json.loads(value) if value[0] in "[{" else value for name, value in parse_qsl(query)
    }


def _in_source(location: Location) -> Place:
    """Resolve a place in a source file of the working folder."""
    file = Path("source.go").absolute()
    lines = file.read_text().splitlines()
    with_text = (n for n, text in enumerate(lines, 1) if location.at and location.at in text)
    line = location.line or next(with_text, None)
    if line is None:
        raise LocationError(f"{location}: no line of it has this text")
    if not lines[line - 1].strip():
        raise LocationError(f"{location}: line {line} has no statement")
    return Place(f"/src/{file.name}", line, "handlers.get", (line,), str(file))


class FakeLoop:
    """Lets the server stand while somebody holds it."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._holders: list[object] = []
        self._changed = threading.Condition()

    def hold(self, holder: object) -> None:
        with self._changed:
            self._holders.append(holder)

    def is_held_by(self, holder: object) -> bool:
        return holder in self._holders

    def release(self, holder: object) -> None:
        self._check()
        with self._changed:
            self._holders.remove(holder)
            self._changed.notify_all()

    @property
    def holding(self) -> int:
        return len(self._holders)

    def wait_until_free(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._holders, 60)


class FakeRecorder:
    """Keeps who subscribed, and ``history``."""

    latest: FakeRecorder

    def __init__(self) -> None:
        FakeRecorder.latest = self
        self.loop = FakeLoop(self.check)
        self.subscriptions: list[Subscription] = []
        self.history: list[str] = []
        self.ended: KdelveError | None = None
        #: When another client had the server.
        self.ide_at = 0.0

    def resolve(self, location: Location) -> Place:
        self.settle()
        if location.name == "missing.go":
            raise LocationError(f"{location}: the binary has no source file of this name")
        line = location.line or 1
        if location.name == "source.go":
            return _in_source(location)
        if location.name == "inner.go":
            return Place("/src/inner.go", line, INNER, (line,))
        pc = zlib.crc32(f"{location.name}:{line}".encode())
        return Place(f"/src/{location.name}", line, "handlers.get", (pc,))

    def add(self, subscriptions: Sequence[Subscription]) -> None:
        self.subscriptions += subscriptions
        self.history += [f"set {one.place.file}" for one in subscriptions]

    def remove(self, subscriptions: Sequence[Subscription]) -> None:
        self.settle()
        for one in subscriptions:
            self.subscriptions.remove(one)
            self.history.append(f"cleared {one.place.file}")

    @contextmanager
    def recording(self, subscriptions: Sequence[Subscription]) -> Iterator[None]:
        self.add(subscriptions)
        try:
            yield
        except BaseException:
            with suppress(KdelveError):
                self.remove(subscriptions)
            raise
        self.remove(subscriptions)

    def settle(self) -> None:
        self.check()

    def what_others_did(self, since: float) -> list[str]:
        return ["An IDE had it."] if self.ide_at >= since else []

    def check(self) -> None:
        if self.ended:
            raise self.ended

    def reach(self, file: str, values: Mapping[str, object], audit_id: str, path: str = "") -> None:
        for one in tuple(self.subscriptions):
            if one.place.file == f"/src/{file}":
                missing = dict.fromkeys(one.expressions, Unreadable("could not find symbol"))
                one.sink(
                    make_hit(
                        file=one.place.file,
                        values={**missing, **values},
                        is_own=one.owns(audit_id),
                        request=Request("GET", path or f"/reach/{file}", audit_id),
                        time=datetime.now(UTC),
                    )
                )


class FakeBodies:
    """Of inner.go: it is in a function that is entered at entry.go, and left at exit.go."""

    def around(self, place: Place) -> Sequence[Body]:
        if place.file != "/src/inner.go":
            return ()
        entry = Place("/src/entry.go", 60, INNER, (60,))
        left = Place("/src/exit.go", 69, entry.function, (69,))
        return [Body(entry, (Exit(left, is_after=True),))]


class FakeDebugged(FakeApiserver):
    """What the fixture ``_kdelve_debugged`` gives."""

    version = "v1.37.2"
    go_version = "1.26.8"
    delve_version = "1.27.2"
    mode = "started"
    address = Address("127.0.0.1", 40123)
    dlv_connect = "/bin/dlv connect 127.0.0.1:40123"
    left = ""
    argv = ("kube-apiserver", "--secure-port=6443")
    notes = ()
    binary_notes: tuple[str, ...] = ()
    pid = 4711

    def __init__(self, folder: Path, startup: Sequence[Expectation]) -> None:
        super().__init__()
        self.answers |= EMPTY
        self.clock = Clock()
        self.recorder = FakeRecorder()
        self.bodies = FakeBodies()
        files = certificates.create(folder)
        self.credentials = Credentials(
            name="kdelve",
            namespace="default",
            token="aB1.cD2",  # noqa: S106 - not a real one
            ca_crt="",
            ca_file=files.ca,
            obtained="by hand",
        )
        self.kubeconfig = folder / "kubeconfig"
        self._startup = {id(one): self.watch(one) for one in startup}
        for watched in self._startup.values():
            watched.collected.add(make_hit(request=None, values={"name": "etcd"}))

    def respond(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.recorder.history.append(f"{method} {path}")
        parts = urlsplit(path)
        _, verb, *rest = parts.path.split("/")
        if verb.startswith("die"):
            self.recorder.ended = TargetExitedError("the debugged process is gone", status=2)
            return Answer(200 if verb == "die-later" else 0)
        if verb == "ide":
            self.recorder.ide_at = time.monotonic()
        if verb in {"reach", "others"}:
            audit_id = headers["Audit-ID"] if verb == "reach" else "somebody-1"
            for file in rest:
                self.recorder.reach(file, _values(parts.query), audit_id, parts.path)
            self.recorder.loop.wait_until_free()
        return super().respond(method, path, headers, body)

    def watch(self, expectation: Expectation) -> Watched:
        place = self.recorder.resolve(expectation.location)
        by_anyone = expectation.by == "anyone" or expectation.during == "startup"
        return Watched(expectation, place, Collected(by_anyone=by_anyone))

    def startup(self, expectation: Expectation) -> Watched:
        return self._startup[id(expectation)]

    def explain(self, error: KdelveError) -> KdelveError:
        if isinstance(error, TargetExitedError):
            return ProcessExitedError(DEATH, returncode=error.status)
        return error

    @contextmanager
    def namespaces(self) -> Iterator[Namespaces]:
        with requests.Session() as admin:
            admin.trust_env = False
            yield Namespaces(self.url, admin)

    def log_tail(self, lines: int) -> str:
        return f"the last {lines} lines"


@contextmanager
def debugged(folder: Path, startup: Sequence[Expectation]) -> Iterator[FakeDebugged]:
    """Serve, and leave what happened in the file ``history`` of the working folder."""
    with FakeDebugged(folder, startup).serving() as fake:
        yield fake  # type: ignore[misc]
    Path("history").write_text("\n".join(fake.recorder.history))  # type: ignore[attr-defined]
