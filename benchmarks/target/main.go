// Command target handles one request after another, with variables as a kube-apiserver has them.
package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"time"
)

type OwnerReference struct {
	APIVersion, Kind, Name, UID string
	Controller                  *bool
}

type ObjectMeta struct {
	Name, GenerateName, Namespace, UID, ResourceVersion string
	Generation                                          int64
	CreationTimestamp                                   time.Time
	DeletionTimestamp                                   *time.Time
	Labels, Annotations                                 map[string]string
	OwnerReferences                                     []OwnerReference
	Finalizers                                          []string
}

type ConfigMap struct {
	ObjectMeta
	Kind, APIVersion string
	Immutable        *bool
	Data             map[string]string
	BinaryData       map[string][]byte
}

type User interface{ GetName() string }

type DefaultInfo struct {
	Name, UID string
	Groups    []string
	Extra     map[string][]string
}

func (d *DefaultInfo) GetName() string { return d.Name }

type RequestInfo struct {
	IsResourceRequest                           bool
	Path, Verb, APIPrefix, APIGroup, APIVersion string
	Namespace, Resource, Subresource, Name      string
	Parts                                       []string
	FieldSelector, LabelSelector                string
	User                                        User
}

type Scope struct {
	Kind, Resource, Subresource string
	MetaGroupVersion            string
	MaxRequestBodyBytes         int64
	Client                      *http.Client
	Transport                   *http.Transport
	Codecs                      map[string]func([]byte) error
}

//go:noinline
func handle(w http.ResponseWriter, req *http.Request, scope *Scope, store map[string]*ConfigMap) error {
	info := RequestInfo{
		IsResourceRequest: true, Path: req.URL.Path, Verb: "list", APIVersion: "v1",
		Namespace: "kube-system", Resource: "configmaps", Name: req.URL.Query().Get("name"),
		Parts: []string{"configmaps", "settings"},
		User:  &DefaultInfo{Name: "system:serviceaccount:default:reader", Groups: []string{"a", "b"}},
	}
	name, namespace := info.Name, info.Namespace
	found := make([]ConfigMap, 0, len(store))
	for _, object := range store {
		found = append(found, *object)
	}
	timeout, started := 30*time.Second, time.Now()
	outcome := map[string]int{"found": len(found), "status": http.StatusOK}
	var err error
	use(w, scope, name, namespace, timeout, started, outcome) // one hit each
	return err
}

//go:noinline
func use(...any) {}

func objects(count int) map[string]*ConfigMap {
	store := map[string]*ConfigMap{}
	for number := 0; number < count; number++ {
		name := fmt.Sprintf("settings-%d", number)
		store[name] = &ConfigMap{
			Kind: "ConfigMap", APIVersion: "v1", Data: map[string]string{"key": "value"},
			ObjectMeta: ObjectMeta{
				Name: name, Namespace: "kube-system", UID: "00000000-0000-0000-0000-000000000000",
				CreationTimestamp: time.Now(),
				Labels:            map[string]string{"app": "benchmark", "tier": "control-plane"},
				OwnerReferences:   []OwnerReference{{Kind: "Deployment", Name: "owner"}},
			},
		}
	}
	return store
}

func main() {
	store := objects(20)
	scope := &Scope{
		Kind: "ConfigMap", Resource: "configmaps", MetaGroupVersion: "meta.k8s.io/v1",
		Client: http.DefaultClient, Transport: &http.Transport{},
	}
	url := "/api/v1/namespaces/kube-system/configmaps?name=settings-1&limit=500"
	for {
		req := httptest.NewRequest(http.MethodGet, url, nil)
		req.Header.Set("Audit-Id", "00000000-0000-0000-0000-000000000000")
		if err := handle(httptest.NewRecorder(), req, scope, store); err != nil {
			os.Exit(1)
		}
	}
}
