"""Reads of tracking over all accounts, for the desk: quarantine, messages, sources, what is late where.

Run inside a crossing only, which says why and leaves its audit row; nothing is written from here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, F, Func, IntegerField, QuerySet, Sum

from portal.tenancy.models import Tenant, TenantKind
from portal.web.tables import Cursor, Page, instant_of, keyset_page
from tracking.freshness import Freshness, freshness_of
from tracking.models import (
    Acknowledgement,
    InboundMessage,
    MessageState,
    QuarantineBatch,
    Quarantined,
    QuarantineState,
    Shipment,
    SightingRow,
    Source,
    SourceSetting,
)
from tracking.partners import RANK
from tracking.reasons import Reason
from tracking.selectors import in_standing
from tracking.standing import Standing

MOST_ITEMS: Final = 500
MOST_VALUES: Final = 60  # of a filter's menu
MOST_CHOSEN: Final = 50_000  # for one decision
AGES: Final = ("1", "7", "30")  # days


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineFilter:
    """Which items: by state, reason, source key, the code that was not known and age; empty text: all."""

    state: str = QuarantineState.OPEN
    reason: str = ""
    source: str = ""
    code: str = ""  # that was not known, or a place without zone
    age: str = ""  # days that it has waited at least

    @classmethod
    def read(cls, params: Mapping[str, str]) -> QuarantineFilter:
        """From the address; an unknown state is the open ones."""
        state = params.get("state", "")
        return cls(
            state=state if state in (*QuarantineState.values, "ALL") else QuarantineState.OPEN,
            reason=_word(params, "reason"),
            source=_word(params, "source"),
            code=_word(params, "code"),
            age=params.get("age", "") if params.get("age") in AGES else "",
        )

    def params(self, **changes: str) -> dict[str, str]:
        """For links; the open ones need not be named."""
        named = ("state", "reason", "source", "code", "age")
        asked = {**{name: getattr(self, name) for name in named}, **changes}
        return {k: v for k, v in asked.items() if v and (k, v) != ("state", QuarantineState.OPEN)}


def _word(params: Mapping[str, str], name: str) -> str:
    """What no column can hold is nothing that could be found."""
    return params.get(name, "").replace("\0", "")[:40]


def quarantine_page(wanted: QuarantineFilter, *, cursor: Cursor | None, now: datetime) -> Page[Quarantined]:
    """Newest first, with source and account in words."""
    rows = _items(wanted, now).values(
        "id", "public_id", "reason", "position", "fragment", "detail", "refs", "recorded_at", "state", "attempts",
        "code",
        "source__key", "source__name", "tenant__name", "tenant__kind",
    )  # fmt: skip
    return keyset_page(
        rows, key="recorded_at", cursor=cursor, parse=instant_of, write=datetime.isoformat
    )  # fmt: skip


def _items(wanted: QuarantineFilter, now: datetime) -> QuerySet[Quarantined]:
    rows: QuerySet[Quarantined] = Quarantined.objects.all()
    if wanted.state != "ALL":
        rows = rows.filter(state=wanted.state)
    if wanted.reason:
        rows = rows.filter(reason=wanted.reason)
    if wanted.code:
        rows = rows.filter(code=wanted.code)
    if wanted.age:
        rows = rows.filter(recorded_at__lte=now - timedelta(days=int(wanted.age)))
    return rows.filter(source__key=wanted.source) if wanted.source else rows


@dataclass(frozen=True, slots=True)
class QuarantineCounts:
    """How many by state, reason, source and unknown code, each as if only that filter were changed; most first."""

    states: dict[str, int]
    reasons: dict[str, int]
    sources: dict[str, int]
    codes: dict[str, int]


def quarantine_counts(wanted: QuarantineFilter, *, now: datetime) -> QuarantineCounts:
    """Four counts in four statements."""

    def by(column: str, **without: str) -> dict[str, int]:
        rows = _items(replace(wanted, **without), now).order_by()
        if column == "code":
            rows = rows.exclude(code="")
        return dict(rows.values_list(column).annotate(n=Count("id")).order_by("-n", column)[:MOST_VALUES])

    return QuarantineCounts(
        by("state", state="ALL"), by("reason", reason=""), by("source__key", source=""), by("code", code="")
    )


@dataclass(frozen=True, slots=True)
class Chosen:
    """Open items that one decision is about, by the scope that owns them, oldest first."""

    items: dict[int, list[int]]
    reasons: dict[str, int]
    sources: dict[str, int]

    @property
    def count(self) -> int:
        """How many."""
        return sum(map(len, self.items.values()))


def quarantine_chosen(
    wanted: QuarantineFilter | None, public_ids: Sequence[str], *, until: datetime, now: datetime
) -> Chosen:
    """The named items, or with a filter all that match it and had come by `until`; 50,000 at most."""
    if wanted is not None:
        rows = _items(replace(wanted, state=QuarantineState.OPEN), now).filter(recorded_at__lte=until)
    else:
        rows = Quarantined.objects.filter(public_id__in=list(public_ids), state=QuarantineState.OPEN)
    return _chosen(rows)


def waiting_alike(row: Quarantined) -> Chosen:
    """The open items that the same answer would help: one code of a source's list, or one place without zone."""
    alike = Quarantined.objects.filter(
        state=QuarantineState.OPEN, reason=row.reason, listed=row.listed, code=row.code
    ).exclude(code="")
    if row.reason == Reason.UNKNOWN_CODE:
        alike = alike.filter(source=row.source_id, agency=row.agency)
    return _chosen(alike)


