"""What others may import, and what they need for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

import pytest_kdelve
from pytest_kdelve import delve, testing

WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"pytest", "_pytest", "kubernetes", "requests"}:
            raise ModuleNotFoundError(f"No module named {name!r}")

sys.meta_path.insert(0, Missing())
"""
USE = """
from pytest_kdelve.delve import Client, Session, api
from pytest_kdelve.delve.loading import load_whole
from pytest_kdelve.delve.resolver import Resolver
from pytest_kdelve.delve.loop import Loop
from pytest_kdelve.testing import FakeDelve

with FakeDelve(lambda call, connection: connection.reply(call, {"Pid": 7})) as fake:
    with Client(fake.host, fake.port) as client:
        print(client.process_pid())
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_delve_client_needs_neither_pytest_nor_kubernetes_nor_requests() -> None:
    done = run(WITHOUT + USE)
    assert (done.stdout, done.returncode) == ("7\n", 0), done.stderr


@pytest.mark.parametrize("module", ["pytest", "kubernetes.client", "requests"])
def test_and_they_are_really_missing_there(module: str) -> None:
    done = run(f"{WITHOUT}import {module}")
    assert done.returncode == 1
    assert f"No module named '{module.partition('.')[0]}'" in done.stderr


def test_the_names_are_these() -> None:
    """A name that goes is a breaking change, and one that comes is a promise."""
    assert set(delve.__all__) == {
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
    }
    assert set(testing.__all__) == {"Call", "FakeConnection", "FakeDelve"}
    assert pytest_kdelve.__all__ == ["at"]
