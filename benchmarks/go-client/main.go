// Command go-client continues a target from hit to hit with Delve's own client.
//
//	go-client HOST:PORT HITS
//
// It prints the seconds that each hit took, and how many values the last one had.
package main

import (
	"encoding/json"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/go-delve/delve/service/api"
	"github.com/go-delve/delve/service/rpc2"
)

type round struct {
	Seconds []float64 `json:"seconds"`
	Values  int       `json:"values"`
}

func main() {
	hits, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(measure(os.Args[1], hits)); err != nil {
		log.Fatal(err)
	}
}

func measure(address string, hits int) round {
	client := rpc2.NewClient(address)
	var measured round
	for len(measured.Seconds) < hits {
		begin := time.Now()
		state := <-client.Continue()
		measured.Seconds = append(measured.Seconds, time.Since(begin).Seconds())
		if state.Err != nil {
			log.Fatal(state.Err)
		}
		measured.Values = count(collected(state))
	}
	return measured
}

func collected(state *api.DebuggerState) []api.Variable {
	var found []api.Variable
	for _, thread := range state.Threads {
		if info := thread.BreakpointInfo; info != nil {
			found = append(found, info.Variables...)
			found = append(found, info.Arguments...)
			found = append(found, info.Locals...)
		}
	}
	return found
}

func count(variables []api.Variable) int {
	total := len(variables)
	for _, variable := range variables {
		total += count(variable.Children)
	}
	return total
}
