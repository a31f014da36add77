module k8s.io/apiserver

go 1.18

require k8s.io/apimachinery v0.0.0
