"""What will be debugged, in pytest's header, and what was, in its summary.

Nothing is started for the header: it says what the options and the files of the cache tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_kdelve.controlplane import build, kept
from pytest_kdelve.errors import UsageError
from pytest_kdelve.plugin.state import BINARY, KEPT, RAN, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_kdelve.controlplane.kept import Kept
    from pytest_kdelve.delve import Address
    from pytest_kdelve.plugin.debugged import Debugged
    from pytest_kdelve.plugin.options import Settings

#: In pytest-xdist's ``workeroutput``.
_KEY = "kdelve_ran"


def pytest_report_header(config: pytest.Config) -> str:
    """Say what a test of this run would debug."""
    return f"kdelve: {_planned(config.stash[SETTINGS])}"


def note(config: pytest.Config, debugged: Debugged) -> None:
    """Keep for the summary what runs."""
    config.stash[RAN].append(
        f"Kubernetes {debugged.version.removeprefix('v')} (built with Go {debugged.go_version}), "
        f"Delve {debugged.delve_version}, mode {debugged.mode}, dlv at {debugged.address}, "
        f"pid of kube-apiserver {debugged.pid or 'not known'}"
    )
    config.stash[RAN].extend(debugged.notes)
    config.stash[BINARY].extend(debugged.binary_notes)


def note_kept(config: pytest.Config, found: Kept) -> None:
    """Keep for the summary what stays, and how to reach it."""
    config.stash[KEPT].append(f"kept for you until `kdelve down {found.name}`:\n{found}")


def note_left(config: pytest.Config, left: str) -> None:
    """Keep for the summary what is there when what was debugged has ended."""
    if left:
        config.stash[KEPT].append(left)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what ran to pytest-xdist's controller, where this is a worker."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_KEY] = [session.config.stash[each] for each in (RAN, BINARY, KEPT)]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:  # noqa: ANN401 - pytest-xdist's WorkerController
    """Take what ran in one of pytest-xdist's workers; one that crashed left nothing."""
    ran, binary, kept = getattr(node, "workeroutput", {}).get(_KEY, ((), (), ()))
    node.config.stash[RAN].extend(f"{node.gateway.id}: {each}" for each in ran)
    node.config.stash[BINARY].extend(binary)
    node.config.stash[KEPT].extend(kept)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was debugged, if anything was, and what stays.

    However quiet pytest is: what its binary means for the tests, each once for all workers.
    """
    config = terminalreporter.config
    ran = config.stash[RAN] if config.get_verbosity() >= 0 else []
    binary = config.stash[BINARY]
    if lines := [*ran, *dict.fromkeys(binary), *config.stash[KEPT]]:
        terminalreporter.ensure_newline()
        terminalreporter.section("kdelve")
        for each in lines:
            terminalreporter.write_line(each)


def _planned(settings: Settings) -> str:
    if settings.connect:
        return f"mode connect, dlv at {settings.connect}"
    try:
        built = build.kept(settings.versions, cache=build.cache_folder())
    except (OSError, ValueError):
        built = {}  # Building will tell what is wrong with the cache.
    reused = _reused() if settings.reuse else None
    parts = [
        _delve(settings, is_kept=bool(built.get("dlv"))),
        f"mode {settings.mode}",
        f"dlv at {reused.address if reused else _address(settings.listen)}",
    ]
    if pid := settings.takeover or settings.attach:
        parts.append(f"pid of kube-apiserver {pid}")
    elif settings.takeover is not None:
        parts.append("of the only kube-apiserver that runs")
    else:
        parts.insert(0, _kubernetes(settings, built.get("kube-apiserver", ())))
    return ", ".join(parts)


def _reused() -> Kept | None:
    """Return what --kdelve-reuse would take; what is wrong with it is said when it is taken."""
    try:
        found = kept.find(kept.DEFAULT_NAME)
    except UsageError:
        return None
    return found if found and not found.problem() else None


def _kubernetes(settings: Settings, go: Sequence[str]) -> str:
    given = settings.given.get("kube-apiserver")
    if given:
        return f"Kubernetes of {given} (Go not known yet)"
    if settings.source:
        return f"Kubernetes of the checkout {settings.source}"
    # Which of several is taken depends on the Go that is asked once something runs.
    wanted = f"not built yet, to be built with Go {settings.versions.go}"
    state = f"kept, built with Go {' or '.join(go)}" if go else wanted
    return f"Kubernetes {settings.versions.kubernetes} ({state})"


def _delve(settings: Settings, *, is_kept: bool) -> str:
    given = settings.given.get("dlv")
    if given:
        return f"Delve of {given}"
    if version := settings.versions.delve:
        return f"Delve {version} ({'kept' if is_kept else 'not built yet'})"
    return "a Delve that fits its Go"


def _address(listen: Address) -> str:
    return str(listen) if listen.port else f"a free port of {listen.host}"
