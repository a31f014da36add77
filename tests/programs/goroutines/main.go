// Command goroutines runs as many goroutines as its argument says through one line, then waits.
package main

import (
	"fmt"
	"os"
	"strconv"
	"sync"
)

//go:noinline
func work(number int) int {
	square := number * number // one hit each
	return square
}

// again runs one round each time that the debugger sets rounds.
func main() {
	count, _ := strconv.Atoi(os.Args[1])
	rounds, _ := strconv.Atoi(os.Args[2])
	for range rounds {
		var group sync.WaitGroup
		for number := range count {
			group.Go(func() { work(number) })
		}
		group.Wait()
	}
	fmt.Println("done")
	if len(os.Args) > 3 {
		select {
		case <-make(chan bool):
		}
	}
}
