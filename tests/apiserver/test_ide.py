"""The launch.json that is written, used as VS Code uses it, on the real kube-apiserver's binary."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_kdelve.controlplane import ide
from pytest_kdelve.delve import Headless, Server, Target, exec_
from tests.dap import Dap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kdelve.controlplane.build import Binaries

MAIN = "cmd/kube-apiserver/apiserver.go"
RUN = "staging/src/k8s.io/component-base/cli/run.go"
COMMAND = "command := app.NewAPIServerCommand()"
CALL = "if logsInitialized, err := run(cmd); err != nil {"


@pytest.fixture
def dlv(kdelve_binaries: Binaries, tmp_path: Path) -> Iterator[Server]:
    """A kube-apiserver that stands at its first instruction, and would only print its help."""
    headless = Headless(dlv=kdelve_binaries.dlv, log=tmp_path / "dlv.log")
    target = Target(args=["--help"], stdout=tmp_path / "help")
    with exec_(headless, kdelve_binaries.kube_apiserver, target=target) as server:
        yield server


@pytest.fixture
def main_source(dlv: Server) -> str:
    with dlv.connect() as client:
        [path] = client.list_sources(f"/{MAIN}$")
    return path


@pytest.fixture
def checkout(main_source: str, tmp_path: Path) -> Path:
    """Two files where they are in a checkout of kubernetes."""
    folder, kubernetes = tmp_path / "checkout", Path(main_source.removesuffix(MAIN))
    version = kubernetes.name.removeprefix("kubernetes@v1.")
    for file, source in (
        ("go.mod", kubernetes / "go.mod"),
        (MAIN, Path(main_source)),
        (RUN, kubernetes.parent / f"component-base@v0.{version}" / "cli/run.go"),
    ):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, folder / file)
    return folder


def configuration(file: Path) -> dict[str, Any]:
    """Return what VS Code sends to attach: itself it takes the name, and where to connect to."""
    [written] = json.loads(file.read_text())["configurations"]
    assert (written["type"], written["request"]) == ("go", "attach")
    return {key: written[key] for key in written if key not in {"name", "type", "request"}}


def attach(dap: Dap, file: Path) -> None:
    dap.ask("initialize", adapterID="go", pathFormat="path", linesStartAt1=True)
    dap.ask("attach", **configuration(file))
    dap.event("initialized")


def break_at(dap: Dap, file: Path, text: str) -> tuple[int, bool]:
    """Set a breakpoint; return its line, and whether it is at a place of the binary."""
    lines = [line.strip() for line in file.read_text().splitlines()]
    line = lines.index(text) + 1
    wanted = {"source": {"path": str(file)}, "breakpoints": [{"line": line}]}
    [breakpoint_] = dap.ask("setBreakpoints", **wanted)["breakpoints"]
    return line, breakpoint_["verified"]


def test_breakpoints_in_a_checkout_stop_there(
    dlv: Server, main_source: str, checkout: Path
) -> None:
    paths = ide.substitutions(checkout, main_source)
    file = ide.write_vscode(checkout, dlv.address, paths)
    with Dap(dlv.address) as dap:
        attach(dap, file)
        wanted = [(checkout / MAIN, COMMAND), (checkout / RUN, CALL)]
        places = [(str(path), *break_at(dap, path, text)) for path, text in wanted]
        assert [is_verified for _, _, is_verified in places] == [True, True]
        dap.ask("configurationDone")
        # It waits, since it may have come to look at what a test holds.
        entry = dap.event("stopped")
        assert entry["reason"] == "entry"
        dap.ask("continue", threadId=entry["threadId"])
        thread, frames = stop(dap)
        assert place(frames[0]) == places[0][:2]
        dap.ask("continue", threadId=thread)
        _thread, frames = stop(dap)
        assert place(frames[0]) == places[1][:2]
        assert frames[1]["source"]["path"] == str(checkout / MAIN)
        assert [frame["name"] for frame in frames[:2]] == ["cli.Run", "main.main"]
        assert "cmd" in variables(dap, frames[0]["id"])
        dap.ask("disconnect", terminateDebuggee=False)
        dap.event("terminated")
    with dlv.connect() as client:
        stack = client.stacktrace(-1, 1)
        kept = [breakpoint_.file for breakpoint_ in client.list_breakpoints() if breakpoint_.id > 0]
    assert stack[0].function is not None
    assert stack[0].function.name == "k8s.io/component-base/cli.Run"
    assert len(kept) == 2, "VS Code's stay, and so does the target where it is"


def stop(dap: Dap) -> tuple[int, list[dict[str, Any]]]:
    """Wait for a breakpoint; return the goroutine that stands there, and its stack."""
    stopped = dap.event("stopped")
    assert stopped["reason"] == "breakpoint"
    thread = stopped["threadId"]
    return thread, dap.ask("stackTrace", threadId=thread)["stackFrames"]


def place(frame: dict[str, Any]) -> tuple[str, int]:
    return frame["source"]["path"], frame["line"]


def variables(dap: Dap, frame: int) -> list[str]:
    [scope] = dap.ask("scopes", frameId=frame)["scopes"]
    found = dap.ask("variables", variablesReference=scope["variablesReference"])
    return [variable["name"] for variable in found["variables"]]


def test_without_the_substitution_they_would_not(dlv: Server, checkout: Path) -> None:
    file = ide.write_vscode(checkout, dlv.address)
    with Dap(dlv.address) as dap:
        attach(dap, file)
        assert break_at(dap, checkout / RUN, CALL)[1] is False
        dap.ask("disconnect", terminateDebuggee=False)


def test_the_binarys_own_files_need_no_substitution(
    dlv: Server, main_source: str, tmp_path: Path
) -> None:
    file = ide.write_vscode(tmp_path, dlv.address, ide.substitutions(tmp_path, main_source))
    with Dap(dlv.address) as dap:
        attach(dap, file)
        assert break_at(dap, Path(main_source), COMMAND)[1] is True
        dap.ask("disconnect", terminateDebuggee=False)
