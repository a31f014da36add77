// Command huge has values that no client may load at once, and those that are hard to load more of.
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"
)

const million = 1_000_000

// Level is a type with named constants, one of them negative.
type Level int8

const (
	Low Level = iota - 1
	Middle
	High
)

type Node struct {
	Name string
	Next *Node
}

// List can contain itself with nothing in between.
type List []List

type Pair[K comparable, V any] struct {
	Key   K
	Value V
}

type base struct {
	id    int
	Label string
}

type derived struct {
	base
	*Node
	secret []byte
}

type holder struct {
	Lines []string
	Text  string
	Inner any
}

type plain interface{ bare() }

func (h *holder) bare() {}

//go:noinline
func sizes() {
	text := strings.Repeat("0123456789", 10*million)
	numbers, table, bytes := make([]int, million), map[int]int{}, make([]byte, million)
	for i := range numbers {
		numbers[i], table[i], bytes[i] = i, -i, byte(i%251)
	}
	var list *Node
	for i := 100_000; i > 0; i-- {
		list = &Node{strconv.Itoa(i), list}
	}
	use(text, numbers, table, bytes, list) // stop in sizes
}

//go:noinline
func cycles() {
	ring := &Node{Name: "a"}
	ring.Next = &Node{"b", ring}
	slice, table := make([]any, 1), map[string]any{}
	slice[0], table["self"] = slice, table
	var empty any
	empty = &empty
	var nested any
	for i := 0; i < 300; i++ {
		nested = []any{nested}
	}
	use(ring, slice, table, empty, nested) // stop in cycles
}

//go:noinline
func parts() {
	snow, broken := strings.Repeat("☃", 50_000), strings.Repeat("\xff\xfe", 2500)
	// Of its first 64 bytes, JSON makes as many as the string has in all.
	alike := strings.Repeat("a", 62) + "\xff\xff" + "bbbb"
	replaced := "really \uFFFD"
	lines, pairs := make([]string, 300), make([]Pair[string, int], 300)
	byName, byPair := map[string]Pair[string, []int]{}, map[Pair[int, bool]]string{}
	for i := range lines {
		lines[i], pairs[i] = fmt.Sprint("line ", i), Pair[string, int]{fmt.Sprint("key ", i), i}
		byName[fmt.Sprint("name ", i)] = Pair[string, []int]{"key", []int{i, i + 1}}
		byPair[Pair[int, bool]{i, i%2 == 0}] = lines[i]
	}
	held := &holder{lines, strings.Repeat("long", 50), map[string]any{"lines": lines, "pairs": pairs}}
	var dynamic any = held
	var behind plain = held
	array := [200]int{199: 7}
	type local struct{ X []int }
	scoped := local{make([]int, 100)}
	nameless := struct {
		X []int `json:"x,omitempty"`
		Y any
	}{make([]int, 100), lines}
	embedded := derived{base{1, "label"}, &Node{Name: "node"}, []byte("secret")}
	var matrix [100][100]int
	matrix[99][99] = 5
	badText := *(*string)(unsafe.Pointer(&[2]uintptr{4096, 100}))
	badSlice := *(*[]int)(unsafe.Pointer(&[3]uintptr{4096, 100, 100}))
	badPointer := &Node{"good", (*Node)(unsafe.Pointer(uintptr(4096)))}
	empties := []any{nil, (*Node)(nil), []int(nil), map[string]int(nil), "", 0}
	use(len(badText), len(badSlice), badPointer != nil) // stop in parts
	use(snow, broken, alike, replaced, lines, pairs, byName, byPair, held, dynamic, behind, array,
		scoped, nameless, embedded, matrix, empties)
}

//go:noinline
func kinds() {
	never, utc := time.Time{}, time.Date(2024, 2, 29, 12, 30, 45, 123456789, time.UTC)
	zoned := utc.In(time.FixedZone("somewhere", -5*3600))
	local, now, late := utc.In(time.Local), time.Now(), time.Date(12024, 1, 1, 0, 0, 0, 0, time.UTC)
	stamp := now.UnixNano()
	var nilChan chan int
	full, closed := make(chan string, 3), make(chan int, 1)
	full <- "one"
	full <- "two"
	close(closed)
	low, high := Low, High
	wrapped := fmt.Errorf("outer: %w", errors.New("inner"))
	generic, method := keep[Pair[int, string]], (&holder{}).bare
	value := "outer"
	if low < high {
		value := 2
		if value > 1 {
			value := true
			use(value) // stop in kinds
		}
		use(value)
	}
	use(never, utc, zoned, local, now, late, stamp, nilChan, full, closed, low, high, wrapped,
		generic, method, value)
}

var kept any

// escapes has an argument and a result that are on the heap.
//
//go:noinline
func escapes(argument int) (result error) {
	defer func() { kept = []any{&argument, &result} }()
	argument, result = 2, errors.New("result")
	if argument > 1 {
		use(argument) // stop in escapes
		result := 7
		use(result) // stop in its block
	}
	return result
}

//go:noinline
func far() {
	replicas, ready := int32(3), true
	nested := map[string]any{"spec": map[string]any{"replicas": int64(3), "ready": true}}
	byAny := map[string]any{"keys": map[any]int{2: 1, true: 2, 1.5: 3}}
	behind := []any{[]*int32{&replicas}, []*bool{&ready}, []any{[]any{2.5, 1 + 2i}}}
	use(nested, byAny, behind, replicas, ready) // stop in far
}

//go:noinline
func keep[T any](value T) T {
	kept := []T{value}
	return kept[0] // stop in keep
}

// endless has values that Delve follows without end.
//
//go:noinline
func endless() {
	list := make(List, 1)
	list[0] = list
	use(list) // stop in endless
}

//go:noinline
func goroutines(count int) {
	var started sync.WaitGroup
	started.Add(count)
	block := make(chan struct{})
	for i := 0; i < count; i++ {
		go func(number int) {
			started.Done()
			<-block
			use(number)
		}(i)
	}
	started.Wait()
	use(count) // stop in goroutines
	close(block)
}

//go:noinline
func use(...any) {}

func main() {
	switch os.Args[1] {
	case "sizes":
		sizes()
	case "cycles":
		cycles()
	case "parts":
		parts()
	case "kinds":
		kinds()
		use(keep(Pair[int, string]{1, "one"}), keep[error](nil))
	case "escapes":
		use(escapes(1))
	case "far":
		far()
	case "endless":
		endless()
	case "goroutines":
		count, _ := strconv.Atoi(os.Args[2])
		goroutines(count)
	}
}
