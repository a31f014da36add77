"""From the options to the kube-apiserver that is debugged."""

from __future__ import annotations

import sys
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from pytest_kdelve.controlplane import build
from pytest_kdelve.controlplane.access import find_kubeconfig
from pytest_kdelve.controlplane.existing import Attached, Connected
from pytest_kdelve.controlplane.progress import Progress, for_stream
from pytest_kdelve.controlplane.started import ControlPlane, Plan
from pytest_kdelve.plugin.state import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pytest

    from pytest_kdelve.controlplane.environment import Environment


def environment(
    config: pytest.Config, *, args: Sequence[str], variables: Mapping[str, str]
) -> Environment:
    """Return what the options ask for, not started yet; builds what is needed and not kept.

    ``args`` and ``variables`` are for a kube-apiserver that is started here.
    """
    settings = config.stash[SETTINGS]
    if settings.connect:
        kubeconfig = settings.kubeconfig or find_kubeconfig()
        return Connected(settings.connect, kubeconfig=kubeconfig)
    cache = build.cache_folder()
    with _progress(config) as progress:
        if settings.attach:
            kubeconfig = settings.kubeconfig or find_kubeconfig()
            dlv = build.ensure_delve(
                settings.kubernetes, cache=cache, progress=progress, given=settings.given
            )
            return Attached(settings.attach, dlv=dlv, listen=settings.listen, kubeconfig=kubeconfig)
        binaries = build.ensure(
            settings.kubernetes, cache=cache, progress=progress, given=settings.given
        )
    return ControlPlane(
        Plan(
            binaries=binaries,
            locks=cache / "ports",
            listen=settings.listen,
            extra_args=(*args, *settings.apiserver_args),
            environment=variables,
        )
    )


@contextmanager
def _progress(config: pytest.Config) -> Iterator[Progress]:
    """Show the progress of a build in the terminal, whatever pytest captures."""
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        yield for_stream(sys.stderr)
