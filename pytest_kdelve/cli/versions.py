"""What of Kubernetes, Go and Delve a command is to build."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_kdelve.controlplane import releases

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection

    from pytest_kdelve.controlplane.releases import Versions


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--kubernetes",
        metavar="VERSION",
        default=releases.DEFAULT_KUBERNETES,
        help="which Kubernetes, from 1.24.0 on (default: %(default)s)",
    )
    parser.add_argument(
        "--go",
        metavar="VERSION",
        default="",
        help="the Go to build it with, 1.26 or 1.26.8 (default: the one it was released with)",
    )
    parser.add_argument(
        "--delve", metavar="VERSION", default="", help="which Delve (default: one that fits the Go)"
    )


def read(options: argparse.Namespace, *, given: Collection[str] = ()) -> Versions:
    """Return what ``releases.choose`` makes of the options."""
    return releases.choose(options.kubernetes, go=options.go, delve=options.delve, given=given)
