"""An IDE and ``dlv connect`` at the real kube-apiserver, beside the tests that run."""

from __future__ import annotations

import queue
import time
from typing import TYPE_CHECKING, Any

import pytest

from pytest_kdelve.delve import Address
from tests.dap import Dap
from tests.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    import requests

    from pytest_kdelve.controlplane.build import Binaries
    from pytest_kdelve.hits.collected import HitList
    from pytest_kdelve.plugin.handle import Kdelve
    from pytest_kdelve.plugin.http import ApiSession

GETTER = "endpoints/handlers/get.go"
GETTER_CALL = "getter(ctx, name, req)"
FUNCTION = "handlers.getResourceHandler.func1"
SERVICE = "/api/v1/namespaces/default/services/kubernetes"
LONG = 60.0


def address_of(kdelve: Kdelve) -> Address:
    return Address.parse(kdelve.client.address)


def line_after_the_getter(kdelve: Kdelve, api: ApiSession) -> tuple[str, int]:
    """Return the path as the editor knows it, and the line of ``if err != nil {``."""
    with kdelve.watch(GETTER, at=GETTER_CALL) as hits:
        assert api.get(SERVICE).ok
    return hits.only.file, hits.only.line + 1


def breakpoints(kdelve: Kdelve) -> list[tuple[str, int]]:
    found = kdelve.client.list_breakpoints()
    return sorted((each.file, each.line) for each in found if each.id > 0)


def wait_until_it_runs(api: ApiSession) -> None:
    """Wait until the loop has resumed the server after setting the test's breakpoints.

    A client that came while it stood for that, and resumed it at the same moment as the loop, would
    have its next stop resumed by the loop.
    """
    assert api.get("/version").ok


@pytest.fixture
def _no_breakpoint_is_left(kdelve: Kdelve) -> Iterator[None]:
    yield
    for each in kdelve.client.list_breakpoints():
        if each.id > 0:
            kdelve.client.clear_breakpoint(each.id)


@pytest.mark.usefixtures("_no_breakpoint_is_left")
def test_an_editor_looks_at_a_pause(kdelve: Kdelve, api: ApiSession) -> None:
    theirs = line_after_the_getter(kdelve, api)
    with kdelve.pause(GETTER, at=GETTER_CALL) as pause:
        answer = api.background.get(SERVICE)
        stop = pause.wait()
        with Dap(address_of(kdelve)) as editor:
            [found] = editor.attach([theirs], stop_on_entry=True)
            assert found["verified"]
            frame = editor.stack(stop.hit.goroutine)[0]
            assert frame["name"] == FUNCTION
            assert editor.variables(frame["id"])["name"] == '"kubernetes"'
            editor.disconnect()
        assert stop.eval("name") == "kubernetes"
        assert not answer.done()
        stop.resume()
    assert answer.result(LONG).ok
    assert breakpoints(kdelve) == [theirs]


def stop_at(editor: Dap, line: int, name: str) -> list[Any]:
    """Continue until the editor stops there in a request for ``name``; returns the stack."""
    deadline = time.monotonic() + LONG
    while time.monotonic() < deadline:
        try:
            stopped = editor.event("stopped", timeout=1.0)
        except queue.Empty:
            continue
        frames = editor.stack(stopped["threadId"])
        is_there = frames[0]["name"] == FUNCTION and frames[0]["line"] == line
        if is_there and editor.variables(frames[0]["id"])["name"] == f'"{name}"':
            return frames
        editor.continue_()
    raise AssertionError(f"the editor did not stop at line {line} for {name}")


def go_to_its_breakpoint(
    editor: Dap, path: str, line: int, api: ApiSession, hits: HitList
) -> tuple[Future[requests.Response], list[Any]]:
    """Let the editor stop at the test's breakpoint, and at its own one line below.

    Returns what will be answered, and the stack there.
    """
    editor.attach([(path, line)])
    answer = api.background.get(SERVICE)
    stop_at(editor, line - 1, "kubernetes")
    hits.wait(1, LONG)
    editor.continue_()
    return answer, stop_at(editor, line, "kubernetes")


@pytest.mark.usefixtures("_no_breakpoint_is_left")
def test_an_editor_has_a_breakpoint_of_its_own(kdelve: Kdelve, api: ApiSession) -> None:
    path, line = line_after_the_getter(kdelve, api)
    with kdelve.watch(GETTER, at=GETTER_CALL, locals=["name"]) as hits:
        wait_until_it_runs(api)
        with Dap(address_of(kdelve)) as editor:
            answer, frames = go_to_its_breakpoint(editor, path, line, api, hits)
            assert any("ServeHTTP" in frame["name"] for frame in frames)
            editor.set_breakpoints([(path, line + 1)])
            editor.continue_()
            assert answer.result(LONG).ok
            editor.disconnect()
        assert api.get(SERVICE).ok
    assert [hit.values["name"] for hit in hits] == ["kubernetes"] * 2


@pytest.mark.usefixtures("_no_breakpoint_is_left")
def test_an_editor_is_killed_at_its_stop(kdelve: Kdelve, api: ApiSession) -> None:
    path, line = line_after_the_getter(kdelve, api)
    with kdelve.watch(GETTER, at=GETTER_CALL, locals=["name"]) as hits:
        wait_until_it_runs(api)
        with Dap(address_of(kdelve)) as editor:
            answer, _ = go_to_its_breakpoint(editor, path, line, api, hits)
            assert not answer.done()
        assert answer.result(LONG).ok
    assert hits.only.values["name"] == "kubernetes"


def test_dlv_connect_quits(
    kdelve: Kdelve, api: ApiSession, kdelve_binaries: Binaries, tmp_path: Path
) -> None:
    with kdelve.watch(GETTER, at=GETTER_CALL, locals=["name"]) as hits:
        wait_until_it_runs(api)
        with Terminal.dlv_connect(kdelve_binaries.dlv, address_of(kdelve), tmp_path) as terminal:
            terminal.read()
            assert "Goroutine" in terminal.ask("goroutines -with user")
            terminal.ask("quit", "Would you like to kill the headless instance? [Y/n] ")
            terminal.type("n")
            assert terminal.wait() == 0
        assert api.get(SERVICE).ok
    assert hits.only.values["name"] == "kubernetes"
