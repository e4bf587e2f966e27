"""Sending one delivery: claimed, handed over, sent, each committed before the next step (O7).

A crash before the hand-over is tried again; after it nobody can know: the delivery is uncertain, a person decides.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from random import SystemRandom
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from portal.brand.selectors import Look, look
from portal.lib.facts import Audience, Fact, fact_class
from portal.lib.faults import declare, fault
from portal.notify.channels import Later, Mail, Refused, Unknown, hand_over, mail_bytes
from portal.notify.models import ENDED, Channel, Delivery, NoticePreference, Phase, SuppressedAddress
from portal.notify.notices import Reader, notice_render, optional, unsubscribe_token
from portal.notify.selectors import only_followed_by
from portal.notify.services import address_suppress
from portal.notify.wording import FOLLOWED
from portal.outbox.handlers import TryAgain
from portal.outbox.services import STALE
from portal.tenancy.context import OPERATOR_ID, scope
from portal.tenancy.models import Member, Role
from portal.tenancy.selectors import installation, tenant_current
from portal.web.policy import entitled
from tracking.selectors import follows

MAX_TRIES: Final = 10
FIRST_WAIT: Final = timedelta(seconds=30)
LONGEST_WAIT: Final = timedelta(hours=2)
AWAY_WAIT: Final = timedelta(seconds=8)  # no connection: soon again, the breaker keeps it cheap
PAUSED_WAIT: Final = timedelta(seconds=30)

declare("notify.after_claim", "a delivery is claimed, no connection made")
declare("notify.before_handover", "the recipient is accepted, the hand-over not yet committed")
declare("notify.after_handover", "the hand-over is committed, nothing transmitted")
declare("notify.before_sent", "the server has accepted the mail, its end not yet committed")
declare("notify.after_sent", "the mail is sent and committed, its row not yet done")

_random = SystemRandom()
_CLAIM: Final = """
UPDATE notify_delivery SET phase = 'CLAIMED', fence = fence + 1, attempts = attempts + 1,
       lease_until = clock_timestamp() + make_interval(secs => %s)
 WHERE tenant_id = %s AND key = %s
   AND (phase = 'QUEUED' OR (phase = 'CLAIMED' AND (lease_until IS NULL OR lease_until < clock_timestamp())))
