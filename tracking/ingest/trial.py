"""What a message would do, without doing it: read, timed and matched as ingest does it, and nothing stored.

For the test bench. Reads the accounts concerned, so the caller crosses and says why.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from django.conf import settings

from portal.tenancy.context import as_tenant
from tracking import matching, strictjson
from tracking.adapters.csv_events import CSV
from tracking.derivation import surroundings
from tracking.ingest.items import Item
from tracking.ingest.process import own_tenant
from tracking.ingest.run import Run, keep_out
from tracking.ingest.tenant_run import TenantRun
from tracking.milestones import bind
from tracking.models import InboundMessage, Shipment, Source
from tracking.partners import partner_of
from tracking.positions import anchor
from tracking.reasons import Reason, sentence
from tracking.registry import adapter_for, reader_of
from tracking.types import Adapter, CanonicalEvent, Envelope, Parsed, Partner, Refusal, Sighting, Unreadable

_NUMBERS: Final = re.compile(r"\[(\d+)\]", re.ASCII)
_COMPARED: Final = ("kind", "code", "classifier", "laden", "mode", "place_role", "document_type")


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """A shipment that an event speaks of, and the milestone that it would tell of there."""

    tenant_id: int
    shipment_id: int
    public_id: str
    ref: str
    milestone: str | None
    place: str | None
    is_allowed: bool  # the source may report on it (G11)
    is_known: bool  # a version of this event was told there before


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One event or refusal of the message. `otherwise` is what the standard meanings make of it, if that differs."""

    position: str
    event: CanonicalEvent | None = None
    at: datetime | None = None
    zone: str = ""
    refused: Refusal | None = None
    meant: tuple[Meant, ...] = ()
    otherwise: CanonicalEvent | Refusal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of a message; `unreadable` when nothing could be made of it."""

    reader: Adapter | None = None
    unreadable: Refusal | None = None
    tried: tuple[Tried, ...] = ()
    envelopes: tuple[Envelope, ...] = ()


def message_try(*, source: Source, body: bytes, at: datetime, content_type: str = "", file_name: str = "") -> Trial:
    """Reads the message in the entered scope of its source as if it came at this instant; stores nothing."""
    partner = partner_of(source)
    reader = None
    try:
        _within_limits(body)
        reader = reader_of(body, source.format, content_type, file_name)
        parsed = adapter_for(source.format, content_type, file_name).parse(body, partner=partner)
    except Unreadable as error:
        return Trial(reader=reader, unreadable=Refusal(code=error.code, position=error.position, detail=error.detail))
    run = Run(source=source, message=InboundMessage(source=source), at=at, own_tenant=own_tenant())
    items = run._timed(parsed)
    if source.all_or_nothing:
        keep_out(items, parsed.refusals)
    meant = _meant(run, [i for i in items if i.refused is None])
    plain = _by_standard(source, partner, body, content_type, file_name)
    tried = [
        Tried(
            position=item.position, event=item.event, at=item.at, zone=item.zone,
            refused=item.refused or _unmatched(item, meant[id(item)]), meant=tuple(meant.get(id(item), ())),
            otherwise=_otherwise(said, plain),
        )
        for item, said in zip(items, parsed.events, strict=True)
    ]  # fmt: skip
    tried += [Tried(position=r.position, refused=r, otherwise=_otherwise(r, plain)) for r in parsed.refusals]
    tried.sort(key=lambda one: _in_order(one.position))
    return Trial(reader=reader, tried=tuple(tried), envelopes=parsed.envelopes)


def _in_order(position: str) -> list[int]:
    """As the message has it: by the numbers of message, segment or row."""
    return [int(number) for number in _NUMBERS.findall(anchor(position))]


def _within_limits(body: bytes) -> None:
    """What the doors refuse before they look closer (W8)."""
    most = settings.INGEST_MAX_BYTES
    if len(body) > most:
        raise Unreadable(Reason.TOO_LARGE, f"The message has {len(body)} bytes; {most} are allowed.")
    if body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"[", b"{"):
        strictjson.loads(body, limits=strictjson.DOOR)
    elif body.count(b"\n") > strictjson.DOOR.length + 1 and CSV.recognises(body):
        raise Unreadable(Reason.TOO_MANY_ITEMS, f"A message may hold at most {strictjson.DOOR.length} rows.")


# --- whose events they are ---


def _meant(run: Run, items: Sequence[Item]) -> dict[int, list[Meant]]:
    """id of an item -> the shipments it speaks of, account by account."""
    found: dict[int, list[Meant]] = {id(item): [] for item in items}
    tenants = run._tenants_of_events(items) | run._tenants_of_references(items) if items else set()
    for tenant_id in sorted(tenants):
        with as_tenant(tenant_id):
            for item, meant in _of_account(run, items, tenant_id):
                found[id(item)].append(meant)
    return found


def _of_account(run: Run, items: Sequence[Item], tenant_id: int) -> Iterator[tuple[Item, Meant]]:
    """The part of one account, in its scope: a constant number of statements whatever the message holds."""
    part = TenantRun(run, items, authorised=run._may_report_on(tenant_id))
    candidates, versions = part._candidates(), part._earlier_versions()
    told: list[tuple[Item, int, bool, bool]] = []
    for item in part.items:
        assert item.event is not None
        now = matching.concerned(item.event, item.at, candidates)
        allowed, earlier = part._allowed(item, now, candidates), part._earlier(item, versions)
        told += [(item, pk, pk in allowed | earlier, pk in earlier) for pk in sorted(earlier.union(now))]
    shipments = Shipment.objects.in_bulk({pk for _item, pk, _allowed, _known in told})
    around = surroundings(list(shipments.values()))
    for item, pk, is_allowed, is_known in told:
        shipment = shipments[pk]
        bound = bind(_sighting(item, run.source), around.journey(shipment))
        yield item, Meant(
            tenant_id=tenant_id, shipment_id=pk, public_id=shipment.public_id, ref=shipment.ref,
            milestone=str(bound[0]) if bound else None, place=str(bound[1]) if bound and bound[1] else None,
            is_allowed=is_allowed, is_known=is_known,
        )  # fmt: skip


def _sighting(item: Item, source: Source) -> Sighting:
    """The event as the rules would see it, were it stored."""
    event = item.event
    assert event is not None and item.recorded_at is not None
    return Sighting(
        id=0, source=source.key, source_kind=source.kind, event_key=item.event_key, natural_key=item.natural_key,
        code=event.code, kind=event.kind, classifier=event.classifier, event_time=item.at,
        precision=event.precision, recorded_at=item.recorded_at, source_created_at=event.source_created_at,
        container=event.container, place=event.place, facility=event.facility, place_role=event.place_role,
        laden=event.laden, is_transshipment=event.is_transshipment, mode=event.mode, voyage=event.voyage,
        vessel_imo=event.vessel_imo, document_type=event.document_type, retracts=event.retracts,
    )  # fmt: skip


def _unmatched(item: Item, meant: Sequence[Meant]) -> Refusal | None:
    """What ingest would keep in quarantine because nobody is meant, or nobody who may be."""
    if any(m.is_allowed for m in meant):
        return None
    reason = Reason.NOT_AUTHORISED if meant else Reason.NO_MATCHING_SHIPMENT
    return Refusal(code=reason, position=item.position, detail=str(sentence(reason)))


# --- with and without the partner table ---


def _by_standard(
    source: Source, partner: Partner, body: bytes, content_type: str, file_name: str
) -> dict[str, list[CanonicalEvent | Refusal]] | None:
    """position -> what the standard meanings make of it; None when the partner has no meanings of its own."""
    if not partner.status:
        return None
    try:
        parsed = adapter_for(source.format, content_type, file_name).parse(body, partner=replace(partner, status={}))
    except Unreadable:
        parsed = Parsed()
    found: dict[str, list[CanonicalEvent | Refusal]] = {}
    everything: list[CanonicalEvent | Refusal] = [*parsed.events, *parsed.refusals]
    for said in everything:
        found.setdefault(anchor(said.position), []).append(said)
    return found


def _otherwise(
    said: CanonicalEvent | Refusal | None, plain: dict[str, list[CanonicalEvent | Refusal]] | None
) -> CanonicalEvent | Refusal | None:
    if plain is None or said is None:
        return None
    there = plain.get(anchor(said.position), [])
    other = next((o for o in there if o.position == said.position), there[0] if there else None)
    return None if other is None or _same(said, other) else other


def _same(one: CanonicalEvent | Refusal, other: CanonicalEvent | Refusal) -> bool:
    if isinstance(one, Refusal) or isinstance(other, Refusal):
        return isinstance(one, Refusal) and isinstance(other, Refusal) and one.code == other.code
    return all(getattr(one, name) == getattr(other, name) for name in _COMPARED)
