"""Writes of telling people: who is due what, by mail and in the portal, and what became of it.

What people want is written in preferences.py, what came back in undelivered.py; mails that wait are digests.py's.
Rendering stands in notices.py, the SMTP dialogue in channels.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from portal.lib import ids
from portal.lib.errors import NotFound, PortalError
from portal.lib.facts import Audience, Fact
from portal.notify.bell import bell_rows
from portal.notify.models import BellNotice, Channel, Delivery, Phase
from portal.outbox.services import STALE, enqueue_outgoing, run_again
from portal.tenancy.context import OPERATOR_ID, as_tenant, scope
from portal.tenancy.models import Installation, Member, Role
from portal.tenancy.selectors import tenant_current
from portal.tenancy.services import audit


class NotUncertain(PortalError):
    """Only what is uncertain waits for a person's word."""

    code, status = "not_uncertain", 409
    message = _("This mail is not uncertain any more; reload the page to see where it stands.")


class ReasonNeeded(PortalError):
    """A decision is recorded with its reason."""

    code, status = "reason_needed", 400
    message = _("Say in a few words how you know.")


def deliveries_create(*, fact: Fact, recorded_at: datetime, at: datetime) -> int:
    """One mail and one notice in the portal for each person the fact concerns; says how many mails are new or known.

    Runs in the transaction that marks the fact's row done, in its scope. Rights and wishes about mails are asked when
    sending (O9); a notice in the portal is told by being written, so they are asked here, and again when it is read.
    """
    people = list(_recipients(fact))
    if not people:
        return 0
    owner = tenant_current().public_id
    rows = [
        _delivery(fact, recorded_at=recorded_at, at=at, member=member, email=email, owner=owner)
        for member, email in people
    ]
    Delivery.objects.bulk_create(rows, ignore_conflicts=True)
    live = [row for row in rows if row.phase == Phase.QUEUED]
    enqueue_outgoing("notify.send", keys={row.key: {"delivery": row.key} for row in live}, at=at)
    if at - recorded_at <= STALE:
        _bells_create(fact, [member for member, _email in people if member is not None], recorded_at, at)
    return len(rows)


def _bells_create(fact: Fact, members: list[Member], recorded_at: datetime, at: datetime) -> None:
    keys = {
        m.pk: delivery_key(tenant_id=scope(), fact=fact, email=m.user.email, channel=Channel.BELL) for m in members
    }  # fmt: skip
    BellNotice.objects.bulk_create(bell_rows(fact, keys, recorded_at=recorded_at, at=at), ignore_conflicts=True)


def _recipients(fact: Fact) -> Iterable[tuple[Member | None, str]]:
    if fact.audience == Audience.PERSON:
        return [(None, str(fact.email).strip().lower())]  # type: ignore[attr-defined]
    staff_side = scope() == OPERATOR_ID
    told = fact.audience not in (Audience.NOBODY, Audience.SYSTEMS)
    by_name = fact.audience == Audience.MEMBERS
    if not told or (not by_name and staff_side != (fact.audience == Audience.STAFF)):
        return []
    members = Member.objects.filter(is_active=True).select_related("user").order_by("pk")
    if by_name:
        members = members.filter(public_id__in=fact.members)  # type: ignore[attr-defined]
    if fact.audience == Audience.MANAGERS:
        members = members.filter(role=Role.MANAGER)
    return [(member, member.user.email) for member in members]


def delivery_key(*, tenant_id: int, fact: Fact, email: str, channel: Channel) -> str:
    """What makes a notification the same one: (kind, recipient, object and its version), and the channel (O7)."""
    return ids.digest("\n".join([str(tenant_id), fact.key, fact.object_key, email.lower(), channel.value]))


def _delivery(
    fact: Fact, *, recorded_at: datetime, at: datetime, member: Member | None, email: str, owner: str
) -> Delivery:
    key = delivery_key(tenant_id=scope(), fact=fact, email=email, channel=Channel.MAIL)
    stale = at - recorded_at > STALE
    return Delivery(
        key=key, fact_key=fact.key, fact={} if stale and member is None else fact.plain(), recorded_at=recorded_at,
        member=member, email=email, phase=Phase.SUPPRESSED if stale else Phase.QUEUED, reason="stale" if stale else "",
        message_id=message_id(key=key, owner=owner), matter=fact.matter, created_at=at, changed_at=at,
    )  # fmt: skip


def message_id(*, key: str, owner: str) -> str:
    """The same on every attempt (O8), and with the tenant's public id: what comes back finds its account by it."""
    return f"<{key[:40]}.{owner}@{urlsplit(settings.PUBLIC_URL).hostname or 'localhost'}>"


@transaction.atomic
def delivery_resolve(*, public_id: str, sent: bool, actor: str, reason: str, at: datetime) -> Delivery:
    """A person says what became of an uncertain mail: it was sent, or it was not and goes out again under its key.

    Raises NotFound, NotUncertain, ReasonNeeded.
    """
    if not reason.strip():
        raise ReasonNeeded
    delivery = Delivery.objects.select_for_update(of=("self",)).filter(public_id=public_id).first()
    if delivery is None:
        raise NotFound
    if delivery.phase != Phase.UNCERTAIN:
        raise NotUncertain
    delivery.phase = Phase.SENT if sent else Phase.QUEUED
    delivery.reason, delivery.changed_at, delivery.lease_until = f"resolved: {reason.strip()}"[:500], at, None
    delivery.fence += 1
    if sent and delivery.member_id is None:
        delivery.fact = {}
    delivery.save(update_fields=["phase", "reason", "changed_at", "lease_until", "fence", "fact"])
    if not sent:
        run_again("notify.send", key=delivery.key, at=at)
    audit(
        action="delivery.resolved", actor=actor, at=at, object_type="delivery", object_id=public_id,
        details={"sent": sent, "reason": reason.strip()[:500]},
    )  # fmt: skip
    return delivery


@transaction.atomic
def sending_set(*, paused: bool, actor: str, at: datetime) -> bool:
    """Pauses or resumes everything that leaves the house (P5); False when it was so already."""
    changed = Installation.objects.filter(pk=1, sending_paused=not paused).update(sending_paused=paused)
    if changed:
        with as_tenant(OPERATOR_ID):
            audit(action="sending.paused" if paused else "sending.resumed", actor=actor, at=at)
    return bool(changed)
