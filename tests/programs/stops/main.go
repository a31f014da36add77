// Command stops gives the debugger each reason to stop; its first argument says which.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"time"
)

func main() {
	actions := map[string]func(){
		"beside":  beside,
		"brief":   brief,
		"deadly":  deadly,
		"forever": forever,
		"hard":    hard,
		"locked":  locked,
		"patient": patient,
		"parked":  parked,
		"spawn":   spawn,
		"steps":   steps,
		"watched": watched,
	}
	actions[os.Args[1]]()
}

// beside has a goroutine that passes a line all the time while main steps.
func beside() {
	go func() {
		for ticks := 0; ; ticks++ {
			time.Sleep(time.Millisecond) // passed by another goroutine
		}
	}()
	for round := 0; ; round++ {
		before := round                   // main begins a step
		time.Sleep(50 * time.Millisecond) // main takes its time
		after := before + 1               // main ends a step
		_ = after
	}
}

// brief has a goroutine that ends soon, while others go on.
func brief() {
	go func() {
		value := 1 // ends soon
		_ = value
	}()
	forever()
}

// deadly panics two calls down.
func deadly() {
	explode("nobody recovers")
}

func explode(reason string) {
	panic(reason)
}

func forever() {
	for {
		time.Sleep(time.Millisecond) // for ever
	}
}

// hard has a breakpoint of its own.
func hard() {
	value := 41
	runtime.Breakpoint()
	value++ // after the breakpoint
	fmt.Println(value)
}

// locked has no goroutine left that could run.
func locked() {
	<-make(chan bool)
}

// patient waits for what never comes, while others go on.
func patient() {
	go forever()
	<-make(chan bool) // waits for ever
}

// parked has three goroutines that wait, each with a number of its own.
func parked() {
	gate, ready := make(chan bool), make(chan bool)
	for number := 1; number <= 3; number++ {
		go wait(number, ready, gate)
		<-ready
	}
	time.Sleep(10 * time.Millisecond)
	fmt.Println("all are parked") // all wait here
	close(gate)
	for number := 1; number <= 3; number++ {
		<-ready
	}
}

func wait(number int, ready, gate chan bool) {
	ready <- true
	<-gate
	fmt.Println(number)
	ready <- true
}

// spawn runs itself as a child, which steps.
func spawn() {
	child := exec.Command(os.Args[0], "steps")
	if err := child.Run(); err != nil {
		panic(err)
	}
	fmt.Println("the child is done") // after the child
}

func steps() {
	first := add(1, 2) // calls add
	second := first * 2
	fmt.Println(first, second) // has stepped
}

func add(a, b int) (sum int) {
	sum = a + b // inside of add
	return sum
}

// watched writes to a variable that leaves its scope then.
func watched() {
	total := sumUp()
	fmt.Println(total) // the scope is left
}

//go:noinline
func sumUp() int {
	sum := 0
	for n := 1; n <= 3; n++ { // before the writes
		sum += n
	}
	return sum
}
