"""One person's browser: opens pages, watches them, and judges what it sees.

Says nothing about which pages there are; knows no table but the session's.
"""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final, Literal

from axe_playwright_python.base import AxeResults
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Response, ViewportSize

from portal.account.totp import code_of_step, step_at
from portal.lib import clock
from tests.doors import session_of

WIDE: Final = ViewportSize(width=1440, height=900)
NARROW: Final = ViewportSize(width=360, height=740)
_LOOKS: Final[tuple[tuple[ViewportSize, Literal["light", "dark"]], ...]] = ((NARROW, "dark"), (WIDE, "light"))
AXE: Final = Axe()
# What reaches over the page's edge by itself, outside whatever scrolls on purpose.
OVERFLOWING = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  return [...document.querySelectorAll("body *")].filter((el) => {
    const box = el.getBoundingClientRect();
    return box.width && box.right > width + 1;
  }).slice(0, 5).map((el) => `${el.tagName.toLowerCase()}.${el.className} to ${el.getBoundingClientRect().right}`)
    .concat([`page ${document.documentElement.scrollWidth} of ${width}`]);
}"""


def answers(url: str) -> bool:
    """Whether the address answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


class Desk:
    """A context with one page, and every complaint its scripts or its content policy made."""

    def __init__(self, context: BrowserContext, address: str, member: Any = None) -> None:
        self.context, self.address = context, address
        self.problems: list[str] = []
        self.page: Page = context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.problems.append(f"{self.page.url}: {error}"))
        if member is not None:
            self.enter(member)

    def _heard(self, message: ConsoleMessage) -> None:
        # Chromium reports an answer of 4xx as an error; the tests that ask for one assert it themselves.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.problems.append(f"{self.page.url}: {message.text}")

    def enter(self, member: Any) -> None:
        """A session as after a real sign-in."""
        self.context.add_cookies([
            {"name": settings.SESSION_COOKIE_NAME, "value": session_of(member), "url": self.address}
        ])  # fmt: skip

    def look(self, size: ViewportSize, scheme: Literal["light", "dark"]) -> None:
        """The same page on another screen."""
        self.page.set_viewport_size(size)
        self.page.emulate_media(color_scheme=scheme)

    def open(self, path: str) -> Response:
        """Opens an address of the portal and returns its answer."""
        answer = self.page.goto(path)
        assert answer is not None
        return answer

    def sign_in(self, email: str, password: str, secret: str = "", *, ahead: int = 0) -> None:
        """Through the form, with the one-time code when there is a secret."""
        self.open("/accounts/login/")
        self.page.get_by_label("E-mail").fill(email)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        if secret:
            self.type_code(secret, ahead=ahead)

    def type_code(self, secret: str, *, ahead: int = 0, spaced: bool = False) -> None:
        """The second step of signing in."""
        code = code_of(secret, ahead=ahead)
        self.page.get_by_label("Code").fill(f" {code[:3]} {code[3:]} " if spaced else code)
        self.page.get_by_role("button", name="Continue").click()

    def confirm(self, secret: str, *, ahead: int = 0) -> None:
        """Proves again who it is."""
        self.page.get_by_label("Code").fill(code_of(secret, ahead=ahead))
        self.page.get_by_role("button", name="Confirm").click()

    def text(self) -> str:
        """What a reader sees of the page's main part."""
        return self.page.locator("main").inner_text()

    def judge(self) -> list[str]:
        """What is wrong with the page as it stands: title, heading, width, and what axe finds."""
        found = []
        for _n in range(50):  # what was clicked a moment ago may be on its way: a document begins without a title
            if self.page.title().strip():
                break
            self.page.wait_for_timeout(100)
        if not self.page.title().strip() or self.page.title().startswith("·"):
            found.append("no title")
        heading = self.page.locator("h1")
        if heading.count() != 1 or not heading.inner_text().strip():
            found.append(f"{heading.count()} headings of the first level")
        if over := self.page.evaluate(OVERFLOWING):
            found.append(f"wider than the screen: {over}")
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE.axe_script)
        seen = AxeResults(self.page.evaluate("axe.run({resultTypes: ['violations']})"))
        if seen.violations_count:
            found.append(seen.generate_report())
        return found


def judged(desk: Desk, name: str) -> list[str]:
    """What is wrong with the page as it stands, narrow by night and wide by day; pictures where a folder is named."""
    found = []
    for size, scheme in _LOOKS:
        desk.look(size, scheme)
        found += [f"{name}, {size['width']} px: {line}" for line in desk.judge()]
        if folder := os.environ.get("PLIMSOLL_PICTURES"):
            desk.page.screenshot(path=Path(folder) / f"{name}-{size['width']}-{scheme}.png", full_page=True)
    return found


def code_of(secret: str, *, ahead: int = 0) -> str:
    """The one-time code of now; `ahead` steps of 30 s later, for a second use of the same authenticator."""
    return code_of_step(secret, step_at(clock.now()) + ahead)
