"""One message (or one replay) being applied: timed, matched account by account, the rest to quarantine (G2 to G6)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.db import connection
from msgspec import structs

from portal.outbox.services import enqueue
from portal.tenancy.context import OPERATOR_ID, as_tenant, scope
from portal.tenancy.services import SYSTEM
from tracking import matching
from tracking.canonical import event_to_json
from tracking.derivation import rebuild
from tracking.ingest import store
from tracking.ingest.channels import NO_FEED
from tracking.ingest.heard import heard_note
from tracking.ingest.items import Item, distinct_positions, rounds, waits_for, withdrawn
from tracking.ingest.subscribers import subscribers_ask
from tracking.ingest.tenant_run import TenantRun, Version, Versions, versions_of
from tracking.ingest.touched import touched_note
from tracking.masterdata import codes_note
from tracking.models import InboundMessage, Place, Quarantined, QuarantineState, Shipment, SightingRow, Source, ZoneRule
from tracking.reasons import Reason, sentence
from tracking.telling import news_tell
from tracking.timing import Timed, timed
from tracking.types import CanonicalEvent, Parsed, Precision, Refusal, Sighting

MAX_FRAGMENT: Final = 2_000
LARGE: Final = 50  # more events than this in one message are copied, and their shipments derived a little later
_BUCKETS: Final = 32
_SET_ASIDE: Final[dict[str, object]] = {
    "state": QuarantineState.DISCARDED, "decided_by": SYSTEM, "decision": Reason.NOT_TRACKED.value,
}  # fmt: skip
_LOCKS: Final = "select pg_advisory_xact_lock(hashtextextended(%s, b)) from unnest(%s::bigint[]) as b"


_JOIN: Final = "\x1f"
_WHOSE: Final = """
select 'event', e.event_key, e.tenant_id from plimsoll_tenants_of_events(%s, string_to_array(%s, E'\\x1f')) e
union all
select 'reference', r.ref, r.tenant_id from plimsoll_tenants_of_references(string_to_array(%s, E'\\x1f')) r
union all
select 'withdrawal', unnest(q.refs), q.tenant_id from tracking_quarantined q
 where q.tenant_id = %s and q.source_id = %s and q.state = 'OPEN' and q.reason = %s
   and q.refs && string_to_array(%s, E'\\x1f')::varchar[]
"""
_VERSIONS: Final = """
select event_key, shipment_id, payload_hash, source_created_at, is_empty, retracts
  from tracking_sightingrow
 where tenant_id = %s and source = %s and event_key = any (string_to_array(%s, E'\\x1f'))
