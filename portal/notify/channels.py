"""Handing a mail to an SMTP server in steps that can be told apart afterwards (O7, O8, O10).

Knows no database: the caller commits the hand-over between RCPT and DATA, and decides what follows from each outcome.
"""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from django.conf import settings

BREAK_AFTER: Final = 5  # connections in a row that failed
BREAK_SECONDS: Final = 60.0
_WIDE: Final = SMTP.clone(max_line_length=998)  # long links in headers stay in one piece


class Later(Exception):  # noqa: N818 - an outcome
    """Not taken, and certainly not delivered: may be tried again. `counts`: the server itself said so."""

    def __init__(self, reason: str, *, counts: bool, wait_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.counts, self.wait_seconds = counts, wait_seconds


class Refused(Exception):  # noqa: N818 - an outcome
    """Refused for good; `recipient` says that it is the address that is refused."""

    def __init__(self, reason: str, *, recipient: bool) -> None:
        super().__init__(reason)
        self.recipient = recipient


class Unknown(Exception):  # noqa: N818 - an outcome
    """The mail was transmitted and no answer came: it may have been delivered."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one person."""

    message_id: str
    recipient: str
    subject: str
    text: str
    html: str
    unsubscribe_url: str
    sender: str = ""  # the From header; empty: this installation's


def mail_bytes(mail: Mail, *, at: datetime) -> bytes:
    """The mail as sent, multipart/alternative.

    ValueError when a header value holds a line break (O8), or when no mail server can be told the address.
    """
    message = EmailMessage(policy=SMTP)
    headers = {
        "From": mail.sender or settings.DEFAULT_FROM_EMAIL,
        "To": _ascii(mail.recipient),
        "Subject": mail.subject,
        "Date": format_datetime(at),
        "Message-ID": mail.message_id,
        "Auto-Submitted": "auto-generated",
    }
    if mail.unsubscribe_url:
        headers["List-Unsubscribe"] = f"<{mail.unsubscribe_url}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    for name, value in headers.items():
        if any(ord(c) < 32 or c in "\x7f\x85\u2028\u2029" for c in value):
            raise ValueError(f"The header {name} holds a line break or a control character.")
        message[name] = value
    message.set_content(mail.text, cte="quoted-printable")
    message.add_alternative(mail.html, subtype="html", cte="quoted-printable")
    return message.as_bytes(policy=_WIDE)


class Breaker:
    """Leaves a server alone for a minute after five connections in a row failed; one per host and process."""

    def __init__(self) -> None:
        self._failures = 0
        self._until = 0.0

    def wait_seconds(self) -> float:
        """How long the server is still to be left alone; 0 when it may be tried."""
        return max(0.0, self._until - time.monotonic())

    def failed(self) -> None:
        """A connection failed."""
        self._failures += 1
        if self._failures >= BREAK_AFTER:
            self._failures, self._until = 0, time.monotonic() + BREAK_SECONDS

    def worked(self) -> None:
        """A connection stood."""
        self._failures = 0


_breakers: dict[tuple[str, int], Breaker] = {}


def breaker() -> Breaker:
    """The breaker of the configured server."""
    return _breakers.setdefault((settings.EMAIL_HOST, settings.EMAIL_PORT), Breaker())


def hand_over(content: bytes, *, recipient: str, before_data: Callable[[], None]) -> None:
    """Sends one mail; returns when the server has answered 250 to its content.

    `before_data` is called when the recipient is accepted and nothing is transmitted yet; what it raises ends the
    attempt. Raises Later, Refused, Unknown.
    """
    sender = _bare(settings.DEFAULT_FROM_EMAIL)
    with _connection() as smtp:
        _step("MAIL", lambda: smtp.mail(sender))
        _step("RCPT", lambda: smtp.rcpt(_ascii(recipient)), recipient=True)
        before_data()
        _step("DATA", lambda: smtp.docmd("DATA"))
        _transmit(smtp, content)


@contextmanager
def _connection() -> Iterator[smtplib.SMTP]:
    waiting = breaker().wait_seconds()
    if waiting:
        raise Later("the mail server is being left alone", counts=False, wait_seconds=waiting)
    try:
        smtp = _connect()
    except (OSError, smtplib.SMTPException) as error:
        breaker().failed()
        raise Later(f"no connection: {_says(error)}", counts=False) from error
    breaker().worked()
    try:
        yield smtp
    finally:
        with contextlib.suppress(OSError, smtplib.SMTPException):
            smtp.quit()
        smtp.close()


def _connect() -> smtplib.SMTP:
    host, port, timeout = settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT
    name = socket.gethostname() or "localhost"
    if settings.EMAIL_USE_SSL:
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(
            host, port, local_hostname=name, timeout=timeout, context=ssl.create_default_context()
        )
    else:
        smtp = smtplib.SMTP(host, port, local_hostname=name, timeout=timeout)
    try:
        if settings.EMAIL_USE_TLS:
            smtp.starttls(context=ssl.create_default_context())
        if settings.EMAIL_HOST_USER:
            smtp.login(settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD)
        smtp.ehlo_or_helo_if_needed()
    except BaseException:
        smtp.close()
        raise
    return smtp


def _step(phase: str, call: Callable[[], tuple[int, bytes]], *, recipient: bool = False) -> None:
    """One command before any content: whatever happens here, nothing was delivered."""
    try:
        code, words = call()
    except (OSError, smtplib.SMTPException) as error:
        raise Later(f"{phase}: {_says(error)}", counts=True) from error
    _judge(phase, code, words, recipient=recipient)


def _transmit(smtp: smtplib.SMTP, content: bytes) -> None:
    """The content and its end; from here on silence proves nothing."""
    quoted = smtplib._quote_periods(content)  # type: ignore[attr-defined]
    try:
        smtp.send(quoted + (b"" if quoted.endswith(b"\r\n") else b"\r\n") + b".\r\n")
        code, words = smtp.getreply()
    except (OSError, smtplib.SMTPException) as error:
        raise Unknown(f"after the content: {_says(error)}") from error
    _judge("content", code, words, recipient=False)


def _judge(phase: str, code: int, words: bytes, *, recipient: bool) -> None:
    if 200 <= code < 400:
        return
    reason = f"{phase}: {code} {words.decode('ascii', 'replace')}"[:300]
    if 400 <= code < 500:
        raise Later(reason, counts=True)
    if code < 0:
        raise Later(f"{phase}: the connection was closed", counts=True)
    raise Refused(reason, recipient=recipient and code in (550, 551, 553, 556))


def _bare(address: str) -> str:
    """The address alone, without its name."""
    return address.rpartition("<")[2].rstrip("> ")


def _ascii(address: str) -> str:
    """The address with its domain in the ASCII form; ValueError when it has none."""
    local, _at, domain = address.rpartition("@")
    try:
        return f"{local.encode('ascii').decode()}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        raise ValueError("No mail server can be told this address.") from None


def _says(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:200]
