// Package types has the name of a kube-apiserver's own type.
package types

type UID string
