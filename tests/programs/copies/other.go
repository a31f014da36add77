package main

// A closure begins on this line of the other file.

func elsewhere(number int) {
	//
	//
	mark(number) // elsewhere
}
