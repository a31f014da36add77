"""Environments that stay: started once, for runs of pytest, an IDE and Postman.

Each is known by a file in the state folder, and is ended by ``down``, or by a restart of the
machine.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec
from filelock import FileLock

from pytest_kdelve.controlplane import (
    apiserver,
    build,
    certificates,
    credentials,
    foreign,
    golang,
    releases,
)
from pytest_kdelve.controlplane.access import Access
from pytest_kdelve.controlplane.checkout import Checkout
from pytest_kdelve.controlplane.credentials import Credentials
from pytest_kdelve.controlplane.environment import RunningBefore
from pytest_kdelve.controlplane.journal import JournalFile, Owner, runs_folder, state_folder
from pytest_kdelve.controlplane.locks import holding
from pytest_kdelve.controlplane.reaping import undo_all
from pytest_kdelve.controlplane.releases import Versions
from pytest_kdelve.controlplane.started import ControlPlane, Plan
from pytest_kdelve.delve import Address, api, connect
from pytest_kdelve.errors import ProcessError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kdelve.controlplane.progress import Progress
    from pytest_kdelve.delve import Client

DEFAULT_NAME = "default"
_FOLDER = "environments"
_SUFFIX = ".json"
_DELETED = " (deleted)"
#: How Delve knows the file; a regular expression.
MAIN_SOURCE = "/cmd/kube-apiserver/apiserver.go$"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What an environment is asked to be; ``given`` maps a binary's name to its path.

    ``listen`` is empty for a free port. The versions are as in ``Versions``. Kubernetes is built
    from the ``checkout``, if there is one.
    """

    kubernetes: str
    go: str
    delve: str
    etcd: str
    listen: str = ""
    given: dict[str, str] = {}
    apiserver_args: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    cluster_role: str = "cluster-admin"
    checkout: Checkout | None = None

    @classmethod
    def of(cls, versions: Versions, **others: Any) -> Self:
        """Return what is wanted of these versions; ``others`` are the other fields."""
        return cls(
            kubernetes=versions.kubernetes,
            go=versions.go,
            delve=versions.delve,
            etcd=versions.etcd,
            **others,
        )

    @property
    def versions(self) -> Versions:
        """The versions."""
        return Versions(kubernetes=self.kubernetes, go=self.go, delve=self.delve, etcd=self.etcd)

    def differences(self, there: Self) -> Iterator[str]:
        """Yield in words what is otherwise in another one, which is there."""
        for name in self.__struct_fields__:
            ours, theirs = getattr(self, name), getattr(there, name)
            if ours != theirs and (name != "listen" or ours):
                yield f"{name.replace('_', ' ')}: kept {_shown(theirs)}, wanted {_shown(ours)}"


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """An environment that stays; ``processes`` are those without which it is of no use.

    ``address`` is where Delve listens, and ``directory`` has keys and logs. ``obtained`` says how
    the credentials were. ``main_source`` is the path of cmd/kube-apiserver/apiserver.go as the
    compiler saw it, which tells where all other sources are.
    """

    name: str
    run: str
    wanted: Wanted
    processes: dict[str, Owner]
    url: str
    address: str
    directory: str
    argv: tuple[str, ...]
    version: str
    obtained: str
    main_source: str

    @property
    def pid(self) -> int:
        """The kube-apiserver's process id."""
        return self.processes["kube-apiserver"].pid

    @property
    def dlv(self) -> str:
        """Delve's executable; the mere name where it has ended."""
        return _executable(self.processes["dlv"]) or "dlv"

    @property
    def kubeconfig(self) -> Path:
        """The ServiceAccount's kubeconfig."""
        return Path(self.directory, "kubeconfig")

    def credentials(self) -> Credentials:
        """Read the ServiceAccount's token and the CA."""
        [user] = json.loads(self.kubeconfig.read_text())["users"]
        ca = certificates.of(Path(self.directory)).ca
        return Credentials(
            name=credentials.DEFAULT_NAME,
            namespace=credentials.NAMESPACE,
            token=user["user"]["token"],
            ca_crt=ca.read_text(),
            ca_file=ca,
            obtained=self.obtained,
        )

    def __str__(self) -> str:
        """Return in lines how to reach it, and its state."""
        problem = self.problem()
        state = (
            f"of no use any more: {problem}; `kdelve down {self.name}`" if problem else "running"
        )
        return "\n".join(
            [
                f"{self.name}: Kubernetes {self.version.removeprefix('v')}, {state}",
                f"  apiserver   {self.url} (pid {self.pid})",
                f"  debugger    {self.dlv} connect {self.address}",
                f"  kubectl     kubectl --kubeconfig={self.kubeconfig} get namespaces",
                f"  logs, keys  {self.directory}",
            ]
        )

    def staleness(self, wanted: Wanted) -> str:
        """Return in words what was edited in its checkout since; empty where nothing was."""
        ours, now = self.wanted.checkout, wanted.checkout
        if ours is None or now is None or ours.folder != now.folder or ours == now:
            return ""
        since = "was edited since" if str(ours) == str(now) else f"is now {now}"
        return f"it is stale: built from {ours}, which {since}"

    def problem(self) -> str:
        """Return in words why it is of no use any more; empty where it is."""
        executables = {name: _executable(each) for name, each in self.processes.items()}
        ended = [
            f"{name} (pid {self.processes[name].pid})"
            for name, executable in executables.items()
            if not executable
        ]
        if ended:
            return f"{' and '.join(ended)} ended"
        for name, executable in executables.items():
            # So the kernel says it, also where there is another file now, such as a new build.
            if executable.endswith(_DELETED):
                path = executable.removesuffix(_DELETED)
                return f"its {name}, {path}, was replaced or removed since it was started"
        return "" if Path(self.directory).is_dir() else f"its folder {self.directory} is gone"


