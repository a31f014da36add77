"""A ServiceAccount with a long-lived token, made in the way that the Kubernetes documents give.

Since Kubernetes 1.24 a ServiceAccount has no Secret of its own: one of type
``kubernetes.io/service-account-token`` is created, and the token controller fills it.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self, TypeVar

from kubernetes import client as k8s
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from pytest_kdelve.errors import CredentialsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_kdelve.controlplane.access import Access

T = TypeVar("T")

DEFAULT_NAME = "kdelve"
NAMESPACE = "default"
_REQUEST_TIMEOUT = 10
#: Seconds for which a requested token is valid; an apiserver may be run with less.
_TOKEN_LIFE = 24 * 60 * 60


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

    def __init__(self, access: Access, *, name: str = DEFAULT_NAME) -> None:
        self._name = name
        self._api = access.client()
        self._core = k8s.CoreV1Api(self._api)
        self._rbac = k8s.RbacAuthorizationV1Api(self._api)
        self._ca_file = access.ca
        #: Whether any of it may be there.
        self.has_begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._api.close()  # type: ignore[no-untyped-call]

    def create(self, cluster_role: str) -> None:
        """Create the ServiceAccount's binding to a ClusterRole, itself, and its empty Secret.

        The binding comes first, since that is what most users may not create: they leave nothing
        behind then. Raises ``CredentialsError``, also for a ClusterRole that does not exist.
        """
        self.has_rules(cluster_role)
        self._bind(cluster_role)
        self._do(
            f"create the ServiceAccount {NAMESPACE}/{self._name}",
            lambda: self._core.create_namespaced_service_account(
                NAMESPACE,
                k8s.V1ServiceAccount(metadata=k8s.V1ObjectMeta(name=self._name)),
                _request_timeout=_REQUEST_TIMEOUT,
            ),
        )
        self._do(
            f"create the Secret {NAMESPACE}/{self._name}",
            lambda: self._core.create_namespaced_secret(
                NAMESPACE, _empty_secret(self._name), _request_timeout=_REQUEST_TIMEOUT
            ),
        )

    def _bind(self, cluster_role: str) -> None:
        self.has_begun = True
        try:
            self._do(
                f"bind the ServiceAccount {NAMESPACE}/{self._name} to the ClusterRole "
                f"{cluster_role!r}",
                lambda: self._rbac.create_cluster_role_binding(
                    _binding(self._name, cluster_role), _request_timeout=_REQUEST_TIMEOUT
                ),
            )
        except CredentialsError as error:
            # After any other failure, nobody knows whether it is there.
            self.has_begun = not _is_refusal(error.__cause__)
            raise

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
            f"read the Secret {NAMESPACE}/{self._name}",
            lambda: self._core.read_namespaced_secret(
                self._name, NAMESPACE, _request_timeout=_REQUEST_TIMEOUT
            ),
        )
        data = secret.data or {}
        if not data.get("token") or not data.get("ca.crt"):
            return None
        return Credentials(
            name=self._name,
            namespace=NAMESPACE,
            token=base64.b64decode(data["token"]).decode(),
            ca_crt=base64.b64decode(data["ca.crt"]).decode(),
            ca_file=self._ca_file,
            obtained=f"Secret {NAMESPACE}/{self._name}, filled by the token controller",
        )

    def request_token(self) -> Credentials:
        """Return credentials with a token of the TokenRequest API, for where no controller is.

        It is valid for a day, or for as long as the apiserver allows.
        """
        request = k8s.AuthenticationV1TokenRequest(
            spec=k8s.V1TokenRequestSpec(audiences=[], expiration_seconds=_TOKEN_LIFE)
        )
        answer: Any = self._do(
            f"request a token for the ServiceAccount {NAMESPACE}/{self._name}",
            lambda: self._core.create_namespaced_service_account_token(
                self._name, NAMESPACE, request, _request_timeout=_REQUEST_TIMEOUT
            ),
        )
        return Credentials(
            name=self._name,
            namespace=NAMESPACE,
            token=answer.status.token,
            ca_crt=self._ca_file.read_text(),
            ca_file=self._ca_file,
            obtained=f"TokenRequest for {NAMESPACE}/{self._name}, since no token controller "
            f"filled its Secret; expires {answer.status.expiration_timestamp:%Y-%m-%d %H:%M %Z}",
        )

    def remove(self) -> None:
        """Remove the binding, the Secret and the ServiceAccount, as far as they are there."""
        core, name = self._core, self._name
        deletes: dict[str, Callable[..., object]] = {
            "ClusterRoleBinding": partial(self._rbac.delete_cluster_role_binding, name),
            "Secret": partial(core.delete_namespaced_secret, name, NAMESPACE),
            "ServiceAccount": partial(core.delete_namespaced_service_account, name, NAMESPACE),
        }
        for what, delete in deletes.items():
            self._do(f"remove the {what} {name}", partial(_unless_gone, delete))

    def _do(self, what: str, call: Callable[[], T]) -> T:
        try:
            return call()
        except ApiException as error:
            message = f"could not {what}: {error.status} {error.reason}: {error.body}"
            raise CredentialsError(message) from error
        except HTTPError as error:
            raise CredentialsError(f"could not {what}: {error}") from error


def _is_refusal(error: BaseException | None) -> bool:
    return isinstance(error, ApiException) and error.status < HTTPStatus.INTERNAL_SERVER_ERROR.value


def _unless_gone(delete: Callable[..., object]) -> None:
    try:
        delete(_request_timeout=_REQUEST_TIMEOUT)
    except ApiException as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise


def _binding(name: str, cluster_role: str) -> k8s.V1ClusterRoleBinding:
    return k8s.V1ClusterRoleBinding(
        metadata=k8s.V1ObjectMeta(name=name),
        subjects=[k8s.RbacV1Subject(kind="ServiceAccount", name=name, namespace=NAMESPACE)],
        role_ref=k8s.V1RoleRef(
            api_group="rbac.authorization.k8s.io", kind="ClusterRole", name=cluster_role
        ),
    )


def _empty_secret(name: str) -> k8s.V1Secret:
    annotations = {"kubernetes.io/service-account.name": name}
    return k8s.V1Secret(
        metadata=k8s.V1ObjectMeta(name=name, annotations=annotations),
        type="kubernetes.io/service-account-token",
    )
