// Command copies has functions that an optimising compiler copies into others.
package main

import "sync"

var marks int

//go:noinline
func mark(number int) { marks += number }

func inGo(number int, done chan bool) {
	mark(number) // in a go statement
	done <- true
}

//go:noinline
func starts(done chan bool) {
	go inGo(1, done)
	<-done
	go func(number int) {
		mark(number) // in a closure of a go statement
		done <- true
	}(2)
	<-done
	inGo(3, make(chan bool, 1))
}

type lock struct{ number int }

func (l *lock) unlock() {
	mark(l.number) // in a defer statement
}

//go:noinline
func locked(l *lock) {
	defer l.unlock()
	mark(1)
}

func twice(number int) {
	half(number)
	half(number)
}

func half(number int) {
	mark(number) // twice in a defer statement
}

//go:noinline
func defers(number int) {
	defer twice(number)
	mark(number)
}

type doer interface{ Do() }

type value struct{ number int }

//go:noinline
func direct(v value) { v.Do() }

//go:noinline
func through(d doer) { d.Do() }

// Do is copied into the method by pointer.
func (v value) Do() {
	mark(v.number) // by value
}

type inner struct{ number int }

// Do is copied into the methods of outer.
func (i *inner) Do() {
	mark(i.number) // promoted
}

type outer struct {
	name string
	*inner
}

type generic[T any] struct{ content T }

// Do is copied into the method by pointer.
func (g generic[T]) Do() {
	mark(1) // generic
}

// Union has the type's parameters more than once.
func (g generic[T]) Union(other generic[T]) generic[T] {
	mark(1) // of a union
	return other
}

//go:noinline
func unites(g generic[int], done chan bool) {
	go func() { done <- true }()
	<-done
	defer g.Union(g)
	g.Union(g)
}

var hook = func(number int) {
	mark(number) // in a variable
}

type each struct{ number int }

// Do is copied into the method by pointer, and its closure, too.
func (e each) Do() {
	call(func() {
		mark(e.number) // in a closure of a method
	})
}

func makes(number int) func() {
	return func() {
		mark(number) // in what is made
	}
}

var kept = makes

//go:noinline
func useMade() {
	makes(1)()
	made := makes(2)
	made()
	kept(3)()
}

var early = setsUp(3)

func setsUp(number int) int {
	mark(number) // sets up
	return number
}

//go:noinline
func callInt(do func() int) int { return do() }

//go:noinline
func leaf() int {
	return callInt(
		func() int {
			marks += 2 // func counts
			return marks
		})
}

//go:noinline
func raw(number int) string {
	mark(number) // same text
	text := `
}
func raw() {
`
	mark(number) // same text
	return text  // behind the text
}

const text = `
func written() {
	mark(1)
}
`

//go:noinline
func written() {
	mark(len(text)) // not in a text
}

// lends is copied wherever it is called, and nothing is left of it.
func lends(number int) func() {
	return func() {
		mark(number) // in what is lent
	}
}

func main() {
	done := make(chan bool)
	starts(done)
	locked(&lock{1})
	(&lock{2}).unlock()
	defers(1)
	direct(value{1})
	through(value{2})
	through(&value{3})
	through(outer{"", &inner{1}})
	through(&outer{"", &inner{2}})
	outer{"", &inner{3}}.Do()
	through(generic[int]{1})
	through(&generic[string]{""})
	generic[int]{2}.Do()
	unites(generic[int]{1}, done)
	hook(1)
	through(each{1})
	through(&each{2})
	useMade()
	setsUp(early)
	leaf()
	raw(1)
	written()
	call(lends(1))
	bump()
	empty()
	var once sync.Once
	once.Do(func() { coincides(1) })
}

func init() { mark(0) }

func bump() {
	marks++
}

func empty() {
}
