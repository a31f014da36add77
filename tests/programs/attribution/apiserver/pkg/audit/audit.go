// Package audit has the names and the shape of a kube-apiserver's own, as far as they matter here.
package audit

import "context"

type key int

type Event struct{ AuditID string }

type AuditContext struct{ event Event }

func With(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, key(0), &AuditContext{event: Event{AuditID: id}})
}
