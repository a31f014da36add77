// Command misplaced has variables of which an optimising compiler tells one place, and Delve reads
// something else there: another variable, a part of it only, or what was there before.
package main

import (
	"fmt"
	"os"
)

type Five struct{ A, B, C, D, E int }

type Two struct{ A, B int }

type Inner struct{ P, Q int32 }

type Middle struct{ Inner Inner }

type Outer struct{ Middle Middle }

type Counter struct {
	number int
	name   string
}

//go:noinline
func (c *Counter) Count() { c.number++ }

//go:noinline
func emit(args ...any) int {
	fmt.Fprintln(os.Stderr, args...)
	return len(args)
}

//go:noinline
func use(five Five) int { return five.A + five.E }

//go:noinline
func plus(number int) int { return number + len(os.Args) - 1 }

//go:noinline
func overlapping(start int) int {
	outer := Five{start, 2, 3, 4, 5}
	total := use(outer)
	{
		inner := Five{start + 1, 2, 3, 4, 5}
		emit("overlapping") // overlapping
		total += use(inner)
	}
	return total
}

//go:noinline
func asserting(value any) int {
	if two, ok := value.(Two); ok {
		emit("first") // of two, one part is needed
		return emit("asserting", two.B)
	}
	return 0
}

//go:noinline
func counting() int {
	var counter Counter
	emit("counting") // not counted yet
	counter.Count()
	return counter.number
}

//go:noinline
func capacity(list []int) int {
	emit("capacity")
	emit("capacity", len(list)) // of the capacity, nothing is left
	return list[0]
}

//go:noinline
func nested(outer Outer) int {
	emit("nested")
	return emit("nested", outer.Middle.Inner.P) // of the inner ones, one is left
}

//go:noinline
func bracketed(start int) int {
	x := start
	(x) = plus(3)
	emit("bracketed")
	(x)++
	emit("bracketed") // assigned in brackets
	return x
}

//go:noinline
func inner(start int) int {
	return start + emit("inner") // in an inner frame
}

//go:noinline
func outer(start int) int {
	total := start
	for round := 0; round < 2; round++ {
		total += inner(round)
		total += plus(total)
	}
	return total
}

//go:noinline
func setting(two Two, number int) int {
	emit("setting") // set
	return emit("got", two.A, two.B, number)
}

//go:noinline
func former(start int) int {
	number := plus(start)
	old := number
	emit("former", old)
	number = plus(number + 7)
	emit("former") // of another value now
	return number
}

func (t *Two) Set(number int) { t.A = number }

//go:noinline
func (t Two) With(number int) Two {
	t.Set(number)
	emit("with") // changed by a method
	return t
}

//go:noinline
func slicing(list [1]int) int {
	copy(list[:], []int{plus(60)})
	emit("slicing") // changed by its slice
	return list[0]
}

var packaged = 3

//go:noinline
func assigning() int {
	number := plus(1)
	number += plus(2)
	packaged += number
	return emit("assigning", number) // assigned
}

func main() {
	overlapping(4)
	asserting(Two{1, 2})
	counting()
	capacity(make([]int, 2, 10))
	nested(Outer{Middle{Inner{5, 6}}})
	bracketed(2)
	outer(1)
	former(1)
	Two{1, 2}.With(9)
	slicing([1]int{1})
	setting(Two{1, 2}, 3)
	assigning()
	round := plus(0)
	round++
	emit("main", round) // in main
}
