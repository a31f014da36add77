"""The names of functions, from what people write to what the compiler made."""

from __future__ import annotations

import pytest

from pytest_kdelve.delve import functions

SETS = ["main.(*Set[go.shape.int]).Add", "main.(*Set[go.shape.string]).Add"]
PAIRS = [
    "main.Pair[go.shape.int,go.shape.string].Swap",
    "main.Pair[go.shape.string,go.shape.string].Swap",
]
COMPILED = [
    *PAIRS,
    *SETS,
    "main.init",
    "a.b/main.init",
    "main.T.init",
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
        ("Box[int].Get", {"main.Box.Get": ["main.Box[go.shape.int].Get"]}),
        ("Box[T].Get", {"main.Box.Get": ["main.Box[go.shape.int].Get"]}),
        ("(*Box[T]).Get", {"main.Box.Get": ["main.Box[go.shape.int].Get"]}),
        ("(*Set[T]).Add", {"main.(*Set).Add": SETS}),
        ("(*Set).Add", {"main.(*Set).Add": SETS}),
        ("(*Set[go.shape.int]).Add", {"main.(*Set).Add": SETS[:1]}),
        ("Set[map[string][]int].Add", {}),
        (
            "main.Largest[float64]",
            {"main.Largest": ["main.Largest[go.shape.int]", "main.Largest[go.shape.string]"]},
        ),
        ("main.Largest[go.shape.float64]", {}),
        ("main.run[int]", {}),
        ("Pair[K, V].Swap", {"main.Pair.Swap": PAIRS}),
        ("main.Pair[go.shape.int,go.shape.string].Swap", {"main.Pair.Swap": PAIRS[:1]}),
        ("main.init", {}),
        ("a.b/main.init", {}),
        ("T.init", {"main.T.init": ["main.T.init"]}),
        ("Optimised.Get", {"main.Optimised.Get": ["main.Optimised[int].Get"]}),
        ("Value.Spea", {}),
    ],
)
def test_what_the_compiler_added_is_left_out(wanted: str, found: dict[str, list[str]]) -> None:
    assert functions.written(wanted, COMPILED) == found


@pytest.mark.parametrize(
    ("wanted", "similar"),
    [
        ("main.rum", ["main.run"]),
        ("rum", ["main.run"]),
        ("rum[int]", ["main.run"]),
        ("main.Lagest[int]", ["main.Largest"]),
        ("wrong.run", ["main.run"]),
        ("Value.Speek", ["main.Value.Speak"]),
        ("main.run.xyzzy", ["main.run.func1"]),
        ("xyzzy", []),
    ],
)
def test_functions_of_a_similar_name(wanted: str, similar: list[str]) -> None:
    assert functions.similar(wanted, COMPILED) == similar


@pytest.mark.parametrize("wanted", ["main.init", "init"])
def test_each_init_has_a_number(wanted: str) -> None:
    assert functions.inits(wanted, COMPILED) == ["main.init.0", "main.init.1"]
    assert functions.inits(wanted, ["main.init", "main.run.0", "main.T.init"]) == []


@pytest.mark.parametrize(
    ("function", "is_method"),
    [
        ("a.b/main.(*T).M", True),
        ("main.T.M", True),
        ("main.T[a.b/c.D].M", True),
        ("main.F[a.b/c.D]", False),
        ("a.b/main.init", False),
        ("type:.eq.main.T", False),
        ("type..eq.main.T", False),
    ],
)
def test_what_the_compiler_added_is_a_method_or_not(function: str, *, is_method: bool) -> None:
    assert functions.is_method(function) is is_method


def test_a_closure_is_inside_of_its_function() -> None:
    assert functions.is_inside("main.run.func1", "main.run")
    assert functions.is_inside("main.run-range1", "main.run")
    assert not functions.is_inside("main.runs", "main.run")


@pytest.mark.parametrize(
    ("function", "outer"),
    [
        ("main.main", []),
        ("a/handlers.create.func1", ["a/handlers.create"]),
        (
            "a/handlers.create.func1.2.3",
            ["a/handlers.create.func1.2", "a/handlers.create.func1", "a/handlers.create"],
        ),
        ("main.(*T).M.func1", ["main.(*T).M"]),
        ("main.Map[go.shape.int].func1", ["main.Map[go.shape.int]"]),
        ("main.main.func1-range2", ["main.main.func1", "main.main"]),
        ("main.init.0.func1", ["main.init.0"]),
        ("main.init.0", []),
    ],
)
def test_the_functions_that_one_is_written_inside_of(function: str, outer: list[str]) -> None:
    assert functions.around(function) == [function, *outer]


@pytest.mark.parametrize(
    ("function", "line"),
    [
        ("main.run", 1),
        ("example.com/main.(*Set[go.shape.int]).Add", 2),
        ("example.com/a.b/main.Set.Add", 2),
        ("main.Value.Add", 3),
        ("main.Add", 4),
        ("main.Largest[go.shape.int]", 5),
        ("sets.Set[go.shape.int].Union", 8),
        ("main.ru", None),
        ("main.run.func1", None),
        ("main.init.0", None),
    ],
)
def test_a_function_is_declared_on_one_line(function: str, line: int | None) -> None:
    source = [
        "func run(",
        "func (s *Set[T]) Add(element T) {",
        "func (Value) Add() {}",
        "func Add() {",
        "func Largest[T any](all []T) T {",
        "func init() {",
        "// func ru()",
        "func (s Set[T]) Union(other Set[T]) Set[T] {",
    ]
    assert functions.declared_on(function, source) == line


@pytest.mark.parametrize(
    ("name", "package", "compiled"),
    [
        ("run", "main", ["main.run", "main.run.func1"]),
        ("Set.Add", "main", ["main.(*Set[go.shape.int]).Add", "main.(*Set[go.shape.string]).Add"]),
        ("Value.Speak", "main", ["main.Value.Speak", "main.(*Value).Speak"]),
        ("Largest", "x", ["main.Largest[go.shape.int]", "main.Largest[go.shape.string]"]),
        ("Mutex.Lock", "sync", ["sync.(*Mutex).Lock", "internal/sync.(*Mutex).Lock"]),
        ("Marshal", "yaml.v3", ["gopkg.in/yaml%2ev3.Marshal"]),
        ("Speak", "main", []),
    ],
)
def test_a_declared_function_is_compiled_as_these(
    name: str, package: str, compiled: list[str]
) -> None:
    pattern = functions.compiled_as(name, package)
    names = [*COMPILED, "gopkg.in/yaml%2ev3.Marshal", "sigs.k8s.io/yaml.Marshal", "a/b.run"]
    assert [each for each in names if pattern.search(each)] == compiled