def _executable(process: Owner) -> str:
    """Return what a process runs; empty where it has ended."""
    try:
        executable = str(Path(f"/proc/{process.pid}/exe").readlink())
    except FileNotFoundError:
        return ""
    return executable if process.is_running else ""


def find(name: str) -> Kept | None:
    """Return what is kept under a name, whatever its state; raises ``UsageError``."""
    path = state_folder() / _FOLDER / f"{name}{_SUFFIX}"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Kept)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise UsageError(
            f"{path} cannot be read: {error}. Another version of pytest-kdelve may have written "
            "it; end that environment's processes, and remove the file"
        ) from error


def find_all() -> list[Kept]:
    """Return all that is kept, by name; raises ``UsageError``."""
    names = sorted(path.stem for path in (state_folder() / _FOLDER).glob(f"*{_SUFFIX}"))
    return [kept for name in names if (kept := find(name))]


def running(name: str = "") -> Kept:
    """Return an environment; where none is named, the default one, or the only one.

    Raises ``UsageError`` where there is none.
    """
    found = {kept.name: kept for kept in find_all() if not kept.problem()}
    if name:
        if name not in found:
            there = ", ".join(found) or "none"
            raise UsageError(f"no environment {name} is kept and runs; there is {there}")
        return found[name]
    if len(found) == 1:
        return next(iter(found.values()))
    if not found:
        raise UsageError("no environment is kept; start one by `kdelve up`")
    if DEFAULT_NAME not in found:
        raise UsageError(
            f"several environments are kept: {', '.join(found)}; choose one by --name, or end all "
            "but one by `kdelve down NAME`"
        )
    return found[DEFAULT_NAME]


def new(wanted: Wanted, *, cache: Path, progress: Progress) -> ControlPlane:
    """Return what is wanted, not started yet; builds what is not in ``cache``."""
    given = {binary: Path(path) for binary, path in wanted.given.items()}
    versions = wanted.versions
    if "kube-apiserver" in given and "dlv" not in given:
        versions = for_binary(given["kube-apiserver"], versions)
    return ControlPlane(
        Plan(
            binaries=build.ensure(
                versions, cache=cache, progress=progress, given=given, checkout=wanted.checkout
            ),
            locks=cache / "ports",
            listen=Address.parse(wanted.listen) if wanted.listen else Address(),
            extra_args=wanted.apiserver_args,
            environment=wanted.environment,
            notes=notes_on(wanted.checkout),
        )
    )


def notes_on(checkout: Checkout | None) -> tuple[str, ...]:
    """Return what is to be said of a checkout in reports."""
    return (f"Kubernetes was built from {checkout}",) if checkout else ()


def for_binary(kube_apiserver: Path, versions: Versions) -> Versions:
    """Return versions with a Delve that debugs this kube-apiserver.

    Raises ``UsageError`` where there is none, or where the one that was named does not.
    """
    go = golang.built_with(kube_apiserver)
    delve = releases.delve_of(kube_apiserver.resolve(), go, delve=versions.delve)
    return replace(versions, delve=delve, given_go=go)


