"""Chromium and a running portal for the tests of this folder; every page is watched for errors of scripts and policy.

Where no Chromium is found these tests are left out (`manage.py test` says so, and fails for it under CI=true).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from portal.launch.testing import chromium_path
from tests import processes

if TYPE_CHECKING:  # models may be imported only once Django is set up, which comes after this file
    from tests.browser.desk import Desk

HERE = Path(__file__).parent
LETTER = "20260315T120000000000Z-0123456789ab"  # a mail in the demo's inbox
FLAGS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]  # fmt: skip


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks what stands here, and leaves it out where there is no browser.

    A browser on a machine that is short of time misses a moment now and then: a failed test is tried once more, and the
    run counts it as `rerun`. Nothing outside this folder gets a second try.
    """
    ours = [item for item in items if HERE in item.path.parents]
    for item in ours:
        item.add_marker(pytest.mark.browser)
        item.add_marker(pytest.mark.flaky(reruns=1))
    if ours and chromium_path() is None:
        config.hook.pytest_deselected(items=ours)
        items[:] = [item for item in items if item not in ours]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for the run; each test has contexts of its own."""
    flags = [*FLAGS, "--no-sandbox"] if os.geteuid() == 0 else FLAGS
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=flags)
        yield browser
        browser.close()


def letter() -> bytes:
    """A mail as the demo's inbox keeps it."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "portal@example.com", "mara@example.com", "Vessel arrived"
    mail.set_content("Vessel arrived at Rotterdam.")
    mail.add_alternative("<html lang=en><head><title>Mail</title></head><body>Vessel arrived.</body>", subtype="html")
    return mail.as_bytes()


@pytest.fixture(scope="session")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The portal's address: gunicorn on this worker's database, with a demo inbox that holds one mail."""
    from tests.browser.desk import answers

    port = processes.free_port()
    address = f"http://127.0.0.1:{port}"
    folder = tmp_path_factory.mktemp("var")
    (folder / "inbox").mkdir()
    (folder / "inbox" / f"{LETTER}.eml").write_bytes(letter())
    web = processes.web(port, PUBLIC_URL=address, PLIMSOLL_VAR=str(folder))
    with processes.running(web):
        processes.wait_for(lambda: answers(f"{address}/readyz"), seconds=40, what="the portal")
        yield address


@pytest.fixture
def desk(chromium: Browser, portal: str) -> Iterator[Callable[..., Desk]]:
    """Opens a person's browser: `desk(member)` signed in, `desk()` as a stranger. All must end without an error."""
    from tests.browser.desk import Desk

    opened: list[tuple[BrowserContext, Desk]] = []

    def open_for(member: Any = None, **options: Any) -> Desk:
        context = chromium.new_context(base_url=portal, **{"viewport": {"width": 1440, "height": 900}, **options})
        made = Desk(context, portal, member)
        opened.append((context, made))
        return made

    yield open_for
    problems = [problem for _context, made in opened for problem in made.problems]
    for context, _made in opened:
        context.close()
    assert problems == []