"""

Ref = tuple[str, str]


@dataclass(slots=True)
class Whose:
    """Of a part of a message: each tenant's items, and the events that it holds a version of."""

    items: dict[int, list[Item]] = field(default_factory=lambda: defaultdict(list))
    told: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))


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
    withdrawals: set[str] = field(default_factory=set)  # what waiting retractions wait for, of the events at hand
    is_large: bool = False  # copied, and derived a little later
    lines: dict[int, list[str]] = field(default_factory=dict)  # tenant -> rows to be copied
    stored: int = 0
    listened: dict[int, bool] = field(default_factory=dict)  # tenant -> whether a system of it wants to be told
    noted: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))  # tenant -> shipments

    def apply(self, parsed: Parsed) -> list[Item]:
        """All events and refusals of the message, each with its outcome."""
        items = self.timed_items(parsed)
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
        self.is_large = len(usable) > LARGE
        forbidden: set[str] = set()
        self._wait_for_versions({k for i in usable for k in i.keys})
        for part in rounds(usable):
            for tenant_id, own, versions in self.concerned(part):
                with as_tenant(tenant_id):
                    run = TenantRun(self, own, versions=versions, authorised=self.may_report_on(tenant_id))
                    run.apply()
                    forbidden |= run.forbidden
            self._take_over()
        self._settle()
        for item in usable:
            if not item.accepted and not item.known:
                item.refused = unmatched(item, forbidden)

    def concerned(self, items: Sequence[Item]) -> list[tuple[int, list[Item], Versions]]:
        """The tenants that these items may concern, in id order: each with its own items, and what it holds of them."""
        whose = self._whose(items)
        versions = {tenant_id: self._versions(tenant_id, keys) for tenant_id, keys in sorted(whose.told.items())}
        self.tips, self.dead = _tips(versions.values()), self._dead(whose.told, items)
        return [(tenant_id, own, versions.get(tenant_id, {})) for tenant_id, own in sorted(whose.items.items())]

    def _take_over(self) -> None:
        """Stores what the tenants' parts of a large run left behind: copied together, taken over one by one."""
        if not self.lines:
            return
        whose = sorted(self.lines.items())
        store.sightings_copy((line for _tenant, lines in whose for line in lines), first=self.stored)
        for tenant_id, lines in whose:
            with as_tenant(tenant_id):
                taken = store.sightings_take(first=self.stored)
            assert taken == len(lines), f"{taken} of {len(lines)} rows were stored"
        self.stored += sum(len(lines) for _tenant, lines in whose)
        self.lines.clear()

    def _settle(self) -> None:
        """The state of every shipment that heard something new, once, when all parts of the message are stored: what is
        told does not hang on how a message was cut into parts (G3). Of a large run it is worked out a little later, so
        that news of many messages about one shipment are worth one derivation.
        """
        for tenant_id in sorted({*self.touched, *self.noted}):
            with as_tenant(tenant_id):
                if self.message.channel not in NO_FEED:
                    heard_note(self.source, self.message.received_at)
                if self.noted[tenant_id]:
                    touched_note(self.noted[tenant_id], message=self.message.public_id, is_quiet=self.quiet, at=self.at)
                if touched := self.touched[tenant_id]:
                    shipments = [shipment for _pk, (shipment, _told) in sorted(touched.items())]
                    news = rebuild(shipments, {pk: told for pk, (_s, told) in touched.items()}, at=self.at)
                    if not self.quiet:
                        news_tell(news, at=self.at)
                if not self.quiet and self.listened.get(tenant_id, True):  # what was not asked is asked now
                    heard = [*self.noted[tenant_id], *self.touched[tenant_id]]
                    subscribers_ask(heard, message=self.message.public_id, recorded_at=self.at)
        self.touched.clear()
        self.noted.clear()

    def may_report_on(self, tenant_id: int) -> bool:
        """Whether the partner table names the account, or names none (G11)."""
        return not self.source.account_ids or tenant_id in self.source.account_ids

    def _wait_for_versions(self, keys: set[str]) -> None:
        """Two versions of one event never pass each other unseen: a correction that moves an event to another
        shipment must find where it was (R1.3). Locks by the bucket, until the transaction ends.
        """
        buckets = sorted({int(key[:2], 16) % _BUCKETS for key in keys})
        if buckets:
            with connection.cursor() as cursor:
                make = f"{store.waiting_table()}; " if self.is_large else ""
                cursor.execute(make + _LOCKS, [f"ingest {self.source.key}", buckets])

    def _whose(self, items: Sequence[Item]) -> Whose:
        """The tenants that have one of the references, or a version of one of the events (ids only, T3)."""
        keys = sorted({k for i in items for k in i.keys})
        refs = [] if self.own_tenant is not None else sorted(frozenset[Ref]().union(*(i.all_refs for i in items)))
        with connection.cursor() as cursor:
            cursor.execute(_WHOSE, [
                self.source.key, _JOIN.join(keys), _JOIN.join(map(matching.ref_text, refs)), scope(), self.source.pk,
                Reason.NO_MATCHING_SHIPMENT.value, _JOIN.join(f"EVENT:{i.event_key}" for i in items),
            ])  # fmt: skip
            found = cursor.fetchall()
        whose = Whose()
        by_key: dict[str, set[int]] = defaultdict(set)
        by_ref: dict[Ref, set[int]] = defaultdict(set)
        for what, name, tenant_id in found:
            if what == "withdrawal":
                self.withdrawals.add(name)
            elif tenant_id == OPERATOR_ID or self.own_tenant not in (None, tenant_id):
                continue
            elif what == "event":
                by_key[name].add(tenant_id)
            else:
                kind, _colon, value = name.partition(":")
                by_ref[kind, value].add(tenant_id)
        for key, holders in by_key.items():
            for tenant_id in holders:
                whose.told[tenant_id].append(key)
        if self.own_tenant is not None:
            whose.items[self.own_tenant] = list(items)
            return whose
        for item in items:
            tenants: set[int] = set()
            for key in item.keys:
                if key in by_key:
                    tenants |= by_key[key]
            for ref in item.all_refs:
                if ref in by_ref:
                    tenants |= by_ref[ref]
            for tenant_id in tenants:
                whose.items[tenant_id].append(item)
        return whose

    def _versions(self, tenant_id: int, keys: Sequence[str]) -> dict[str, list[Version]]:
        """What a tenant holds of these events already, for corrections and retractions (R1.3, R1.4)."""
        with as_tenant(tenant_id), connection.cursor() as cursor:
            cursor.execute(_VERSIONS, [tenant_id, self.source.key, _JOIN.join(keys)])
            return versions_of(cursor.fetchall())

    def _dead(self, told: Mapping[int, Collection[str]], items: Sequence[Item]) -> dict[str, SightingRow]:
        """event key -> its withdrawal, wherever it is stored: the id stays dead whomever it concerns next (R1.4)."""
        dead: dict[str, SightingRow] = {}
        named = {i.event_key for i in items if i.event and i.event.source_event_id and not i.event.retracts}
        for tenant_id, keys in sorted(told.items()):
            if not (own := named.intersection(keys)):
                continue
            with as_tenant(tenant_id):
                known = SightingRow.objects.filter(source=self.source.key, event_key__in=own)
                withdrawals = SightingRow.objects.filter(
                    source=self.source.key, retracts_key__in=own, shipment_id__in=known.values("shipment_id")
                )
                for row in withdrawals.order_by("pk"):
                    dead.setdefault(row.retracts_key, row)
        return dead

    def timed_items(self, parsed: Parsed) -> list[Item]:
        """The events of the message with their instants and keys, or why they have none."""
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
                event = structs.replace(event, warnings=(*event.warnings, Reason.UNKNOWN_PLACE))
            if alias_of:
                event = structs.replace(event, place=alias_of)
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
                    recorded_at=recorded_at, named=matching.levels(found.event))  # fmt: skip
        item.all_refs = frozenset[Ref]().union(*item.named)
        item.natural_key = matching.natural_key(self.source.key, found.event, found.at)
        named = found.event.source_event_id
        item.event_key = matching.id_key(named) if named else item.natural_key
        item.keys = (
            (item.event_key, matching.id_key(found.event.retracts)) if found.event.retracts else (item.event_key,)
        )
        if found.refused is not None:
            item.refused = Refusal(
                code=found.refused, position=f"{found.event.position}", detail=str(sentence(found.refused))
            )
        return item

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
        accepted = {f"EVENT:{i.event_key}" for i in items if i.accepted}
        waiting = self.withdrawals.union(
            *(withdrawn(i) for i in items if i.refused and i.refused.code == Reason.NO_MATCHING_SHIPMENT)
        )
        if found := waiting & accepted:
            enqueue("tracking.match_waiting", key=f"withdrawn:{self.message.public_id}", at=self.at,
                    refs=" ".join(sorted(found)))  # fmt: skip


def _tips(told: Iterable[Mapping[str, Sequence[Version]]]) -> dict[str, datetime]:
    """event key -> when its newest version that says something was created, whoever it concerned (R1.3)."""
    tips: dict[str, datetime] = {}
    for versions in told:
        for key, listed in versions.items():
            for version in listed:
                if version.says_something and version.created_at is not None:
                    tips[key] = max(version.created_at, tips.get(key, version.created_at))
    return tips


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
