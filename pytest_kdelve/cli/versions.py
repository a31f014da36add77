"""What of Kubernetes, Go and Delve a command is to build."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_kdelve.controlplane import checkout, releases
from pytest_kdelve.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Iterable

    from pytest_kdelve.controlplane.checkout import Checkout
    from pytest_kdelve.controlplane.releases import Versions


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--kubernetes",
        metavar="VERSION",
        help=f"which Kubernetes, from 1.24.0 on (default: {releases.DEFAULT_KUBERNETES})",
    )
    parser.add_argument(
        "--source",
        metavar="DIR",
        help="build from this checkout of kubernetes, edited or not; --kubernetes is for one "
        "whose version is not known",
    )
    parser.add_argument(
        "--go",
        metavar="VERSION",
        help="the Go to build it with, 1.26 or 1.26.8 (default: the one it was released with)",
    )
    parser.add_argument(
        "--delve", metavar="VERSION", help="which Delve (default: one that fits the Go)"
    )


def check_filled(options: argparse.Namespace, names: Iterable[str]) -> None:
    """Raise ``UsageError`` for an option without a value, such as one from an unset variable."""
    for name in names:
        if getattr(options, name) == "":
            raise UsageError(f"--{name} is empty: give it a value, or leave it out")


def read(
    options: argparse.Namespace, *, given: Collection[str] = ()
) -> tuple[Versions, Checkout | None]:
    """Return what ``releases.choose`` makes of the options, and the checkout.

    Raises ``UsageError``, also where a kube-apiserver is ``given`` besides what to build one from.
    """
    check_filled(options, ("kubernetes", "source", "go", "delve"))
    source = Path(options.source) if options.source else None
    for name in ("source", "kubernetes", "go"):
        if (text := getattr(options, name)) and "kube-apiserver" in given:
            raise UsageError(
                f"--{name}={text} and a given kube-apiserver (--apiserver or KDELVE_APISERVER): "
                "give one of them"
            )
    # The shell leaves ~ as it is behind --source=.
    found = checkout.read(source.expanduser(), version=options.kubernetes or "") if source else None
    asked = releases.Asked(options.kubernetes or "", options.go or "", options.delve or "")
    default = found.version if found else releases.DEFAULT_KUBERNETES
    return asked.choose(default=default, given=given), found
