"""A namespace for one test, made and removed by the administrator.

No controller of namespaces or ServiceAccounts runs, so their part is done here: the ServiceAccount
``default``, which pods need, and a deletion that comes to its end. None of the requests is a
test's: they carry no Audit-ID of one.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import requests

from pytest_kdelve.errors import NamespaceError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_TIMEOUT = 10.0
_GENERATED_NAME = "kdelve-"
_NAMESPACES = "/api/v1/namespaces"
_AT_ONCE = {
    "apiVersion": "v1",
    "kind": "DeleteOptions",
    "gracePeriodSeconds": 0,
    "propagationPolicy": "Background",
}
_MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}
_GONE = frozenset({HTTPStatus.NOT_FOUND})
#: A definition that is gone, or another server behind the aggregator: nothing of it is kept here.
_NOT_SERVED = _GONE | {HTTPStatus.SERVICE_UNAVAILABLE}


class Namespaces:
    """Makes and removes namespaces of the apiserver at ``url``; ``admin`` may do anything there."""

    def __init__(self, url: str, admin: requests.Session) -> None:
        self._url = url
        self._admin = admin

    def create(self) -> str:
        """Create a namespace in which objects, pods too, can be created; return its name.

        Raises ``NamespaceError``, and leaves nothing behind then.
        """
        with _trying("create a namespace"):
            body = {"metadata": {"generateName": _GENERATED_NAME}}
            name = str(self._do("POST", _NAMESPACES, body)["metadata"]["name"])
            try:
                body = {"metadata": {"name": "default"}}
                self._do("POST", f"{_NAMESPACES}/{name}/serviceaccounts", body)
            except NamespaceError:
                with suppress(NamespaceError):  # The first error says more.
                    self.remove(name)
                raise
        return name

    def remove(self, name: str) -> None:
        """Remove a namespace and all that is in it, whatever finalizers it has.

        It may be gone already. Raises ``NamespaceError``, and leaves it terminating then.
        """
        path = f"{_NAMESPACES}/{name}"
        with _trying(f"remove the namespace {name}"):
            # From now on nothing new can be created in it.
            if not self._do("DELETE", path, _AT_ONCE, unless=_GONE):
                return
            for version, resource in self._resources():
                self._empty(f"{version}/namespaces/{name}/{resource}")
            body = {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": name},
                "spec": {"finalizers": []},
            }
            self._do("PUT", f"{path}/finalize", body)

    def _empty(self, path: str) -> None:
        for item in self._do("GET", path, unless=_NOT_SERVED).get("items") or ():
            metadata = item["metadata"]
            each = f"{path}/{metadata['name']}"
            if metadata.get("finalizers"):
                body = {"metadata": {"finalizers": None}}
                self._do("PATCH", each, body, headers=_MERGE_PATCH, unless=_GONE)
            self._do("DELETE", each, _AT_ONCE, unless=_GONE)

    def _resources(self) -> Iterator[tuple[str, str]]:
        """Yield each resource that lies in namespaces, after the path of a version that has it."""
        known = set()
        for group, path in self._versions():
            for resource in self._do("GET", path, unless=_NOT_SERVED).get("resources") or ():
                name = resource["name"]
                can_be_emptied = {"list", "delete"} <= set(resource["verbs"])
                if resource["namespaced"] and can_be_emptied and (group, name) not in known:
                    known.add((group, name))
                    yield path, name

    def _versions(self) -> Iterator[tuple[str, str]]:
        """Yield the path of each version, after its group's name."""
        for version in self._do("GET", "/api")["versions"]:
            yield "", f"/api/{version}"
        for group in self._do("GET", "/apis")["groups"]:
            for version in group["versions"]:
                yield group["name"], f"/apis/{version['groupVersion']}"

    def _do(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: dict[str, str] | None = None,
        unless: Collection[int] = (),
    ) -> dict[str, Any]:
        """Return the answer's object; an empty one for a status that is in ``unless``."""
        try:
            answer = self._admin.request(
                method, f"{self._url}{path}", json=body, headers=headers, timeout=_TIMEOUT
            )
        except requests.RequestException as error:
            raise NamespaceError(f"{method} {path}: {error}") from error
        if answer.status_code in unless:
            return {}
        if not answer.ok:
            seen = f"{answer.status_code} {answer.reason}: {answer.text.strip()}"
            raise NamespaceError(f"{method} {path}: {seen}")
        found: dict[str, Any] = answer.json()
        return found


@contextmanager
def _trying(what: str) -> Iterator[None]:
    try:
        yield
    except NamespaceError as error:
        raise NamespaceError(f"could not {what}: {error}") from error.__cause__
