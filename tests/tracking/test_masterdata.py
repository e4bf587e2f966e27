"""Codes that nobody has told us of: usable at once, queued for an admin, and one port under two codes is one port."""

from __future__ import annotations

import csv
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import tracking
from portal.outbox.runner import run_due
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import AuditEntry
from tests import cast
from tests.tracking.messages import equipment, number_of, shipment, source, take, vessel
from tests.tracking.test_ingest import milestones
from tracking.derivation import shipment_facts, stale
from tracking.models import Carrier, MilestoneRow, Place, Quarantined, Shipment, SightingRow, Terminal, Vessel
from tracking.services import (
    AliasOfAlias,
    UnknownAliasTarget,
    UnknownZone,
    carrier_set,
    place_set,
    quarantine_replay,
    source_setting_set,
    terminal_set,
)
from tracking.types import FinalMilestone, Milestone

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


def code() -> str:
    """A UN/LOCODE that is not in the list."""
    return "XX" + "".join(secrets.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(3))


def put(place: str, **given: object) -> Place:
    values = {"name": "Somewhere", "country": "", "zone": "", "lat": None, "lon": None, "sends_avpu": False,
              "alias_of": ""}  # fmt: skip
    with as_tenant(OPERATOR_ID):
        return place_set(code=place, at=NOW, actor="ADMIN", **{**values, **given})


def test_an_unknown_port_never_stops_an_event_and_waits_for_an_admin(acme) -> None:
    ship, line, port = shipment(acme), source(), code()
    for n in range(2):
        took = take(line, [equipment("DISC", number_of(ship), f"2026-02-1{n}T10:00:00+08:00", place=port)], at=NOW)
        assert (took.events_accepted, took.warnings) == (1, {"unknown_place": 1})
    place = Place.objects.get(code=port)
    assert (place.needs_review, place.seen_at, place.seen_from, place.country) == (True, NOW, line.key, "XX")
    put(port, name="Port of Somewhere", zone="Asia/Singapore")
    took = take(line, [equipment("LOAD", number_of(ship), "2026-02-13T10:00:00+08:00", place=port)], at=NOW)
    assert took.warnings == {}


@pytest.mark.req("R1.6")
def test_a_port_that_is_given_its_zone_frees_what_waited_for_it(acme) -> None:
    ship, line, port = shipment(acme), source(), code()
    take(line, [equipment("DISC", number_of(ship), "2026-02-10T10:00:00", place=port)], at=NOW)
    with as_tenant(OPERATOR_ID):
        waiting = Quarantined.objects.get(source=line)
        assert waiting.reason == "no_zone"
    put(port, zone="Asia/Singapore")
    with as_tenant(OPERATOR_ID):
        assert quarantine_replay(public_id=waiting.public_id, at=NOW, actor="OPS").state == "REPLAYED"
    with as_tenant(acme.pk):
        heard = SightingRow.objects.get(shipment=ship)
        assert heard.event_time == datetime(2026, 2, 10, 2, tzinfo=UTC)


def test_two_codes_of_one_port_are_one_port(acme) -> None:
    ship, line = shipment(acme, pol="CNSGH"), source()
    assert ship.pol == "CNSHA"
    take(line, [equipment("LOAD", number_of(ship), "2026-01-30T10:00:00", place="CNSGH")], at=NOW)
    assert set(milestones(ship)) == {"LOADED"}
    with as_tenant(acme.pk):
        heard = SightingRow.objects.get(shipment=ship)
        assert (heard.place, heard.event_time) == ("CNSHA", datetime(2026, 1, 30, 2, tzinfo=UTC))
        assert heard.payload["eventLocation"]["UNLocationCode"] == "CNSGH"  # the record keeps what was sent


def test_terminals_and_vessels_are_learned_from_events(acme) -> None:
    ship, line = shipment(acme), source()
    with as_tenant(acme.pk):
        booking = ship.references.get(kind="BOOKING").written
    event = equipment("DISC", number_of(ship), "2026-02-10T10:00:00+01:00", place="NLRTM")
    event["eventLocation"] |= {"facilityCode": "ZZTOP", "facilityCodeListProvider": "SMDG"}
    call = vessel("DEPA", booking, "2026-02-01T10:00:00+08:00", place="CNSHA")
    call["transportCall"]["vessel"] = {"vesselIMONumber": "9778129", "vesselName": "MADRID EXPRESS"}
    take(line, [event, call], at=NOW)
    terminal = Terminal.objects.get(place="NLRTM", code="ZZTOP")
    assert (terminal.needs_review, terminal.provider) == (True, "SMDG")
    assert (Vessel.objects.get(imo="9778129").name, Vessel.objects.get(imo="9778129").needs_review) == (
        "MADRID EXPRESS", False,
    )  # fmt: skip
    with as_tenant(OPERATOR_ID):
        terminal_set(place="NLRTM", code="ZZTOP", name="Top Terminal", provider="SMDG", at=NOW, actor="ADMIN")
    take(line, [{**event, "eventID": "again", "eventDateTime": "2026-02-11T10:00:00+01:00"}], at=NOW)
    assert not Terminal.objects.get(place="NLRTM", code="ZZTOP").needs_review


