"""The real dlv, small Go programs under it, and the proof that nothing of them is left."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import psutil
import pytest

from pytest_kdelve.delve import Address, Headless, Server, Session, Target, api, exec_
from pytest_kdelve.delve.locations import Location, Place
from pytest_kdelve.delve.loop import Loop
from pytest_kdelve.delve.resolver import Resolver
from pytest_kdelve.errors import DelveError
from pytest_kdelve.process import poll
from tests.delve import toolchains

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_kdelve.delve import Client
    from tests.delve.sessions import StartSession
    from tests.delve.toolchains import Toolchain

PROGRAMS = Path(__file__).parents[1] / "programs"
DEBUGGABLE = ("-gcflags=all=-N -l",)
#: Longer than anything here takes on a busy machine.
LONG = 30.0

_MARK = "KDELVE_TEST_RUN"


class BuildProgram(Protocol):
    def __call__(self, name: str, *, flags: tuple[str, ...] = DEBUGGABLE) -> Path: ...


class Debug(Protocol):
    def __call__(
        self,
        program: str | Path,
        *args: str,
        listen: Address = ...,
        flags: tuple[str, ...] = DEBUGGABLE,
    ) -> Server: ...


class MakeHeadless(Protocol):
    def __call__(self, **fields: Any) -> Headless: ...


class Keep(Protocol):
    def __call__(self, server: Server) -> Server: ...


class Stops:
    """What a loop's ``on_stop`` was called with: the value of ``variable`` in each hit."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.breakpoints: list[int] = []

    def __call__(self, _client: Client, state: api.DebuggerState) -> None:
        for thread in state.threads or ():
            if thread.breakpoint is None:
                continue
            self.breakpoints.append(thread.breakpoint.id)
            info = thread.breakpoint_info
            self.found += [variable.value for variable in (info and info.variables) or ()]


@pytest.fixture(scope="session", params=[toolchains.newest, toolchains.oldest])
def toolchain(request: pytest.FixtureRequest) -> Toolchain:
    """Let a test run with each of them."""
    make: Callable[[], Toolchain] = request.param
    return make()


@pytest.fixture(scope="session")
def dlv(toolchain: Toolchain) -> Path:
    return toolchain.dlv


@pytest.fixture(scope="session")
def build_program(toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> BuildProgram:
    """Build a program of tests/programs, each with the same flags only once."""
    built: dict[tuple[str, tuple[str, ...]], Path] = {}

    def build_it(name: str, *, flags: tuple[str, ...] = DEBUGGABLE) -> Path:
        if (name, flags) not in built:
            # The folder's name is part of the paths by which the sources are found.
            module = tmp_path_factory.mktemp("program") / name
            shutil.copytree(PROGRAMS / name, module)
            out = module / "bin" / name
            toolchain.build(module, flags=flags, out=out)
            built[name, flags] = out
        return built[name, flags]

    return build_it


@contextlib.contextmanager
def debugging(dlv: Path, build_program: BuildProgram, folder: Path) -> Iterator[Debug]:
    """Start programs under dlv, with their logs in ``folder``, and stop them all at the end."""
    with contextlib.ExitStack() as stack:

        def start(
            program: str | Path,
            *args: str,
            listen: Address = Address(),  # noqa: B008 - it is frozen
            flags: tuple[str, ...] = DEBUGGABLE,
        ) -> Server:
            path = program if isinstance(program, Path) else build_program(program, flags=flags)
            headless = Headless(dlv=dlv, log=folder / "dlv.log", listen=listen)
            outputs = {"stdout": folder / "target.out", "stderr": folder / "target.log"}
            server = exec_(headless, path, target=Target(args=args, **outputs))
            stack.callback(server.stop)
            return server

        yield start


@pytest.fixture
def debug(dlv: Path, build_program: BuildProgram, tmp_path: Path) -> Iterator[Debug]:
    with debugging(dlv, build_program, tmp_path) as start:
        yield start


@pytest.fixture
def headless(toolchain: Toolchain, tmp_path: Path) -> MakeHeadless:
    """Describe a dlv of the toolchain; what is given are fields of ``Headless``."""

    def make(**fields: Any) -> Headless:
        usual = {"dlv": toolchain.dlv, "log": tmp_path / "dlv.log", "env": toolchain.environment}
        wanted: dict[str, Any] = {**usual, **fields}
        return Headless(**wanted)

    return make


@pytest.fixture
def keep() -> Iterator[Keep]:
    """Take servers, and stop them at the end."""
    with contextlib.ExitStack() as stack:

        def take(server: Server) -> Server:
            stack.callback(server.stop)
            return server

        yield take


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def start_session(debug: Debug) -> Iterator[StartSession]:
    """Start programs under a session, each of which is closed at the end."""
    with contextlib.ExitStack() as stack:

        def start(*args: str, program: str = "stops") -> Session:
            session = Session(debug(program, *args).connect())
            stack.callback(session.close)
            return session

        yield start


@pytest.fixture
def run_loop() -> Iterator[Callable[..., Loop]]:
    """Make continue loops, and close them at the end."""
    with contextlib.ExitStack() as stack:

        def make(server: Server, on_stop: Callable[[Client, api.DebuggerState], None]) -> Loop:
            loop = Loop(server.connect, on_stop)
            stack.callback(loop.close)
            return loop

        yield make


def place_of(client: Client, location: str, at: str | None = None) -> Place:
    return Resolver(client).resolve(Location.parse(location, at))


def break_at(client: Client, location: str, at: str | None = None, **fields: Any) -> api.Breakpoint:
    """Set a breakpoint; ``fields`` are those of ``api.Breakpoint``."""
    pcs = list(place_of(client, location, at).pcs)
    return client.create_breakpoint(api.Breakpoint(addrs=pcs, **fields))


def has_ended(loop: Loop) -> bool:
    try:
        loop.check()
    except DelveError:
        return True
    return False


def ended(loop: Loop) -> bool:
    """Wait until a loop has ended."""
    return poll(lambda: has_ended(loop), timeout=LONG)


@pytest.fixture(scope="session", autouse=True)
def _marked_processes() -> Iterator[None]:
    """Whatever is started from here inherits the mark, also what becomes an orphan."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(_MARK, uuid.uuid4().hex)
        yield
        assert marked_processes() == {}


@pytest.fixture(autouse=True)
def _nothing_is_left(_marked_processes: None) -> Iterator[None]:
    processes, threads = marked_processes(), set(threading.enumerate())
    yield

    def left_behind() -> dict[int, str]:
        return {pid: name for pid, name in marked_processes().items() if pid not in processes}

    # Delve's telemetry child is in a session of its own, and ends once it notices that dlv has.
    poll(lambda: not left_behind(), timeout=LONG)
    left = left_behind()
    for pid in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(pid).kill()
    assert not left
    poll(lambda: set(threading.enumerate()) <= threads, timeout=LONG)
    assert set(threading.enumerate()) <= threads


def marked_processes() -> dict[int, str]:
    """Return pid and command line of all processes that were started by these tests."""
    mark = os.environ[_MARK]
    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            is_marked = process.environ().get(_MARK) == mark and process.pid != os.getpid()
            if is_marked and process.status() != psutil.STATUS_ZOMBIE:
                found[process.pid] = " ".join(process.cmdline())
    return found
