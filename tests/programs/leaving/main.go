// Functions that return in different ways.
package main

import (
	"errors"
	"fmt"
)

func plain(number int) (string, error) {
	if number == 0 {
		return "", errors.New("zero")
	}
	text := fmt.Sprint(number)
	return text, nil
}

func without(number int) {
	if number == 0 {
		fmt.Println("zero")
		return
	}
	fmt.Println("more")
}

func deferring(number int) {
	defer fmt.Println("deferred")
	if number == 0 {
		fmt.Println("first zero")
		return
	}
	if number == 1 {
		fmt.Println("first one")
		return
	}
	fmt.Println("first more")
}

func named(number int) (err error) {
	defer func() { fmt.Println("named", err) }()
	if number == 0 {
		return errors.New("zero")
	}
	return nil
}

func recovering(number int) {
	defer func() { fmt.Println(recover()) }()
	if number == 0 {
		panic("zero")
	}
	fmt.Println("no panic")
}

func outer(number int) func() func() int {
	return func() func() int {
		doubled := 2 * number
		return func() int {
			return doubled
		}
	}
}

func main() {
	for _, call := range []func(int){
		func(number int) { plain(number) },
		without,
		deferring,
		func(number int) { named(number) },
		recovering,
	} {
		call(0)
		call(1)
		call(2)
	}
	fmt.Println(outer(1)()())
}
