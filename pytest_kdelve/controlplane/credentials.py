"""A ServiceAccount with a long-lived token, made in the way that the Kubernetes documents give.

Since Kubernetes 1.24 a ServiceAccount has no Secret of its own: one of type
``kubernetes.io/service-account-token`` is created, and the token controller fills it.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from kubernetes import client as k8s
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from pytest_kdelve.errors import CredentialsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_kdelve.controlplane.certificates import Certificates

T = TypeVar("T")

_NAME = "kdelve"
_NAMESPACE = "default"
_REQUEST_TIMEOUT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The ServiceAccount's way in: its token, and the CA (PEM text) of the apiserver.

    ``obtained`` says in words how it was made.
    """

    name: str
    namespace: str
    token: str = field(repr=False)
    ca_crt: str = field(repr=False)
    ca_file: Path
    obtained: str


class ServiceAccountMaker:
    """Makes the ServiceAccount, its Secret and its binding, as the administrator."""

    def __init__(self, url: str, certificates: Certificates) -> None:
        configuration = k8s.Configuration()
        configuration.host = url
        configuration.ssl_ca_cert = str(certificates.ca)
        configuration.cert_file = str(certificates.admin_cert)
        configuration.key_file = str(certificates.admin_key)
        configuration.proxy = None
        self._api = k8s.ApiClient(configuration)
        self._core = k8s.CoreV1Api(self._api)
        self._rbac = k8s.RbacAuthorizationV1Api(self._api)
        self._ca_file = certificates.ca

    def close(self) -> None:
        """Close the connections."""
        self._api.close()  # type: ignore[no-untyped-call]

    def create(self, cluster_role: str) -> None:
        """Create the ServiceAccount, its binding to a ClusterRole, and its empty Secret.

        Raises ``CredentialsError``, also for a ClusterRole that does not exist.
        """
        self.has_rules(cluster_role)
        self._do(
            f"create the ServiceAccount {_NAMESPACE}/{_NAME}",
            lambda: self._core.create_namespaced_service_account(
                _NAMESPACE,
                k8s.V1ServiceAccount(metadata=k8s.V1ObjectMeta(name=_NAME)),
                _request_timeout=_REQUEST_TIMEOUT,
            ),
        )
        self._do(
            f"bind it to the ClusterRole {cluster_role!r}",
            lambda: self._rbac.create_cluster_role_binding(
                _binding(cluster_role), _request_timeout=_REQUEST_TIMEOUT
            ),
        )
        self._do(
            f"create the Secret {_NAMESPACE}/{_NAME}",
            lambda: self._core.create_namespaced_secret(
                _NAMESPACE, _empty_secret(), _request_timeout=_REQUEST_TIMEOUT
            ),
        )

    def has_rules(self, cluster_role: str) -> bool:
        """Whether a ClusterRole that a controller aggregates, such as ``view``, has been filled."""
        role = self._do(
            f"read the ClusterRole {cluster_role!r}",
            lambda: self._rbac.read_cluster_role(cluster_role, _request_timeout=_REQUEST_TIMEOUT),
        )
        return bool(role.rules or not role.aggregation_rule)

    def read(self) -> Credentials | None:
        """Return the credentials once the token controller has filled the Secret."""
        secret = self._do(
            f"read the Secret {_NAMESPACE}/{_NAME}",
            lambda: self._core.read_namespaced_secret(
                _NAME, _NAMESPACE, _request_timeout=_REQUEST_TIMEOUT
            ),
        )
        data = secret.data or {}
        if not data.get("token") or not data.get("ca.crt"):
            return None
        return Credentials(
            name=_NAME,
            namespace=_NAMESPACE,
            token=base64.b64decode(data["token"]).decode(),
            ca_crt=base64.b64decode(data["ca.crt"]).decode(),
            ca_file=self._ca_file,
            obtained=f"Secret {_NAMESPACE}/{_NAME}, filled by the token controller",
        )

    def _do(self, what: str, call: Callable[[], T]) -> T:
        try:
            return call()
        except ApiException as error:
            message = f"could not {what}: {error.status} {error.reason}: {error.body}"
            raise CredentialsError(message) from error
        except HTTPError as error:
            raise CredentialsError(f"could not {what}: {error}") from error


def _binding(cluster_role: str) -> k8s.V1ClusterRoleBinding:
    return k8s.V1ClusterRoleBinding(
        metadata=k8s.V1ObjectMeta(name=_NAME),
        subjects=[k8s.RbacV1Subject(kind="ServiceAccount", name=_NAME, namespace=_NAMESPACE)],
        role_ref=k8s.V1RoleRef(
            api_group="rbac.authorization.k8s.io", kind="ClusterRole", name=cluster_role
        ),
    )


def _empty_secret() -> k8s.V1Secret:
    annotations = {"kubernetes.io/service-account.name": _NAME}
    return k8s.V1Secret(
        metadata=k8s.V1ObjectMeta(name=_NAME, annotations=annotations),
        type="kubernetes.io/service-account-token",
    )
