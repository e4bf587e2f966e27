"""A customer's endpoint: a real HTTPS server on loopback under a test's own authority, that checks every signature.

It answers 200 unless told otherwise; `answers` come first, one a request, in their order.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from django.test import override_settings

from tests.certificates import certificate


@dataclass(frozen=True)
class Heard:
    """One request as it came."""

    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    began: float
    ended: float

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def json(self) -> Any:
        return json.loads(self.body)


Answer = Callable[[BaseHTTPRequestHandler], None]


def say(status: int, body: bytes = b"", **headers: str) -> Answer:
    """An answer."""

    def answer(http: BaseHTTPRequestHandler) -> None:
        http.send_response(status)
        for name, value in headers.items():
            http.send_header(name.replace("_", "-"), value)
        http.send_header("Content-Length", str(len(body)))
        http.end_headers()
        http.wfile.write(body)

    return answer


def late(seconds: float) -> Answer:
    """An answer that takes its time."""

    def answer(http: BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)
        say(200)(http)

    return answer


def slam(http: BaseHTTPRequestHandler) -> None:
    """No answer: the connection is closed."""
    http.connection.close()


class Receiver:
    """`with Receiver() as endpoint:` listens at `endpoint.url`; believed and allowed as long as the block runs."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.answers: list[Answer] = []
        self.always: Answer = say(200)
        self.by_path: dict[str, Answer] = {}
        self.flying = self.most_flying = 0
        self._lock = threading.Lock()
        self.folder = Path(tempfile.mkdtemp(prefix="plw-"))
        context, authority = certificate(self.folder, "localhost")
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        self.url = f"https://localhost:{self.port}/hook"
        self.environment = {"SSL_CERT_FILE": str(authority), "WEBHOOK_ALLOW_HOSTS": f"localhost:{self.port}"}
        self._settings = override_settings(WEBHOOK_ALLOW_HOSTS=[f"localhost:{self.port}"])
        self._before: str | None = None

    def __enter__(self) -> Receiver:
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self._settings.enable()
        self._before = os.environ.get("SSL_CERT_FILE")
        os.environ["SSL_CERT_FILE"] = self.environment["SSL_CERT_FILE"]
        return self

    def __exit__(self, *_how: object) -> None:
        self._settings.disable()
        if self._before is None:
            del os.environ["SSL_CERT_FILE"]
        else:
            os.environ["SSL_CERT_FILE"] = self._before
        self.server.shutdown()
        self.server.server_close()

    def ids(self) -> list[str]:
        """The message ids in the order in which they came."""
        return [one.id for one in self.heard]

    def _answer(self, http: BaseHTTPRequestHandler) -> None:
        began = time.monotonic()
        body = http.rfile.read(int(http.headers.get("Content-Length", "0")))
        with self._lock:
            self.flying += 1
            self.most_flying = max(self.most_flying, self.flying)
            answer = self.answers.pop(0) if self.answers else self.by_path.get(http.path, self.always)
        try:
            answer(http)
        finally:
            told = {name.lower(): value for name, value in http.headers.items()}
            with self._lock:
                self.flying -= 1
                self.heard.append(Heard(http.path, told, body, began, time.monotonic()))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                endpoint._answer(self)

            def log_message(self, *_args: Any) -> None:
                pass

        return Handler
