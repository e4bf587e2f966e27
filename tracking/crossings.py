"""Reads of tracking over all accounts, for the desk: quarantine, messages, sources, what is late where.

Run inside a crossing only, which says why and leaves its audit row; nothing is written from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, QuerySet, Sum

from portal.tenancy.models import Tenant, TenantKind
from portal.web.tables import Cursor, Page, instant_of, keyset_page
from tracking.models import (
    Acknowledgement,
    InboundMessage,
    MessageState,
    Quarantined,
    QuarantineState,
    Shipment,
    Source,
    SourceSetting,
)
from tracking.partners import RANK
from tracking.selectors import in_standing
from tracking.standing import Standing

SILENT_AFTER: Final = timedelta(hours=24)  # feed_outage_hours (section 12)
MOST_ITEMS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineFilter:
    """Which items: by state, reason and source key; empty text: all."""

    state: str = QuarantineState.OPEN
    reason: str = ""
    source: str = ""

    @classmethod
    def read(cls, params: Mapping[str, str]) -> QuarantineFilter:
        """From the address; an unknown state is the open ones."""
        state = params.get("state", "")
        return cls(
            state=state if state in (*QuarantineState.values, "ALL") else QuarantineState.OPEN,
            reason=params.get("reason", "")[:40],
            source=params.get("source", "")[:40],
        )

    def params(self, **changes: str) -> dict[str, str]:
        """For links; the open ones need not be named."""
        asked = {"state": self.state, "reason": self.reason, "source": self.source, **changes}
        return {k: v for k, v in asked.items() if v and (k, v) != ("state", QuarantineState.OPEN)}


def quarantine_page(wanted: QuarantineFilter, *, cursor: Cursor | None) -> Page[Quarantined]:
    """Newest first, with source and account in words."""
    rows = _items(wanted).values(
        "id", "public_id", "reason", "position", "fragment", "detail", "refs", "recorded_at", "state", "attempts",
        "source__key", "source__name", "tenant__name", "tenant__kind",
    )  # fmt: skip
    return keyset_page(
        rows, key="recorded_at", cursor=cursor, parse=instant_of, write=datetime.isoformat
    )  # fmt: skip


def _items(wanted: QuarantineFilter) -> QuerySet[Quarantined]:
    rows: QuerySet[Quarantined] = Quarantined.objects.all()
    if wanted.state != "ALL":
        rows = rows.filter(state=wanted.state)
    if wanted.reason:
        rows = rows.filter(reason=wanted.reason)
    return rows.filter(source__key=wanted.source) if wanted.source else rows


def quarantine_counts(wanted: QuarantineFilter) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """How many by state, by reason and by source, each as if only that filter were changed."""
    states = _items(replace(wanted, state="ALL")).order_by().values_list("state").annotate(n=Count("id"))
    reasons = _items(replace(wanted, reason="")).order_by().values_list("reason").annotate(n=Count("id"))
    sources = _items(replace(wanted, source="")).order_by().values_list("source__key").annotate(n=Count("id"))
    return dict(states), dict(reasons.order_by("-n", "reason")), dict(sources.order_by("-n", "source__key"))


def quarantine_item(public_id: str) -> Quarantined | None:
    """One item with its source, its account and the bytes of its message."""
    return Quarantined.objects.select_related("source", "tenant", "message__raw").filter(public_id=public_id).first()


def message_item(public_id: str) -> InboundMessage | None:
    """One message with its source, its account and its bytes."""
    return InboundMessage.objects.select_related("source", "tenant", "raw").filter(public_id=public_id).first()


def message_refusals(message: InboundMessage) -> list[Quarantined]:
    """What of the message was quarantined, in its order; 500 at most."""
    rows = Quarantined.objects.filter(message=message).order_by("id")
    return list(rows.only("public_id", "position", "reason", "state", "recorded_at", "tenant_id")[:MOST_ITEMS])


def message_acknowledgements(message: InboundMessage) -> list[Acknowledgement]:
    """What the partner was told about the interchanges of a message."""
    return list(Acknowledgement.objects.filter(message=message).order_by("place"))


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A source with what came today (since `since`) and what waits."""

    source: Source
    messages: int
    accepted: int
    duplicate: int
    quarantined: int
    waiting: int  # open in quarantine

    def is_silent(self, now: datetime) -> bool:
        """Active, and not heard for a day (`feed_outage_hours`)."""
        heard = self.source.last_heard_at or self.source.created_at
        return self.source.is_active and now - heard > SILENT_AFTER


