"""The invariants of the record, told at any time, also after a crash (I1 to I6, I8): each breach as a plain object.

Reads only, tenant by tenant inside each scope; what the figures and the credits must be stands in their own apps.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Count, Exists, IntegerField, OuterRef, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Concat, Now

from kpis.selectors import invariant_breaches as figure_breaches
from portal.checks.walls import wall_breaches
from portal.lib.facts import Audience, Fact, all_facts
from portal.notify.models import Channel, Delivery, Phase
from portal.notify.services import delivery_key
from portal.outbox.models import OutboxRow, RowKind, RowState
from portal.tenancy.context import OPERATOR_ID, across_tenants, as_tenant, scope
from portal.tenancy.models import AuditEntry, Member, Role, Tenant
from portal.tenancy.services import SYSTEM
from portal.webhooks.deliveries import SEND
from portal.webhooks.models import OPEN_STATES, DeliveryState, WebhookDelivery
from tiers.credits.selectors import invariant_breaches as credit_breaches
from tracking.derivation import stale
from tracking.models import InboundMessage, MessageState, Quarantined, RawBody, Shipment

Breach = dict[str, Any]
WAITS_AT_MOST: Final = timedelta(minutes=5)
CHECKED: Final = ("I1", "I2", "I3", "I4", "I5", "I6", "I8")
_TAKEN_UP: Final = timedelta(minutes=10)  # after its hour a mail that waits is collected, or asked for again
_UNSENT: Final = (Phase.QUEUED, Phase.CLAIMED, Phase.HANDED_OVER)
_PAGE: Final = 2_000


def invariant_breaches(*, at: datetime, derived: bool = False) -> Iterator[Breach]:
    """Every breach in the installation as of `at`; nothing when all holds. One crossing, for the list of tenants.

    `derived`: also works out every shipment anew, which takes time.
    """
    yield from wall_breaches()
    with across_tenants(reason="check_invariants", actor=SYSTEM, at=at):
        tenants = list(Tenant.objects.order_by("pk").values_list("pk", "code"))
    for tenant_id, code in tenants:
        with as_tenant(tenant_id):
            found = list(tenant_breaches(at=at))
            if derived:
                found += derivation_breaches(at=at)
        for breach in found:
            yield {**breach, "account": code}


def tenant_breaches(*, at: datetime) -> Iterator[Breach]:
    """The same for the entered tenant."""
    yield from message_breaches(at=at)
    yield from count_breaches()
    yield from notice_breaches()
    yield from webhook_breaches()
    yield from key_breaches()
    yield from figure_breaches()
    yield from credit_breaches()


def _breach(invariant: str, what: str, **more: Any) -> Breach:
    return {"invariant": invariant, "what": what, **more}


# --- I1, I2: what came in ---


def message_breaches(*, at: datetime) -> Iterator[Breach]:
    """I1: all stored bytes have a message, and none has waited for longer than five minutes."""
    without = RawBody.objects.exclude(Exists(InboundMessage.objects.filter(raw=OuterRef("pk"))))
    for raw in without.values_list("sha256", flat=True):
        yield _breach("I1", "stored bytes without a message", sha256=raw)
    waiting = InboundMessage.objects.filter(state=MessageState.RECEIVED, received_at__lt=at - WAITS_AT_MOST)
    for public_id, received_at in waiting.values_list("public_id", "received_at"):
        yield _breach("I1", "a message waits to be applied", message=public_id, received_at=received_at.isoformat())


def count_breaches() -> Iterator[Breach]:
    """I2: received = accepted + duplicate + quarantined for each source, and as many quarantined rows as counted."""
    parts = ("received", "accepted", "duplicate", "quarantined")
    rows = Quarantined.objects.filter(source=OuterRef("source_id")).order_by().values("source_id")
    kept = Subquery(rows.annotate(n=Count("id")).values("n"), output_field=IntegerField())
    # one statement: messages may be applied while it is asked
    sums = InboundMessage.objects.values("source_id", "source__key").annotate(
        rows=Coalesce(kept, 0), **{name: Sum(f"events_{name}") for name in parts}
    )
    for found in sums.order_by("source__key"):
        told = {name: int(found[name]) for name in parts}
        if told["received"] != told["accepted"] + told["duplicate"] + told["quarantined"]:
            yield _breach("I2", "received is not accepted + duplicate + quarantined", source=found["source__key"],
                          **told)  # fmt: skip
        if found["rows"] != told["quarantined"]:
            yield _breach("I2", "quarantined rows differ from the count", source=found["source__key"],
                          rows=found["rows"], quarantined=told["quarantined"])  # fmt: skip


def derivation_breaches(*, at: datetime) -> Iterator[Breach]:
    """Every shipment's milestones and state equal a full derivation from its sightings; asked for by --derived (P4)."""
    last = 0
    while page := list(Shipment.objects.filter(pk__gt=last).order_by("pk")[:_PAGE]):
        last = page[-1].pk
        if doubtful := stale(page, at=at):
            with transaction.atomic():  # something may have been stored between the two reads: look again, locked
                held = Shipment.objects.select_for_update().filter(pk__in=[s.pk for s in doubtful]).order_by("pk")
                for shipment in stale(list(held), at=at):
                    yield _breach("P4", "what is derived differs from a full derivation", shipment=shipment.public_id)


