"""Whose event it is: the references an event carries, the shipments of one tenant it concerns, and their part of it.

Pure (R1.0): decided tenant by tenant from that tenant's own shipments, never from the order of arrival.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from portal.lib import ids
from tracking.types import CanonicalEvent, Kind

_sorted = msgspec.json.Encoder(order="sorted", enc_hook=str).encode
_INLAND: Final = frozenset({"TRUCK", "RAIL"})
_EARLY_START: Final = timedelta(days=30)  # an event may precede a booking that was entered late


@dataclass(slots=True)
class Candidate:
    """A shipment of the tenant with what matching needs."""

    shipment_id: int
    starts_at: datetime | None  # booked or confirmed; None: unknown, so always before
    refs: frozenset[tuple[str, str]]  # (kind, normal form)
    calls: frozenset[str] = field(default_factory=frozenset)  # POL, POD and transhipment places
    carrier: str = ""
    is_lcl: bool = False

    def has(self, wanted: Iterable[tuple[str, str]]) -> bool:
        """Whether it carries one of these references."""
        return not self.refs.isdisjoint(wanted)

    def kinds(self) -> set[str]:
        """The kinds of references it carries."""
        return {kind for kind, _value in self.refs}


def _refs(kind: str, *values: str | None) -> set[tuple[str, str]]:
    return {(kind, normal) for value in values if value and (normal := ids.reference(value))}


def voyage_ref(imo: str | None, voyage: str | None) -> set[tuple[str, str]]:
    """A vessel call is found by IMO number and voyage together."""
    return _refs("VOYAGE", imo + voyage) if imo and voyage else set()


def levels(event: CanonicalEvent) -> list[set[tuple[str, str]]]:
    """The event's references, the surest first: shipment, paper, container, vessel call."""
    bookings, bills = [event.booking], [event.bill_of_lading]
    for kind, value in event.references:
        if kind == "BKG":
            bookings.append(value)
        elif kind == "TRD":
            bills.append(value)
    found = [
        _refs("SHIPMENT", event.shipment_ref) if event.shipment_ref else set(),
        _refs("BOOKING", *bookings),
        _refs("CONTAINER", event.container, *event.equipment),
    ]
    if len(bills) > 1 or bills[0]:
        found[1] |= _refs("MBL", *bills) | _refs("HBL", *bills)
    if event.kind == Kind.TRANSPORT:
        found.append(voyage_ref(event.vessel_imo, event.voyage))
    return found


def all_refs(event: CanonicalEvent) -> set[tuple[str, str]]:
    """Every reference that could match the event to a shipment."""
    return set().union(*levels(event))


def ref_text(ref: tuple[str, str]) -> str:
    """`KIND:VALUE`, as quarantine rows and the look-up function take it."""
    return f"{ref[0]}:{ref[1]}"


class Candidates:
    """Shipments of one tenant by what they are called, so that many events are matched without asking each of all."""

    def __init__(self, listed: Iterable[Candidate], wanted: Set[tuple[str, str]] | None = None) -> None:
        """`wanted`: the references that will be asked for; None: any may be."""
        self.by_id = {c.shipment_id: c for c in listed}
        self._by_ref: dict[tuple[str, str], list[Candidate]] = {}
        for candidate in self.by_id.values():
            for ref in candidate.refs if wanted is None else candidate.refs & wanted:
                self._by_ref.setdefault(ref, []).append(candidate)

    def having(self, wanted: Iterable[tuple[str, str]]) -> list[Candidate]:
        """Those that carry one of these references, in no order."""
        lists = [found for ref in wanted if (found := self._by_ref.get(ref)) is not None]
        if len(lists) <= 1:
            return lists[0] if lists else []
        return list({c.shipment_id: c for found in lists for c in found}.values())


def concerned(
    event: CanonicalEvent,
    event_time: datetime | None,
    candidates: Candidates,
    *,
    named: Sequence[Set[tuple[str, str]]] | None = None,
) -> list[int]:
    """The ids of the tenant's shipments that the event speaks of, in id order (R1.0). `named`: its `levels`."""
    shipment, paper, boxes, call = [*(levels(event) if named is None else named), set(), set()][:4]
    if shipment:
        return sorted(c.shipment_id for c in candidates.having(shipment))
    if paper and (by_paper := candidates.having(paper)):
        with_box = [c for c in by_paper if c.has(boxes)]
        return sorted(c.shipment_id for c in (with_box or by_paper))
    if boxes:
        # a shipment that is known under another booking or bill is not meant; but hauliers and railways write their own
        # bills, which say nothing about the ocean carrier's
        kinds = set() if event.mode in _INLAND else {kind for kind, _value in paper}
        free = [c for c in candidates.having(boxes) if not (kinds & c.kinds() & {"BOOKING", "MBL"})]
        chosen = {_journey_of_box(box, event_time, free) for box in boxes}
        found = {i for i in chosen if i is not None}
        if found:
            return sorted(found | _sharing(boxes, found, free))
    if call and event.place:
        return sorted(c.shipment_id for c in candidates.having(call) if event.place in c.calls)
    return []


