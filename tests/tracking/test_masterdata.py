"""Codes that nobody has told us of: usable at once, queued for an admin, and one port under two codes is one port."""

from __future__ import annotations

import csv
import secrets
from datetime import UTC, datetime
from pathlib import Path

import pytest

import tracking
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import AuditEntry
from tests import cast
from tests.tracking.messages import equipment, number_of, shipment, source, take, vessel
from tests.tracking.test_ingest import milestones
from tracking.models import Carrier, Place, Quarantined, SightingRow, Terminal, Vessel
from tracking.services import (
    AliasOfAlias,
    UnknownAliasTarget,
    UnknownZone,
    carrier_set,
    place_set,
    quarantine_replay,
    terminal_set,
)

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
