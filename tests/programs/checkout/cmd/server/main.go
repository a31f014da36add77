// Command server is one of two main packages.
package main

import "example.com/checkout/pkg/app"

func main() {
	app.Run("server") // the server
}
