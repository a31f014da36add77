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

func main() {
	count, _ := strconv.Atoi(os.Args[1])
	rounds, _ := strconv.Atoi(os.Args[2])
	for round := 0; round < rounds; round++ {
		var group sync.WaitGroup
		group.Add(count)
		for number := 0; number < count; number++ {
			go func(number int) {
				defer group.Done()
				work(number)
			}(number)
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
