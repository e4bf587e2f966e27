"""The part of a run inside one account's scope: which of its shipments are meant, and what is appended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from portal.tenancy.context import scope
from portal.tenancy.selectors import tenant_current
from tracking import matching
from tracking.derivation import sighting_of, sightings_of
from tracking.ingest.items import Item, event_keys
from tracking.models import Reference, Shipment, SightingRow
from tracking.types import Load

if TYPE_CHECKING:
    from tracking.ingest.run import Run


class TenantRun:
    """The part of a run inside one tenant's scope: a constant number of statements whatever the batch."""

    def __init__(self, run: Run, items: Sequence[Item], *, authorised: bool = True) -> None:
        self.run, self.authorised = run, authorised
        self.forbidden: set[str] = set()  # positions of items that name shipments the source may not report on (G11)
        named = {i.event.account.upper() for i in items if i.event and i.event.account}
        own = tenant_current().code if named else ""
        # an event may say whose it is (history files)
        self.items = [i for i in items if i.event and (not i.event.account or i.event.account.upper() == own)]

    def apply(self) -> None:
        """Locks the shipments concerned in id order and stores new versions; the run derives once all parts are in."""
        candidates = self._candidates()
        versions = self._earlier_versions()
        wanted = self._wanted(candidates, versions)
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
        touched_now = self.run.touched[scope()]
        for shipment in shipments:
            if shipment.pk in changed:
                touched_now[shipment.pk] = (shipment, sightings[shipment.pk])

    def _wanted(
        self, candidates: Sequence[matching.Candidate], versions: Mapping[str, set[int]]
    ) -> list[tuple[Item, set[int]]]:
        """The items that concern this account, each with the shipments that it speaks of now."""
        held = frozenset[tuple[str, str]]().union(*(c.refs for c in candidates))
        wanted: list[tuple[Item, set[int]]] = []
        for item in self.items:
            assert item.event is not None
            if held.isdisjoint(item.all_refs) and versions.keys().isdisjoint(event_keys(item)):
                continue
            ids_now = self._allowed(item, matching.concerned(item.event, item.at, candidates), candidates)
            earlier = set().union(*(versions.get(k, set()) for k in event_keys(item)))
            if ids_now | earlier:
                wanted.append((item, ids_now))
        return wanted

    def _allowed(self, item: Item, found: Sequence[int], candidates: Sequence[matching.Candidate]) -> set[int]:
        """Of the shipments that are meant, those that this source may report on (G11)."""
        carriers = self.run.source.carriers
        if self.authorised and not carriers:
            return set(found)
        own = {c.shipment_id for c in candidates if self.authorised and (not carriers or c.carrier in carriers)}
        allowed = {pk for pk in found if pk in own}
        if found and not allowed:
            self.forbidden.add(item.position)
        return allowed

    @staticmethod
    def _earlier(item: Item, versions: Mapping[str, set[int]]) -> set[int]:
        return set().union(*(versions.get(k, set()) for k in event_keys(item)))

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
                carrier=carrier,
                is_lcl=load == Load.LCL,
            )
            for pk, booked, confirmed, pol, pod, transhipments, carrier, load in Shipment.objects.filter(
                pk__in=shipment_ids
            ).values_list("pk", "booked_at", "confirmed_at", "pol", "pod", "transhipments", "carrier", "load")
        ]

    def _earlier_versions(self) -> dict[str, set[int]]:
        """event key -> shipments that hold a version of it, for corrections and retractions (R1.3, R1.4)."""
        found: dict[str, set[int]] = defaultdict(set)
        keys = {k for i in self.items for k in event_keys(i)}
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
            # without an id of its own it is the happening that is named, and no version of one: it leaves nobody
            named = item.event.source_event_id is not None
            left = versions.get(item.event_key, set()) - ids_now - target if named else set()
            left = {pk for pk in left if not self._newer(item, sightings.get(pk, ()))}
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
            rows += self._moved_on(item, ids_now, known, sightings) if named else []
            rows += self._still_dead(item, ids_now, known) if named else []
        return rows

    def _newer(self, item: Item, listed: Sequence[Any]) -> bool:
        """Whether a shipment knows a later version of this event: that it is not meant by an old one is no news."""
        created = item.event.source_created_at if item.event else None
        return created is not None and any(
            s.source_created_at is not None and s.source_created_at > created
            for s in listed
            if (s.source, s.event_key) == (self.run.source.key, item.event_key)
        )

    def _moved_on(
        self, item: Item, ids_now: set[int], known: set[tuple[int, str, str]], sightings: Mapping[int, Sequence[Any]]
    ) -> list[SightingRow]:
        """An old version that comes late, after a newer one that concerned others: where it belonged, the newer one is
        noted as an empty version, as it would have been had they come in their order (G3, R1.3).
        """
        tip, created = self.run.tips.get(item.event_key), item.event.source_created_at if item.event else None
        if tip is None or created is None or tip <= created or (item.event and item.event.retracts):
            return []
        rows = []
        for pk in sorted(ids_now):
            told = [
                s for s in sightings.get(pk, ()) if (s.source, s.event_key) == (self.run.source.key, item.event_key)
            ]
            if any(s.source_created_at is not None and s.source_created_at >= tip for s in told):
                continue
            row = self._row(item, pk, None, is_empty=True)
            row.source_created_at, row.payload_hash = tip, _empty_digest(tip)
            version = (pk, row.event_key, row.payload_hash)
            if version not in known:
                known.add(version)
                rows.append(row)
        return rows

    def _still_dead(self, item: Item, ids_now: set[int], known: set[tuple[int, str, str]]) -> list[SightingRow]:
        """A withdrawn id that is told anew, about a shipment that did not have it: its withdrawal goes along (R1.4)."""
        withdrawal = self.run.dead.get(item.event_key)
        if withdrawal is None or (item.event and item.event.retracts):
            return []
        assert item.recorded_at is not None
        own = {f.attname for f in SightingRow._meta.concrete_fields} - {"id", "tenant_id", "shipment_id", "recorded_at"}
        rows = []
        for pk in sorted(ids_now):
            version = (pk, withdrawal.event_key, withdrawal.payload_hash)
            if version not in known:
                known.add(version)
                values = {name: getattr(withdrawal, name) for name in own}
                rows.append(SightingRow(shipment_id=pk, recorded_at=item.recorded_at, **values))
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
            payload_hash=matching.payload_digest({"retracts": event.retracts}) if event.retracts
            else _empty_digest(event.source_created_at) if is_empty else matching.payload_digest(part),
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
            warnings=[str(w) for w in event.warnings], evidence_ref=event.evidence_ref, entered_by=event.entered_by,
        )  # fmt: skip


def _empty_digest(created: datetime | None) -> str:
    """Of a version that says nothing here any more; each correction is one of its own, also after a return."""
    return matching.payload_digest({"moved": created.astimezone(UTC).isoformat()} if created else {})
