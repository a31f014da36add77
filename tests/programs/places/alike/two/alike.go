// Package two has a file and a function that the other one has, too.
package two

import "fmt"

// Same is a function of both packages.
func Same() {
	fmt.Println("same") // in both
	fmt.Println("package two")
}