def source_lines(*, since: datetime) -> list[SourceLine]:
    """All sources with the day's counts, by name; three queries."""
    today = {
        row["source_id"]: row
        for row in InboundMessage.objects.filter(received_at__gte=since)
        .order_by()
        .values("source_id")
        .annotate(
            messages=Count("id"), accepted=Sum("events_accepted"), duplicate=Sum("events_duplicate"),
            quarantined=Sum("events_quarantined"),
        )
    }  # fmt: skip
    open_items = Quarantined.objects.filter(state=QuarantineState.OPEN).order_by()
    waiting = dict(open_items.values_list("source_id").annotate(n=Count("id")))
    nothing = {"messages": 0, "accepted": 0, "duplicate": 0, "quarantined": 0}
    lines = []
    for source in Source.objects.select_related("tenant").order_by("name", "key"):
        told = today.get(source.pk, nothing)
        lines.append(
            SourceLine(
                source, told["messages"], told["accepted"], told["duplicate"], told["quarantined"],
                waiting.get(source.pk, 0),
            )
        )  # fmt: skip
    return lines


@dataclass(frozen=True, slots=True)
class Desk:
    """The counts of the operator's home."""

    quarantined: int
    unapplied: int  # messages received and not applied
    accounts: list[tuple[Tenant, int, int]]  # (account, late, at risk) where there are any, most late first
    lines: list[SourceLine]


def desk(*, now: datetime, since: datetime) -> Desk:
    """What the desk needs to see first."""
    late = Count("id", filter=in_standing(Standing.LATE, now))
    risk = Count("id", filter=in_standing(Standing.AT_RISK, now))
    live = Shipment.objects.filter(punctuality__in=("OPEN", "AT_RISK", "LATE"), final_at__isnull=True)
    told = {
        row["tenant_id"]: (row["late"], row["risk"])
        for row in live.order_by().values("tenant_id").annotate(late=late, risk=risk)
    }
    named = {t.pk: t for t in Tenant.objects.filter(pk__in=[k for k, counts in told.items() if any(counts)])}
    by_account = sorted(((named[k], *told[k]) for k in named), key=lambda a: (-a[1], -a[2], a[0].name))
    return Desk(
        quarantined=Quarantined.objects.filter(state=QuarantineState.OPEN).count(),
        unapplied=InboundMessage.objects.filter(state=MessageState.RECEIVED).count(),
        accounts=by_account,
        lines=source_lines(since=since),
    )


def accounts() -> list[Tenant]:
    """All customers, by name."""
    return list(Tenant.objects.filter(kind=TenantKind.ACCOUNT).order_by("name"))


def tenants_named(ids: Iterable[int]) -> dict[int, Tenant]:
    """Some customers by id, for their names."""
    return Tenant.objects.in_bulk(list(ids))


def source_owner(key: str) -> int | None:
    """The tenant that a source belongs to, closed ones too."""
    return Source.objects.filter(key=key).values_list("tenant_id", flat=True).first()


def ranks_of(source_key: str) -> list[tuple[Tenant, int]]:
    """The accounts that gave the source a rank of their own, by name."""
    rows = SourceSetting.objects.filter(source_key=source_key, name=RANK, tenant__kind=TenantKind.ACCOUNT)
    newest = {r.tenant: r.value for r in rows.select_related("tenant").order_by("recorded_at", "id")}
    return sorted(((t, int(rank)) for t, rank in newest.items() if rank is not None), key=lambda pair: pair[0].name)
