"""What a mail says to its reader, in the reader's language: one fact, or several as a digest by shipment.

Templates and their blocks are notices.py's; the bytes of the mail are made in channels.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import translation
from django.utils.dateformat import format as date_as

from portal.brand.selectors import Look
from portal.lib.facts import Act, Fact
from portal.notify.channels import Mail
from portal.notify.digests import DIGEST
from portal.notify.models import Delivery, HeldFor, MailWording
from portal.notify.notices import (
    Notice,
    Part,
    Reader,
    digest_render,
    line_render,
    notice_render,
    optional,
    path_of,
    unsubscribe_token,
)
from portal.notify.wishes import zone_of
from portal.tenancy.context import scope
from portal.tenancy.models import Member

MOST_PARTS: Final = 60
MOST_LINES: Final = 8  # of one shipment
_WHEN: Final = ("local_time", "since")  # how facts name their time, as read at the place


def fact_mail(delivery: Delivery, fact: Fact, *, brand: Look, account: str) -> Mail:
    """The mail about one fact. ValueError when its link cannot be opened any more."""
    stops = fact.key if delivery.member is not None and optional(fact.audience) else ""
    return _mail(delivery, brand, notice_render(fact, _reader(delivery.member, brand, account, stops)))


def digest_mail(delivery: Delivery, items: Sequence[tuple[Delivery, Fact]], *, brand: Look, account: str) -> Mail:
    """The mail that tells several; one unsubscribes from the digest, or from the kinds that had waited."""
    assert delivery.member is not None
    is_quiet = delivery.held_for == HeldFor.QUIET
    stops = "+".join(sorted({fact.key for _row, fact in items})) if is_quiet else DIGEST
    reader = _reader(delivery.member, brand, account, stops)
    with translation.override(reader.language):
        parts = _parts(items, zone_of(delivery.member))
    notice = digest_render(
        parts, reader, quiet=is_quiet, count=len(items), for_staff=delivery.member.is_staff
    )  # fmt: skip
    return _mail(delivery, brand, notice)


def language_of(member: Member | None) -> str:
    """What the person reads in, else the installation's language."""
    own = str(getattr(member, "language", "") or "")
    return own if own in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE


def _reader(member: Member | None, brand: Look, account: str, stops: str) -> Reader:
    token, language = "", language_of(member)
    said = MailWording.objects.filter(language=language).first()
    if member is not None and stops:
        token = unsubscribe_token(tenant_id=scope(), member=member.public_id, fact_key=stops)
    return Reader(
        brand=brand.name, ink=brand.ink, account=account, name=member.name if member else "", language=language,
        unsubscribe_token=token, greeting=said.greeting if said else "", closing=said.closing if said else "",
    )  # fmt: skip


def _mail(delivery: Delivery, brand: Look, notice: Notice) -> Mail:
    return Mail(
        message_id=delivery.message_id, recipient=delivery.email, subject=notice.subject, text=notice.text,
        html=notice.html, unsubscribe_url=notice.unsubscribe_url, sender=brand.mail_from,
    )  # fmt: skip


def _parts(items: Sequence[tuple[Delivery, Fact]], zone: ZoneInfo) -> list[Part]:
    """By shipment: what goes wrong first, then in the order in which it became known; what belongs to none last."""
    by_reference: dict[str, list[tuple[Delivery, Fact]]] = {}
    for row, fact in items:
        by_reference.setdefault(str(getattr(fact, "reference", "")), []).append((row, fact))
    ordered = sorted(by_reference.items(), key=lambda part: (not part[0], not _is_trouble(part[1])))
    return [
        Part(
            reference=reference, link=settings.PUBLIC_URL + path_of(told[-1][1]),
            lines=[(_line(fact, reference), _when(row, fact, zone)) for row, fact in told[-MOST_LINES:]],
        )
        for reference, told in ordered[:MOST_PARTS]
    ]  # fmt: skip


def _is_trouble(told: Sequence[tuple[Delivery, Fact]]) -> bool:
    return any(fact.matter and fact.act != Act.ENDS for _row, fact in told)


def _line(fact: Fact, reference: str) -> str:
    """Its one line, without the reference that stands above it."""
    text = line_render(fact)
    return text.removeprefix(f"{reference}: ") if reference else text


def _when(row: Delivery, fact: Fact, zone: ZoneInfo) -> str:
    for name in _WHEN:
        value: Any = getattr(fact, name, "")
        if value:
            return str(value)
    return _moment(row.recorded_at, zone)


def _moment(at: datetime, zone: ZoneInfo) -> str:
    local = at.astimezone(zone)
    return f"{date_as(local, 'j M Y H:i')} {local.tzname()}"
