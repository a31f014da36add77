//go:build !go1.23

package main

func ranges() int { return 3 }
