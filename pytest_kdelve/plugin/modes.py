"""From the options to the kube-apiserver that is debugged."""

from __future__ import annotations

import sys
import warnings
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.controlplane import build, checkout, kept, running
from pytest_kdelve.controlplane.access import find_kubeconfig
from pytest_kdelve.controlplane.existing import Attached, Connected
from pytest_kdelve.controlplane.progress import Progress, for_stream
from pytest_kdelve.controlplane.takenover import TakenOver
from pytest_kdelve.errors import UsageError
from pytest_kdelve.plugin import header, workers
from pytest_kdelve.plugin.state import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_kdelve.controlplane.environment import Environment
    from pytest_kdelve.controlplane.releases import Versions
    from pytest_kdelve.plugin.options import Settings


def wanted(
    config: pytest.Config, *, args: Sequence[str], variables: Mapping[str, str], cluster_role: str
) -> kept.Wanted:
    """Return what a kube-apiserver that is started here is to be, besides what the options say."""
    settings = workers.own(config, config.stash[SETTINGS])
    versions, found = settings.versions, None
    if settings.source:
        found = checkout.read(settings.source, version=settings.asked.kubernetes)
        versions = settings.asked.choose(default=found.version, given=settings.given)
    return kept.Wanted.of(
        versions,
        checkout=found,
        listen=str(settings.listen) if settings.listen.port else "",
        given={binary: str(path) for binary, path in settings.given.items()},
        apiserver_args=(*args, *settings.apiserver_args),
        environment=dict(variables),
        cluster_role=cluster_role,
    )


def environment(config: pytest.Config, wanted: kept.Wanted) -> Environment:
    """Return what the options ask for, not started yet; builds what is needed and not kept."""
    settings = config.stash[SETTINGS]
    if settings.connect:
        return Connected(settings.connect, kubeconfig=_kubeconfig(settings))
    cache = build.cache_folder()
    with _progress(config) as progress:
        if settings.attach or settings.takeover is not None:
            kubeconfig, listen = _kubeconfig(settings), settings.listen
            pid = settings.attach or running.find(settings.takeover or None).pid
            dlv = build.ensure_delve(
                _versions(settings, pid), cache=cache, progress=progress, given=settings.given
            )
            way = Attached if settings.attach else TakenOver
            return way(pid, dlv=dlv, listen=listen, kubeconfig=kubeconfig)
        if not settings.reuse:
            return kept.new(wanted, cache=cache, progress=progress)
        found = _usable(config, wanted)
        if found is None:
            found = kept.up(_name(config), wanted, cache=cache, progress=progress)
            header.note_kept(config, found)
        return kept.Reused(found)


def _versions(settings: Settings, pid: int) -> Versions:
    if "dlv" in settings.given:
        return settings.versions
    return kept.for_binary(running.program(pid), settings.versions)


def _name(config: pytest.Config) -> str:
    worker = workers.name(config)
    return f"{kept.DEFAULT_NAME}-{worker}" if worker else kept.DEFAULT_NAME


def _usable(config: pytest.Config, wanted: kept.Wanted) -> kept.Kept | None:
    """Return the environment to use again, and end one of which there is nothing to use."""
    found = kept.find(_name(config))
    if found is None:
        return None
    if problem := found.problem() or found.staleness(wanted):
        text = f"the environment that was kept is of no use any more, and is replaced: {problem}"
        warnings.warn(pytest.PytestWarning(text), stacklevel=1)
        kept.down(found)
        return None
    if differences := list(wanted.differences(found.wanted)):
        listed = "".join(f"\n  {each}" for each in differences)
        raise UsageError(
            f"the environment {found.name!r} that is kept is not the one that this run wants:"
            f"{listed}\nend it by `kdelve down`, or run with the same options and fixtures"
        )
    return found


def _kubeconfig(settings: Settings) -> str:
    return settings.kubeconfig or find_kubeconfig()


@contextmanager
def _progress(config: pytest.Config) -> Iterator[Progress]:
    """Show the progress of a build in the terminal, whatever pytest captures."""
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        yield for_stream(sys.stderr)
