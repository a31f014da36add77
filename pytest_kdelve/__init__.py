"""Read Kubernetes source as repeatable tests: a real kube-apiserver under Delve, from pytest."""

from __future__ import annotations

from pytest_kdelve.steps import at

__all__ = ["at"]
