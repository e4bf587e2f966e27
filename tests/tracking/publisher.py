"""A small DCSA 2.2 publisher with tokens and pages, and with everything that publishers do wrong.

A real HTTP server on loopback; `misdeeds` are answered first, one a request, in their order.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from django.db import connections
from django.test import override_settings

ERROR = {
    "httpMethod": "GET", "requestUri": "/v2/events", "statusCode": 400, "statusCodeText": "Bad Request",
    "errorDateTime": "2026-03-01T00:00:00Z",
    "errors": [{"reason": "invalidQuery", "message": "Unknown value XYZ for eventType"}],
}  # fmt: skip


class Publisher:
    """`with Publisher() as carrier:` serves at `carrier.url`; events are (created, event) in the order of creation."""

    client_id, secret = "plimsoll", "s3cret/with+marks"

    def __init__(self, *, bare_cursor: bool = False, needs_token: bool = True, newest_first: bool = False) -> None:
        self.events: list[dict[str, Any]] = []
        self.bare_cursor, self.needs_token, self.newest_first = bare_cursor, needs_token, newest_first
        self.misdeeds: list[Callable[[BaseHTTPRequestHandler], None]] = []
        self.token_misdeeds: list[Callable[[BaseHTTPRequestHandler], None]] = []
        self.meanwhile: Callable[[], None] = lambda: None
        self.asked: list[dict[str, str]] = []  # the parameters of each request for events
        self.raw: list[str] = []
        self.tokens: list[str] = []
        self.token_life = 3600
        self.basic = False
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        named = [f"127.0.0.1:{self.port}"]
        self._settings = override_settings(EGRESS_ALLOW_HOSTS=named, EGRESS_PLAIN_HOSTS=named)
        self.environment = {"EGRESS_ALLOW_HOSTS": named[0], "EGRESS_PLAIN_HOSTS": named[0]}

    def __enter__(self) -> Publisher:
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self._settings.enable()
        return self

    def __exit__(self, *_how: object) -> None:
        self._settings.disable()
        self.server.shutdown()
        self.server.server_close()

    @property
    def pages(self) -> int:
        """How many requests for events came."""
        return len(self.asked)

    # --- misdeeds ---

    def refuse(self, status: int, body: object = b"", **headers: str) -> None:
        """The next request is answered so."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.misdeeds.append(lambda http: self.say(http, status, raw, named))

    def cut_short(self) -> None:
        """The next answer ends before it is complete."""

        def answer(http: BaseHTTPRequestHandler) -> None:
            http.send_response(200)
            http.send_header("Content-Length", "5000")
            http.end_headers()
            http.wfile.write(b'[{"eventID": "1"')
            http.close_connection = True

        self.misdeeds.append(answer)

    def sleep(self, seconds: float) -> None:
        """The next request is answered late."""

        def answer(http: BaseHTTPRequestHandler) -> None:
            time.sleep(seconds)
            self.say(http, 200, b"[]", {})

        self.misdeeds.append(answer)

    def expire_tokens(self) -> None:
        """No token that was given out is valid any more."""
        self.tokens = ["" for _token in self.tokens]

    # --- answers ---

    @staticmethod
    def say(http: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]) -> None:
        http.send_response(status)
        for name, value in {"Content-Type": "application/json", "API-Version": "2.2.0", **headers}.items():
            http.send_header(name, value)
        http.send_header("Content-Length", str(len(body)))
        http.end_headers()
        http.wfile.write(body)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        carrier = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                carrier._events(self)

            def do_POST(self) -> None:
                carrier._token(self)

            def log_message(self, *_said: object) -> None:
                pass

        return Handler

    def _token(self, http: BaseHTTPRequestHandler) -> None:
        body = http.rfile.read(int(http.headers.get("Content-Length", "0")))
        if self.token_misdeeds:
            self.token_misdeeds.pop(0)(http)
            return
        form = dict(parse_qsl(body.decode()))
        pair = f"{self.client_id}:{self.secret.replace('/', '%2F').replace('+', '%2B')}"
        shown = (
            http.headers.get("Authorization") == f"Basic {base64.b64encode(pair.encode()).decode()}"
            if self.basic
            else (form.get("client_id"), form.get("client_secret")) == (self.client_id, self.secret)
        )
        if http.path != "/token" or form.get("grant_type") != "client_credentials" or not shown:
            self.say(http, 401, json.dumps({"error": "invalid_client"}).encode(), {})
            return
        self.tokens.append(f"token-{len(self.tokens) + 1}")
        told = {"access_token": self.tokens[-1], "token_type": "Bearer", "expires_in": self.token_life}
        self.say(http, 200, json.dumps(told).encode(), {})

    def _events(self, http: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(http.path)
        if parts.path != "/v2/events":
            self.say(http, 404, b"", {})
            return
        wanted = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked.append(wanted)
        self.raw.append(http.path)
        if self.misdeeds:
            self.misdeeds.pop(0)(http)
            return
        token = http.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.needs_token and (not token or token not in self.tokens):
            self.say(http, 401, b"", {})
            return
        since = datetime.fromisoformat(wanted["eventCreatedDateTime:gte"])
        found = [e for e in self.events if datetime.fromisoformat(e["eventCreatedDateTime"]) >= since]
        found.sort(key=lambda e: datetime.fromisoformat(e["eventCreatedDateTime"]), reverse=self.newest_first)
        start, size = int(wanted.get("cursor", "0")), int(wanted.get("limit", "100"))
        headers = {"Current-Page": http.path}
        if start + size < len(found):
            after = str(start + size)
            query = urlencode({**wanted, "cursor": after})
            headers["Next-Page"] = after if self.bare_cursor else f"{self.url}{parts.path}?{query}"
        page = json.dumps(found[start : start + size]).encode()
        self.meanwhile()  # what happens while a page is on its way
        connections.close_all()  # of this thread
        self.say(http, 200, page, headers)
