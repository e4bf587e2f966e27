"""Sending one delivery: claimed, handed over, sent, each committed before the next step (O7).

A crash before the hand-over is tried again; after it nobody can know: the delivery is uncertain, a person decides.
Whether it may go is judged in judging.py, what it says is written in writing.py.
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
from portal.lib.faults import declare, fault
from portal.notify.channels import Later, Refused, Unknown, hand_over, mail_bytes, return_path
from portal.notify.digests import DIGEST, delivery_hold, end_before_told, hold_until
from portal.notify.judging import Judged, judge, judge_digest
from portal.notify.models import ENDED, Delivery, Phase
from portal.notify.undelivered import ACTOR, address_suppress
from portal.notify.writing import digest_mail, fact_mail
from portal.outbox.handlers import TryAgain
from portal.tenancy.context import scope
from portal.tenancy.selectors import installation, tenant_current

MAX_TRIES: Final = 10
FIRST_WAIT: Final = timedelta(seconds=30)
LONGEST_WAIT: Final = timedelta(hours=2)
AWAY_WAIT: Final = timedelta(seconds=8)  # no connection: soon again, the breaker keeps it cheap
PAUSED_WAIT: Final = timedelta(seconds=30)

declare("notify.after_claim", "a delivery is claimed, no connection made")
declare("notify.after_hold", "a mail waits for its hour, its row not yet done")
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
    judged = judge_digest(delivery, at) if delivery.fact_key == DIGEST else judge(delivery, at)
    if judged.reason:
        _end(delivery, Phase.SUPPRESSED, at, reason=judged.reason)
        return
    if _waits(delivery, judged, at):
        return
    try:
        content = _content(delivery, judged, look(found), at)
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
        return None if row is None else Delivery.objects.select_related("tenant", "member__user").get(pk=row[0])


def _lease_seconds() -> int:
    """Longer than a mail server may take over one mail."""
    return int(settings.OUTBOX_LEASE_SECONDS) * 4


def _held(key: str, at: datetime) -> None:
    """Not to be claimed: ended, waiting, or somebody's; a hand-over whose holder is gone becomes uncertain."""
    lapsed = Q(lease_until__isnull=True) | Q(lease_until__lt=Now())
    with transaction.atomic():
        swept = Delivery.objects.filter(lapsed, key=key, phase=Phase.HANDED_OVER).update(
            phase=Phase.UNCERTAIN, changed_at=at, reason="the worker ended after the hand-over, before an answer"
        )
    if swept:
        return
    delivery = Delivery.objects.filter(key=key).first()
    if delivery is not None and delivery.phase not in (*ENDED, Phase.HELD, Phase.UNCERTAIN):
        raise TryAgain("held by another worker", due_at=at + timedelta(seconds=max(1, _lease_seconds() // 4)))


def _waits(delivery: Delivery, judged: Judged, at: datetime) -> bool:
    """Whether the mail is put off to the person's hour, or need not be told any more."""
    member, fact = delivery.member, judged.fact
    if member is None or fact is None:
        return False
    held = hold_until(fact=fact, wish=judged.wish, member=member, at=at)
    if held is not None:
        if not delivery_hold(delivery=delivery, until=held[0], why=held[1], at=at):
            raise LostClaim
        fault("notify.after_hold")
        return True
    with transaction.atomic():
        reason = end_before_told(delivery=delivery, fact=fact, at=at)
        if reason:
            _end(delivery, Phase.SUPPRESSED, at, reason=reason)
    return bool(reason)


def _content(delivery: Delivery, judged: Judged, brand: Look, at: datetime) -> bytes:
    """The mail as sent; ValueError when it cannot be written."""
    account = tenant_current().name
    if judged.fact is not None:
        mail = fact_mail(delivery, judged.fact, brand=brand, account=account)
    else:
        mail = digest_mail(delivery, judged.items, brand=brand, account=account)
    delivery.subject = mail.subject[:300]
    return mail_bytes(mail, at=at)


def _dialogue(delivery: Delivery, content: bytes, at: datetime) -> None:
    def handed_over() -> None:
        fault("notify.before_handover")
        _move(delivery, (Phase.CLAIMED,), phase=Phase.HANDED_OVER, subject=delivery.subject,
              lease_until=Now() + timedelta(seconds=_lease_seconds()))  # fmt: skip
        fault("notify.after_handover")

    try:
        sender = return_path(owner=delivery.tenant.public_id, delivery=delivery.public_id)
        hand_over(content, recipient=delivery.email, sender=sender, before_data=handed_over)
    except Refused as refused:
        if refused.recipient:
            with transaction.atomic():
                address_suppress(email=delivery.email, reason=str(refused), actor=ACTOR, at=at)
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
