// Command attribution serves requests in the ways in which a kube-apiserver does: each handler runs
// in a goroutine that a timeout starts, some start more goroutines, and some let others work.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/endpoints/request"
)

type job struct {
	ctx  context.Context
	done chan bool
}

var jobs = make(chan job)

func frame(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintln(w, r.Method) // in the frame
}

func outer(w http.ResponseWriter, r *http.Request) {
	leaf("an outer frame")
	fmt.Fprintln(w, r.Method)
}

//go:noinline
func leaf(from string) int {
	length := len(from) // without a request
	return length
}

func child(_ http.ResponseWriter, _ *http.Request) {
	done := make(chan bool)
	go func() {
		leaf("a child")
		done <- true
	}()
	<-done
}

// grandchild works in a goroutine whose parent has ended.
func grandchild(_ http.ResponseWriter, _ *http.Request) {
	parent, work, done := make(chan bool), make(chan bool), make(chan bool)
	go func() {
		go func() {
			<-work
			leaf("a grandchild")
			done <- true
		}()
		close(parent)
	}()
	<-parent
	time.Sleep(10 * time.Millisecond)
	work <- true
	<-done
}

func pool() {
	for next := range jobs {
		if next.ctx != nil {
			inContext(next.ctx)
		} else {
			leaf("a pool")
		}
		next.done <- true
	}
}

//go:noinline
func inContext(ctx context.Context) error {
	return ctx.Err() // in the context
}

func viaContext(_ http.ResponseWriter, r *http.Request) {
	work(audit.With(r.Context(), r.Header.Get("Audit-Id")), r)
}

func viaOldContext(_ http.ResponseWriter, r *http.Request) {
	work(request.WithAuditID(r.Context(), types.UID(r.Header.Get("Audit-Id"))), r)
}

func work(ctx context.Context, r *http.Request) {
	ctx = request.With(ctx, r.URL.Path, "create")
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for depth := 0; depth < 40; depth++ {
		ctx = context.WithValue(ctx, depth, depth)
	}
	done := make(chan bool)
	jobs <- job{ctx: ctx, done: done}
	<-done
}

func viaPool(_ http.ResponseWriter, _ *http.Request) {
	done := make(chan bool)
	jobs <- job{done: done}
	<-done
}

type transport struct{ http.Transport }

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	return t.Transport.RoundTrip(req) // sent by itself
}

// outgoing asks this server itself, over a connection of its own.
func outgoing(w http.ResponseWriter, r *http.Request) {
	client := http.Client{Transport: &transport{}}
	answer, err := client.Get("http://" + r.Host + "/frame")
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	answer.Body.Close()
	client.CloseIdleConnections()
}

//go:noinline
func hot(number int) int {
	square := number * number // hot
	return square
}

func viaHot(w http.ResponseWriter, r *http.Request) {
	number, _ := strconv.Atoi(r.URL.Query().Get("number"))
	fmt.Fprintln(w, hot(number))
}

var released = make(chan bool)

// late reaches the hot line when another request lets it go on.
func late(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintln(w, r.Method) // waits
	<-released
	viaHot(w, r)
}

func release(_ http.ResponseWriter, _ *http.Request) {
	close(released)
}

// noise reaches the hot line thousands of times a second, each time in a goroutine of its own.
func noise() {
	for {
		go hot(-1)
		time.Sleep(100 * time.Microsecond)
	}
}

func main() {
	mux := http.NewServeMux()
	handlers := map[string]http.HandlerFunc{
		"/frame": frame, "/outer": outer, "/child": child, "/grandchild": grandchild,
		"/context": viaContext, "/old-context": viaOldContext, "/pool": viaPool, "/outgoing": outgoing, "/hot": viaHot,
		"/late": late, "/release": release,
	}
	for path, handler := range handlers {
		mux.HandleFunc(path, handler)
	}
	go pool()
	if len(os.Args) > 1 {
		go noise()
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr())
	panic(http.Serve(listener, http.TimeoutHandler(mux, time.Minute, "")))
}
