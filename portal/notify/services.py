"""Writes of telling people: who is due what, and what became of it.

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
from portal.notify.models import Channel, Delivery, NoticePreference, Phase, SuppressedAddress
from portal.outbox.services import STALE, enqueue_outgoing, run_again
from portal.tenancy.context import OPERATOR_ID, as_tenant, scope
from portal.tenancy.models import Installation, Member, Role
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
    """One delivery for each person the fact concerns, and the work of sending it; says how many are new or known.

    Runs in the transaction that marks the fact's row done, in its scope. Rights and wishes are asked when sending (O9).
    """
    rows = [
        _delivery(fact, recorded_at=recorded_at, at=at, member=member, email=email)
        for member, email in _recipients(fact)
    ]
    Delivery.objects.bulk_create(rows, ignore_conflicts=True)
    live = [row for row in rows if row.phase == Phase.QUEUED]
    enqueue_outgoing("notify.send", keys={row.key: {"delivery": row.key} for row in live}, at=at)
    return len(rows)


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


def _delivery(fact: Fact, *, recorded_at: datetime, at: datetime, member: Member | None, email: str) -> Delivery:
    key = delivery_key(tenant_id=scope(), fact=fact, email=email, channel=Channel.MAIL)
    stale = at - recorded_at > STALE
    return Delivery(
        key=key, fact_key=fact.key, fact={} if stale and member is None else fact.plain(), recorded_at=recorded_at,
        member=member, email=email, phase=Phase.SUPPRESSED if stale else Phase.QUEUED, reason="stale" if stale else "",
        message_id=f"<{key[:40]}@{urlsplit(settings.PUBLIC_URL).hostname or 'localhost'}>",
        created_at=at, changed_at=at,
    )  # fmt: skip


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


@transaction.atomic
def preference_set(
    *, member: Member, fact_key: str, wanted: bool, at: datetime, channel: Channel = Channel.MAIL
) -> None:
    """A person's word about one kind of notice; the last word counts."""
    NoticePreference.objects.update_or_create(
        member=member, fact_key=fact_key, channel=channel, defaults={"wanted": wanted, "changed_at": at}
    )


def address_suppress(*, email: str, reason: str, at: datetime) -> None:
    """No further mail of this account to this address (O10); the first reason stays."""
    row = SuppressedAddress(email=email.lower(), reason=reason[:200], created_at=at)
    SuppressedAddress.objects.bulk_create([row], ignore_conflicts=True)


@transaction.atomic
def address_release(*, email: str, actor: str, at: datetime) -> bool:
    """The address works again; False when it was not suppressed."""
    gone, _by_model = SuppressedAddress.objects.filter(email=email.lower()).delete()
    if gone:
        audit(action="address.released", actor=actor, at=at, object_type="address")
    return bool(gone)
