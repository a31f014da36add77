"""A client for headless Delve; it needs neither pytest nor Kubernetes and debugs any Go program."""

from __future__ import annotations

from pytest_kdelve.delve import api
from pytest_kdelve.delve.address import Address
from pytest_kdelve.delve.client import Client
from pytest_kdelve.delve.options import Headless, Target
from pytest_kdelve.delve.server import Server, attach, connect, core, debug, exec_, test
from pytest_kdelve.delve.session import Session

__all__ = [
    "Address",
    "Client",
    "Headless",
    "Server",
    "Session",
    "Target",
    "api",
    "attach",
    "connect",
    "core",
    "debug",
    "exec_",
    "test",
]
