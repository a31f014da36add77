// Command delve-study is a small program to learn Delve with.
package main

import (
	"os"

	"example.com/delve-study/cmd"
)

// version can be set when the program is built: -ldflags='-X main.version=…'.
var version = "devel"

func main() {
	os.Exit(cmd.Execute(version))
}
