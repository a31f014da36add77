// Command turns answers each connection after it has gone through two functions.
package main

import (
	"fmt"
	"net"
)

//go:noinline
func ours(turn int) int {
	return turn + 1 // ours
}

//go:noinline
func theirs(turn int) int {
	doubled := 2 * turn
	return doubled // theirs
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr())
	for turn := 0; ; turn++ {
		connection, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		fmt.Fprintln(connection, ours(turn)+theirs(turn))
		connection.Close()
	}
}
