"""A customer's system that takes DCSA callbacks: a real HTTP server on loopback that can misbehave, too.

`answers` are given first, one a request, in their order; then `usual`.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from django.test import override_settings


@dataclass(frozen=True)
class Came:
    """One request."""

    path: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        """The only value of a header."""
        (value,) = [v for n, v in self.headers if n.lower() == name.lower()]
        return value

    @property
    def events(self) -> list[dict[str, Any]]:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """How a request is answered."""

    status: int = 204
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    after: float = 0.0  # seconds


class Subscriber:
    """`with Subscriber() as tms:` listens at `tms.url`."""

    def __init__(self) -> None:
        self.came: list[Came] = []
        self.answers: list[Reply] = []
        self.usual = Reply()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/dcsa?shipperRef=4711"
        named = [f"127.0.0.1:{self.port}"]
        self._settings = override_settings(EGRESS_ALLOW_HOSTS=named, EGRESS_PLAIN_HOSTS=named)
        self.environment = {"EGRESS_ALLOW_HOSTS": named[0], "EGRESS_PLAIN_HOSTS": named[0]}

    def __enter__(self) -> Subscriber:
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self._settings.enable()
        return self

    def __exit__(self, *_how: object) -> None:
        self._settings.disable()
        self.server.shutdown()
        self.server.server_close()

    @property
    def bundles(self) -> list[list[dict[str, Any]]]:
        """The events of each callback that held some."""
        return [c.events for c in self.came if c.events]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        me = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                me.came.append(Came(self.path, list(self.headers.items()), body))
                reply = me.answers.pop(0) if me.answers else me.usual
                time.sleep(reply.after)
                self.send_response(reply.status)
                for name, value in reply.headers:
                    self.send_header(name, value)
                if reply.status != 204:
                    self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, *_said: object) -> None:
                pass

        return Handler
