"""The part of a run inside one account's scope: which of its shipments are meant, and what is appended."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from django.db import connection

from portal.tenancy.context import scope
from portal.tenancy.selectors import tenant_current
from tracking import matching
from tracking.derivation import sighting_of, sightings_of
from tracking.ingest import store
from tracking.ingest.items import Item
from tracking.ingest.touched import quiet_first
from tracking.models import Shipment, SightingRow
from tracking.types import Load

if TYPE_CHECKING:
    from tracking.ingest.run import Run

Ref = tuple[str, str]

# The shipments that carry one of the references, each with all of its own. One look-up of the index for each reference.
# Beside them, asked once and not for each: whether a system of the account wants to be told.
_CANDIDATES: Final = """
with hit as materialized (
  select distinct r.shipment_id
    from unnest(string_to_array(%s, E'\\x1f')) as w(ref)
    join tracking_reference r on r.tenant_id = %s and r.value = split_part(w.ref, ':', 2)
                             and r.kind = split_part(w.ref, ':', 1)
)
select s.id, coalesce(s.booked_at, s.confirmed_at), s.pol, s.pod, s.transhipments, s.carrier, s.load,
       (select string_agg(r.kind || ':' || r.value, E'\\x1f') from tracking_reference r
         where r.tenant_id = s.tenant_id and r.shipment_id = s.id),
       exists (select from tracking_eventsubscription e where e.tenant_id = %s and e.is_active)
  from hit join tracking_shipment s on s.tenant_id = %s and s.id = hit.shipment_id
