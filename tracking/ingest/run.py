"""One message (or one replay) being applied: timed, matched account by account, the rest to quarantine (G2 to G6)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from django.db import connection
from django.db.models import Max

from portal.outbox.services import emit_all, enqueue
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.services import SYSTEM
from tracking import matching
from tracking.canonical import event_to_json
from tracking.derivation import rebuild
from tracking.ingest.channels import NO_FEED
from tracking.ingest.heard import heard_note
from tracking.ingest.items import Item, distinct_positions, event_keys, rounds, waits_for, withdrawn
from tracking.ingest.tenant_run import TenantRun
from tracking.masterdata import codes_note
from tracking.models import InboundMessage, Place, Quarantined, QuarantineState, Shipment, SightingRow, Source, ZoneRule
from tracking.reasons import Reason, sentence
from tracking.timing import Timed, timed
from tracking.types import CanonicalEvent, Parsed, Precision, Refusal, Sighting

MAX_FRAGMENT: Final = 2_000
_BUCKETS: Final = 32
_SET_ASIDE: Final[dict[str, object]] = {
    "state": QuarantineState.DISCARDED, "decided_by": SYSTEM, "decision": Reason.NOT_TRACKED.value,
}  # fmt: skip
_LOCKS: Final = "select pg_advisory_xact_lock(hashtextextended(%s, b)) from unnest(%s::bigint[]) as b"


@dataclass(slots=True)
class Run:
    """One message (or one replay) being applied; enters each tenant concerned in turn, in id order."""

    source: Source
    message: InboundMessage
    at: datetime
    own_tenant: int | None
    is_backfill: bool = False
    quiet: bool = False  # history: what changed is not told (R1.1)
    # tenant -> shipment -> itself, locked, and its sightings
    touched: dict[int, dict[int, tuple[Shipment, list[Sighting]]]] = field(default_factory=lambda: defaultdict(dict))
    tips: Mapping[str, datetime] = field(default_factory=dict)
    dead: Mapping[str, SightingRow] = field(default_factory=dict)  # event key -> what withdrew it

    def apply(self, parsed: Parsed) -> list[Item]:
        """All events and refusals of the message, each with its outcome."""
        items = self._timed(parsed)
        if self.source.all_or_nothing:
            keep_out(items, parsed.refusals)
        self.apply_items(items)
        for refusal in parsed.refusals:
            items.append(Item(position=refusal.position, refused=refusal))
        self._quarantine(items)
        self._wake_withdrawals(items)
        return items

    def apply_items(self, items: Sequence[Item]) -> None:
        """Stores what concerns each tenant and marks the items; those that match nobody are refused."""
        usable = [i for i in items if i.refused is None]
        forbidden: set[str] = set()
        self._wait_for_versions({k for i in usable for k in event_keys(i)})
        for part in rounds(usable):
            told_to = self._tenants_of_events(part)
            self.tips, self.dead = self._tips(told_to, part), self._dead(told_to, part)
            for tenant_id in sorted(told_to | self._tenants_of_references(part)):
                with as_tenant(tenant_id):
                    run = TenantRun(self, part, authorised=self._may_report_on(tenant_id))
                    run.apply()
                    forbidden |= run.forbidden
        self._derive()
        for item in usable:
            if not item.accepted and not item.known:
                item.refused = unmatched(item, forbidden)

    def _derive(self) -> None:
        """The state of every shipment that heard something new, once, when all parts of the message are stored: what is
        told does not hang on how a message was cut into parts (G3).
        """
        for tenant_id, touched in sorted(self.touched.items()):
            with as_tenant(tenant_id):
                shipments = [shipment for _pk, (shipment, _told) in sorted(touched.items())]
                news = rebuild(shipments, {pk: told for pk, (_s, told) in touched.items()}, at=self.at)
                if self.message.channel not in NO_FEED:
                    heard_note(self.source, self.message.received_at)
                if not self.quiet:
                    emit_all(news, at=self.at)
        self.touched.clear()

    def _may_report_on(self, tenant_id: int) -> bool:
        """Whether the partner table names the account, or names none (G11)."""
        return not self.source.account_ids or tenant_id in self.source.account_ids

    def _wait_for_versions(self, keys: set[str]) -> None:
        """Two versions of one event never pass each other unseen: a correction that moves an event to another
        shipment must find where it was (R1.3). Locks by the bucket, until the transaction ends.
        """
        buckets = sorted({int(key[:2], 16) % _BUCKETS for key in keys})
        if buckets:
            with connection.cursor() as cursor:
                cursor.execute(_LOCKS, [f"ingest {self.source.key}", buckets])

    def _tips(self, tenants: Iterable[int], items: Sequence[Item]) -> dict[str, datetime]:
        """event key -> when its newest version that says something was created, whoever it concerned (R1.3)."""
        tips: dict[str, datetime] = {}
        for tenant_id in sorted(tenants):
            with as_tenant(tenant_id):
                told = SightingRow.objects.filter(
                    source=self.source.key, event_key__in={i.event_key for i in items}, is_empty=False, retracts="",
                    source_created_at__isnull=False,
                )  # fmt: skip
                for key, newest in told.values_list("event_key").annotate(newest=Max("source_created_at")):
                    tips[key] = max(newest, tips.get(key, newest))
        return tips

    def _dead(self, tenants: Iterable[int], items: Sequence[Item]) -> dict[str, SightingRow]:
        """event key -> its withdrawal, wherever it is stored: the id stays dead whomever it concerns next (R1.4)."""
        dead: dict[str, SightingRow] = {}
        keys = {i.event_key for i in items if i.event and i.event.source_event_id and not i.event.retracts}
        for tenant_id in sorted(tenants) if keys else ():
            with as_tenant(tenant_id):
                told = SightingRow.objects.filter(source=self.source.key, event_key__in=keys)
                withdrawals = SightingRow.objects.filter(
                    source=self.source.key, retracts_key__in=keys, shipment_id__in=told.values("shipment_id")
                )
                for row in withdrawals.order_by("pk"):
                    dead.setdefault(row.retracts_key, row)
        return dead

    def _timed(self, parsed: Parsed) -> list[Item]:
        codes = {e.place for e in parsed.events if e.place}
        places = {
            code: (zone, alias_of, needs_review)
            for code, zone, alias_of, needs_review in Place.objects.filter(code__in=codes).values_list(
                "code", "zone", "alias_of", "needs_review"
            )
        }
        codes_note(parsed.events, source=self.source.key, is_operators=self.own_tenant is None, at=self.at)
        items = []
        for event in parsed.events:
            place_zone, alias_of, is_new = places.get(event.place or "", ("", "", True))
            if event.place and is_new and Reason.UNKNOWN_PLACE not in event.warnings:
                event = replace(event, warnings=(*event.warnings, Reason.UNKNOWN_PLACE))
            if alias_of:
                event = replace(event, place=alias_of)
            recorded_at = self._learned(event, place_zone)
            found = timed(
                event,
                place_zone=self._fixed_zone or place_zone,
                recorded_at=recorded_at,
                future_act_as_est=self.source.future_act_as_est,
            )
            items.append(self._item(found, recorded_at))
        return items

    @property
    def _fixed_zone(self) -> str:
        """The zone in which the partner writes all its local times, if its table says one (R1.6)."""
        return self.source.zone if self.source.zone_rule == ZoneRule.FIXED else ""

    def _learned(self, event: CanonicalEvent, place_zone: str | None) -> datetime:
        """Our clock; for history what the file says, else when it happened, never later than our clock (R1.1).

        A bare day says when it was learned no better than when it happened: on that day at its place, not before it.
        """
        if not self.is_backfill:
            return self.at
        told = event.recorded_at
        if told is None or (
            event.precision == Precision.DAY and f"{told:%Y-%m-%dT%H:%M}" == f"{event.local[:10]}T00:00"
        ):
            happened = timed(event, place_zone=place_zone, recorded_at=self.at).at
            told = max(filter(None, (told, happened)), default=self.at)
        return min(told, self.at)

    def _item(self, found: Timed, recorded_at: datetime) -> Item:
        item = Item(position=found.event.position, event=found.event, at=found.at, zone=found.zone,
                    recorded_at=recorded_at, all_refs=frozenset(matching.all_refs(found.event)))  # fmt: skip
        item.natural_key = matching.natural_key(self.source.key, found.event, found.at)
        item.event_key = matching.event_key(self.source.key, found.event, found.at)
        if found.refused is not None:
            item.refused = Refusal(
                code=found.refused, position=f"{found.event.position}", detail=str(sentence(found.refused))
            )
        return item

    def _tenants_of_references(self, items: Sequence[Item]) -> set[int]:
        """Tenants that have one of the references (ids only, T3)."""
        if self.own_tenant is not None:
            return {self.own_tenant}
        refs = sorted(set().union(*(i.refs for i in items))) if items else []
        with connection.cursor() as cursor:
            cursor.execute("select tenant_id from plimsoll_tenants_of_references(%s)", [refs])
            return {int(row[0]) for row in cursor.fetchall()} - {OPERATOR_ID}

    def _tenants_of_events(self, items: Sequence[Item]) -> set[int]:
        """Tenants that have a version of one of the events (ids only, T3)."""
        keys = sorted({k for i in items for k in event_keys(i)})
        with connection.cursor() as cursor:
            cursor.execute("select tenant_id from plimsoll_tenants_of_events(%s, %s)", [self.source.key, keys])
            found = {int(row[0]) for row in cursor.fetchall()} - {OPERATOR_ID}
        return found if self.own_tenant is None else found & {self.own_tenant}

    def _quarantine(self, items: Sequence[Item]) -> None:
        rows = [
            Quarantined(
                source=self.source,
                message=self.message,
                position=i.refused.position[:120],
                reason=i.refused.code,
                detail=i.refused.detail[:400],
                fragment=i.refused.fragment[:MAX_FRAGMENT],
                event=event_to_json(i.event) if i.event else None,
                event_key=i.event_key,
                payload_hash=matching.payload_digest(i.event.payload) if i.event else "",
                refs=sorted(i.refs | withdrawn(i)),
                recorded_at=self.at,
                **waits_for(i),
                **(_SET_ASIDE | {"decided_at": self.at} if i.refused.code == Reason.NOT_TRACKED else {}),
            )
            for i in items
            if i.refused is not None
        ]
        distinct_positions(rows)
        Quarantined.objects.bulk_create(rows, batch_size=1_000)
        if rows:
            self._wake(rows)

    def _wake(self, rows: Sequence[Quarantined]) -> None:
        """A shipment registered at this very moment may not have seen these rows waiting: look once more."""
        if any(r.reason == Reason.NO_MATCHING_SHIPMENT for r in rows):
            enqueue("tracking.match_waiting", key=f"waiting:{self.message.public_id}", at=self.at,
                    message=self.message.public_id)  # fmt: skip

    def _wake_withdrawals(self, items: Sequence[Item]) -> None:
        """A retraction may have come before its target, naming nothing but its id (R1.4): it is tried again now."""
        named = [f"EVENT:{i.event_key}" for i in items if i.accepted]
        waiting = Quarantined.objects.filter(
            source=self.source, state=QuarantineState.OPEN, reason=Reason.NO_MATCHING_SHIPMENT, refs__overlap=named
        )
        found = {ref for refs in waiting.values_list("refs", flat=True) for ref in refs if ref.startswith("EVENT:")}
        if found:
            enqueue("tracking.match_waiting", key=f"withdrawn:{self.message.public_id}", at=self.at,
                    refs=" ".join(sorted(found)))  # fmt: skip


def keep_out(items: Sequence[Item], refusals: Sequence[Refusal]) -> None:
    """All or nothing (G6): with one event that cannot be read or timed, the others wait with it.

    Events that match nobody yet are no fault of the message: they wait by themselves, as always.
    """
    bad = any(i.refused is not None for i in items) or any(r.code != Reason.NOT_TRACKED for r in refusals)
    for item in items if bad else ():
        if item.refused is None:
            reason = Reason.REFUSED_WITH_OTHERS
            item.refused = Refusal(code=reason, position=item.position, detail=str(sentence(reason)))


def unmatched(item: Item, forbidden: Collection[str]) -> Refusal:
    """Why an event that no account took waits; `forbidden`: positions that name what the source may not report on."""
    reason = Reason.NOT_AUTHORISED if item.position in forbidden else Reason.NO_MATCHING_SHIPMENT
    return Refusal(code=reason, position=item.position, detail=str(sentence(reason)))
