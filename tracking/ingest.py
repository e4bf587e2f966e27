"""The way of a message: raw bytes first, then parse, match, store, derive, and say what changed (G1 to G6, G12).

One message is applied in one transaction: all of it or, after a crash, all of it again. Doors are elsewhere.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from django.db import IntegrityError, connection, transaction

from portal.lib import ids
from portal.lib.errors import PortalError
from portal.lib.faults import declare, fault
from portal.outbox.services import emit_all, enqueue
from portal.tenancy.context import OPERATOR_ID, as_tenant, scope
from portal.tenancy.selectors import tenant_current
from tracking import matching
from tracking.canonical import event_from_json, event_to_json
from tracking.derivation import rebuild, sighting_of, sightings_of
from tracking.models import (
    Container,
    InboundMessage,
    MessageState,
    Place,
    Quarantined,
    QuarantineState,
    RawBody,
    Reference,
    Shipment,
    SightingRow,
    Source,
)
from tracking.reasons import Reason, sentence
from tracking.registry import adapter_for
from tracking.timing import Timed, timed
from tracking.types import CanonicalEvent, Parsed, Precision, Refusal, Unreadable

MAX_FRAGMENT: Final = 2_000
_BUCKETS: Final = 32
_LOCKS: Final = "select pg_advisory_xact_lock(hashtextextended(%s, b)) from unnest(%s::bigint[]) as b"
declare("ingest.after_raw", "the raw bytes are written, their delivery is not; nothing is committed")
declare("ingest.before_apply", "a message is stored and committed, nothing of it is applied")
declare("ingest.before_commit", "a message is applied and counted, not committed")
declare("ingest.before_answer", "what the sender is to be told is committed, the answer is not given")
HISTORY: Final = "HISTORY"  # the channel of history files: recorded when the file says, told to nobody (R1.1)


class IdempotencyConflict(PortalError):
    """The same Idempotency-Key came with another body (W7)."""

    code, status = "idempotency_conflict", 422
    message = "This Idempotency-Key was used with another body."


@dataclass(slots=True)
class Item:
    """One event of a message on its way; `outcome` is set once it is known."""

    position: str
    event: CanonicalEvent | None = None
    at: datetime | None = None
    zone: str = ""
    recorded_at: datetime | None = None
    natural_key: str = ""
    event_key: str = ""
    refused: Refusal | None = None
    accepted: bool = False
    known: bool = False  # some tenant has this very version already
    all_refs: frozenset[tuple[str, str]] = frozenset()  # everything that could match it

    @property
    def refs(self) -> set[str]:
        """The same as KIND:VALUE."""
        return {matching.ref_text(r) for r in self.all_refs}


@transaction.atomic
def message_receive(
    *,
    source: Source,
    body: bytes,
    channel: str,
    at: datetime,
    content_type: str = "",
    file_name: str = "",
    idempotency_key: str = "",
    process_after: datetime | None = None,
) -> InboundMessage:
    """Stores the bytes and the delivery durably, in the source's scope, with the work that will apply it (G1, O1).

    Raises IdempotencyConflict when the key was used with other bytes; with equal bytes the first message comes back.
    """
    digest = ids.digest(body)
    known = _known(source, idempotency_key, digest)
    if known is not None:
        return known
    raw = RawBody.objects.filter(source=source, sha256=digest).first()
    if raw is None:
        try:
            with transaction.atomic():
                raw = RawBody.objects.create(source=source, sha256=digest, body=body, received_at=at)
        except IntegrityError:  # the same bytes came on another connection at this moment
            raw = RawBody.objects.get(source=source, sha256=digest)
    fault("ingest.after_raw")
    try:
        with transaction.atomic():
            message = InboundMessage.objects.create(
                source=source, raw=raw, channel=channel, content_type=content_type[:120], file_name=file_name[:200],
                idempotency_key=idempotency_key, received_at=at,
            )  # fmt: skip
    except IntegrityError:  # the same key came on another connection at this moment
        known = _known(source, idempotency_key, digest)
        if known is None:
            raise
        return known
    Source.objects.filter(pk=source.pk).update(last_heard_at=at)
    enqueue("tracking.process_message", key=f"message:{message.public_id}", at=at, due_at=process_after,
            message=message.public_id)  # fmt: skip
    return message


def _known(source: Source, idempotency_key: str, digest: str) -> InboundMessage | None:
    """The message that came under this key before; IdempotencyConflict when it had other bytes (W7)."""
    if not idempotency_key:
        return None
    found = InboundMessage.objects.select_related("raw").filter(source=source, idempotency_key=idempotency_key).first()
    if found is not None and found.raw.sha256 != digest:
        raise IdempotencyConflict
    return found


@transaction.atomic
def message_process(*, public_id: str, at: datetime) -> InboundMessage:
    """Applies a received message in the entered scope of its source; a second call changes nothing (G2, O3)."""
    message = (
        InboundMessage.objects.select_for_update(of=("self",)).select_related("source", "raw").get(public_id=public_id)
    )
    if message.state != MessageState.RECEIVED:
        return message
    fault("ingest.before_apply")
    try:
        parsed = adapter_for(message.source.format, message.content_type, message.file_name).parse(
            bytes(message.raw.body)
        )
    except Unreadable as error:
        parsed = Parsed(refusals=(Refusal(code=error.code, position=error.position, detail=error.detail),))
    run = Run(source=message.source, message=message, at=at, own_tenant=own_tenant())
    items = run.apply(parsed)
    message_finish(message, items, at)
    fault("ingest.before_commit")
    return message


def own_tenant() -> int | None:
    """A tenant's own source can report on that tenant only (R1.0)."""
    entered = scope()
    return None if entered == OPERATOR_ID else entered


