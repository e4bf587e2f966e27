"""Everything a shipment's page needs, read once: the shipment, its sightings, its facts, its story.

Reads the entered scope; the words are in shipment_pages.py. Never asks for the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from portal.lib.periods import zone_named
from tracking.derivation import sighting_of, surroundings
from tracking.milestones import ShipmentFacts, bind, critical_five, derive, final_of
from tracking.models import (
    CommitmentRow,
    Container,
    EtaRow,
    Leg,
    Place,
    Reference,
    ReferenceKind,
    Shipment,
    SightingRow,
)
from tracking.standing import Prospect
from tracking.story import Step, story
from tracking.types import FinalMilestone, Journey, Milestone, Mode, Sighting


class EventState(StrEnum):
    """Whether an event holds."""

    IN_FORCE = "IN_FORCE"
    CORRECTED = "CORRECTED"
    WITHDRAWN = "WITHDRAWN"
    WITHDRAWAL = "WITHDRAWAL"
    TOLD_BEFORE = "TOLD_BEFORE"


@dataclass(frozen=True, slots=True)
class Dossier:
    """One shipment as of now. `rows` are all sightings in the order heard; an event's number is its place there."""

    shipment: Shipment
    rows: Sequence[SightingRow]  # without payloads
    sightings: Sequence[Sighting]
    journey: Journey
    facts: ShipmentFacts
    steps: Sequence[Step]
    core: frozenset[Milestone] | None  # None: everything may be seen
    places: dict[str, Place]
    containers: Sequence[Container]
    references: Sequence[Reference]
    legs: Sequence[Leg]  # the newest version
    commitments: Sequence[CommitmentRow]

    @property
    def final(self) -> Milestone:
        """The agreed final milestone."""
        return final_of(self.journey.final)

    @property
    def zone(self) -> ZoneInfo:
        """That of the final place."""
        return zone_named(self.zone_of(self.shipment.final_place or self.shipment.pod) or "UTC")

    def zone_of(self, code: str | None) -> str:
        """A place's zone; empty where it is unknown."""
        place = self.places.get(code or "")
        return place.zone if place else ""

    def name_of(self, code: str | None) -> str:
        """A place's name, else its code."""
        place = self.places.get(code or "")
        return (place.name if place else "") or (code or "")

    def number_of(self, sighting_id: int) -> int | None:
        """The number of an event in the shipment's list of events."""
        return next((n for n, row in enumerate(self.rows, start=1) if row.pk == sighting_id), None)

    def visible(self, sighting: Sighting) -> bool:
        """Whether the reader may open this event: everything, or what speaks of the critical five (5.1)."""
        if self.core is None:
            return True
        bound = bind(sighting, self.journey)
        return bound is not None and bound[0] in self.core

    def state_of(self, number: int) -> EventState:
        """Whether the n-th event holds: in force, corrected, withdrawn, itself a withdrawal, or told before."""
        own = self.sightings[number - 1]
        if own.retracts is not None:
            return EventState.WITHDRAWAL
        if own.id in self.facts.live_ids:
            return EventState.IN_FORCE
        same = [s for s in self.sightings if s.source == own.source]
        if any(s.retracts == own.event_key for s in same):
            return EventState.WITHDRAWN
        if any(s.event_key == own.event_key and s.id != own.id for s in same):
            return EventState.CORRECTED
        return EventState.TOLD_BEFORE

    @property
    def prospect(self) -> Prospect:
        """How it stands against its promise."""
        s = self.shipment
        return Prospect(
            status=s.status, punctuality=s.punctuality, due_at=s.due_at, due_date=s.due_date, eta_at=s.eta_at,
            final_at=s.final_at, final_milestone=s.final_milestone, zone=self.zone,
        )  # fmt: skip


def dossier(public_id: str, *, now: datetime, every_event: bool) -> Dossier | None:
    """The entered account's shipment of this id, or None; a constant number of queries."""
    shipment = Shipment.objects.filter(public_id=public_id).first()
    if shipment is None:
        return None
    rows = list(SightingRow.objects.filter(shipment=shipment).defer("payload").order_by("id"))
    sightings = [sighting_of(row.__dict__) for row in rows]
    around = surroundings([shipment])
    journey = around.journey(shipment)
    facts = derive(sightings, journey, as_of=now)
    core = None if every_event else frozenset(critical_five(journey.final, Mode(shipment.mode), journey.load))
    codes = {c for c in (shipment.pol, shipment.pod, shipment.final_place, *shipment.transhipments) if c}
    codes |= {row.place for row in rows if row.place}
    legs = list(Leg.objects.filter(shipment=shipment).order_by("version", "sequence"))
    newest = legs[-1].version if legs else 0
    return Dossier(
        shipment=shipment,
        rows=rows,
        sightings=sightings,
        journey=journey,
        facts=facts,
        steps=story(sightings, journey, facts, limit=shipment.due_at, core=core),
        core=core,
        places={p.code: p for p in Place.objects.filter(code__in=codes)},
        containers=list(Container.objects.filter(shipment=shipment).order_by("removed_at", "number")),
        references=list(
            Reference.objects.filter(shipment=shipment).exclude(kind=ReferenceKind.VOYAGE).order_by("kind", "written")
        ),
        legs=[leg for leg in legs if leg.version == newest],
        commitments=list(CommitmentRow.objects.filter(shipment=shipment).order_by("-id")),
    )


def eta_history(shipment: Shipment) -> list[EtaRow]:
    """How the estimates of its milestones moved, as they were published, oldest first (R2.17)."""
    return list(EtaRow.objects.filter(shipment=shipment).order_by("published_at", "id"))


def event_row(shipment: Shipment, sighting_id: int) -> SightingRow:
    """One stored event with the part of its message that concerns this shipment."""
    return SightingRow.objects.get(shipment=shipment, pk=sighting_id)


def is_door(found: Dossier) -> bool:
    """Whether the promise ends at the customer's door."""
    return found.journey.final == FinalMilestone.DOOR