"""


@dataclass(frozen=True, slots=True)
class Version:
    """What an account already holds of an event, as far as the next version of it is concerned."""

    shipment_id: int
    payload_hash: str
    created_at: datetime | None
    says_something: bool  # neither a withdrawal nor an emptied version


Versions = Mapping[str, Sequence[Version]]  # by event key


class TenantRun:
    """The part of a run inside one tenant's scope: a constant number of statements whatever the batch."""

    def __init__(self, run: Run, items: Sequence[Item], *, versions: Versions, authorised: bool = True) -> None:
        self.run, self.versions, self.authorised = run, versions, authorised
        self.forbidden: set[str] = set()  # positions of items that name shipments the source may not report on (G11)
        self.candidates = matching.Candidates(())
        self.base = store.unset() | {
            "source": run.source.key, "source_kind": run.source.kind, "is_backfilled": run.is_backfill,
            "message": run.message.public_id,
        }  # fmt: skip
        named = {i.event.account.upper() for i in items if i.event and i.event.account}
        own = tenant_current().code if named else ""
        # an event may say whose it is (history files)
        self.items = [i for i in items if i.event and (not i.event.account or i.event.account.upper() == own)]

    def apply(self) -> None:
        """Stores new versions of what concerns this tenant's shipments; the run derives once all parts are in.

        A few are stored at once, under the locks of their shipments taken in id order. Many are left with the run,
        which copies those of all tenants together, and their shipments are noted for the work that derives them.
        """
        wanted = self.wanted()
        if not wanted:
            return
        if self.run.is_large:
            self._leave(wanted)
        else:
            self._store(wanted)

    def wanted(self) -> list[tuple[Item, set[int]]]:
        """The items that concern this account, each with the shipments that it may speak of now."""
        wanted: list[tuple[Item, set[int]]] = []
        for item, found in self.meant():
            ids_now = self.allowed(item, found)
            if ids_now or any(k in self.versions for k in item.keys):
                wanted.append((item, ids_now))
        return wanted

    def meant(self) -> list[tuple[Item, list[int]]]:
        """Each item with the account's shipments that it speaks of, allowed or not."""
        names = frozenset[Ref]().union(*(i.all_refs for i in self.items))
        self.candidates = matching.Candidates(self._candidates(names), names)
        return [
            (item, matching.concerned(item.event, item.at, self.candidates, named=item.named))
            for item in self.items
            if item.event is not None
        ]

    def _leave(self, wanted: Sequence[tuple[Item, set[int]]]) -> None:
        lines = []
        first: dict[tuple[int, str], str] = {}  # what this very batch tells twice under different ids
        for row, text in self._rows(wanted):
            may_repeat = not row.pop("is_note", False) and row["event_key"] != row["natural_key"]
            if may_repeat:
                name = (row["shipment_id"], row["natural_key"])
                row["is_repeat"] = first.setdefault(name, row["event_key"]) != row["event_key"]
            row["payload"] = text
            lines.append((row["shipment_id"], store.line(row, may_repeat=may_repeat)))
        if not lines:
            return
        # the order of shipments is the order of locks; the events of each stay in their order
        self.run.lines[scope()] = [text for _pk, text in sorted(lines, key=lambda line: line[0])]
        self.run.noted[scope()].update(pk for pk, _text in lines)

    def _store(self, wanted: Sequence[tuple[Item, set[int]]]) -> None:
        touched = sorted({i for item, now in wanted for i in now | self.earlier(item)})
        shipments = list(Shipment.objects.select_for_update(no_key=True).filter(pk__in=touched).order_by("pk"))
        sightings = sightings_of(touched)
        rows = [row for row, _text in self._rows(wanted)]
        if not rows:
            return
        source = self.run.source.key
        natural = {
            (pk, s.natural_key): s.event_key for pk, listed in sightings.items() for s in listed if s.source == source
        }
        for row in rows:
            if not row.pop("is_note", False):
                name = (row["shipment_id"], row["natural_key"])
                row["is_repeat"] = natural.setdefault(name, row["event_key"]) != row["event_key"]
        if not self.run.quiet:
            quiet_first(shipments, sightings, at=self.run.at)
        made = store.sightings_create(rows)
        changed = {r.shipment_id for r in made}
        for stored in made:
            sightings.setdefault(stored.shipment_id, []).append(sighting_of(stored.__dict__))
        touched_now = self.run.touched[scope()]
        for shipment in shipments:
            if shipment.pk in changed:
                touched_now[shipment.pk] = (shipment, sightings[shipment.pk])

    def allowed(self, item: Item, found: Sequence[int]) -> set[int]:
        """Of the shipments that are meant, those that this source may report on (G11)."""
        carriers = self.run.source.carriers
        if not found or (self.authorised and not carriers):
            return set(found)
        allowed = {pk for pk in found if self.authorised and self.candidates.by_id[pk].carrier in carriers}
        if not allowed:
            self.forbidden.add(item.position)
        return allowed

    def earlier(self, item: Item) -> set[int]:
        """The account's shipments that hold a version of the event, or of the one that it withdraws."""
        return {v.shipment_id for k in item.keys for v in self.versions.get(k, ())}

    def _candidates(self, wanted: Set[Ref]) -> Iterable[matching.Candidate]:
        if not wanted:
            return
        named = "\x1f".join(map(matching.ref_text, wanted))
        with connection.cursor() as cursor:
            cursor.execute(_CANDIDATES, [named, scope(), scope(), scope()])
            found = cursor.fetchall()
        self.run.listened.update({scope(): is_listening for *_shipment, is_listening in found[:1]})
        for pk, starts_at, pol, pod, transhipments, carrier, load, refs, _is_listening in found:
            yield matching.Candidate(
                shipment_id=pk,
                starts_at=starts_at,
                refs=frozenset([tuple(ref.split(":", 1)) for ref in refs.split("\x1f")] if refs else ()),
                calls=frozenset(c for c in (pol, pod, *transhipments) if c),
                carrier=carrier,
                is_lcl=load == Load.LCL,
            )

    def _rows(self, wanted: Sequence[tuple[Item, set[int]]]) -> list[tuple[dict[str, Any], str]]:
        """New versions: their fields, and their part of the message as it is stored."""
        known = {(v.shipment_id, key, v.payload_hash) for key, told in self.versions.items() for v in told}
        if self.run.dead:
            meant = set[int]().union(*(ids_now for _item, ids_now in wanted))
            known |= self._withdrawn_already(meant)
        rows: list[tuple[dict[str, Any], str]] = []
        for item, ids_now in wanted:
            assert item.event is not None
            target = set() if not item.event.retracts else self.earlier(item)
            # without an id of its own it is the happening that is named, and no version of one: it leaves nobody
            named = item.event.source_event_id is not None
            before = (
                {v.shipment_id for v in self.versions.get(item.event_key, ())} if named and self.versions else set()
            )
            left = {pk for pk in before - ids_now - target if not self._newer(item, pk)}
            for pk in sorted(ids_now | target | left):
                row, text = self._row(item, pk, is_empty=pk in left)
                version = (pk, item.event_key, row["payload_hash"])
                if version in known:
                    item.known = True
                    continue
                known.add(version)
                item.accepted = True
                rows.append((row, text))
            rows += self._moved_on(item, ids_now, known) if named and self.run.tips else []
            rows += self._still_dead(item, ids_now, known) if named and self.run.dead else []
        return rows

    def _newer(self, item: Item, pk: int) -> bool:
        """Whether a shipment knows a later version of this event: that it is not meant by an old one is no news."""
        created = item.event.source_created_at if item.event else None
        return created is not None and any(
            v.shipment_id == pk and v.created_at is not None and v.created_at > created
            for v in self.versions.get(item.event_key, ())
        )

    def _moved_on(
        self, item: Item, ids_now: set[int], known: set[tuple[int, str, str]]
    ) -> list[tuple[dict[str, Any], str]]:
        """An old version that comes late, after a newer one that concerned others: where it belonged, the newer one is
        noted as an empty version, as it would have been had they come in their order (G3, R1.3).
        """
        tip, created = self.run.tips.get(item.event_key), item.event.source_created_at if item.event else None
        if tip is None or created is None or tip <= created or (item.event and item.event.retracts):
            return []
        rows = []
        for pk in sorted(ids_now):
            told = [v for v in self.versions.get(item.event_key, ()) if v.shipment_id == pk]
            if any(v.created_at is not None and v.created_at >= tip for v in told):
                continue
            row, text = self._row(item, pk, is_empty=True)
            row |= {"source_created_at": tip, "payload_hash": _empty_digest(tip), "is_note": True}
            version = (pk, item.event_key, row["payload_hash"])
            if version not in known:
                known.add(version)
                rows.append((row, text))
        return rows

    def _withdrawn_already(self, shipments: Set[int]) -> set[tuple[int, str, str]]:
        """Of the withdrawals that may go along, those that these shipments hold."""
        held = SightingRow.objects.filter(
            source=self.run.source.key, retracts_key__in=list(self.run.dead), shipment_id__in=shipments
        )
        return set(held.values_list("shipment_id", "event_key", "payload_hash"))

    def _still_dead(
        self, item: Item, ids_now: set[int], known: set[tuple[int, str, str]]
    ) -> list[tuple[dict[str, Any], str]]:
        """A withdrawn id that is told anew, about a shipment that did not have it: its withdrawal goes along (R1.4)."""
        withdrawal = self.run.dead.get(item.event_key)
        if withdrawal is None or (item.event and item.event.retracts):
            return []
        rows: list[tuple[dict[str, Any], str]] = []
        for pk in sorted(ids_now):
            version = (pk, withdrawal.event_key, withdrawal.payload_hash)
            if version not in known:
                known.add(version)
                own = {"tenant_id": scope(), "shipment_id": pk, "recorded_at": item.recorded_at, "is_note": True}
                row = {name: getattr(withdrawal, name) for name in self.base} | own
                rows.append((row, matching.payload_text(withdrawal.payload).decode()))
        return rows

    def _row(self, item: Item, shipment_id: int, *, is_empty: bool) -> tuple[dict[str, Any], str]:
        event = item.event
        assert event is not None and item.recorded_at is not None
        part = self._part(event.payload, shipment_id) if not is_empty and not event.retracts else {}
        text = matching.payload_text(part)
        return {
            **self.base, "shipment_id": shipment_id, "source_event_id": event.source_event_id or "",
            "event_key": item.event_key, "natural_key": item.natural_key,
            "payload_hash": matching.payload_digest({"retracts": event.retracts}) if event.retracts
            else _empty_digest(event.source_created_at) if is_empty else hashlib.sha256(text).hexdigest(),
            "kind": str(event.kind), "code": str(event.code), "classifier": str(event.classifier),
            "event_time": None if is_empty else item.at, "precision": str(event.precision),
            "source_offset": event.offset_minutes, "local_text": event.local[:64], "zone": item.zone,
            "container": event.container or "", "place": event.place or "", "facility": event.facility or "",
            "place_role": event.place_role or "", "laden": event.laden, "is_transshipment": event.is_transshipment,
            "mode": event.mode or "", "voyage": event.voyage or "", "vessel": (event.vessel or "")[:80],
            "vessel_imo": event.vessel_imo or "", "document_type": event.document_type or "",
            "reason": (event.reason or "")[:250], "source_created_at": event.source_created_at,
            "recorded_at": item.recorded_at, "retracts": event.retracts or "",
            "retracts_key": matching.id_key(event.retracts) if event.retracts else "", "is_empty": is_empty,
            "position": item.position[:120], "payload": part,
            "warnings": [str(w) for w in event.warnings] if event.warnings else [],
            "evidence_ref": event.evidence_ref, "entered_by": event.entered_by,
        }, text.decode()  # fmt: skip

    def _part(self, payload: Mapping[str, Any], shipment_id: int) -> dict[str, Any]:
        """What of the message is this account's to see (R1.0)."""
        if self.run.own_tenant is not None:
            return dict(payload)
        candidate = self.candidates.by_id.get(shipment_id)
        return matching.part_of(payload, candidate.refs if candidate else frozenset())


def versions_of(rows: Iterable[tuple[str, int, str, datetime | None, bool, str]]) -> dict[str, list[Version]]:
    """Stored rows (event key, shipment, payload hash, created, empty, retracts) by event key."""
    found: dict[str, list[Version]] = defaultdict(list)
    for key, shipment_id, payload_hash, created_at, is_empty, retracts in rows:
        found[key].append(Version(shipment_id, payload_hash, created_at, not is_empty and not retracts))
    return found


def _empty_digest(created: datetime | None) -> str:
    """Of a version that says nothing here any more; each correction is one of its own, also after a return."""
    return matching.payload_digest({"moved": created.astimezone(UTC).isoformat()} if created else {})