# --- I3, I4: what goes out ---


def notice_breaches() -> Iterator[Breach]:
    """I3: each fact that was told has a delivery for everybody it concerned, and each open one has its work."""
    works = OutboxRow.objects.filter(key=Concat(Value("notify.send:"), OuterRef("key"))).exclude(state=RowState.DONE)
    lost = Delivery.objects.filter(phase__in=_UNSENT).exclude(Exists(works))
    for public_id in lost.values_list("public_id", flat=True):
        yield _breach("I3", "a notification is open and nothing will send it", delivery=public_id)
    waiting = Delivery.objects.filter(phase=Phase.HELD, held_until__lt=Now() - _TAKEN_UP)
    for public_id in waiting.values_list("public_id", flat=True):
        yield _breach("I3", "a mail waits and nothing has taken it up", delivery=public_id)
    unexplained = Delivery.objects.filter(phase__in=(Phase.SUPPRESSED, Phase.FAILED), reason="")
    for public_id in unexplained.values_list("public_id", flat=True):
        yield _breach("I3", "a notification was not sent and no reason is kept", delivery=public_id)
    facts = OutboxRow.objects.filter(kind=RowKind.FACT, state=RowState.DONE, reason="").order_by("pk")
    changed = _member_changes()
    for name, kind in all_facts().items():
        if kind.audience == Audience.PERSON:
            yield from _personal(name, facts.filter(name=name).count())
        elif kind.audience in (Audience.NOBODY, Audience.SYSTEMS):
            continue
        elif kind.audience == Audience.MEMBERS or (scope() == OPERATOR_ID) == (kind.audience == Audience.STAFF):
            for row in facts.filter(name=name).iterator(chunk_size=_PAGE):
                yield from _untold(row, kind, changed)


def webhook_breaches() -> Iterator[Breach]:
    """I3: each open message to an endpoint has its work, and whatever was not delivered says why."""
    works = OutboxRow.objects.filter(key=Concat(Value(f"{SEND}:"), OuterRef("key"))).exclude(state=RowState.DONE)
    lost = WebhookDelivery.objects.filter(state__in=OPEN_STATES).exclude(Exists(works))
    for public_id in lost.values_list("public_id", flat=True):
        yield _breach("I3", "a webhook is open and nothing will send it", delivery=public_id)
    undelivered = (DeliveryState.FAILED, DeliveryState.UNSENT)
    unexplained = WebhookDelivery.objects.filter(state__in=undelivered, reason="")
    for public_id in unexplained.values_list("public_id", flat=True):
        yield _breach("I3", "a webhook was not delivered and no reason is kept", delivery=public_id)


def _member_changes() -> dict[str, datetime]:
    """When the rights of a member changed last: whom a fact concerned before that is not known any more."""
    rows = AuditEntry.objects.filter(object_type="member", action__startswith="member.")
    return dict(rows.order_by("at", "pk").values_list("object_id", "at"))


def _personal(name: str, told: int) -> Iterator[Breach]:
    """Facts for one person keep no address once told; their number must do."""
    kept = Delivery.objects.filter(fact_key=name, member=None).count()
    if kept < told:
        yield _breach("I3", "facts were told and notifications are missing", fact=name, facts=told, notifications=kept)


def _untold(row: OutboxRow, kind: type[Fact], changed: dict[str, datetime]) -> Iterator[Breach]:
    fact = kind.read(row.payload)
    members = Member.objects.filter(is_active=True, created_at__lte=row.created_at).select_related("user")
    if kind.audience == Audience.MANAGERS:
        members = members.filter(role=Role.MANAGER)
    if kind.audience == Audience.MEMBERS:
        members = members.filter(public_id__in=row.payload["members"])
    wanted = {
        delivery_key(tenant_id=scope(), fact=fact, email=m.user.email, channel=Channel.MAIL): m.public_id
        for m in members
        if m.public_id not in changed or changed[m.public_id] < row.created_at
    }
    kept = set(Delivery.objects.filter(key__in=wanted).values_list("key", flat=True))
    for key in sorted(wanted.keys() - kept):
        yield _breach("I3", "a fact was told and a notification is missing", fact=row.key, member=wanted[key])


def key_breaches() -> Iterator[Breach]:
    """I4: one notification for each key and each Message-ID, under the key that its fact and reader make."""
    for name in ("key", "message_id"):
        twice = Delivery.objects.values(name).annotate(n=Count("id")).filter(n__gt=1)
        for found in twice.order_by(name):
            yield _breach("I4", f"several notifications have one {name}", value=found[name], notifications=found["n"])
    kinds = all_facts()
    for delivery in Delivery.objects.exclude(fact={}).order_by("pk").iterator(chunk_size=_PAGE):
        kind = kinds.get(delivery.fact_key)
        if kind is None:
            continue
        made = delivery_key(tenant_id=scope(), fact=kind.read(delivery.fact), email=delivery.email,
                            channel=Channel(delivery.channel))  # fmt: skip
        if made != delivery.key:
            yield _breach("I4", "a notification's key is not made of its fact and reader", delivery=delivery.public_id)
    untried = Delivery.objects.filter(phase=Phase.SENT, attempts=0)
    for public_id in untried.values_list("public_id", flat=True):
        yield _breach("I4", "a notification is marked sent and was never tried", delivery=public_id)
