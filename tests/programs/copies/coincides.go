package main

//go:noinline
func call(do func()) { do() }

//go:noinline
func coincides(number int) {
	call(func() { // the other file's statement is here
		mark(number)
		elsewhere(number)
	})
	elsewhere(number)
}