def up(name: str, wanted: Wanted, *, cache: Path, progress: Progress) -> Kept:
    """Start an environment that stays, and wait until it is ready for requests.

    What is left of one of that name that is of no use any more is ended first. Raises
    ``KdelveError``, also where there is one of that name; nothing is left running then.
    """
    _check_not_up(name)  # Before the lock, which a run that uses it holds.
    busy = UsageError(
        f"another process starts or uses the environment {name!r}; try again when it has ended"
    )
    with holding(_lock(name), busy):
        _check_not_up(name)
        if there := find(name):
            down(there)
        control_plane = new(wanted, cache=cache, progress=progress)
        control_plane.start()
        try:
            with control_plane.connect() as client:
                if foreign.is_foreign(control_plane.argv[0]):
                    apiserver.inspect(client, control_plane.argv[0])
                [main_source] = client.list_sources(MAIN_SOURCE)
                client.send_command(api.CommandName.CONTINUE)
            with control_plane.connect() as client:
                control_plane.wait_ready(lambda: _check_running(client))
            found = control_plane.make_credentials(wanted.cluster_role)
            return keep(
                name, wanted, control_plane, obtained=found.obtained, main_source=main_source
            )
        except BaseException:
            control_plane.stop()
            raise


def keep(
    name: str, wanted: Wanted, control_plane: ControlPlane, *, obtained: str, main_source: str
) -> Kept:
    """Let a control plane with credentials stay, also at its ``stop``, and write down where it is.

    ``obtained`` and ``main_source`` are as in ``Kept``.
    """
    owners = {process: Owner.of(pid) for process, pid in control_plane.processes.items()}
    kept = Kept(
        name=name,
        run=control_plane.run,
        wanted=wanted,
        processes={process: owner for process, owner in owners.items() if owner},
        url=control_plane.url,
        address=str(control_plane.address),
        directory=str(control_plane.directory),
        argv=control_plane.argv,
        version=control_plane.version(),
        obtained=obtained,
        main_source=main_source,
    )
    content = msgspec.json.format(msgspec.json.encode(kept))
    certificates.write_secret(_folder() / f"{name}{_SUFFIX}", content)
    control_plane.release()
    return kept


def down(kept: Kept) -> None:
    """End an environment, whatever is left of it; raises ``ProcessError``."""
    file = JournalFile(runs_folder(), kept.run)
    busy = ProcessError(f"another process ends the environment {kept.name!r} already")
    with holding(file.lock, busy):
        problems = undo_all(file)
    if problems:
        raise ProcessError(f"the environment {kept.name!r}: {'; '.join(problems)}")
    (_folder() / f"{kept.name}{_SUFFIX}").unlink(missing_ok=True)


class Reused(RunningBefore):
    """An environment that stays, in use by this process alone as far as Delve is concerned."""

    mode = "reuse"

    def __init__(self, kept: Kept) -> None:
        super().__init__()
        self._kept = kept
        self.notes = notes_on(kept.wanted.checkout)

    def _start(self) -> None:
        kept = self._kept
        busy = UsageError(
            f"another run of pytest uses the environment {kept.name!r}; wait for its end, or run "
            "without --kdelve-reuse"
        )
        self._resources.enter_context(holding(_lock(kept.name), busy))
        self.directory = Path(kept.directory)
        self.access = Access.by_certificate(kept.url, certificates.of(self.directory))
        self.address = Address.parse(kept.address)
        self.dlv = Path(kept.dlv)
        self.argv, self.log = kept.argv, self.directory / "kube-apiserver.log"
        self._guardian.start()
        self._resources.callback(self._guardian.stop)
        self.pid = self._halt()

    def connect(self) -> Client:
        """Open one more connection to Delve."""
        return connect(self.address)

    def make_credentials(self, cluster_role: str) -> Credentials:  # noqa: ARG002 - it has that one
        """Return those that were made at its start."""
        return self._kept.credentials()


def _check_running(client: Client) -> None:
    client.state(non_blocking=True)


def _check_not_up(name: str) -> None:
    if (there := find(name)) and not there.problem():
        raise UsageError(f"the environment {name!r} is up already, dlv at {there.address}")


def _lock(name: str) -> FileLock:
    return FileLock(_folder() / f"{name}.lock", timeout=0, mode=0o600)


def _folder() -> Path:
    folder = runs_folder().with_name(_FOLDER)
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _shown(value: object) -> str:
    if isinstance(value, Checkout):
        return str(value)
    return str(value) if isinstance(value, str) and value else json.dumps(value, default=list)
