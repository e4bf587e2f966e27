"""A person with a browser, for the demo's story: cookies, forms with their token, sign-in with password and code.

Standard library only, over real HTTP; what the story asks of it stands in story.py.
"""

from __future__ import annotations

import html
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.cookiejar import CookieJar
from typing import Final

_TOKEN: Final = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, after redirects."""

    status: int
    url: str
    body: bytes

    @property
    def text(self) -> str:
        """The page as text, entities resolved."""
        return html.unescape(self.body.decode("utf-8", errors="replace"))

    @property
    def words(self) -> str:
        """What a reader sees: no tags, single blanks."""
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", self.text))


class Visitor:
    """One browser of one person."""

    def __init__(self, base: str) -> None:
        self.base = base.rstrip("/")
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def get(self, path: str) -> Answer:
        """A page; also when it is a refusal."""
        return self._send(path)

    def send(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """A message of a machine."""
        return self._send(path, body, headers)

    def submit(self, page: Answer, path: str, fields: dict[str, str]) -> Answer:
        """A form of a page, with the page's own token."""
        token = _TOKEN.search(page.text)
        values = {**fields, "csrfmiddlewaretoken": token[1] if token else ""}
        data = urllib.parse.urlencode(values).encode()
        return self._send(path, data, {"Referer": page.url})

    def sign_in(self, login: str, password: str, code: Callable[[], str] | None) -> Answer:
        """By the front door; `code` is asked when the door asks for one."""
        page = self.get("/accounts/login/")
        page = self.submit(page, "/accounts/login/", {"login": login, "password": password})
        if 'name="code"' in page.text and code is not None:
            page = self.submit(page, urllib.parse.urlsplit(page.url).path, {"code": code()})
        return page

    def _send(self, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        request = urllib.request.Request(f"{self.base}{path}", data=body, headers=headers or {})  # noqa: S310 - ours
        try:
            with self._opener.open(request, timeout=SECONDS) as found:
                return Answer(found.status, found.url, found.read())
        except urllib.error.HTTPError as refused:
            return Answer(refused.code, request.full_url, refused.read())