RETURNING id
"""


class LostClaim(Exception):  # noqa: N818 - an outcome
    """Another worker has the delivery now; nothing may be transmitted or written by this one."""


def delivery_send(*, key: str, at: datetime) -> None:
    """Sends a delivery of the entered scope, or says why not. TryAgain when it must be tried later."""
    try:
        _send(key, at)
    except LostClaim:  # somebody else has it: look again how it ended
        raise TryAgain("taken over by another worker", due_at=at + timedelta(seconds=5)) from None


def _send(key: str, at: datetime) -> None:
    found = installation()
    if found is None or found.sending_paused:
        raise TryAgain("sending is paused", due_at=at + PAUSED_WAIT)
    delivery = _claim(key)
    if delivery is None:
        _held(key, at)
        return
    fault("notify.after_claim")
    reason = _why_not(delivery, at)
    if reason:
        _end(delivery, Phase.SUPPRESSED, at, reason=reason)
        return
    try:
        content = _content(delivery, look(found), at)
    except ValueError as error:
        _end(delivery, Phase.FAILED, at, reason=str(error))
        return
    _dialogue(delivery, content, at)
    fault("notify.after_sent")


def _claim(key: str) -> Delivery | None:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_CLAIM, [_lease_seconds(), scope(), key])
            row = cursor.fetchone()
        return None if row is None else Delivery.objects.select_related("member__user").get(pk=row[0])


def _lease_seconds() -> int:
    """Longer than a mail server may take over one mail."""
    return int(settings.OUTBOX_LEASE_SECONDS) * 4


def _held(key: str, at: datetime) -> None:
    """Not to be claimed: ended, or somebody's; a hand-over whose holder is gone becomes uncertain."""
    lapsed = Q(lease_until__isnull=True) | Q(lease_until__lt=Now())
    with transaction.atomic():
        swept = Delivery.objects.filter(lapsed, key=key, phase=Phase.HANDED_OVER).update(
            phase=Phase.UNCERTAIN, changed_at=at, reason="the worker ended after the hand-over, before an answer"
        )
    if swept:
        return
    delivery = Delivery.objects.filter(key=key).first()
    if delivery is not None and delivery.phase not in (*ENDED, Phase.UNCERTAIN):
        raise TryAgain("held by another worker", due_at=at + timedelta(seconds=max(1, _lease_seconds() // 4)))


def _why_not(delivery: Delivery, at: datetime) -> str:
    """Rights, wishes and age are judged now, not when the fact happened (O9, A7); empty when nothing stands against."""
    kind = fact_class(delivery.fact_key)
    if at - delivery.recorded_at > STALE:
        return "stale"
    if SuppressedAddress.objects.filter(email=delivery.email.lower()).exists():
        return "suppressed_address"
    if not tenant_current().is_active:
        return "account_inactive"
    member = delivery.member
    if member is not None:
        if not (member.is_active and member.user.is_active):
            return "member_inactive"
        if member.user.email.lower() != delivery.email.lower():
            return "address_changed"
        if kind.audience == Audience.MANAGERS and member.role != Role.MANAGER:
            return "role_changed"
        if _unwanted(delivery, member):
            return "not_wanted"
        if _not_followed(delivery, member):
            return "not_followed"
    if kind.entitlement is not None and scope() != OPERATOR_ID and not _is_entitled(delivery, at):
        return "not_entitled"
    return ""


def _is_entitled(delivery: Delivery, at: datetime) -> bool:
    fact = fact_class(delivery.fact_key).read(delivery.fact)
    return all(entitled(key, at) for key in fact.needs)


def _unwanted(delivery: Delivery, member: Member) -> bool:
    said = NoticePreference.objects.filter(member=member, fact_key=delivery.fact_key, channel=Channel.MAIL)
    return said.filter(wanted=False).exists()


def _not_followed(delivery: Delivery, member: Member) -> bool:
    """Of such news the person wants those of followed shipments only, and does not follow this one now."""
    shipment = delivery.fact.get("shipment")
    return (
        shipment is not None
        and f"{delivery.fact_key}{FOLLOWED}" in only_followed_by(member)
        and not follows(member.pk, shipment)
    )


def language_of(member: Member | None) -> str:
    """What mails to this person are written in: as chosen, else the portal's own."""
    return (member.language if member is not None else "") or settings.LANGUAGE_CODE


def _content(delivery: Delivery, brand: Look, at: datetime) -> bytes:
    fact: Fact = fact_class(delivery.fact_key).read(delivery.fact)
    member = delivery.member
    token = ""
    if member is not None and optional(fact.audience):
        token = unsubscribe_token(tenant_id=scope(), member=member.public_id, fact_key=fact.key)
    reader = Reader(
        brand=brand.name, ink=brand.ink, account=tenant_current().name, name=member.name if member else "",
        language=language_of(member), unsubscribe_token=token,
    )  # fmt: skip
    notice = notice_render(fact, reader)
    delivery.subject = notice.subject[:300]
    mail = Mail(
        message_id=delivery.message_id, recipient=delivery.email, subject=notice.subject, text=notice.text,
        html=notice.html, unsubscribe_url=notice.unsubscribe_url, sender=brand.mail_from,
    )  # fmt: skip
    return mail_bytes(mail, at=at)


def _dialogue(delivery: Delivery, content: bytes, at: datetime) -> None:
    def handed_over() -> None:
        fault("notify.before_handover")
        _move(delivery, (Phase.CLAIMED,), phase=Phase.HANDED_OVER, subject=delivery.subject,
              lease_until=Now() + timedelta(seconds=_lease_seconds()))  # fmt: skip
        fault("notify.after_handover")

    try:
        hand_over(content, recipient=delivery.email, before_data=handed_over)
    except Refused as refused:
        if refused.recipient:
            with transaction.atomic():
                address_suppress(email=delivery.email, reason=str(refused), at=at)
        _end(delivery, Phase.FAILED, at, reason=str(refused))
    except Unknown as unknown:
        _end(delivery, Phase.UNCERTAIN, at, reason=str(unknown))
    except Later as later:
        _later(delivery, later, at)
    else:
        fault("notify.before_sent")
        _end(delivery, Phase.SENT, at)


def _later(delivery: Delivery, later: Later, at: datetime) -> None:
    if later.counts and delivery.attempts >= MAX_TRIES:
        _end(delivery, Phase.FAILED, at, reason=f"given up after {MAX_TRIES} tries; {later}")
        return
    if later.counts:
        wait = min(FIRST_WAIT * 2 ** (delivery.attempts - 1), LONGEST_WAIT) * _random.uniform(0.8, 1.2)
    else:  # a server that is away uses up none of the tries; news that grows too old ends it
        wait = max(AWAY_WAIT * _random.uniform(0.8, 1.2), timedelta(seconds=later.wait_seconds))
    tries = F("attempts") if later.counts else F("attempts") - 1
    _move(delivery, (Phase.CLAIMED, Phase.HANDED_OVER), phase=Phase.QUEUED, reason=str(later)[:500], attempts=tries,
          changed_at=at, lease_until=None)  # fmt: skip
    raise TryAgain(str(later), due_at=at + wait)


def _end(delivery: Delivery, phase: Phase, at: datetime, *, reason: str = "") -> None:
    changes: dict[str, Any] = {
        "phase": phase, "reason": reason[:500], "changed_at": at, "lease_until": None, "subject": delivery.subject,
    }  # fmt: skip
    if delivery.member_id is None and phase in ENDED:
        changes["fact"] = {}  # its link is a secret
    # An answer that comes late still tells more than none, if nobody has decided meanwhile.
    _move(delivery, (Phase.CLAIMED, Phase.HANDED_OVER, Phase.UNCERTAIN), **changes)


def _move(delivery: Delivery, from_phases: tuple[Phase, ...], **changes: Any) -> None:
    """Commits a step under the fencing number of this claim; LostClaim when it is no longer ours (O3)."""
    with transaction.atomic():
        held = Delivery.objects.filter(pk=delivery.pk, fence=delivery.fence, phase__in=from_phases)
        if not held.update(**changes):
            raise LostClaim
