"""How often a variable gets a value, told from the source."""

from __future__ import annotations

import pytest

from pytest_kdelve.delve.assignments import Assignments, count

SOURCE = """package main

var table = func() int {
	size := 1
	return size
}()

// a comment with given = 1
func (s *Store) Get(ctx context.Context, name string, user user.Info) (found bool, err error) {
	once := name
	text := "once = 2; name = 3" + `
name = 4
`
	var declared int
	declared = 5
	var (
		grouped, other string
	)
	for i, item := range items {
		total += item.size
		s.count[name]++
	}
	left, right := split(once), item{name: 'n'}
	left, found = right, once == ""
	pointer := &left
	whole.field.
		inner = 6
	use(&once2, &pointer.field)
	a,
		b = 7, 8
	if check, ok := table[name]; ok {
		defer func(check int) { check-- }(1)
	}
	switch kind := name.(type) {
	case string, int:
		label: once == 1
	}
	ch <- sent
	x.name, y[0] = 1, 2
	shifted <<= 1
	_ = func() (named int) { return 1 }
	return
}

func Next(name string) { name = "" }
"""
LINES = tuple(SOURCE.split("\n"))
IN_GET = LINES.index("\tonce := name") + 1


@pytest.mark.parametrize(
    ("name", "whole", "parts"),
    [
        ("name", 1, 0),
        ("ctx", 1, 0),
        ("s", 1, 1),
        ("user", 1, 0),
        ("once", 1, 0),
        ("text", 1, 0),
        ("declared", 2, 0),
        ("grouped", 1, 0),
        ("other", 1, 0),
        ("i", 1, 0),
        ("item", 1, 0),
        ("total", 1, 0),
        ("left", 3, 0),
        ("right", 1, 0),
        ("found", 3, 0),
        ("err", 2, 0),
        ("pointer", 1, 1),
        ("once2", 1, 0),
        ("whole", 0, 1),
        ("a", 1, 0),
        ("b", 1, 0),
        ("check", 3, 0),
        ("ok", 1, 0),
        ("kind", 1, 0),
        ("sent", 0, 0),
        ("x", 0, 1),
        ("y", 0, 1),
        ("shifted", 1, 0),
        ("named", 2, 0),
        ("size", 0, 0),
        ("nothing", 0, 0),
    ],
)
def test_a_variable_of_a_function(name: str, whole: int, parts: int) -> None:
    assert count(LINES, IN_GET, name) == Assignments(whole, parts)


def test_other_declarations_have_their_own() -> None:
    assert count(LINES, 4, "size") == Assignments(1)
    assert count(LINES, 4, "name") == Assignments()
    assert count(LINES, len(LINES) - 1, "name") == Assignments(2)


def test_what_is_before_all_declarations() -> None:
    assert count(LINES, 1, "name") == Assignments()
    assert count((), 1, "name") == Assignments()


def test_a_generic_function() -> None:
    source = (
        "package p",
        "",
        "func Map[K comparable, V any](in []K, f func(K) V) (out []V) {",
        "}",
    )
    assert count(source, 3, "in") == Assignments(1)
    assert count(source, 3, "out") == Assignments(2)


BRACKETED = """package p

func f() {
	x := 1
	(x) = 2
	((y))++
	(z.a) = 3
	use(&(w.b), (v) == 1, &(u))
	t.Inc()
	(s).r.Inc()
	q[0].Inc().p()
	n.o(m)
	use(k[:], j.l[1:2], i[h])
}
"""


@pytest.mark.parametrize(
    ("name", "counts"),
    {
        "x": Assignments(2),
        "y": Assignments(1),
        "z": Assignments(parts=1),
        "w": Assignments(parts=1),
        "v": Assignments(),
        "u": Assignments(1),
        "t": Assignments(calls=1),
        "s": Assignments(calls=1),
        "q": Assignments(calls=1),
        "n": Assignments(calls=1),
        "m": Assignments(),
        "k": Assignments(parts=1),
        "j": Assignments(parts=1),
        "i": Assignments(),
        "use": Assignments(),
    }.items(),
)
def test_brackets_and_methods(name: str, counts: Assignments) -> None:
    assert count(tuple(BRACKETED.split("\n")), 4, name) == counts
