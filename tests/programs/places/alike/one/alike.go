// Package one has a file and a function that the other one has, too.
package one

import "fmt"

// Same is a function of both packages.
func Same() {
	fmt.Println("same") // in both
	fmt.Println("package one")
}

// Only is a function of one package.
func Only() {
	fmt.Println("only")
}
