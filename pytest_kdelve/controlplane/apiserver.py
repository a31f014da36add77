"""The command line of a kube-apiserver, and how to tell that it is ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_kdelve.controlplane.binaries import KUBERNETES_MODULE
from pytest_kdelve.delve import inspection
from pytest_kdelve.errors import BinaryError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_kdelve.controlplane.certificates import Certificates
    from pytest_kdelve.delve import Client
    from pytest_kdelve.delve.inspection import BuildInfo, Inspection

#: Of the block for documentation (RFC 5737). Loopback may not be advertised, and the apiserver's
#: own choice needs a default route, which a machine without a network lacks.
_ADVERTISED = "192.0.2.1"
#: Where the main packages of Kubernetes are.
_COMMANDS = f"{KUBERNETES_MODULE}/cmd/"
#: Of a kube-apiserver, or an aggregated one.
_MODULES = (KUBERNETES_MODULE, "k8s.io/apiserver")
#: Goroutines that led to each goroutine are kept, as many as this, so that a hit's request can be
#: found among them (``Ancestors`` of Delve's API).
_ANCESTORS = "tracebackancestors"
_ANCESTORS_KEPT = 8
#: A paused server must find its requests alive; the default of a minute is over soon.
_REQUEST_TIMEOUT = "24h"
#: Of the program itself and of modules that it uses: -gcflags without ``all=`` leaves the latter.
SAMPLE_FUNCTIONS = (
    "main.main",
    "k8s.io/kubernetes/cmd/kube-apiserver/app.Run",
    "k8s.io/apiserver/pkg/server.(*GenericAPIServer).PrepareRun",
    "k8s.io/apimachinery/pkg/runtime.(*Scheme).New",
    "net/http.(*conn).serve",
)


def inspect(client: Client, program: str) -> Inspection:
    """Return what a kube-apiserver was built from.

    Raises ``BinaryError`` for one that is stripped, and as ``check``.
    """
    found = inspection.inspect(client, program, SAMPLE_FUNCTIONS)
    check(found.build, program)
    return found


def check(build: BuildInfo, program: str) -> None:
    """Raise ``BinaryError`` for a program that is known to be no apiserver."""
    package = build.package
    is_other_command = package.startswith(_COMMANDS) and package != f"{_COMMANDS}kube-apiserver"
    is_known = package and build.modules
    if is_known and (is_other_command or not any(map(build.module, _MODULES))):
        raise BinaryError(
            f"{program} is no kube-apiserver, but was built by Go from {package}: name another one"
        )


def arguments(
    certificates: Certificates, *, etcd_servers: str, port: int, extra: Sequence[str] = ()
) -> list[str]:
    """Return the arguments, without the program itself.

    ``extra`` comes last, so that a flag given there overrides the one set here.
    """
    return [
        f"--etcd-servers={etcd_servers}",
        f"--etcd-cafile={certificates.ca}",
        f"--etcd-certfile={certificates.admin_cert}",
        f"--etcd-keyfile={certificates.admin_key}",
        "--bind-address=127.0.0.1",
        f"--advertise-address={_ADVERTISED}",
        f"--secure-port={port}",
        f"--client-ca-file={certificates.ca}",
        f"--tls-cert-file={certificates.server_cert}",
        f"--tls-private-key-file={certificates.server_key}",
        f"--service-account-key-file={certificates.service_account_key}",
        f"--service-account-signing-key-file={certificates.service_account_key}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--authorization-mode=RBAC",
        f"--request-timeout={_REQUEST_TIMEOUT}",
        *extra,
    ]


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment: what is given, and a setting in ``GODEBUG`` unless that has it."""
    settings = given.get("GODEBUG", "")
    if _ANCESTORS in settings:
        return dict(given)
    ours = f"{_ANCESTORS}={_ANCESTORS_KEPT}"
    return {**given, "GODEBUG": f"{settings},{ours}" if settings else ours}