def message_finish(message: InboundMessage, items: Sequence[Item], at: datetime) -> None:
    """Counts what became of each event and marks the message applied, in the transaction that applied it (I2)."""
    message.events_received = len(items)
    message.events_quarantined = sum(1 for i in items if i.refused is not None)
    message.events_accepted = sum(1 for i in items if i.accepted)
    message.events_duplicate = message.events_received - message.events_accepted - message.events_quarantined
    message.warnings = dict(Counter(w for i in items if i.event and not i.refused for w in i.event.warnings))
    message.state, message.applied_at = MessageState.APPLIED, at
    message.save()


@dataclass(slots=True)
class Run:
    """One message (or one replay) being applied; enters each tenant concerned in turn, in id order."""

    source: Source
    message: InboundMessage
    at: datetime
    own_tenant: int | None
    is_backfill: bool = False
    quiet: bool = False  # history: what changed is not told (R1.1)
    touched: int = field(default=0)

    def apply(self, parsed: Parsed) -> list[Item]:
        """All events and refusals of the message, each with its outcome."""
        items = self._timed(parsed)
        self.apply_items(items)
        for refusal in parsed.refusals:
            items.append(Item(position=refusal.position, refused=refusal))
        self._quarantine(items)
        return items

    def apply_items(self, items: Sequence[Item]) -> None:
        """Stores what concerns each tenant and marks the items; those that match nobody are refused."""
        usable = [i for i in items if i.refused is None]
        self._wait_for_versions({k for i in usable for k in _event_keys(i)})
        for tenant_id in sorted(self._tenants(usable)):
            with as_tenant(tenant_id):
                _TenantRun(self, usable).apply()
        for item in usable:
            if not item.accepted and not item.known:
                item.refused = Refusal(
                    code=Reason.NO_MATCHING_SHIPMENT,
                    position=item.position,
                    detail=str(sentence(Reason.NO_MATCHING_SHIPMENT)),
                )

    def _wait_for_versions(self, keys: set[str]) -> None:
        """Two versions of one event never pass each other unseen: a correction that moves an event to another
        shipment must find where it was (R1.3). Locks by the bucket, until the transaction ends.
        """
        buckets = sorted({int(key[:2], 16) % _BUCKETS for key in keys})
        if buckets:
            with connection.cursor() as cursor:
                cursor.execute(_LOCKS, [f"ingest {self.source.key}", buckets])

    def _timed(self, parsed: Parsed) -> list[Item]:
        codes = {e.place for e in parsed.events if e.place}
        zones = dict(Place.objects.filter(code__in=codes).values_list("code", "zone"))
        items = []
        for event in parsed.events:
            place_zone = zones.get(event.place or "")
            if event.place and event.place not in zones and Reason.UNKNOWN_PLACE not in event.warnings:
                event = replace(event, warnings=(*event.warnings, Reason.UNKNOWN_PLACE))
            recorded_at = self._learned(event, place_zone)
            found = timed(
                event,
                place_zone=place_zone,
                recorded_at=recorded_at,
                future_act_as_est=self.source.future_act_as_est,
            )
            items.append(self._item(found, recorded_at))
        return items

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

    def _tenants(self, items: Sequence[Item]) -> set[int]:
        """Tenants that have one of the references, or a version of one of the events (ids only, T3)."""
        if self.own_tenant is not None:
            return {self.own_tenant}
        refs = sorted(set().union(*(i.refs for i in items))) if items else []
        keys = sorted({k for i in items for k in _event_keys(i)})
        with connection.cursor() as cursor:
            cursor.execute("select tenant_id from plimsoll_tenants_of_references(%s)", [refs])
            found = {int(row[0]) for row in cursor.fetchall()}
            cursor.execute("select tenant_id from plimsoll_tenants_of_events(%s, %s)", [self.source.key, keys])
            found |= {int(row[0]) for row in cursor.fetchall()}
        return found - {OPERATOR_ID}

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
                refs=sorted(i.refs),
                recorded_at=self.at,
            )
            for i in items
            if i.refused is not None
        ]
        _distinct_positions(rows)
        Quarantined.objects.bulk_create(rows, batch_size=1_000)
        if rows:
            self._wake(rows)

    def _wake(self, rows: Sequence[Quarantined]) -> None:
        """A shipment registered at this very moment may not have seen these rows waiting: look once more."""
        if any(r.reason == Reason.NO_MATCHING_SHIPMENT for r in rows):
            enqueue("tracking.match_waiting", key=f"waiting:{self.message.public_id}", at=self.at,
                    message=self.message.public_id)  # fmt: skip


