"""Measure how long a hit takes: with this client, with its Loop, and with Delve's Go client.

All of them take hits of one breakpoint of one target under one Delve, in turns, so that what else
the machine does meets them alike. A hit's time is that from the continue until its values are
decoded: to Python values here, to ``api.Variable`` in Go.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from pytest_kdelve.controlplane import build, golang, releases
from pytest_kdelve.controlplane.progress import PlainProgress
from pytest_kdelve.delve import Headless, api, exec_, versions
from pytest_kdelve.delve.locations import Location
from pytest_kdelve.delve.loop import Loop
from pytest_kdelve.delve.resolver import Resolver
from pytest_kdelve.delve.values import by_name, to_python
from pytest_kdelve.errors import BuildError, DelveError, DelveTimeoutError
from pytest_kdelve.process import poll

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pytest_kdelve.delve import Client, Server

    Measure = Callable[[int], "Round"]

_HERE = Path(__file__).parent
_DEBUGGABLE = ("-gcflags=all=-N -l",)
_GO_CLIENT = "Delve's Go client"
#: Hits at the start of each turn that do not count.
_WARM_UP = 10
#: Seconds for the hits of one turn.
_TIMEOUT = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """What a breakpoint collects; the goal is at most ``goal`` times the Go client's time."""

    title: str
    goal: float
    collect: api.Breakpoint


_MODES = (
    Mode(
        title="three named expressions",
        goal=1.1,
        collect=api.Breakpoint(variables=["name", "req.URL.Path", "info.User.(data).Name"]),
    ),
    Mode(
        title="all arguments and locals",
        goal=1.3,
        collect=api.Breakpoint(load_args=api.LoadConfig(), load_locals=api.LoadConfig()),
    ),
)


class Round(msgspec.Struct):
    """What one turn measured: the seconds of each hit, and the number of the last one's values."""

    seconds: list[float]
    values: int


class _EnoughError(Exception):
    """Ends a loop while the target stands still."""


class _Recorder:
    """Takes a loop's hits until it has enough of them."""

    def __init__(self, hits: int) -> None:
        self._hits = hits
        self._times = [time.perf_counter()]
        self._state = api.DebuggerState()

    def __call__(self, _client: Client, state: api.DebuggerState) -> None:
        _decode(state)
        self._state = state
        self._times.append(time.perf_counter())
        if len(self._times) > self._hits:
            raise _EnoughError

    def round(self) -> Round:
        return Round([end - begin for begin, end in pairwise(self._times)], _count(self._state))


def main() -> None:
    """Run the benchmark, and print a table for each mode."""
    options = _options()
    # SIGTERM stops Delve, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kdelve-")))
        go_client, _ = _built("go-client", folder)
        target, go = _built("target", folder, flags=_DEBUGGABLE)
        server = exec_(Headless(dlv=options.dlv or _kept_dlv(), log=folder / "dlv.log"), target)
        stack.callback(server.stop)
        print(_versions(server, go))
        for mode in _MODES:
            _report(mode, _take_turns(_clients(server, go_client, mode.collect), options))


def _options() -> argparse.Namespace:
    summary, _, _ = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(description=summary)
    parser.add_argument(
        "--hits", type=int, default=1000, help="of each client in each mode (default: %(default)s)"
    )
    parser.add_argument(
        "--rounds", type=int, default=25, help="turns of each client (default: %(default)s)"
    )
    parser.add_argument(
        "--dlv", type=Path, metavar="PATH", help="default: the one that `kdelve build` keeps"
    )
    options = parser.parse_args()
    if not 1 <= options.rounds <= options.hits:
        parser.error("there must be at least one round, and one hit in each")
    return options


def _kept_dlv() -> Path:
    cache, progress = build.cache_folder(), PlainProgress(sys.stderr)
    return build.ensure(releases.choose(), cache=cache, progress=progress).dlv


def _built(name: str, folder: Path, *, flags: Sequence[str] = ()) -> tuple[Path, str]:
    """Return the program of a module beside this file, and the version of the Go that built it."""
    module, out = folder / name, folder / f"{name}.bin"
    shutil.copytree(_HERE / name, module)
    candidates = golang.candidates()
    if not candidates:
        raise BuildError(golang.no_candidates())
    go = golang.inspect(candidates[0], module)
    golang.build(go, work=module, package=".", flags=flags, out=out, tick=lambda: None)
    return out, go.version


def _versions(server: Server, go: str) -> str:
    with server.connect() as client:
        delve = ".".join(map(str, versions.numbers(client.get_version().delve_version)))
    return f"Delve {delve}, Go {go}, Python {platform.python_version()}"


