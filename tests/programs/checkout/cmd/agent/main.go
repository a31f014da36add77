// Command agent is the other one of two main packages.
package main

import "example.com/checkout/pkg/app"

func main() {
	app.Run("agent") // the agent
}
