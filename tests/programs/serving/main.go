// Command serving stands for a kube-apiserver: it listens at --secure-port, takes any other
// argument, says in its log what it does, and ends gracefully at a SIGTERM.
package main

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:"+flag("--secure-port"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot serve:", err)
		os.Exit(1)
	}
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	fmt.Println("serving", len(os.Args))
	<-terminated
	if flag("--stubborn") != "" {
		time.Sleep(time.Hour)
	}
	listener.Close()
	fmt.Fprintln(os.Stderr, "ended gracefully")
}

func flag(name string) string {
	for _, argument := range os.Args {
		if strings.HasPrefix(argument, name+"=") {
			return argument[len(name)+1:]
		}
	}
	return ""
}
