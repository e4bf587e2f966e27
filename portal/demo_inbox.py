"""`python -m portal.demo_inbox --port N`: the demo's SMTP server on loopback; keeps each mail as a file in var/inbox.

Takes every mail and sends none on. The page that shows them is portal/demo/inbox_views.py.
"""

from __future__ import annotations

import argparse
import secrets
import signal
import threading
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, Final

from aiosmtpd.controller import Controller

from portal.launch.database import var_folder

KEPT: Final = 2_000  # newest mails


def inbox_folder() -> Path:
    """Where the mails are."""
    return var_folder() / "inbox"


class Keeper:
    """Writes each mail whole before it answers 250."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """A name that sorts by time, and moved into place."""
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(6)}"
        fresh = self.folder / f"{name}.new"
        fresh.write_bytes(envelope.original_content)
        fresh.rename(self.folder / f"{name}.eml")
        self._prune()
        return "250 2.0.0 kept for the demo"

    def _prune(self) -> None:
        for old in mail_files(self.folder)[KEPT:]:
            old.unlink(missing_ok=True)


def mail_files(folder: Path) -> list[Path]:
    """The mails, newest first."""
    return sorted(folder.glob("*.eml"), key=lambda path: path.name, reverse=True)


def mail_read(path: Path) -> EmailMessage:
    """One mail."""
    message = message_from_bytes(path.read_bytes(), policy=default)
    assert isinstance(message, EmailMessage)
    return message


def main() -> None:
    """Runs until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="portal.demo_inbox", description="The demo's own mail server on loopback.")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server = Controller(Keeper(inbox_folder()), hostname="127.0.0.1", port=options.port)
    server.start()
    stop.wait()
    server.stop()


if __name__ == "__main__":
    main()
