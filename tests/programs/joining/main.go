// Command joining comes to statements by several ways.
package main

var calls int

func afterIf(first, second bool) *int {
	if first && second {
		calls++
	}
	var number int = 0 // after if
	return &number
}

func afterNested(first, second bool) *int {
	if first {
		if second {
			calls++
		}
	}
	var number int = 0 // after nested
	return &number
}

func afterElse(first bool) *int {
	if first {
		calls++
	} else {
		calls--
	}
	var number int = 0 // after else
	return &number
}

func afterSwitch(mode int) *int {
	switch mode {
	case 1:
		calls++
	case 2:
		calls--
	}
	var number int = 0 // after switch
	return &number
}

func afterSelect(ready chan int) *int {
	select {
	case <-ready:
		calls++
	default:
	}
	var number int = 0 // after select
	return &number
}

func afterLoop(rounds int) *int {
	for rounds > 0 { // loop
		if rounds == 2 {
			break
		}
		rounds--
		if rounds == 7 {
			continue
		}
		calls++ // in a loop, after if
	}
	var number int = 0 // after loop
	return &number
}

func returning(first bool) bool {
	if first {
		calls++
	}
	return calls > 3 // return
}

func afterIfInLoop(first bool) int {
	rounds := 0
	if first {
		calls++
	}
	for {
		rounds++ // first in a loop
		if rounds == 3 {
			break
		}
	}
	return rounds
}

func afterLoopInLoop() int {
	rounds := 0
	for rounds < 2 {
		rounds++
	}
	for {
		rounds++ // first in a second loop
		if rounds == 5 {
			return rounds
		}
	}
}

func large(first bool) [99]int {
	var numbers [99]int
	if first {
		numbers[1] = calls
	}
	return numbers // of a large frame
}

func afterIfSwitch(first bool) int {
	if first {
		calls++
	}
	switch { // a switch
	case calls > 100:
		return 1
	case first:
		calls--
	}
	return 2
}

func main() {
	ready := make(chan int, 1)
	ready <- 1
	for mode, first := range []bool{true, false} {
		afterIf(true, first)
		afterIf(false, first)
		afterNested(true, first)
		afterNested(false, first)
		afterElse(first)
		afterSwitch(mode)
		afterSwitch(mode + 1)
		afterSelect(ready)
		returning(first)
		afterIfInLoop(first)
		afterLoopInLoop()
		large(first)
		afterIfSwitch(first)
	}
	afterLoop(0)
	afterLoop(1)
	afterLoop(8)
}
