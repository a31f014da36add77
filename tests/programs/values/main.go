// Command values has one variable of each kind in one frame.
package main

import (
	"fmt"
	"math"
	"os"
	"time"
	"unsafe"
)

// Color is a type with named constants; 7 has no name.
type Color int

const (
	Red Color = iota
	Green
	Blue
)

// Mode is a type of single bits.
type Mode uint8

const (
	Read Mode = 1 << iota
	Write
)

type Point struct{ X, Y int }

type Bytes []byte

type Named struct {
	Name   string
	Inner  Point
	Next   *Named
	hidden bool
}

type Shape interface{ Area() int }

func (p Point) Area() int { return p.X * p.Y }

type failure struct{ text string }

func (f *failure) Error() string { return f.text }

// Keyed has fields that are called as the methods of a mapping in Python.
type Keyed struct {
	items   []int
	keys    int
	values  string
	get     bool
	_type   string
	_fields string
}

type Deep struct{ Children []Deep }

//go:noinline
func double(x int) int { return 2 * x }

//go:noinline
func frame(argument string, count int) (result error) {
	yes, no := true, false
	small, large, unsigned := int8(-128), int64(math.MinInt64), uint64(math.MaxUint64)
	letter, address := 'é', uintptr(4096)
	half, single := 0.5, float32(0.1)
	inf, negInf, nan := math.Inf(1), math.Inf(-1), math.NaN()
	twist, narrow, wild := complex(1.5, -2), complex64(complex(0.25, 4)), complex(math.Inf(1), 1)
	color, unnamed, mode, modes := Blue, Color(7), Write, Read|Write
	text, empty, accents, broken := "text", "", "naïve ☃", "bad \xff\xfe"
	long := fmt.Sprintf("%064d", 1) + "and more"
	cut := fmt.Sprintf("%063d", 1) + "☃" + "!"
	data, noData, array, odd := []byte("raw\x00\xff"), []byte{}, [3]byte{1, 2, 3}, Bytes("odd")
	noLists, noTables := [][]byte{}, []map[string]uint8{}
	numbers, nothing, matrix := []int{1, 2, 3}, []string{}, [2][2]int{{1, 2}, {3, 4}}
	many := make([]int, 100)
	table, noTable := map[string]int{"one": 1, "two": 2}, map[string]int{}
	byPoint := map[Point]string{{1, 2}: "a point"}
	byPair := map[[2]int]string{{3, 4}: "a pair"}
	byColor := map[Color]bool{Green: true}
	byNaN := map[float64]int{math.NaN(): 1, math.Inf(-1): 2}
	mixed := map[any]string{1: "int", true: "bool", 1.0: "float"}
	manyKeys := map[int]int{}
	for i := 0; i < 100; i++ {
		manyKeys[i] = i * i
	}
	point, pointer := Point{3, 4}, &Point{5, 6}
	named := Named{Name: "outer", Inner: Point{1, 1}, Next: &Named{Name: "inner"}}
	ring := &Named{Name: "ring"}
	ring.Next = ring
	deep := Deep{[]Deep{{[]Deep{{}}}}}
	lock := &struct{}{}
	keyed := Keyed{[]int{1}, 2, "v", true, "t", "f"}
	var emptyBoxed any = struct{}{}
	twice := &pointer
	var shape Shape = point
	var anything any = 42
	var boxed any = pointer
	moment := time.Unix(0, 0).UTC()
	var nilPointer *Point
	var nilSlice []int
	var nilMap map[string]int
	var nilChan chan int
	var nilFunc func()
	var nilInterface any
	var nilError error
	var nilUnsafe unsafe.Pointer
	var typedNil error = (*failure)(nil)
	openChan, closure, plain := make(chan int, 3), func() int { return point.X }, double
	raw := unsafe.Pointer(pointer)
	wrong := (*Point)(unsafe.Pointer(address))
	result = &failure{"it failed"}
	shadowed := "outer"
	if yes {
		shadowed := 5
		use(shadowed) // stop here
	}
	use(yes, no, small, large, unsigned, letter, address, half, single, inf, negInf, nan, twist,
		narrow, wild, color, unnamed, mode, modes, text, empty, accents, broken, long, cut, data,
		noData, array, odd, noLists, noTables, numbers, nothing, matrix, many, table, noTable,
		byPoint, byPair, byColor, byNaN, mixed, manyKeys, point, named, ring, deep, lock, twice,
		keyed, emptyBoxed, shape, anything, boxed, moment, nilPointer, nilSlice, nilMap, nilChan, nilFunc,
		nilInterface, nilError, nilUnsafe, typedNil, openChan, closure, plain, raw, wrong != nil,
		shadowed, argument, count)
	return result
}

//go:noinline
func use(...any) {}

func main() {
	if frame("given", len(os.Args)) == nil {
		os.Exit(1)
	}
}