def _set(client: Client, collect: api.Breakpoint) -> int:
    """Set the breakpoint, and return its id."""
    place = Resolver(client).resolve(Location.parse("target/main.go", "// one hit each"))
    return client.create_breakpoint(msgspec.structs.replace(collect, addrs=list(place.pcs))).id


@contextmanager
def _breakpoint(server: Server, collect: api.Breakpoint) -> Iterator[None]:
    """Have it set for a client that leaves it to others, which must not be connected meanwhile."""
    with server.connect() as client:
        made = _set(client, collect)
    try:
        yield
    finally:
        _clear(server, made)


def _clear(server: Server, breakpoint_id: int) -> None:
    with server.connect() as client:
        client.clear_breakpoint(breakpoint_id)


def _clients(server: Server, go_client: Path, collect: api.Breakpoint) -> Mapping[str, Measure]:
    def with_go(hits: int) -> Round:
        with _breakpoint(server, collect):
            return _with_go(server, go_client, hits)

    def with_client(hits: int) -> Round:
        with _breakpoint(server, collect):
            return _with_client(server, hits)

    return {
        _GO_CLIENT: with_go,
        "Client": with_client,
        "Loop": lambda hits: _with_loop(server, collect, hits),
    }


def _with_go(server: Server, program: Path, hits: int) -> Round:
    argv = [str(program), str(server.address), str(hits)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, timeout=_TIMEOUT, check=True)
    return msgspec.json.decode(done.stdout, type=Round)


def _with_client(server: Server, hits: int) -> Round:
    seconds = []
    with server.connect() as client:
        for _ in range(hits):
            begin = time.perf_counter()
            state = client.continue_(timeout=_TIMEOUT)
            _decode(state)
            seconds.append(time.perf_counter() - begin)
    return Round(seconds, _count(state))


def _with_loop(server: Server, collect: api.Breakpoint, hits: int) -> Round:
    recorder = _Recorder(hits)
    loop = Loop(server.connect, recorder)
    # It gives way at the breakpoints of others.
    made = _set(loop.client, collect)
    loop.start()
    try:
        if not poll(lambda: _has_enough(loop), timeout=_TIMEOUT):
            raise DelveTimeoutError(f"the loop did not get {hits} hits in {_TIMEOUT:g} s")
    finally:
        loop.close()
        _clear(server, made)
    return recorder.round()


def _has_enough(loop: Loop) -> bool:
    """Whether the recorder has ended the loop; raises any other reason for its end."""
    try:
        loop.check()
    except DelveError as error:
        if isinstance(error.__cause__, _EnoughError):
            return True
        raise
    return False


def _decode(state: api.DebuggerState) -> Sequence[object]:
    return [
        (by_name(info.arguments), by_name(info.locals), [*map(to_python, info.variables or ())])
        for info in _collected(state)
    ]


def _collected(state: api.DebuggerState) -> Sequence[api.BreakpointInfo]:
    return [info for thread in state.threads or () if (info := thread.breakpoint_info)]


def _count(state: api.DebuggerState) -> int:
    return sum(
        _count_values(variables)
        for info in _collected(state)
        for variables in (info.arguments, info.locals, info.variables)
    )


def _count_values(variables: Sequence[api.Variable] | None) -> int:
    return sum(1 + _count_values(variable.children) for variable in variables or ())


def _take_turns(
    clients: Mapping[str, Measure], options: argparse.Namespace
) -> Mapping[str, Sequence[Round]]:
    """Return the rounds of each client; who begins changes from one to the next."""
    rounds: dict[str, list[Round]] = {name: [] for name in clients}
    for number in range(options.rounds):
        for name in [*clients][:: -1 if number % 2 else 1]:
            measured = clients[name](_WARM_UP + options.hits // options.rounds)
            rounds[name].append(Round(measured.seconds[_WARM_UP:], measured.values))
    return rounds


def _report(mode: Mode, rounds: Mapping[str, Sequence[Round]]) -> None:
    """Print medians; a ratio is the median of those of the rounds, so that drift cancels out."""
    found = {turn.values for turns in rounds.values() for turn in turns}
    print(f"\n{mode.title}: {'/'.join(map(str, sorted(found)))} values a hit")
    for name, turns in rounds.items():
        milliseconds = 1000 * median(second for turn in turns for second in turn.seconds)
        ratios = [
            median(turn.seconds) / median(other.seconds)
            for turn, other in zip(turns, rounds[_GO_CLIENT], strict=True)
        ]
        ratio = median(ratios)
        print(f"  {name:<18}{milliseconds:8.2f} ms  {ratio:5.2f}x{_verdict(mode, name, ratio)}")


def _verdict(mode: Mode, name: str, ratio: float) -> str:
    if name == _GO_CLIENT:
        return ""
    return f"  goal {mode.goal}x {'met' if ratio <= mode.goal else 'not met'}"


if __name__ == "__main__":
    main()
