"""A message is kept raw, matched tenant by tenant, stored once, and moves its shipment."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection

from portal.outbox.models import OutboxRow
from portal.tenancy.context import OPERATOR_ID, as_tenant
from tests.tracking.messages import box, equipment, number_of, shipment, source, take, vessel
from tracking.models import MilestoneRow, Quarantined, RawBody, Shipment, SightingRow
from tracking.services import quarantine_discard, quarantine_replay, waiting_match
from tracking.types import SourceKind

pytestmark = [pytest.mark.walls]
NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


def counts(message) -> tuple[int, int, int, int]:
    return (message.events_received, message.events_accepted, message.events_duplicate, message.events_quarantined)


def reasons(message) -> list[str]:
    with as_tenant(message.tenant_id):
        return sorted(Quarantined.objects.filter(message=message).values_list("reason", flat=True))


def milestones(shipment) -> dict[str, datetime]:
    with as_tenant(shipment.tenant_id):
        return dict(MilestoneRow.objects.filter(shipment=shipment, container="", act_at__isnull=False)
                    .values_list("milestone", "act_at"))  # fmt: skip


@pytest.mark.req("R1.0", "G1")
def test_an_actual_reaches_its_milestone_and_is_told_once(acme) -> None:
    s, line = shipment(acme), source()
    message = take(line, [equipment("GTIN", number_of(s), "2026-01-28T09:30:00+08:00")], at=NOW)
    assert counts(message) == (1, 1, 0, 0)
    assert milestones(s) == {"GATE_IN_FULL": datetime(2026, 1, 28, 1, 30, tzinfo=UTC)}
    with as_tenant(acme.pk):
        s.refresh_from_db()
        assert (s.milestone, s.status) == ("GATE_IN_FULL", "UNDER_WAY")
        assert OutboxRow.objects.filter(name="tracking.milestone_reached").count() == 1
    with as_tenant(OPERATOR_ID):
        assert RawBody.objects.filter(source=line).count() == 1


@pytest.mark.req("R1.2", "G2", "X14")
def test_the_same_message_fifty_times_is_counted_and_applied_once(acme) -> None:
    s, line = shipment(acme), source()
    events = [equipment("GTIN", number_of(s), "2026-01-28T09:30:00+08:00")]
    first = take(line, events, at=NOW)
    again = [take(line, events, at=NOW) for _n in range(49)]
    assert counts(first) == (1, 1, 0, 0)
    assert {counts(m) for m in again} == {(1, 0, 1, 0)}
    with as_tenant(acme.pk):
        assert SightingRow.objects.filter(shipment=s).count() == 1
    with as_tenant(OPERATOR_ID):
        assert RawBody.objects.filter(source=line).count() == 1


@pytest.mark.req("R1.2", "X14")
def test_the_same_happening_under_another_id_is_a_repeat_and_changes_nothing(acme) -> None:
    s, line = shipment(acme), source()
    for name in ("a", "b"):
        take(line, [equipment("GTIN", number_of(s), "2026-01-28T09:30:00+08:00", id=name)], at=NOW)
    with as_tenant(acme.pk):
        assert list(SightingRow.objects.filter(shipment=s).order_by("id").values_list("is_repeat", flat=True)) == [
            False,
            True,
        ]
        assert OutboxRow.objects.filter(name="tracking.milestone_reached").count() == 1


@pytest.mark.req("R1.3", "X10")
def test_a_correction_is_a_new_version_and_the_old_one_stays(acme) -> None:
    s, line = shipment(acme), source()
    number = number_of(s)
    take(
        line, [equipment("GTIN", number, "2026-01-28T09:30:00+08:00", id="g1", created="2026-01-28T10:00:00Z")], at=NOW
    )
    take(
        line, [equipment("GTIN", number, "2026-01-29T09:30:00+08:00", id="g1", created="2026-01-29T10:00:00Z")], at=NOW
    )
    assert milestones(s) == {"GATE_IN_FULL": datetime(2026, 1, 29, 1, 30, tzinfo=UTC)}
    with as_tenant(acme.pk):
        assert SightingRow.objects.filter(shipment=s).count() == 2


@pytest.mark.req("R1.3")
def test_a_correction_to_another_box_leaves_an_empty_version_with_the_first_owner(acme, globex) -> None:
    mine, theirs, line = shipment(acme), shipment(globex), source()
    first = equipment("GTIN", number_of(mine), "2026-01-28T09:30:00+08:00", id="g1", created="2026-01-28T10:00:00Z")
    take(line, [first], at=NOW)
    take(
        line,
        [{**first, "equipmentReference": number_of(theirs), "eventCreatedDateTime": "2026-01-28T11:00:00Z"}],
        at=NOW,
    )
    assert milestones(mine) == {}
    assert set(milestones(theirs)) == {"GATE_IN_FULL"}
    with as_tenant(acme.pk):
        assert number_of(theirs) not in json.dumps(
            list(SightingRow.objects.filter(shipment=mine).values_list("payload"))
        )


@pytest.mark.req("R1.0", "T13")
def test_a_vessel_call_concerns_several_accounts_and_each_gets_its_own_part(acme, globex) -> None:
    mine, theirs, line = shipment(acme, booking="ONE1"), shipment(globex, booking="TWO2"), source()
    event = vessel("DEPA", "ONE1", "2026-02-01T22:00:00+08:00", place="CNSHA")
    event["documentReferences"].append({"documentReferenceType": "BKG", "documentReferenceValue": "TWO2"})
    event["references"] = [{"referenceType": "EQ", "referenceValue": number_of(mine)},
                           {"referenceType": "EQ", "referenceValue": number_of(theirs)}]  # fmt: skip
    take(line, [event], at=NOW)
    assert set(milestones(mine)) == {"VESSEL_DEPARTED"} == set(milestones(theirs))
    with as_tenant(acme.pk):
        text = json.dumps(SightingRow.objects.filter(shipment=mine).values_list("payload", flat=True)[0])
    assert number_of(mine) in text and number_of(theirs) not in text and "TWO2" not in text


@pytest.mark.req("R1.13")
def test_a_vessel_departure_reaches_every_box_of_the_booking(acme) -> None:
    s, line = shipment(acme, containers=(box(), box(), box())), source()
    with as_tenant(acme.pk):
        booking = s.references.get(kind="BOOKING").written
    take(line, [vessel("DEPA", booking, "2026-02-01T22:00:00+08:00", place="CNSHA")], at=NOW)
    with as_tenant(acme.pk):
        assert MilestoneRow.objects.filter(shipment=s, milestone="VESSEL_DEPARTED", act_at__isnull=False).count() == 4


@pytest.mark.req("G6", "G5", "R1.5", "R1.6")
def test_each_bad_event_waits_with_its_reason_and_the_good_ones_count(acme) -> None:
    s, line = shipment(acme), source()
    number = number_of(s)
    good = equipment("GTIN", number, "2026-01-28T09:30:00+08:00")
    bad = [
        {**good, "eventID": "1", "equipmentReference": 17},
        {**good, "eventID": "2", "equipmentEventTypeCode": "FLYX"},
        {**good, "eventID": "3", "eventDateTime": "2026-01-28T09:30:00", "eventLocation": {"UNLocationCode": "XXQQQ"}},
        {**good, "eventID": "4", "eventDateTime": "2026-03-15T12:20:00Z"},
        {**good, "eventID": "5", "equipmentReference": box()},
        {**good, "eventID": "6", "eventDateTime": "yesterday"},
        {k: v for k, v in good.items() if k != "eventClassifierCode"},
        {**good, "eventID": "8", "eventDateTime": "1987-01-01T00:00:00Z"},
        "not an event",
    ]
    message = take(line, [*bad, good], at=NOW)
    assert counts(message) == (10, 1, 0, 9)
    assert reasons(message) == sorted([
        "wrong_type", "unknown_code", "no_zone", "future_actual", "no_matching_shipment", "bad_time", "no_classifier",
        "implausible_time", "wrong_type",
    ])  # fmt: skip
    with as_tenant(OPERATOR_ID):
        assert Quarantined.objects.get(message=message, reason="unknown_code").position == "$[1].equipmentEventTypeCode"
    assert set(milestones(s)) == {"GATE_IN_FULL"}


@pytest.mark.req("R1.5", "X09")
@pytest.mark.parametrize(("minutes", "accepted"), [("15:00", 1), ("15:01", 0)])
def test_an_actual_may_lead_our_clock_by_fifteen_minutes(acme, minutes, accepted) -> None:
    s, line = shipment(acme), source()
    message = take(line, [equipment("GTIN", number_of(s), f"2026-03-15T12:{minutes}Z")], at=NOW)
    assert message.events_accepted == accepted


@pytest.mark.req("R1.6", "X08", "X07")
def test_a_local_time_is_read_in_the_zone_of_its_place(acme) -> None:
    s, line = shipment(acme, booked_at=datetime(2025, 10, 1, tzinfo=UTC)), source()
    events = [
        equipment("GTOT", number_of(s), "2025-10-26T02:30:00", place="NLRTM", id="a"),
        equipment("GTIN", number_of(s), "2026-01-28T09:30:00+09:00", id="b"),
    ]
    message = take(line, events, at=NOW)
    assert message.warnings == {"zone_from_facility": 1, "ambiguous_local_time": 1, "offset_differs_from_zone": 1}
    with as_tenant(acme.pk):
        times = dict(SightingRow.objects.filter(shipment=s).values_list("code", "event_time"))
    assert times["GTOT"] == datetime(2025, 10, 26, 0, 30, tzinfo=UTC)
    assert times["GTIN"] == datetime(2026, 1, 28, 0, 30, tzinfo=UTC)


@pytest.mark.req("R1.0", "G11")
def test_a_tenants_own_source_reports_on_that_tenant_only(acme, globex) -> None:
    theirs = shipment(globex)
    own = source(tenant_id=acme.pk)
    foreign = take(own, [equipment("GTIN", number_of(theirs), "2026-01-28T09:30:00+08:00")], at=NOW)
    unknown = take(own, [equipment("GTIN", box(), "2026-01-28T09:30:00+08:00")], at=NOW)
    assert reasons(foreign) == reasons(unknown) == ["no_matching_shipment"]
    with as_tenant(acme.pk):
        texts = {q.detail for q in Quarantined.objects.filter(message__in=[foreign, unknown])}
    assert len(texts) == 1
    assert milestones(theirs) == {}


@pytest.mark.req("R1.0", "G5")
def test_an_event_that_came_too_early_is_matched_when_its_shipment_arrives(acme) -> None:
    number, line = box(), source()
    message = take(line, [equipment("GTIN", number, "2026-01-28T09:30:00+08:00")], at=NOW)
    assert reasons(message) == ["no_matching_shipment"]
    s = shipment(acme, containers=(number,))
    with as_tenant(OPERATOR_ID):
        asked = OutboxRow.objects.filter(name="tracking.match_waiting", payload__has_key="refs")
        row = next(r for r in asked if number in r.payload["refs"])
        assert waiting_match(refs=row.payload["refs"].split(), at=NOW) == 1
        assert waiting_match(refs=row.payload["refs"].split(), at=NOW) == 0
    assert set(milestones(s)) == {"GATE_IN_FULL"}
    with as_tenant(acme.pk):
        assert SightingRow.objects.get(shipment=s).recorded_at == NOW


@pytest.mark.req("G5", "L1")
def test_replay_is_idempotent_and_discard_needs_a_reason_that_stays(acme) -> None:
    line = source()
    number = box()
    message = take(line, [equipment("GTIN", number, "2026-01-28T09:30:00+08:00"),
                          equipment("NOPE", number, "2026-01-28T09:30:00+08:00")], at=NOW)  # fmt: skip
    s = shipment(acme, containers=(number,))
    with as_tenant(OPERATOR_ID):
        waiting = Quarantined.objects.get(message=message, reason="no_matching_shipment").public_id
        broken = Quarantined.objects.get(message=message, reason="unknown_code").public_id
        assert [quarantine_replay(public_id=waiting, at=NOW, actor="Olga").state for _n in range(3)] == ["REPLAYED"] * 3
        assert quarantine_replay(public_id=broken, at=NOW, actor="Olga").state == "OPEN"
        gone = quarantine_discard(public_id=broken, reason="typed by hand", at=NOW, actor="Olga")
        assert (gone.state, gone.decision) == ("DISCARDED", "typed by hand")
    with as_tenant(acme.pk):
        assert SightingRow.objects.filter(shipment=s).count() == 1


@pytest.mark.req("G12")
@pytest.mark.parametrize("sql", ["update {} set code = 'X'", "delete from {}", "truncate {}"])
def test_the_database_refuses_to_change_a_sighting(acme, sql) -> None:
    s, line = shipment(acme), source()
    take(line, [equipment("GTIN", number_of(s), "2026-01-28T09:30:00+08:00")], at=NOW)
    with as_tenant(acme.pk), pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute(sql.format("tracking_sightingrow"))


@pytest.mark.req("G3")
def test_a_message_that_waited_for_a_later_ones_lock_takes_nothing_away(acme) -> None:
    s, line = shipment(acme), source()
    number, before = number_of(s), NOW - timedelta(seconds=1)
    take(line, [equipment("GTIN", number, "2026-01-28T09:30:00+08:00")], at=NOW)
    take(line, [equipment("LOAD", number, "2026-01-30T09:30:00+08:00")], at=before)
    assert set(milestones(s)) == {"GATE_IN_FULL", "LOADED"}


@pytest.mark.req("R1.9", "R1.11", "X16")
def test_the_terminal_wins_over_the_carrier_and_the_conflict_shows(acme) -> None:
    s = shipment(acme)
    number = number_of(s)
    take(source(SourceKind.CARRIER), [equipment("GTOT", number, "2026-03-10T18:00:00Z", place="NLRTM")], at=NOW)
    take(source(SourceKind.TERMINAL), [equipment("GTOT", number, "2026-03-10T09:00:00Z", place="NLRTM")], at=NOW)
    assert milestones(s)["GATE_OUT_FULL"] == datetime(2026, 3, 10, 9, tzinfo=UTC)
    with as_tenant(acme.pk):
        assert MilestoneRow.objects.get(shipment=s, milestone="GATE_OUT_FULL", container="").is_conflict


@pytest.mark.req("R2.1")
def test_the_list_says_late_on_time_or_at_risk(acme) -> None:
    late, fine, risky, line = shipment(acme), shipment(acme), shipment(acme), source()
    take(line, [
        equipment("DROP", number_of(late), "2026-03-14T23:00:00Z", place="NLRTM"),
        equipment("DROP", number_of(fine), "2026-03-14T22:59:59Z", place="NLRTM"),
        equipment("DROP", number_of(risky), "2026-03-24T10:00:00Z", place="NLRTM", cls="EST"),
    ], at=NOW)  # fmt: skip
    with as_tenant(acme.pk):
        Shipment.objects.filter(pk__in=[late.pk, fine.pk]).update(due_at=datetime(2026, 3, 14, 23, tzinfo=UTC))
        from tracking.derivation import rebuild, sightings_of

        both = list(Shipment.objects.filter(pk__in=[late.pk, fine.pk]))
        rebuild(both, sightings_of([b.pk for b in both]), at=NOW)
        found = dict(Shipment.objects.values_list("pk", "punctuality"))
    assert (found[late.pk], found[fine.pk], found[risky.pk]) == ("LATE", "ON_TIME", "AT_RISK")


@pytest.mark.req("R1.15")
def test_an_arrival_of_a_source_that_means_the_anchorage_is_no_arrival_at_berth(acme) -> None:
    """The source is the operator's, so the account that hears of it does not see the source's row."""
    s, line = shipment(acme), source(arrival_is_anchorage=True)
    take(line, [vessel("ARRI", booking_of(s), "2026-03-10T08:00:00Z", place="NLRTM")], at=NOW)
    assert set(milestones(s)) == {"AT_ANCHOR"}


def booking_of(shipment) -> str:
    with as_tenant(shipment.tenant_id):
        return str(shipment.references.get(kind="BOOKING").value)


@pytest.mark.req("R1.0")
def test_a_hauliers_own_bill_does_not_hide_the_box_it_moves(acme) -> None:
    ship, line = shipment(acme, mbl="MAEU123456"), source()
    papers = [{"documentReferenceType": "TRD", "documentReferenceValue": "HAULIER-77"}]
    out = equipment("GTOT", number_of(ship), "2026-03-10T10:00:00+01:00", place="NLRTM", documentReferences=papers)
    by_road = {**out, "eventID": "road", "transportCall": {"transportCallID": "t", "modeOfTransport": "TRUCK"}}
    assert take(line, [out], at=NOW).events_quarantined == 1  # at sea another bill is another shipment
    assert take(line, [by_road], at=NOW).events_accepted == 1
