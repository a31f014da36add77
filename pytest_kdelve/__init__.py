"""Read Kubernetes source as repeatable tests: a real kube-apiserver under Delve, from pytest."""
