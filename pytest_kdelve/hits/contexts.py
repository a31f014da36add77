"""The request for which a ``context.Context`` was made.

A kube-apiserver puts two values into the context of each request: its RequestInfo, and an
AuditContext with the Audit-ID (``WithRequestInfo`` and ``WithAuditInit`` in k8s.io/apiserver).
Before Kubernetes 1.26, the Audit-ID is a value by itself (``WithAuditID``), and the AuditContext is
there only where auditing is configured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_kdelve.delve import api, completeness, values
from pytest_kdelve.delve.api import Kind
from pytest_kdelve.errors import RPCError
from pytest_kdelve.hits.model import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kdelve.delve.client import Client

#: Types of values that have an Audit-ID, and by which selectors, newest first: once the event was
#: exported, and what is a UID in a context is an Audit-ID itself.
_HOLD_AUDIT_IDS = {
    "*k8s.io/apiserver/pkg/audit.AuditContext": (".event.AuditID", ".Event.AuditID"),
    "k8s.io/apimachinery/pkg/types.UID": ("",),
}
_REQUEST_INFO = "*k8s.io/apiserver/pkg/endpoints/request.RequestInfo"
#: From a request's verb to its method (``NewRequestInfo`` in k8s.io/apiserver); the verb of a
#: request for no resource is its method.
_METHODS = {
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "update": "PUT",
    "deletecollection": "DELETE",
}
#: Each context within another one takes three levels: interface, pointer, struct.
_FEW_CONTEXTS = api.LoadConfig(
    max_variable_recurse=3, max_string_len=1024, max_array_values=0, max_struct_fields=-1
)
#: Contexts within each other; those of a kube-apiserver's requests are about 30.
_MOST_CONTEXTS = 128


def request_of(client: Client, expression: str, scope: api.EvalScope) -> Request | None:
    """Return the request of a context, None where it has none with an Audit-ID.

    Work that the apiserver shares among requests, such as looking up a token, has an AuditContext
    without one.
    """
    reader = _Reader(client, scope)
    found: dict[str, str] = {}
    audit_id = ""
    for type_, value in reader.values_of(expression):
        # The innermost one of each counts, as for who asks the context.
        found.setdefault(type_, value)
        if type_ in _HOLD_AUDIT_IDS:
            audit_id = audit_id or reader.first_text(found[type_], *_HOLD_AUDIT_IDS[type_])
        if audit_id and _REQUEST_INFO in found:
            break
    if not audit_id:
        return None
    info = found.get(_REQUEST_INFO)
    verb = reader.first_text(info, ".Verb")
    return Request(_METHODS.get(verb, verb.upper()), reader.first_text(info, ".Path"), audit_id)


class _Reader:
    """Reads what a context is made of, a few levels at a time."""

    def __init__(self, client: Client, scope: api.EvalScope) -> None:
        self._client = client
        self._scope = scope

    def values_of(self, expression: str) -> Iterator[tuple[str, str]]:
        """Yield type and expression of each value in a context, from the innermost one on."""
        context = self._eval(expression)
        for _ in range(_MOST_CONTEXTS):
            struct = self._struct(context)
            if struct is None:
                return
            if value := _value(struct):
                yield value.type, f'(*(*"{value.type}")({value.addr:#x}))'
            context = _outer(struct)

    def first_text(self, expression: str | None, *selectors: str) -> str:
        """Return the first that has a text of what selectors select, empty where none has."""
        for selector in selectors if expression else ():
            found = self._eval(f"{expression}{selector}")
            value = values.to_python(found) if found else None
            if value and isinstance(value, str):
                return value
        return ""

    def _struct(self, variable: api.Variable | None) -> api.Variable | None:
        """Return the struct that a context is, through the interface and the pointer to it."""
        while variable is not None:
            if completeness.is_address_only(variable):
                variable = self._eval(f'*(*"{variable.type}")({variable.addr:#x})')
            elif variable.kind == Kind.STRUCT:
                return variable
            elif variable.kind in {Kind.INTERFACE, Kind.POINTER}:
                variable = _first_child(variable)
            else:
                return None
        return None

    def _eval(self, expression: str) -> api.Variable | None:
        try:
            found = self._client.eval(expression, self._scope, _FEW_CONTEXTS)
        except RPCError:
            return None
        return None if found.unreadable else found


def _outer(struct: api.Variable) -> api.Variable | None:
    """Return the context around one; a timerCtx has it in the cancelCtx that it embeds."""
    for field in struct.children or ():
        if field.type == "context.Context":
            return field
        if field.kind == Kind.STRUCT and field.type.startswith("context."):
            return _outer(field)
    return None


def _value(struct: api.Variable) -> api.Variable | None:
    """Return the value that a context adds to the one around it, if it does."""
    if struct.type != "context.valueCtx":
        return None
    field = next((field for field in struct.children or () if field.name == "val"), None)
    value = _first_child(field) if field else None
    return value if value and value.addr else None


def _first_child(variable: api.Variable) -> api.Variable | None:
    return variable.children[0] if variable.children else None
