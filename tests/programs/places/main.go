// Command places has a place for each form of a location.
package main

import (
	"fmt"

	"example.com/places/alike/one"
	"example.com/places/alike/two"
)

// Counter has methods by pointer and by value.
type Counter struct{ count int }

// Add is found as (*Counter).Add.
func (c *Counter) Add(n int) {
	c.count += n // counted
}

// Get is found as Counter.Get.
func (c Counter) Get() int {
	return c.count
}

// Largest is compiled once for each shape of T.
func Largest[T int | string](a, b T) T {
	if a > b {
		return a // the first one
	}
	return b
}

func closures() int {
	total := 0
	add := func(n int) { // begins a closure
		total += n // inside of the closure
		again := func() {
			total++ // inside of the nested closure
		}
		again()
	}
	add(1)
	add(2)
	return total
}

func wraps(text string) string {
	// Nothing is executed on this line.

	same := text

	if text == "x" {
		same = "twice" // twice
	} else {
		same = "twice" // twice
	}
	return same
}

// forever has no closing brace that is reached.
func forever(stop chan bool) {
	for {
		select {
		case <-stop:
			panic("stopped")
		}
	}
}

func after() {
	fmt.Println("after forever")
}

func main() {
	counter := &Counter{}
	counter.Add(1)
	fmt.Println(counter.Get(), Largest(1, 2), Largest("a", "b"), closures(), ranges(), wraps("x"))
	one.Same()
	two.Same()
	one.Only()
	after()
	if counter.count > 1 {
		forever(nil)
	}
}
