// Command functions has each kind of function that Go compiles to more or less than one.
package main

import "fmt"

type speaker interface{ Speak(word string) string }

// Value has its method by value: the compiler adds one by pointer.
type Value struct{ name string }

// Speak is written once.
func (v Value) Speak(word string) string {
	return v.name + word // spoken
}

// Outer has Inner's method: the compiler writes a wrapper.
type Outer struct {
	number int
	*Inner
}

// Inner is embedded.
type Inner struct{ name string }

// Whisper is promoted.
func (i *Inner) Whisper() string {
	return i.name // whispered
}

type whisperer interface{ Whisper() string }

// Box is generic, with a method by value and one by pointer.
type Box[T any] struct{ content T }

// Get is by value.
func (b Box[T]) Get() T {
	return b.content // got
}

// Put is by pointer.
func (b *Box[T]) Put(content T) {
	b.content = content // put
}

type getter[T any] interface{ Get() T }

type putter[T any] interface{ Put(T) }

var order []string

func init() {
	order = append(order, "first") // the first init
}

func init() {
	order = append(order, "second") // the second init
}

var started = begin() // sets a variable

var counted = begin() + 1 // sets another variable

//go:noinline
func begin() int {
	return len(order)
}

func deferring() (result int) {
	defer func() { // begins a deferred closure
		result++ // inside of the deferred closure
	}() // ends the deferred closure
	func() { // begins a called closure
		result = 1 // inside of the called closure
	}() // ends the called closure
	return result // returned
}

func arguments(number int, text string, list []int) (int, string) {
	return number + len(list), fmt.Sprint(text)
}

var total int

func inlined(number int) {
	total *= 2
	total += number // inlined
}

//go:noinline
func twice(do func(int)) {
	do(3)
	do(4)
}

//go:noinline
func callers() int {
	inlined(1)
	twice(func(number int) { // begins a passed closure
		inlined(number)
	})
	inlined(2)
	return total
}

//go:noinline
func callsBelow(number int) int {
	return number + below(number) // calls the one below
}

func below(number int) int {
	return 3 * number // in the one below
}

//go:noinline
func capturing(word string) string {
	length := len(word)
	say := func(times int) string { // begins a capturing closure
		return fmt.Sprint(word, times*length) // its first statement
	}
	count := func() { // begins a looping closure
		for length > 0 {
			length--
		}
	}
	count()
	return say(2)
}

//go:noinline
func methodValues() string {
	value := Value{"value"}
	speak := value.Speak // a method value
	speakAnew := Value.Speak
	return speak("!") + speakAnew(value, "?")
}

//go:noinline
func throughInterfaces(value speaker, inner whisperer, get getter[int], put putter[string]) {
	fmt.Println(value.Speak("."), inner.Whisper(), get.Get())
	put.Put("x")
}

func main() {
	capturing("captured")
	throughInterfaces(&Value{"pointer"}, &Outer{1, &Inner{"inner"}}, &Box[int]{1}, &Box[string]{})
	fmt.Println(Value{"direct"}.Speak(","), methodValues(), order)
	fmt.Println(deferring(), callers(), callsBelow(len(order)))
	fmt.Println(arguments(7, "seven", []int{1, 2, 3}))
	_ = Box[string]{"s"}.Get()
}