def _journey_of_box(box: tuple[str, str], event_time: datetime | None, candidates: Sequence[Candidate]) -> int | None:
    """A box travels again and again: the latest journey that began before the event, else one that begins soon."""
    having = [c for c in candidates if c.has({box})]
    if event_time is None:
        return max((c.shipment_id for c in having), default=None)
    begun = [c for c in having if c.starts_at is None or c.starts_at <= event_time]
    if begun:
        return max(begun, key=lambda c: (c.starts_at is not None, c.starts_at or event_time, c.shipment_id)).shipment_id
    soon = [c for c in having if c.starts_at is not None and c.starts_at - event_time <= _EARLY_START]
    return min(soon, key=lambda c: (c.starts_at or event_time, c.shipment_id)).shipment_id if soon else None


def _sharing(boxes: Set[tuple[str, str]], found: set[int], candidates: Sequence[Candidate]) -> set[int]:
    """LCL: all cargo in the box travels with it. The same box on the same voyage, or where none is known begun within
    the same month, is the same journey (1.1).
    """
    chosen = [c for c in candidates if c.shipment_id in found and c.is_lcl]
    return {
        other.shipment_id
        for one in chosen
        for other in candidates
        if other.is_lcl
        and other.has(boxes)
        and other.has({r for r in one.refs if r in boxes})
        and _together(one, other)
    }


def _together(one: Candidate, other: Candidate) -> bool:
    voyages = [{value for kind, value in c.refs if kind == "VOYAGE"} for c in (one, other)]
    if all(voyages):
        return not voyages[0].isdisjoint(voyages[1])
    if one.starts_at is None or other.starts_at is None:
        return one.starts_at is other.starts_at
    return abs(one.starts_at - other.starts_at) <= _EARLY_START


_LISTS: Final = (("references", "referenceValue"), ("documentReferences", "documentReferenceValue"))
_LISTS_3: Final = (("additionalDocumentReferences", "reference"), ("shipmentReferences", "reference"))
_REPLACED_3: Final = ("documentReferenceReplacements", "shipmentReferenceReplacements")
_FINDS_3: Final = frozenset({"BKG", "BOOKING", "TRD", "TRANSPORT_DOCUMENT"})


def part_of(payload: Mapping[str, Any], refs: frozenset[tuple[str, str]]) -> dict[str, Any]:
    """The shipment's part of an event: references of others are left out (R1.0)."""
    own = {value for _kind, value in refs}
    part = _only(payload, _LISTS, own)
    details = part.get("shipmentDetails")
    if isinstance(details, dict):
        part["shipmentDetails"] = _details_3(details, own)
    routing = part.get("eventRouting")
    if isinstance(routing, dict):  # who else was told is nobody's business
        part["eventRouting"] = {k: v for k, v in routing.items() if not k.startswith(("destination", "forwarding"))}
    return part


def _only(data: Mapping[str, Any], lists: Iterable[tuple[str, str]], own: set[str]) -> dict[str, Any]:
    part = dict(data)
    for name, value_key in lists:
        listed = part.get(name)
        if isinstance(listed, list):
            part[name] = [e for e in listed if isinstance(e, dict) and ids.reference(str(e.get(value_key, ""))) in own]
    return part


def _details_3(details: Mapping[str, Any], own: set[str]) -> dict[str, Any]:
    """The shipment details of Track & Trace 3.0: its own booking and bill, and what replaced them."""
    part = _only(details, _LISTS_3, own)
    first = part.get("documentReference")
    if isinstance(first, dict) and str(first.get("type") or first.get("typeCode")).upper() in _FINDS_3:
        part |= _only({"documentReference": [first]}, [("documentReference", "reference")], own)
        part["documentReference"] = first if part["documentReference"] else None
    for name in _REPLACED_3:
        listed = part.get(name)
        if isinstance(listed, list):
            sides = [("oldReferences", "reference"), ("newReferences", "reference")]
            part[name] = [_only(e, sides, own) for e in listed if isinstance(e, dict)]
    return part


def payload_text(part: Mapping[str, Any]) -> bytes:
    """The part as JSON with sorted keys: what is stored, and what its digest is taken of."""
    try:
        return _sorted(part)
    except (OverflowError, msgspec.MsgspecError):  # a whole number of more than 64 bits
        return json.dumps(part, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str).encode()


def payload_digest(part: Mapping[str, Any]) -> str:
    """SHA-256 over the part with sorted keys (R1.2)."""
    return hashlib.sha256(payload_text(part)).hexdigest()


def natural_key(source: str, event: CanonicalEvent, event_time: datetime | None) -> str:
    """The digest of the natural key (R1.2): what stands for a message without an id, and finds repeats."""
    minute = "" if event_time is None else event_time.isoformat()[:16]
    if event.document_type is not None:
        subject = f"{event.document_type}:{event.document_id or ''}"
    else:
        subject = event.container or ""
    parts = (
        source, subject, event.code, event.classifier, event.place or "", event.vessel_imo or event.vessel or "",
        event.voyage or "", minute, event.retracts or "",
    )  # fmt: skip
    return ids.digest("\x1f".join(parts))


def event_key(source: str, event: CanonicalEvent, event_time: datetime | None) -> str:
    """The digest of the source's own id, else the natural key (R1.2)."""
    return id_key(event.source_event_id) if event.source_event_id else natural_key(source, event, event_time)


def id_key(source_event_id: str) -> str:
    """The digest under which a source's own event id is found."""
    return ids.digest("id\x1f" + source_event_id)
