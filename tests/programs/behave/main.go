// Command behave does what its first argument says.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

func main() {
	switch os.Args[1] {
	case "print":
		_ = json.NewEncoder(os.Stdout).Encode(os.Args[2:])
		fmt.Fprintln(os.Stderr, "to stderr")
	case "exit":
		status, _ := strconv.Atoi(os.Args[2])
		os.Exit(status) // exits here
	case "panic":
		panic("on purpose")
	case "tick":
		tick()
	case "stubborn":
		stubborn()
	}
}

func tick() {
	ticks := 0
	for {
		time.Sleep(time.Millisecond)
		ticks++ // every millisecond
	}
}

// stubborn ignores SIGTERM, and has a child that does so, too.
func stubborn() {
	signal.Ignore(syscall.SIGTERM)
	child := exec.Command(os.Args[0], "tick")
	if err := child.Start(); err != nil {
		panic(err)
	}
	fmt.Println(child.Process.Pid)
	tick()
}