def _distinct_positions(rows: Iterable[Quarantined]) -> None:
    """Two faults at one position of one message both stay."""
    seen: Counter[str] = Counter()
    for row in rows:
        seen[row.position] += 1
        if seen[row.position] > 1:
            row.position = f"{row.position[:110]}#{seen[row.position]}"


def _event_keys(item: Item) -> set[str]:
    keys = {item.event_key}
    if item.event and item.event.retracts:
        keys.add(matching.id_key(item.event.retracts))
    return keys


class _TenantRun:
    """The part of a run inside one tenant's scope: a constant number of statements whatever the batch."""

    def __init__(self, run: Run, items: Sequence[Item]) -> None:
        self.run = run
        named = {i.event.account.upper() for i in items if i.event and i.event.account}
        own = tenant_current().code if named else ""
        # an event may say whose it is (history files)
        self.items = [i for i in items if i.event and (not i.event.account or i.event.account.upper() == own)]

    def apply(self) -> None:
        """Locks the shipments concerned in id order, stores new versions, rebuilds, emits."""
        candidates = self._candidates()
        versions = self._earlier_versions()
        held = frozenset[tuple[str, str]]().union(*(c.refs for c in candidates))
        wanted: list[tuple[Item, set[int]]] = []
        for item in self.items:
            assert item.event is not None
            if held.isdisjoint(item.all_refs) and versions.keys().isdisjoint(_event_keys(item)):
                continue
            ids_now = set(matching.concerned(item.event, item.at, candidates))
            earlier = set().union(*(versions.get(k, set()) for k in _event_keys(item)))
            if ids_now | earlier:
                wanted.append((item, ids_now))
        touched = sorted({i for item, now in wanted for i in now | self._earlier(item, versions)})
        if not touched:
            return
        shipments = list(Shipment.objects.select_for_update().filter(pk__in=touched).order_by("pk"))
        refs = {c.shipment_id: c.refs for c in candidates}
        sightings = sightings_of(touched)
        rows = self._rows(wanted, versions, refs, sightings)
        if not rows:
            return
        made = SightingRow.objects.bulk_create(rows, batch_size=2_000)
        changed = {r.shipment_id for r in made}
        for row in made:
            sightings.setdefault(row.shipment_id, []).append(sighting_of(row.__dict__))
        news = rebuild([s for s in shipments if s.pk in changed], sightings, at=self.run.at)
        if not self.run.quiet:
            emit_all(news, at=self.run.at)

    @staticmethod
    def _earlier(item: Item, versions: Mapping[str, set[int]]) -> set[int]:
        return set().union(*(versions.get(k, set()) for k in _event_keys(item)))

    def _candidates(self) -> list[matching.Candidate]:
        wanted = frozenset[tuple[str, str]]().union(*(i.all_refs for i in self.items))
        hits = Reference.objects.filter(value__in={value for _k, value in wanted}).values_list(
            "shipment_id", "kind", "value"
        )
        shipment_ids = {s for s, kind, value in hits if (kind, value) in wanted}
        refs: dict[int, set[tuple[str, str]]] = defaultdict(set)
        for s, kind, value in Reference.objects.filter(shipment_id__in=shipment_ids).values_list(
            "shipment_id", "kind", "value"
        ):
            refs[s].add((kind, value))
        return [
            matching.Candidate(
                shipment_id=pk,
                starts_at=booked or confirmed,
                refs=frozenset(refs[pk]),
                calls=frozenset(c for c in (pol, pod, *transhipments) if c),
            )
            for pk, booked, confirmed, pol, pod, transhipments in Shipment.objects.filter(
                pk__in=shipment_ids
            ).values_list("pk", "booked_at", "confirmed_at", "pol", "pod", "transhipments")
        ]

    def _earlier_versions(self) -> dict[str, set[int]]:
        """event key -> shipments that hold a version of it, for corrections and retractions (R1.3, R1.4)."""
        found: dict[str, set[int]] = defaultdict(set)
        keys = {k for i in self.items for k in _event_keys(i)}
        for key, shipment_id in SightingRow.objects.filter(source=self.run.source.key, event_key__in=keys).values_list(
            "event_key", "shipment_id"
        ):
            found[key].add(shipment_id)
        return found

    def _rows(
        self,
        wanted: Sequence[tuple[Item, set[int]]],
        versions: Mapping[str, set[int]],
        refs: Mapping[int, frozenset[tuple[str, str]]],
        sightings: Mapping[int, Sequence[Any]],
    ) -> list[SightingRow]:
        source = self.run.source.key
        known = {
            (pk, s.event_key, s.payload_hash) for pk, listed in sightings.items() for s in listed if s.source == source
        }
        natural = {
            (pk, s.natural_key): s.event_key for pk, listed in sightings.items() for s in listed if s.source == source
        }
        rows: list[SightingRow] = []
        for item, ids_now in wanted:
            assert item.event is not None
            target = set() if not item.event.retracts else self._earlier(item, versions)
            left = versions.get(item.event_key, set()) - ids_now - target
            for pk in sorted(ids_now | target | left):
                row = self._row(item, pk, refs.get(pk), is_empty=pk in left)
                version = (pk, row.event_key, row.payload_hash)
                if version in known:
                    item.known = True
                    continue
                known.add(version)
                row.is_repeat = natural.setdefault((pk, row.natural_key), row.event_key) != row.event_key
                item.accepted = True
                rows.append(row)
        return rows

    def _row(
        self, item: Item, shipment_id: int, refs: frozenset[tuple[str, str]] | None, *, is_empty: bool
    ) -> SightingRow:
        event, run = item.event, self.run
        assert event is not None and item.recorded_at is not None
        part = (
            {}
            if is_empty or event.retracts
            else (
                matching.part_of(event.payload, refs or frozenset()) if run.own_tenant is None else dict(event.payload)
            )
        )
        return SightingRow(
            shipment_id=shipment_id, source=run.source.key, source_kind=run.source.kind,
            source_event_id=event.source_event_id or "", event_key=item.event_key, natural_key=item.natural_key,
            payload_hash=matching.payload_digest({"retracts": event.retracts} if event.retracts else part),
            kind=event.kind, code=event.code, classifier=event.classifier,
            event_time=None if is_empty else item.at, precision=event.precision, source_offset=event.offset_minutes,
            local_text=event.local[:64], zone=item.zone, container=event.container or "", place=event.place or "",
            facility=event.facility or "", place_role=event.place_role or "", laden=event.laden,
            is_transshipment=event.is_transshipment, mode=event.mode or "", voyage=event.voyage or "",
            vessel=(event.vessel or "")[:80], vessel_imo=event.vessel_imo or "",
            document_type=event.document_type or "", reason=(event.reason or "")[:250],
            source_created_at=event.source_created_at, recorded_at=item.recorded_at, is_backfilled=run.is_backfill,
            retracts=event.retracts or "", retracts_key=matching.id_key(event.retracts) if event.retracts else "",
            is_empty=is_empty, message=run.message.public_id, position=item.position[:120], payload=part,
            warnings=[str(w) for w in event.warnings],
        )  # fmt: skip


