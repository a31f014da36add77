"""Hits, frames and stacks as people see them."""

from __future__ import annotations

import pytest

from pytest_kdelve.delve.structs import Struct
from pytest_kdelve.hits.model import Frame, Request, Stack
from tests.unit.builders import make_hit

HANDLERS = "k8s.io/apiserver/pkg/endpoints/handlers"
STACK = Stack(
    (
        Frame(f"{HANDLERS}.createHandler.func1.2", "/x/create.go", 10),
        Frame("k8s.io/apiserver/pkg/registry/generic/registry.(*Store).Create", "/x/store.go", 20),
        Frame("main.run.functional", "/x/main.go", 30),
    )
)


@pytest.mark.parametrize(
    "function",
    [
        "createHandler",
        "handlers.createHandler",
        f"{HANDLERS}.createHandler",
        "handlers.createHandler.func1.2",
        "(*Store).Create",
        "registry.(*Store).Create",
        "Create",
    ],
)
def test_a_function_is_on_the_stack(function: str) -> None:
    assert function in STACK


@pytest.mark.parametrize(
    "function", ["Handler", "andlers.createHandler", "handlers.create", "main.run", "Store", ""]
)
def test_a_function_is_not_on_the_stack(function: str) -> None:
    """Parts of a name match whole, and only a closure stands for its function."""
    assert function not in STACK


def test_a_stack_has_frames() -> None:
    assert STACK[0] in STACK
    assert Frame("main.main", "/x/main.go", 1) not in STACK
    assert len(STACK) == len(list(STACK)) == 3
    assert str(STACK).splitlines()[2] == "main.run.functional /x/main.go:30"
    assert repr(STACK) == (
        "<Stack, innermost first: handlers.createHandler.func1.2, registry.(*Store).Create, "
        "main.run.functional>"
    )


def test_a_hit_shows_the_values_asked_for_and_no_others() -> None:
    """Whole locals may hold secrets."""
    hit = make_hit(
        file="/x/main.go", line=3, function="main.run", values={"name": "a"}, locals={"token": "s"}
    )
    assert str(hit) == "/x/main.go:3 main.run"
    assert repr(hit) == "<Hit /x/main.go:3 main.run {'name': 'a'}>"


def test_a_request_is_its_method_and_path() -> None:
    assert str(Request("GET", "/api", "kdelve-1")) == "GET /api"


@pytest.mark.parametrize("package", ["k8s.io/api/core/v1", "k8s.io/kubernetes/pkg/apis/core"])
def test_the_data_of_a_secret_is_there_and_not_shown(package: str) -> None:
    secret = Struct(f"{package}.Secret", {"Data": {"password": b"hunter2"}, "Type": "Opaque"})
    assert secret.Data == {"password": b"hunter2"}
    assert repr({"obj": secret}).endswith(".Secret{Data: (redacted), Type: 'Opaque'}}")
    shown = Struct(f"{package}.ConfigMap", {"Data": {"title": "A"}})
    assert repr(shown).endswith(".ConfigMap{Data: {'title': 'A'}}")
