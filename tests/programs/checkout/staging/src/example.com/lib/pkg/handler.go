// Package lib is developed in the same repository.
package lib

// Handle is the library's.
func Handle(name string) string {
	return "<" + name + ">" // the library
}