@transaction.atomic
def quarantined_apply(*, rows: Sequence[Quarantined], at: datetime) -> list[Item]:
    """Tries quarantined events of the entered scope again; replayed ones are closed, the others count an attempt.

    `rows` are locked by the caller. A row that cannot be read as an event is parsed again from the raw bytes.
    """
    done: list[Item] = []
    for row in rows:
        is_history = row.message.channel == HISTORY
        run = Run(source=row.source, message=row.message, at=at, own_tenant=own_tenant(), is_backfill=is_history,
                  quiet=is_history)  # fmt: skip
        items = _again(run, row)
        run.apply_items(items)
        row.attempts += 1
        if items and all(i.refused is None for i in items):
            row.state, row.decided_at, row.decided_by = QuarantineState.REPLAYED, at, row.decided_by or "SYSTEM"
        elif items:
            faults = [i.refused for i in items if i.refused is not None]
            row.reason, row.detail = faults[0].code, faults[0].detail[:400]
        row.save()
        done += items
    return done


def _again(run: Run, row: Quarantined) -> list[Item]:
    if row.event is not None:
        return run._timed(Parsed(events=(event_from_json(row.event),)))
    parsed = adapter_for(row.source.format, row.message.content_type, row.message.file_name).parse(
        bytes(row.message.raw.body)
    )
    number = row.position.split(".")[0]
    readable = [e for e in parsed.events if e.position.split(".")[0] == number]
    if readable:
        return run._timed(Parsed(events=tuple(readable)))
    same = [r for r in parsed.refusals if r.position.split(".")[0] == number] or list(parsed.refusals)[:1]
    return [Item(position=row.position, refused=r) for r in same[:1]]


__all__ = [
    "HISTORY", "Container", "IdempotencyConflict", "Item", "Run", "message_finish", "message_process",
    "message_receive", "own_tenant", "quarantined_apply",
]  # fmt: skip
