// Package app is the main module's own.
package app

import (
	"fmt"

	"example.com/Third/pkg"
	"example.com/lib/pkg"
)

// Run uses a third party's module and one of staging.
func Run(name string) {
	fmt.Println(name, third.Do(name), lib.Handle(name)) // the application
}
