"""The chains of door, CY, CFS and LCL shipments, from messages to state, visits, legs and estimates (1.1, R1.13)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import transaction

from portal.outbox.models import OutboxRow
from portal.tenancy.context import OPERATOR_ID, as_tenant
from tests.tracking.messages import box, equipment, number_of, shipment, source, take, vessel
from tests.tracking.sightings import journey, sighting
from tests.tracking.test_ingest import milestones
from tracking.derivation import stale
from tracking.milestones import bind, chain, critical_five
from tracking.models import EtaRow, LegRow, MilestoneRow, Shipment, VisitRow
from tracking.services import LclToCy, derivation_mend
from tracking.types import FinalMilestone, Load, Milestone

NOW = datetime(2026, 3, 25, 12, tzinfo=UTC)
M, LCL = Milestone, Load.LCL


@pytest.mark.req("R1.13")
def test_lcl_begins_with_the_cargo_at_the_warehouse() -> None:
    for final in (FinalMilestone.CFS, FinalMilestone.DOOR):
        assert chain(final, load=LCL)[0] == critical_five(final, load=LCL)[0] == M.CFS_RECEIVED
        assert M.GATE_IN_FULL not in chain(final, load=LCL)
        assert chain(final, load=LCL)[1:] == chain(final)[1:]


def test_the_box_at_the_gate_is_not_the_cargo_at_the_warehouse() -> None:
    trip = journey(FinalMilestone.CFS, load=LCL)
    cargo = sighting(1, "GTIN", 5, place="CNSHA", laden=True, container=None)
    the_box = sighting(2, "GTIN", 9, place="CNSHA", laden=True)
    at_the_end = sighting(3, "GTIN", 900, place="NLRTM", laden=True, container=None)
    assert [b and b[0] for b in (bind(s, trip) for s in (cargo, the_box, at_the_end))] == [
        M.CFS_RECEIVED, M.GATE_IN_FULL, None,
    ]  # fmt: skip


def test_lcl_is_not_promised_to_the_yard(acme) -> None:
    with pytest.raises(LclToCy):
        shipment(acme, load=LCL, final_milestone=FinalMilestone.CY)


@pytest.mark.req("R1.13", "R1.0")
def test_lcl_cargo_inherits_the_voyage_of_its_box_for_every_account_in_it(acme, globex) -> None:
    number, line = box(), source()
    parts = [
        shipment(who, load=LCL, final_milestone=FinalMilestone.CFS, containers=(number,), booking=f"LCL{n}",
                 voyage="601W")
        for n, who in enumerate((acme, acme, globex))
    ]  # fmt: skip
    full = shipment(acme, containers=(box(),))
    take(line, [
        equipment("LOAD", number, "2026-02-01T10:00:00+08:00"),
        equipment("DISC", number, "2026-03-01T10:00:00+01:00", place="NLRTM"),
        equipment("GTOT", number, "2026-03-02T10:00:00+01:00", place="NLRTM"),
        equipment("STRP", number, "2026-03-03T10:00:00+01:00", place="NLRTM"),
    ], at=NOW)  # fmt: skip
    for part in parts:
        assert set(milestones(part)) == {"LOADED", "DISCHARGED", "GATE_OUT_FULL", "CFS_AVAILABLE"}
    assert milestones(full) == {}
    with as_tenant(acme.pk):
        stripped = MilestoneRow.objects.get(shipment=parts[0], container="", milestone="CFS_AVAILABLE")
        assert stripped.basis == "STRP"


def test_a_box_that_travels_again_is_not_shared_across_voyages(acme) -> None:
    number, line = box(), source()
    common = {"load": LCL, "final_milestone": FinalMilestone.CFS, "containers": (number,)}
    before = shipment(acme, booking="OLD1", voyage="590E", vessel_imo="9321483",
                      booked_at=datetime(2025, 9, 1, tzinfo=UTC), confirmed_at=None, **common)  # fmt: skip
    now = shipment(acme, booking="NEW1", voyage="601W", **common)
    take(line, [equipment("LOAD", number, "2026-02-01T10:00:00+08:00")], at=NOW)
    assert (milestones(before), set(milestones(now))) == ({}, {"LOADED"})


@pytest.mark.req("R2.10", "R2.17", "R1.14", "P4")
def test_visits_legs_and_estimates_follow_the_record(acme) -> None:
    ship, line = shipment(acme), source()
    number = number_of(ship)
    with as_tenant(acme.pk):
        booking = ship.references.get(kind="BOOKING").written
    take(line, [
        vessel("ARRI", booking, "2026-03-10T06:00:00+01:00", place="NLRTM", cls="EST", id="eta",
               created="2026-01-20T00:00:00Z"),
        equipment("GTIN", number, "2026-01-28T09:30:00+08:00"),
        equipment("LOAD", number, "2026-01-30T09:30:00+08:00"),
        vessel("DEPA", booking, "2026-01-31T01:00:00+08:00", place="CNSHA"),
    ], at=datetime(2026, 2, 1, tzinfo=UTC))  # fmt: skip
    take(line, [vessel("ARRI", booking, "2026-03-12T06:00:00+01:00", place="NLRTM", cls="EST", id="eta",
                       created="2026-02-20T00:00:00Z")], at=datetime(2026, 2, 20, tzinfo=UTC))  # fmt: skip
    with as_tenant(acme.pk):
        visit = VisitRow.objects.get(shipment=ship)
        assert (visit.place, visit.role, visit.seconds) == ("CNSHA", "EXPORT", 48 * 3600)
        leg = LegRow.objects.get(shipment=ship, sequence=1)
        assert (leg.origin, leg.destination, leg.departed_at) == (
            "CNSHA", "NLRTM", datetime(2026, 1, 30, 17, tzinfo=UTC),
        )  # fmt: skip
        moves = EtaRow.objects.filter(shipment=ship, milestone="VESSEL_ARRIVED").order_by("published_at")
        assert [(m.published_at.day, m.eta_at.day) for m in moves] == [(1, 10), (20, 12)]
        assert stale([Shipment.objects.get(pk=ship.pk)], at=NOW) == []


@pytest.mark.req("G12")
def test_what_changed_is_a_fact(acme) -> None:
    ship, line = shipment(acme), source()
    number = number_of(ship)
    take(
        line, [equipment("LOAD", number, "2026-01-30T09:30:00+08:00", id="l")], at=datetime(2026, 1, 30, 2, tzinfo=UTC)
    )
    take(line, [equipment("LOAD", number, "2026-01-30T11:30:00+08:00", id="l", created="2026-02-01T00:00:00Z")],
         at=datetime(2026, 2, 1, tzinfo=UTC))  # fmt: skip
    take(line, [equipment("DROP", number, "2026-03-19T10:00:00+01:00", place="NLRTM", cls="EST")],
         at=datetime(2026, 2, 2, tzinfo=UTC))  # fmt: skip
    with as_tenant(acme.pk):
        told = [
            (
                row.name,
                row.payload.get("milestone", ""),
                row.payload.get("was", "")[:16],
                row.payload.get("now", "")[:16],
            )
            for row in OutboxRow.objects.filter(payload__shipment=ship.public_id).order_by("pk")
        ]
    assert told == [
        ("tracking.milestone_reached", "LOADED", "", ""),
        ("tracking.milestone_changed", "LOADED", "2026-01-30T01:30", "2026-01-30T03:30"),
        ("tracking.eta_changed", "", "", "2026-03-19T09:00"),
    ]


@pytest.mark.req("P4")
def test_the_nightly_check_mends_what_differs_and_tells_the_staff(acme) -> None:
    ship, line = shipment(acme), source()
    take(line, [equipment("LOAD", number_of(ship), "2026-01-30T09:30:00+08:00")], at=NOW)
    with as_tenant(acme.pk):
        assert derivation_mend(at=NOW) == []
        with transaction.atomic():
            MilestoneRow.objects.filter(shipment=ship).delete()
            VisitRow.objects.filter(shipment=ship).delete()
            Shipment.objects.filter(pk=ship.pk).update(milestone="")
        assert derivation_mend(at=NOW) == [ship.ref]
        assert derivation_mend(at=NOW) == []
        assert Shipment.objects.get(pk=ship.pk).milestone == "LOADED"
    with as_tenant(OPERATOR_ID):
        assert OutboxRow.objects.filter(name="tracking.derivation_differed", payload__references=ship.ref).count() == 1
