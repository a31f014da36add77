// Package request has the names and the shape of a kube-apiserver's own, as far as they matter here.
package request

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
)

type key int

type RequestInfo struct{ Path, Verb string }

func With(ctx context.Context, path, verb string) context.Context {
	return context.WithValue(ctx, key(0), &RequestInfo{Path: path, Verb: verb})
}

type auditIDKeyType int

// WithAuditID is of Kubernetes before 1.26.
func WithAuditID(ctx context.Context, id types.UID) context.Context {
	return context.WithValue(ctx, auditIDKeyType(0), id)
}
