"""Clients whose requests are known to be this test's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from kubernetes import client as kubernetes_client
from kubernetes.client import rest
from requests.adapters import BaseAdapter
from requests.auth import AuthBase

from pytest_kdelve.hits.requests import AUDIT_ID_HEADER
from pytest_kdelve.report import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_kdelve.controlplane.credentials import Credentials
    from pytest_kdelve.hits.requests import RequestLog

#: Seconds; a paused or very slow apiserver must end a test, not hang it.
_TIMEOUT = 60.0


class _Secret(str):
    """A header's value that a traceback does not show: pytest prints the arguments of frames."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(redact.BLOT)


class _Bearer(AuthBase):
    """Sends the token; it is no part of any representation."""

    def __init__(self, token: str) -> None:
        self._value = _Secret(f"Bearer {token}")

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._value
        return request


class _MarkingAdapter(BaseAdapter):
    """Marks each request just before it is sent, redirected ones included."""

    def __init__(self, adapter: BaseAdapter, log: RequestLog) -> None:
        super().__init__()
        self._adapter = adapter
        self._log = log

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        request.headers[AUDIT_ID_HEADER] = self._log.new_audit_id()
        method, path = request.method or "", str(urlsplit(request.url or "").path)
        try:
            response = self._adapter.send(request, *args, **kwargs)
        except requests.RequestException as error:
            self._log.answered(method, path, type(error).__name__)
            raise
        self._log.answered(method, path, f"{response.status_code} {response.reason}")
        return response

    def close(self) -> None:
        self._adapter.close()


class ApiSession(requests.Session):
    """A session for the apiserver: paths instead of URLs, token and CA set, requests marked.

    Each request has a timeout of 60 s unless one is given. As with any session, ``auth=None``
    keeps the session's token; ``auth=lambda request: request`` sends none.
    """

    def __init__(self, url: str, credentials: Credentials, log: RequestLog) -> None:
        super().__init__()
        self.base_url = url
        self.trust_env = False
        self.verify = str(credentials.ca_file)
        self.auth = _Bearer(credentials.token)
        self._log = log

    def request(  # type: ignore[override]
        self, method: str, url: str, **kwargs: Any
    ) -> requests.Response:
        """Send a request to a path such as ``/api/v1/namespaces``, or to a whole URL."""
        kwargs.setdefault("timeout", _TIMEOUT)
        whole = f"{self.base_url}{url}" if url.startswith("/") else url
        return super().request(method, whole, **kwargs)

    def get_adapter(self, url: str) -> BaseAdapter:
        """Return the adapter that was mounted, which then marks what it sends as this test's."""
        return _MarkingAdapter(super().get_adapter(url), self._log)


class _MarkingRESTClient(rest.RESTClientObject):
    """The transport of an ``ApiClient``, below everything that makes requests."""

    def __init__(self, configuration: kubernetes_client.Configuration, log: RequestLog) -> None:
        super().__init__(configuration)
        self._log = log

    def request(  # type: ignore[override]
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> object:
        """Mark the request as this test's, send it, and keep what came of it."""
        marked = {**(headers or {}), AUDIT_ID_HEADER: self._log.new_audit_id()}
        if kwargs.get("_request_timeout") is None:
            kwargs["_request_timeout"] = _TIMEOUT
        path = urlsplit(url).path
        send: Any = super().request
        try:
            response = send(method, url, headers=marked, **kwargs)
        except Exception as error:
            status, reason = (getattr(error, name, None) for name in ("status", "reason"))
            answer = f"{status} {reason}" if status else type(error).__name__
            self._log.answered(method, path, answer)
            raise
        self._log.answered(method, path, f"{response.status} {response.reason}")
        return response


def kube_client(url: str, credentials: Credentials, log: RequestLog) -> kubernetes_client.ApiClient:
    """Return a client of the kubernetes package whose requests are marked."""
    configuration = kubernetes_client.Configuration()
    configuration.host = url
    configuration.ssl_ca_cert = str(credentials.ca_file)
    configuration.api_key = {"authorization": _Secret(f"Bearer {credentials.token}")}
    configuration.proxy = None
    client = kubernetes_client.ApiClient(configuration)
    client.rest_client = _MarkingRESTClient(configuration, log)
    return client
