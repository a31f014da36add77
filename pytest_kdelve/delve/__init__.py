"""A client for headless Delve; it needs neither pytest nor Kubernetes and debugs any Go program."""

from __future__ import annotations

from pytest_kdelve.delve.client import Client
from pytest_kdelve.delve.server import Address, Server, exec_

__all__ = ["Address", "Client", "Server", "exec_"]
