"""Writing kubeconfig files, with mode 0600."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from pytest_kdelve.controlplane.certificates import write_secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def write(path: Path, *, url: str, ca: Path, user: Mapping[str, str]) -> None:
    """Write a kubeconfig with one context; ``user`` has the keys of a kubeconfig's user.

    The CA is in the file, so that a copy of it works elsewhere, too. The file is JSON, which every
    reader of YAML takes.
    """
    name = "kdelve"
    cluster = {
        "server": url,
        "certificate-authority-data": base64.b64encode(ca.read_bytes()).decode(),
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": dict(user)}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    write_secret(path, json.dumps(config, indent=2).encode())
