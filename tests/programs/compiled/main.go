// Command compiled has variables that an optimising compiler keeps nowhere, or whose places it
// tells wrong; what their values are stands on its stderr.
package main

import (
	"fmt"
	"os"
)

type Pair struct{ Left, Right int }

type Shape interface{ Area() int }

type Square struct{ Side, Other int }

func (s Square) Area() int {
	return s.Side * s.Other // copied
}

//go:noinline
func (s Square) Round() int {
	return plus(s.Side) // called
}

type Steps struct {
	Next         func(*Steps, byte) bool
	Count, Limit int
}

//go:noinline
func plus(number int) int { return number + len(os.Args) }

func twice(number int) int {
	more := plus(number)
	return 2 * plus(more) // inlined
}

//go:noinline
func add(first int, word string, pair *Pair) int {
	total := first
	sum := plus(first)
	for round := 0; round < 2; round++ {
		total += plus(round)
		total += plus(sum)
		pair.Left = total // within a loop
	}
	pair.Right = sum
	return total + len(word)
}

//go:noinline
func choose(mode int) int {
	limit := 10
	if mode > 0 {
		return plus(mode) // folded away
	}
	return limit
}

//go:noinline
func check(steps *Steps, char byte) bool {
	inner := plus(int(char))
	return inner > steps.Limit // below
}

//go:noinline
func walk(steps *Steps, text []byte) bool {
	for _, char := range text {
		steps.Count++
		if steps.Next(steps, char) {
			return false
		}
	}
	return true
}

func main() {
	for _, shape := range []Shape{Square{1, 2}, Square{len(os.Args), 3}} {
		fmt.Fprintln(os.Stderr, shape.Area(), shape.(interface{ Round() int }).Round())
	}
	pair := &Pair{1, 2}
	fmt.Fprintln(os.Stderr, add(5, "word", pair), choose(1), walk(&Steps{check, 0, 900}, []byte("abc")))
	fmt.Fprintln(os.Stderr, twice(3), twice(len(os.Args)), pair.Left)
}
