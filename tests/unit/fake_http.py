"""A real HTTP server on loopback that stands in for the kube-apiserver."""

from __future__ import annotations

import json
import ssl
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from requests.structures import CaseInsensitiveDict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_kdelve.controlplane.certificates import Certificates


@dataclass(frozen=True)
class Answer:
    """``body`` is sent as JSON; with status 0 the connection is closed instead."""

    status: int = 200
    body: object = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Received:
    """``path`` has its query."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: object


@dataclass
class FakeApiserver:
    """Answers by "METHOD path", else with what was sent; keeps what it received."""

    url: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)

    def respond(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        content = json.loads(body) if body else None
        self.received.append(Received(method, path, headers, content))
        return self.answers.get(f"{method} {path.partition('?')[0]}", Answer(body=content or {}))

    @contextmanager
    def serving(self, files: Certificates | None = None) -> Iterator[FakeApiserver]:
        """Serve, with TLS where there are certificates."""
        with ThreadingHTTPServer(("127.0.0.1", 0), _handler(self)) as server:
            if files:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(files.server_cert, files.server_key)
                server.socket = context.wrap_socket(server.socket, server_side=True)
            self.url = f"{'https' if files else 'http'}://127.0.0.1:{server.server_port}"
            thread = threading.Thread(target=server.serve_forever, args=[0.01])
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()


def _handler(fake: FakeApiserver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            answer = fake.respond(
                self.command, self.path, CaseInsensitiveDict(self.headers.items()), body
            )
            if not answer.status:
                self.close_connection = True
                return
            content = json.dumps(answer.body).encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            with suppress(OSError):  # The client may have gone.
                self.end_headers()
                self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - names of http.server

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - theirs, too
            pass

    return Handler