def _chosen(rows: QuerySet[Quarantined]) -> Chosen:
    found = Chosen(defaultdict(list), defaultdict(int), defaultdict(int))
    listed = rows.order_by("id").values_list("tenant_id", "id", "reason", "source__key")
    for tenant_id, pk, reason, source in listed[:MOST_CHOSEN]:
        found.items[tenant_id].append(pk)
        found.reasons[reason] += 1
        found.sources[source] += 1
    return found


def batch_parts(batch: str) -> list[QuarantineBatch]:
    """All scopes' parts of one decision, without their lists of items."""
    rows = QuarantineBatch.objects.filter(batch=batch).annotate(of=Func(F("items"), function="cardinality",
                                                                       output_field=IntegerField()))  # fmt: skip
    return list(rows.defer("items").order_by("tenant_id"))


def quarantine_item(public_id: str) -> Quarantined | None:
    """One item with its source, its account and the bytes of its message."""
    wanted = Quarantined.objects.filter(public_id=public_id)
    return wanted.select_related("source", "tenant", "message__raw").prefetch_related("corrections").first()


def message_item(public_id: str) -> InboundMessage | None:
    """One message with its source, its account and its bytes."""
    wanted = InboundMessage.objects.filter(public_id=public_id)
    return wanted.select_related("source", "tenant", "raw", "corrects").first()


def message_refusals(message: InboundMessage) -> list[Quarantined]:
    """What of the message was quarantined, in its order; 500 at most."""
    rows = Quarantined.objects.filter(message=message).order_by("id")
    return list(rows.only("public_id", "position", "reason", "state", "recorded_at", "tenant_id")[:MOST_ITEMS])


def message_acknowledgements(message: InboundMessage) -> list[Acknowledgement]:
    """What the partner was told about the interchanges of a message."""
    return list(Acknowledgement.objects.filter(message=message).order_by("place"))


def message_shipments(public_id: str, *, most: int = 20) -> list[tuple[Shipment, Tenant]]:
    """The shipments that hold events of the message, with their accounts."""
    found = SightingRow.objects.filter(message=public_id).order_by().values_list("shipment_id", flat=True).distinct()
    rows = Shipment.objects.filter(pk__in=list(found[:most])).select_related("tenant").order_by("ref")
    return [(row, row.tenant) for row in rows]


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A source with what came today (since `since`) and what waits."""

    source: Source
    messages: int
    accepted: int
    duplicate: int
    quarantined: int
    waiting: int  # open in quarantine
    fresh: Freshness

    @property
    def is_silent(self) -> bool:
        """Silent for longer than it may be."""
        return self.fresh.is_silent


def source_lines(*, since: datetime, now: datetime) -> list[SourceLine]:
    """All sources with the day's counts and their rhythm, by name; four queries."""
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
    sources = list(Source.objects.select_related("tenant").order_by("name", "key"))
    fresh = freshness_of(sources, at=now)
    for source in sources:
        told = today.get(source.pk, nothing)
        lines.append(
            SourceLine(
                source, told["messages"], told["accepted"], told["duplicate"], told["quarantined"],
                waiting.get(source.pk, 0), fresh[source.pk],
            )
        )  # fmt: skip
    return lines


@dataclass(frozen=True, slots=True)
class Desk:
    """The counts of the operator's home."""

    reasons: dict[str, int]  # of what is in quarantine, most first
    unapplied: int  # messages received and not applied
    accounts: list[tuple[Tenant, int, int]]  # (account, late, at risk) where there are any, most late first
    lines: list[SourceLine]

    @property
    def quarantined(self) -> int:
        """How many events wait."""
        return sum(self.reasons.values())


def desk(*, now: datetime, since: datetime) -> Desk:
    """What the desk needs to see first."""
    late = Count("id", filter=in_standing(Standing.LATE, now))
    risk = Count("id", filter=in_standing(Standing.AT_RISK, now))
    live = Shipment.objects.filter(punctuality__in=("OPEN", "AT_RISK", "LATE"), final_at__isnull=True)
    told = {
        row["tenant_id"]: (row["late"], row["risk"])
        for row in live.order_by().values("tenant_id").annotate(late=late, risk=risk)
    }
    # a closed account has no page any more that a figure could lead to
    open_ones = Tenant.objects.filter(pk__in=[k for k, counts in told.items() if any(counts)], is_active=True)
    named = {t.pk: t for t in open_ones}
    waiting = Quarantined.objects.filter(state=QuarantineState.OPEN).order_by()
    by_account = sorted(((named[k], *told[k]) for k in named), key=lambda a: (-a[1], -a[2], a[0].name))
    return Desk(
        reasons=dict(waiting.values_list("reason").annotate(n=Count("id")).order_by("-n", "reason")),
        unapplied=InboundMessage.objects.filter(state=MessageState.RECEIVED).count(),
        accounts=by_account,
        lines=source_lines(since=since, now=now),
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
