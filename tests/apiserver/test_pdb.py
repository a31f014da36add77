"""pytest --pdb: what failed stays paused, for an IDE, until the prompt is left."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from pytest_kdelve.delve import Address
from tests.dap import Dap
from tests.terminal import Terminal

if TYPE_CHECKING:
    from tests.apiserver.running import Runner

FAILS = """
    def test_fails(api, kdelve):
        with kdelve.pause("endpoints/handlers/get.go", at="getter(ctx, name, req)") as pause:
            answer = api.background.get("/api/v1/namespaces/default")
            assert pause.wait().eval("name") == "kube-system"

    def test_next(api):
        assert api.get("/api").ok
"""


def test_an_editor_looks_at_what_failed(runner: Runner) -> None:
    path = runner.pytester.makepyfile(FAILS)
    argv = [sys.executable, "-m", "pytest", "--pdb", str(path)]
    with Terminal(*argv, prompt="(Pdb) ") as terminal:
        said = terminal.read()
        assert "E           AssertionError: assert 'default' == 'kube-system'" in said
        assert re.search(r"kdelve\.pause\(.*\) holds the kube-apiserver at \S+get\.go:\d+ ", said)
        [address] = re.findall(r"`/\S+/dlv connect (\S+)`", said)
        with Dap(Address.parse(address)) as editor:
            editor.attach(stop_on_entry=True)
            threads = editor.ask("threads")["threads"]
            [thread] = [each["id"] for each in threads if "getResourceHandler" in each["name"]]
            frame = editor.stack(thread)[0]
            assert editor.variables(frame["id"])["name"] == '"default"'
            editor.disconnect()
        terminal.type("continue")
        end = terminal.read("1 failed, 1 passed")
        assert "kube-apiserver" not in end.partition("PDB continue")[0]
        assert terminal.wait() == 1
    runner.check_nothing_is_left()
