"""An administrator's way into an apiserver."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import requests
import yaml
from kubernetes import client as k8s
from kubernetes import config
from kubernetes.config.config_exception import ConfigException
from requests.auth import AuthBase

from pytest_kdelve.errors import UsageError

if TYPE_CHECKING:
    from pytest_kdelve.controlplane.certificates import Certificates

#: Where an administrator's kubeconfig is looked for, after KUBECONFIG: a user's own, kubeadm's, and
#: that of hack/local-up-cluster.sh.
USUAL_PLACES = (
    Path("~/.kube/config"),
    Path("/etc/kubernetes/admin.conf"),
    Path("/var/run/kubernetes/admin.kubeconfig"),
)


class Access:
    """An apiserver's URL and CA (a PEM file), and what an administrator shows to it.

    Nothing of it comes from the environment, such as a proxy.
    """

    def __init__(self, configuration: k8s.Configuration) -> None:
        self._configuration = configuration
        self.url = str(configuration.host)
        self.ca = Path(str(configuration.ssl_ca_cert))

    @classmethod
    def by_certificate(cls, url: str, certificates: Certificates) -> Self:
        """Return the way in of the administrator for whom a certificate was made."""
        configuration = _configuration()
        configuration.host = url
        configuration.ssl_ca_cert = str(certificates.ca)
        configuration.cert_file = str(certificates.admin_cert)
        configuration.key_file = str(certificates.admin_key)
        return cls(configuration)

    @classmethod
    def by_kubeconfig(cls, paths: str, *, files: Path) -> Self:
        """Return what a kubeconfig's current context gives.

        ``paths`` is as in KUBECONFIG. Keys that stand in the file itself are written into the
        folder ``files``. Raises ``UsageError``, also for one by which the CA is not verified.
        """
        if not any(Path(path).is_file() for path in paths.split(os.pathsep)):
            raise UsageError(f"kubeconfig {paths}: there is no such file")
        configuration = _configuration()
        try:
            config.load_kube_config(  # type: ignore[no-untyped-call]
                paths,
                client_configuration=configuration,
                persist_config=False,
                temp_file_path=str(files),
            )
        except (ConfigException, OSError, ValueError, yaml.YAMLError) as error:
            raise UsageError(f"kubeconfig {paths}: {error}") from error
        problem = _problem(configuration)
        if problem:
            raise UsageError(f"kubeconfig {paths}: {problem}")
        return cls(configuration)

    def client(self) -> k8s.ApiClient:
        """Return a new client of the kubernetes package, which is to be closed."""
        return k8s.ApiClient(self._configuration)

    def session(self) -> requests.Session:
        """Return a new session that trusts the CA only; it takes whole URLs."""
        configuration = self._configuration
        session = requests.Session()
        session.trust_env = False
        session.verify = str(self.ca)
        if configuration.cert_file:
            session.cert = (str(configuration.cert_file), str(configuration.key_file))
        if configuration.proxy:
            session.proxies = {"https": str(configuration.proxy)}
        session.auth = _Bearer(configuration)
        return session


class _Bearer(AuthBase):
    """Sends the token, where there is one; one that runs out is renewed by the configuration."""

    def __init__(self, configuration: k8s.Configuration) -> None:
        self._configuration = configuration

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        settings = cast("dict[str, Any]", self._configuration.auth_settings())
        for setting in settings.values():
            request.headers["Authorization"] = setting["value"]
        return request


def find_kubeconfig() -> str:
    """Return KUBECONFIG, or the first of the usual places that there is; paths are absolute.

    Raises ``UsageError``.
    """
    if given := os.environ.get("KUBECONFIG"):
        paths = (Path(path).expanduser().absolute() for path in given.split(os.pathsep) if path)
        return os.pathsep.join(map(str, paths))
    for place in USUAL_PLACES:
        if (path := place.expanduser()).is_file():
            return str(path)
    places = ", ".join(map(str, USUAL_PLACES))
    raise UsageError(
        "an administrator's kubeconfig is needed for an apiserver that was not started here: give "
        f"--kdelve-kubeconfig=PATH, or set KUBECONFIG (there is none of {places})"
    )


def _configuration() -> k8s.Configuration:
    configuration = k8s.Configuration()
    configuration.proxy = None
    return configuration


def _problem(configuration: k8s.Configuration) -> str:
    if not str(configuration.host).startswith("https://"):
        return f"its server {configuration.host} is not https"
    if not configuration.verify_ssl:
        return "it has insecure-skip-tls-verify; the CA is always verified here, so name that"
    if not configuration.ssl_ca_cert:
        return "it has no certificate-authority; the CA is always verified here, so name it"
    if configuration.tls_server_name:
        return "tls-server-name is not supported here; use a server name that is in its certificate"
    return ""
