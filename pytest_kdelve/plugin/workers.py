"""pytest-xdist's workers, each of which has an environment of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_kdelve.delve import Address
from pytest_kdelve.errors import UsageError

if TYPE_CHECKING:
    import pytest

    from pytest_kdelve.plugin.options import Settings

_LARGEST_PORT = 65535


def name(config: pytest.Config) -> str:
    """Return the worker's name, such as "gw0"; empty where this process is none."""
    return str(getattr(config, "workerinput", {}).get("workerid", ""))


def own(config: pytest.Config, settings: Settings) -> Settings:
    """Return the settings of this worker: with a fixed port, worker n takes the port + n."""
    number = name(config).removeprefix("gw")
    listen = settings.listen
    if not number.isdigit() or not listen.port:
        return settings
    return replace(settings, listen=Address(listen.host, listen.port + int(number)))


def check(config: pytest.Config, settings: Settings) -> None:
    """Raise ``UsageError`` before workers start that could not all work."""
    count = sum(map(_count, config.getoption("tx", None) or ()))
    if name(config) or not count:
        return
    last = settings.listen.port + count - 1
    if settings.listen.port and last > _LARGEST_PORT:
        raise UsageError(
            f"--kdelve-listen={settings.listen}: {count} workers take the ports from there to "
            f"{last}, but {_LARGEST_PORT} is the last one; give a lower one"
        )
    if count > 1 and settings.mode in {"takeover", "attach", "connect"}:
        raise UsageError(
            f"--kdelve-{settings.mode} has one kube-apiserver, which {count} workers cannot share: "
            "each of them would stop it for the others; run without -n"
        )


def _count(specification: str) -> int:
    """Return how many workers a specification of execnet, such as ``2*popen``, means."""
    number, star, _ = specification.partition("*")
    return int(number) if star and number.isdigit() else 1