@pytest.mark.req("R0.8")
def test_an_accounts_own_source_leaves_no_private_code_in_tables_of_all(acme) -> None:
    own, private = source(tenant_id=acme.pk), f"DOOR-{secrets.token_hex(3).upper()}"
    ship = shipment(acme)
    event = equipment("DROP", number_of(ship), "2026-02-10T10:00:00+01:00", place=private)
    took = take(own, [event], at=NOW)
    assert took.events_accepted == 1
    assert not Place.objects.filter(code=private).exists()


def test_an_unknown_carrier_of_a_shipment_is_queued_and_can_be_named(acme) -> None:
    scac = "Z" + secrets.token_hex(2).upper()
    shipment(acme, carrier=scac)
    assert Carrier.objects.get(code=scac).needs_review
    with as_tenant(OPERATOR_ID):
        carrier_set(code=scac, name="Zed Line", smdg="ZED", at=NOW, actor="ADMIN")
    shipment(acme, carrier=scac)
    assert (Carrier.objects.get(code=scac).needs_review, str(Carrier.objects.get(code=scac))) == (False, "Zed Line")


def test_an_admins_word_is_checked_and_audited() -> None:
    cast.operator()
    port = code()
    with as_tenant(OPERATOR_ID):
        with pytest.raises(UnknownZone):
            put(port, zone="Europe/Rotterdam")
        with pytest.raises(UnknownAliasTarget):
            put(port, alias_of="XXZZZ")
        with pytest.raises(AliasOfAlias):
            put(port, alias_of="CNSGH")
        made = put(port, alias_of="NLRTM")
        assert made.zone == "Europe/Amsterdam"
        assert AuditEntry.objects.filter(action="place.set", object_id=port).count() == 1


def test_the_terminals_that_ship_stand_at_places_that_ship() -> None:
    data = Path(tracking.__file__).parent / "data"

    def rows(name: str) -> list[dict[str, str]]:
        with (data / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    known = {r["code"] for r in rows("places.csv")}
    terminals, aliases = rows("terminals.csv"), rows("aliases.csv")
    assert len(terminals) == 1_060
    assert {t["provider"] for t in terminals} == {"SMDG", "BIC"}
    assert [t for t in terminals if t["place"] not in known and t["place"] not in {a["alias"] for a in aliases}] == []
    assert [a for a in aliases if a["place"] not in known] == []


@pytest.mark.req("R4.3", "P10", "X30")
def test_what_a_place_reports_is_dated_and_works_its_shipments_out_anew(acme) -> None:
    port = code()
    put(port, zone="Asia/Singapore")
    ship = shipment(acme, pod=port, final_place=port, final_milestone=FinalMilestone.CY)
    take(source(), [equipment("DISC", number_of(ship), "2026-03-01T10:00:00+08:00", place=port)], at=NOW)
    assert "CY_AVAILABLE" in milestones(ship)
    later = NOW + timedelta(days=2)
    with as_tenant(OPERATOR_ID):
        place_set(code=port, name="Somewhere", country="", zone="Asia/Singapore", lat=None, lon=None, sends_avpu=True,
                  alias_of="", at=later, actor="ADMIN")  # fmt: skip
    with as_tenant(acme.pk):
        run_due(at=later)
        again = Shipment.objects.get(pk=ship.pk)
        assert again.final_at is None
        before = shipment_facts(again, as_of=NOW).reached(Milestone.CY_AVAILABLE)
        assert before is not None and shipment_facts(again, as_of=later).reached(Milestone.CY_AVAILABLE) is None
        assert stale([again], at=later) == []


@pytest.mark.req("R1.9", "R4.3")
def test_a_sources_new_rank_works_its_shipments_out_anew(acme) -> None:
    ship, first, second = shipment(acme), source(), source()
    for line, hour in ((first, 8), (second, 10)):
        take(line, [equipment("GTOT", number_of(ship), f"2026-03-10T{hour:02}:00:00+01:00", place="NLRTM")], at=NOW)
    winner = min((first.key, 8), (second.key, 10))
    loser = max((first.key, 8), (second.key, 10))
    later = NOW + timedelta(days=2)

    def hour() -> int:
        with as_tenant(acme.pk):
            out = MilestoneRow.objects.get(shipment=ship, container="", milestone="GATE_OUT_FULL")
            return out.act_at.hour + 1

    assert hour() == winner[1]
    with as_tenant(OPERATOR_ID):
        source_setting_set(key=loser[0], name="rank", value=5, at=later, actor="ADMIN")
    with as_tenant(acme.pk):
        run_due(at=later)
    assert hour() == loser[1]
