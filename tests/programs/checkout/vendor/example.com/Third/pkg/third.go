// Package third is of somebody else, whose module has a capital letter.
package third

// Do is a third party's.
func Do(name string) int {
	return len(name) // the third party
}
