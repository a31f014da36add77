"""Clients whose requests are known to be this test's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from kubernetes import client as kubernetes_client
from kubernetes.client import rest
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.auth import AuthBase

from pytest_kdelve.hits.requests import AUDIT_ID_HEADER
from pytest_kdelve.plugin.background import Background
from pytest_kdelve.plugin.patience import be_patient
from pytest_kdelve.report import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_kdelve.controlplane.credentials import Credentials
    from pytest_kdelve.hits.clock import Clock
    from pytest_kdelve.hits.requests import RequestLog

#: Seconds, without those in which the apiserver is paused; a slow one must not hang a test.
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
        self._log.sent(method, path)
        try:
            response = self._adapter.send(request, *args, **kwargs)
        except Exception as error:
            self._log.answered(method, path, type(error).__name__)
            raise
        self._log.answered(method, path, f"{response.status_code} {response.reason}")
        return response

    def close(self) -> None:
        self._adapter.close()


class ApiSession(requests.Session):
    """A session for the apiserver: paths instead of URLs, token and CA set, requests marked.

    Each request has a timeout of 60 s unless one is given; the time in which the apiserver is
    paused does not count. As with any session, ``auth=None``
    keeps the session's token; ``auth=lambda request: request`` sends none.
    """

    def __init__(self, url: str, credentials: Credentials, log: RequestLog, clock: Clock) -> None:
        super().__init__()
        self.base_url = url
        self.trust_env = False
        self.verify = str(credentials.ca_file)
        self.auth = _Bearer(credentials.token)
        self._log = log
        self._clock = clock
        #: Sends requests from threads of their own, and returns futures of their answers.
        self.background = Background(self, clock)

    def request(  # type: ignore[override]
        self, method: str, url: str, **kwargs: Any
    ) -> requests.Response:
        """Send a request to a path such as ``/api/v1/namespaces``, or to a whole URL."""
        kwargs.setdefault("timeout", _TIMEOUT)
        whole = f"{self.base_url}{url}" if url.startswith("/") else url
        return super().request(method, whole, **kwargs)

    def get_adapter(self, url: str) -> BaseAdapter:
        """Return the adapter that was mounted, which then marks what it sends as this test's."""
        adapter = super().get_adapter(url)
        if isinstance(adapter, HTTPAdapter):
            be_patient(adapter.poolmanager, self._clock)
        return _MarkingAdapter(adapter, self._log)


class _MarkingRESTClient(rest.RESTClientObject):
    """The transport of an ``ApiClient``, below everything that makes requests."""

    def __init__(
        self, configuration: kubernetes_client.Configuration, log: RequestLog, clock: Clock
    ) -> None:
        super().__init__(configuration)
        be_patient(self.pool_manager, clock)
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
        timeout = kwargs.get("_request_timeout")
        if timeout is None:
            timeout = _TIMEOUT
        if timeout and not isinstance(timeout, tuple):
            # As a total it would count the time of a connection that is made during a pause.
            timeout = (timeout, timeout)
        kwargs["_request_timeout"] = timeout
        path = urlsplit(url).path
        send: Any = super().request
        self._log.sent(method, path)
        try:
            response = send(method, url, headers=marked, **kwargs)
        except Exception as error:
            status, reason = (getattr(error, name, None) for name in ("status", "reason"))
            answer = f"{status} {reason}" if status else type(error).__name__
            self._log.answered(method, path, answer)
            raise
        self._log.answered(method, path, f"{response.status} {response.reason}")
        return response


def kube_client(
    url: str, credentials: Credentials, log: RequestLog, clock: Clock
) -> kubernetes_client.ApiClient:
    """Return a client of the kubernetes package whose requests are marked."""
    configuration = kubernetes_client.Configuration()
    configuration.host = url
    configuration.ssl_ca_cert = str(credentials.ca_file)
    configuration.api_key = {"authorization": _Secret(f"Bearer {credentials.token}")}
    configuration.proxy = None
    client = kubernetes_client.ApiClient(configuration)
    client.rest_client = _MarkingRESTClient(configuration, log, clock)
    return client
