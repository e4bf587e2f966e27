"""Reads what mail servers send back: delivery status notifications (RFC 3464) and complaints (RFC 5965).

Pure: bytes in, `Report`s out, by the standard library's parser. Which mail of ours is meant is found out elsewhere; the
addresses in a report prove nothing, since anybody can write one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import Message
from email.utils import getaddresses
from enum import StrEnum
from typing import Any, Final

MOST_BYTES: Final = 1_000_000
_MOST_PARTS: Final = 200
_STATUS: Final = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_REPLY: Final = re.compile(r"\b([45])\d\d\b")
_MESSAGE_ID: Final = re.compile(r"<([0-9a-f]{40})\.([0-9a-z]{20})@[^<>\s]{1,255}>")
_TAGGED: Final = re.compile(r"\+([0-9a-z]{20})-([0-9a-z]{20})@")
_TO: Final = ("To", "Delivered-To", "X-Original-To", "Envelope-To")


class Outcome(StrEnum):
    """What became of the mail."""

    HARD = "HARD"  # refused for good
    SOFT = "SOFT"  # given up for now
    COMPLAINT = "COMPLAINT"
    NONE = "NONE"  # delayed, relayed, delivered: nothing has failed


@dataclass(frozen=True, slots=True)
class Report:
    """What one message says about one mail of ours: `owner` is a tenant's public id, with either part of its name."""

    outcome: Outcome
    owner: str
    key: str  # the first 40 digits of the delivery's key, from the Message-ID that came back; may be empty
    delivery: str  # the delivery's public id, from the return path; may be empty
    status: str  # such as 5.1.1; empty when none is given
    diagnostic: str


class NotAReport(ValueError):
    """The message is no delivery report and no complaint, or names no mail of ours."""


def report_read(raw: bytes) -> Report:
    """The report in a message. Raises NotAReport, with a sentence that says why, for anything else."""
    if len(raw) > MOST_BYTES:
        raise NotAReport("The message is larger than a report may be.")
    try:
        message = message_from_bytes(raw, policy=policy.compat32)
        kind = str(message.get_param("report-type") or "").lower()
        parts = list(_parts(message))
    except (MessageError, ValueError, LookupError, RecursionError) as error:
        raise NotAReport("The message cannot be read.") from error
    if message.get_content_type() != "multipart/report" or kind not in ("delivery-status", "feedback-report"):
        raise NotAReport("The message is no delivery report.")
    owner, key, delivery = _named(message, parts)
    if kind == "feedback-report":
        outcome, status, diagnostic = Outcome.COMPLAINT, "", _feedback(parts)
    else:
        outcome, status, diagnostic = _verdict(parts)
    return Report(outcome=outcome, owner=owner, key=key, delivery=delivery, status=status, diagnostic=diagnostic)


def _parts(message: Message) -> list[Message]:
    """All parts, the outer ones first, no more than a report has."""
    found: list[Message] = []
    for part in message.walk():
        found.append(part)
        if len(found) > _MOST_PARTS:
            raise ValueError("too many parts")
    return found


def _named(message: Message, parts: list[Message]) -> tuple[str, str, str]:
    """(owner, key, delivery) of our mail: by the Message-ID that came back, and by the address it came back to."""
    owner = key = delivery = ""
    for part in parts[1:]:
        found = _MESSAGE_ID.search(_returned_id(part))
        if found:
            key, owner = found.groups()
            break
    for _name, address in getaddresses([str(value) for name in _TO for value in message.get_all(name, [])]):
        tagged = _TAGGED.search(address.lower())
        if tagged and owner in ("", tagged.group(1)):
            owner, delivery = tagged.groups()
            break
    if not owner:
        raise NotAReport("The report names no mail of this portal.")
    return owner, key, delivery


def _returned_id(part: Message) -> str:
    """The Message-ID of a mail that was sent back, whole or its headers alone."""
    kind = part.get_content_type()
    if kind in ("text/rfc822-headers", "message/rfc822-headers"):
        payload: Any = part.get_payload(decode=True)
        if isinstance(payload, bytes):
            return str(message_from_bytes(payload, policy=policy.compat32).get("Message-ID", ""))
    return str(part.get("Message-ID", ""))


def _verdict(parts: list[Message]) -> tuple[Outcome, str, str]:
    """The worst of what is said of the recipients; a mail of ours has one."""
    worst: tuple[Outcome, str, str] = (Outcome.NONE, "", "")
    for part in parts:
        if part.get_content_type() != "message/delivery-status":
            continue
        for fields in _groups(part):
            action = str(fields.get("Action", "")).strip().lower()
            diagnostic = " ".join(str(fields.get("Diagnostic-Code", "")).split())[:300]
            status = _status(str(fields.get("Status", "")), diagnostic)
            if action != "failed":
                continue
            outcome = Outcome.SOFT if status.startswith("4") else Outcome.HARD
            if worst[0] != Outcome.HARD:
                worst = (outcome, status, diagnostic)
    return worst


def _groups(part: Message) -> list[Message]:
    """The groups of fields of a delivery-status part: of the message, then of each recipient."""
    payload: Any = part.get_payload()
    if isinstance(payload, list):
        return [group for group in payload if isinstance(group, Message)]
    return []


def _status(field: str, diagnostic: str) -> str:
    """The enhanced status; where it is missing, as much of it as the server's own reply tells."""
    found = _STATUS.search(field) or _STATUS.search(diagnostic)
    if found:
        return ".".join(found.groups())
    reply = _REPLY.search(diagnostic)
    return f"{reply.group(1)}.0.0" if reply else ""


def _feedback(parts: list[Message]) -> str:
    """Which kind of complaint."""
    for part in parts:
        if part.get_content_type() == "message/feedback-report":
            payload: Any = part.get_payload(decode=True) or b""
            inner: Any = part.get_payload()
            fields = inner[0] if isinstance(inner, list) and inner else message_from_bytes(bytes(payload))
            return str(fields.get("Feedback-Type", "abuse")).strip()[:40]
    return "abuse"
