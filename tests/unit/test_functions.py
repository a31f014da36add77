"""The names of functions, from what people write to what the compiler made."""

from __future__ import annotations

import pytest

from pytest_kdelve.delve import functions

COMPILED = [
    "sync.(*Mutex).Lock",
    "internal/sync.(*Mutex).Lock",
    "main.Value.Speak",
    "main.(*Value).Speak",
    "main.(*Pointer).Speak",
    "main.Largest[go.shape.int]",
    "main.Largest[go.shape.string]",
    "main.Box[go.shape.int].Get",
    "main.Box[int].Get",
    "main.(*Box[int]).Get",
    "main.Optimised[int].Get",
    "main.init.0",
    "main.init.1",
    "main.run",
    "main.run.func1",
]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("sync.(*Mutex).Lock", {"sync.(*Mutex).Lock": ["sync.(*Mutex).Lock"]}),
        ("Value.Speak", {"main.Value.Speak": ["main.Value.Speak"]}),
        ("(*Value).Speak", {"main.Value.Speak": ["main.Value.Speak"]}),
        ("main.(*Value).Speak", {"main.Value.Speak": ["main.Value.Speak"]}),
        ("(*Pointer).Speak", {"main.(*Pointer).Speak": ["main.(*Pointer).Speak"]}),
        (
            "Speak",
            {
                "main.Value.Speak": ["main.Value.Speak"],
                "main.(*Pointer).Speak": ["main.(*Pointer).Speak"],
            },
        ),
        (
            "Largest",
            {"main.Largest": ["main.Largest[go.shape.int]", "main.Largest[go.shape.string]"]},
        ),
        ("Largest[go.shape.int]", {"main.Largest": ["main.Largest[go.shape.int]"]}),
        ("(*Box).Get", {"main.Box.Get": ["main.Box[go.shape.int].Get"]}),
        ("Box[int].Get", {"main.Box.Get": ["main.Box[int].Get"]}),
        ("Optimised.Get", {"main.Optimised.Get": ["main.Optimised[int].Get"]}),
        ("Value.Spea", {}),
    ],
)
def test_what_the_compiler_added_is_left_out(wanted: str, found: dict[str, list[str]]) -> None:
    assert functions.written(wanted, COMPILED) == found


@pytest.mark.parametrize(
    ("wanted", "similar"),
    [
        ("main.init", ["main.init.0", "main.init.1"]),
        ("main.rum", ["main.run"]),
        ("wrong.run", ["main.run"]),
        ("Value.Speek", ["main.Value.Speak"]),
        ("main.run.xyzzy", ["main.run.func1"]),
        ("xyzzy", []),
    ],
)
def test_functions_of_a_similar_name(wanted: str, similar: list[str]) -> None:
    assert functions.similar(wanted, COMPILED) == similar


def test_a_closure_is_inside_of_its_function() -> None:
    assert functions.is_inside("main.run.func1", "main.run")
    assert functions.is_inside("main.run-range1", "main.run")
    assert not functions.is_inside("main.runs", "main.run")
