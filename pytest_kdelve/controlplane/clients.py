"""Files with which kubectl, curl and Postman reach a kube-apiserver.

A file with the token has mode 0600; the token is never in a command line, which every user of the
machine can read. The CA is always verified.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_kdelve.controlplane import kubeconfig
from pytest_kdelve.controlplane.certificates import write_secret
from pytest_kdelve.delve import Address

if TYPE_CHECKING:
    from pathlib import Path

#: Each request of the collection: its path, the test's name, and the test.
_REQUESTS = (
    ("apis", "is an APIGroupList", "pm.expect(answer.kind).to.equal('APIGroupList');"),
    ("version", "has a version", "pm.expect(answer.gitVersion).to.match(/^v\\d+\\.\\d+\\.\\d+/);"),
    (
        "api/v1/namespaces",
        "is a NamespaceList",
        "pm.expect(answer.kind).to.equal('NamespaceList');",
    ),
)
_COLLECTION_SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The files, and a shell command that uses them (without the token)."""

    files: tuple[Path, ...]
    command: str


def write_kubeconfig(folder: Path, *, url: str, ca: Path, token: str) -> Written:
    """Write ``kdelve.kubeconfig``, which has the CA in it; the command sets KUBECONFIG."""
    file = folder / "kdelve.kubeconfig"
    kubeconfig.write(file, url=url, ca=ca, user={"token": token})
    return Written(files=(file,), command=f"export KUBECONFIG={shlex.quote(str(file))}")


def write_curl(folder: Path, *, url: str, ca: Path, token: str) -> Written:
    """Write ``kdelve.curl``, a file for curl's ``--config``; the command gets ``/apis``."""
    file = folder / "kdelve.curl"
    write_secret(file, _curl_config(url=url, ca=ca, token=token).encode())
    return Written(
        files=(file,), command=shlex.join(["curl", "--config", str(file), f"{url}/apis"])
    )


def write_postman(folder: Path, *, url: str, ca: Path, token: str) -> Written:
    """Write a collection (format 2.1) and an environment; the command runs them by newman."""
    collection = folder / "kdelve.postman_collection.json"
    environment = folder / "kdelve.postman_environment.json"
    write_secret(collection, _as_json(_collection()))
    write_secret(environment, _as_json(_environment(url=url, token=token)))
    options = ["--environment", str(environment), "--ssl-extra-ca-certs", str(ca)]
    command = shlex.join(["newman", "run", str(collection), *options])
    return Written(files=(collection, environment), command=command)


def _curl_config(*, url: str, ca: Path, token: str) -> str:
    """Return what also holds where a ``~/.curlrc`` or a proxy variable says otherwise."""
    lines = [f"cacert = {_quoted(str(ca))}", "no-insecure"]
    host = urlsplit(url).hostname or ""
    if Address(host).is_loopback:
        lines.append(f"noproxy = {_quoted(host)}")
    lines.append(f"header = {_quoted(f'Authorization: Bearer {token}')}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    escaped = re.sub(r'(["\\])', r"\\\1", text)
    return f'"{escaped}"'


def _collection() -> object:
    token = {"key": "token", "value": "{{token}}", "type": "string"}
    return {
        "info": {"name": "kube-apiserver (kdelve)", "schema": _COLLECTION_SCHEMA},
        "auth": {"type": "bearer", "bearer": [token]},
        "item": [_item(*request) for request in _REQUESTS],
    }


def _item(path: str, expected: str, test: str) -> object:
    lines = [
        "pm.test('status is 200', () => pm.response.to.have.status(200));",
        f"pm.test('{expected}', () => {{",
        "    const answer = pm.response.json();",
        f"    {test}",
        "});",
    ]
    return {
        "name": f"GET /{path}",
        "request": {
            "method": "GET",
            "header": [],
            "url": {"raw": f"{{{{url}}}}/{path}", "host": ["{{url}}"], "path": path.split("/")},
        },
        "event": [{"listen": "test", "script": {"type": "text/javascript", "exec": lines}}],
    }


def _environment(*, url: str, token: str) -> object:
    return {
        "name": "kdelve",
        "values": [
            {"key": "url", "value": url, "type": "default", "enabled": True},
            {"key": "token", "value": token, "type": "secret", "enabled": True},
        ],
        "_postman_variable_scope": "environment",
    }


def _as_json(value: object) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()
