//go:build go1.23

package main

func each(yield func(int) bool) {
	_ = yield(1) && yield(2)
}

func ranges() int {
	total := 0
	for n := range each { // begins a loop over a function
		total += n
	}
	return total
}
