// Command optimised has arguments of which an optimising compiler keeps some parts only.
package main

import (
	"fmt"
	"os"
)

type Padded struct {
	Small int8
	Large int64
	Text  string
}

type Pair struct {
	Wide   float64
	Narrow float32
}

//go:noinline
func sum(padded Padded, pair Pair, turn complex128, numbers []int, text string) int {
	count := len(numbers) + len(os.Args)
	fmt.Fprintln(os.Stderr, count)
	if count > 1 { // stop here
		return count + int(pair.Wide) + int(real(turn)) + len(text)
	}
	fmt.Fprintln(os.Stderr, text)
	return int(padded.Small)
}

func main() {
	count := len(os.Args)
	padded := Padded{int8(count), -5, "text"}
	pair := Pair{1.5, 2.5 * float32(count)}
	fmt.Println(sum(padded, pair, complex(1, 2), []int{count, 2}, "text"[:count+1]))
}
