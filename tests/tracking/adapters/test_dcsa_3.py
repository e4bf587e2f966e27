"""The reader of DCSA Track & Trace 3.0: two dialects read, others named; ids that are replaced and withdrawn."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from portal.outbox.runner import run_due
from portal.tenancy.context import OPERATOR_ID, as_tenant
from tests.tracking.adapters.golden import GOLDEN, messages, outcome
from tests.tracking.messages import box, number_of, shipment, source, take
from tests.tracking.test_ingest import booking_of, counts, milestones, reasons
from tracking import codes
from tracking.adapters import dcsa, dcsa_3
from tracking.dialects import DOCUMENTS, NOT_TRACKED, WORDS
from tracking.matching import all_refs
from tracking.models import Quarantined, SightingRow
from tracking.reasons import Reason
from tracking.registry import adapter_for, recognised
from tracking.types import Kind, Unreadable

MESSAGES = messages("dcsa_3")
NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


def events_of(name: str) -> Any:
    """The parsed events of a golden message."""
    return dcsa_3.parse((GOLDEN / "dcsa_3" / f"{name}.json").read_bytes()).events


def event(kind: str, word: str, at: str, *, id: str = "e1", updated: str = "2026-02-20T06:00:00Z", **more: Any) -> Any:
    """An actual in the dialect of May 2026."""
    said = {"eventType": kind, "eventClassifier": more.pop("cls", "ACTUAL"), f"{kind.lower()}EventType": word}
    return {"eventID": id, "eventDateTime": at, "eventUpdatedDateTime": updated, "eventClassification": said, **more}


def gate_in(number: str, at: str = "2026-01-28T09:30:00+08:00", **more: Any) -> Any:
    """A full box at the terminal in Shanghai."""
    equipment = {"equipmentReference": number, "emptyIndicator": "LADEN"}
    return event("EQUIPMENT", "GATED_IN", at, eventLocation={"UNLocationCode": "CNSHA"}, equipmentDetails=equipment,
                 **more)  # fmt: skip


def withdrawn(id: str = "e1", **more: Any) -> Any:
    """An id, and that it is withdrawn."""
    return {"eventID": id, "isRetracted": True, **more}


@pytest.mark.req("G6", "R1.6")
@pytest.mark.parametrize("path", MESSAGES, ids=[p.stem for p in MESSAGES])
def test_a_raw_message_says_what_stands_beside_it(path: Path) -> None:
    found, expected = outcome(path, "dcsa_3")
    assert found == expected


# --- which reader ---


@pytest.mark.parametrize("path", MESSAGES, ids=[p.stem for p in MESSAGES])
def test_a_message_of_3_0_finds_its_reader_whatever_the_source_declares(path: Path) -> None:
    raw = path.read_bytes()
    found = recognised(raw)
    assert found is not None
    assert found.key == ("dcsa" if path.stem == "empty-answer" else "dcsa_3")  # an empty list speaks no dialect
    if path.stem in ("dialect-2023", "dialect-unknown"):
        with pytest.raises(Unreadable, match=r"Track & Trace 3\.0") as said:
            adapter_for("dcsa", "application/json").parse(raw)
        assert said.value.code == Reason.UNSUPPORTED_DIALECT
        return
    for declared in ("dcsa", "dcsa_3", "csv", "auto"):
        assert adapter_for(declared, "application/json").parse(raw) == dcsa_3.parse(raw)


def test_a_source_declared_3_0_that_sends_2_2_is_read_too() -> None:
    raw = (GOLDEN / "dcsa" / "accepted.json").read_bytes()
    assert adapter_for("dcsa_3").parse(raw) == dcsa.parse(raw)
    padded = b"\xef\xbb\xbf \n" + raw
    assert adapter_for("dcsa_3").parse(padded).events[0].code == "GTIN"


def test_a_long_first_event_and_a_late_list_are_still_told_apart() -> None:
    big = event("EQUIPMENT", "GATED_IN", "2026-01-28T09:30:00Z", reason="x" * 200_000)
    for message in ([big], {"feedbackElements": [{"message": "y" * 100_000}], "events": [big]}):
        found = recognised(json.dumps(message).encode())
        assert found is not None
        assert found.key == "dcsa_3"


def test_the_two_dialects_of_one_list_are_each_refused_by_name_or_read() -> None:
    raw = (GOLDEN / "dcsa_3" / "mixed.json").read_bytes()
    parsed = adapter_for("dcsa").parse(raw)
    assert [e.code for e in parsed.events] == ["GTIN", "GTOT"]
    assert {r.code for r in parsed.refusals} == {Reason.UNSUPPORTED_DIALECT}
    said = " ".join(r.detail for r in parsed.refusals)
    assert all(name in said for name in ("Track & Trace 2.2", "as of 2023", "not known"))
    turned = list(reversed(json.loads(raw)["events"][:2]))  # 2.2 first: its reader takes the message
    other = adapter_for("dcsa_3").parse(json.dumps(turned).encode())
    assert [(e.source_event_id, e.code) for e in other.events] == [("2-2", "GTIN")]
    assert "May 2026" in other.refusals[0].detail


# --- words ---


@pytest.mark.parametrize("kind", list(Kind))
def test_every_word_becomes_a_code_of_2_2_or_is_set_aside(kind: Kind) -> None:
    assert set(WORDS[kind].values()) <= codes.BY_KIND[kind]
    assert NOT_TRACKED.isdisjoint(WORDS[kind])
    assert len(set(DOCUMENTS.values()) - codes.DOCUMENTS - {"PFD"}) == 0


def test_what_an_event_names_beside_its_own_paper_is_kept() -> None:
    first, second = events_of("replaced-references")
    assert ("OLD BKG", "ABC709951") in first.references
    assert ("NEW BKG", "ABC-NEW-2") in first.references
    assert ("PO", "4711") in first.references
    assert first.equipment == ("CSQU3054383",)
    assert {("BOOKING", "B1"), ("BOOKING", "B2"), ("MBL", "T1")} <= all_refs(second)
    # the booking that was replaced is somebody's history, and finds nobody
    assert {value for kind, value in all_refs(first) if kind == "BOOKING"} == {"ABCNEW1"}


def test_delays_transshipment_and_withdrawals_are_told() -> None:
    journey = events_of("journey")
    assert [e.delay_reason for e in journey if e.delay_reason] == ["WEA,STR"]
    assert [e.code for e in journey if e.is_transshipment] == ["DISC", "LOAD"]
    assert [(e.retracts or "")[:10] for e in events_of("retracted")] == ["j-4", "event-HHL7", "j-5", ""]


# --- through the door ---


@pytest.mark.req("R1.3")
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_latest_update_of_an_id_counts(acme, order) -> None:
    s, line = shipment(acme), source()
    told = [
        gate_in(number_of(s), f"2026-01-{20 + n}T09:30:00+08:00", updated=f"2026-02-0{n}T00:00:00Z") for n in (1, 2, 3)
    ]
    for n in order:
        take(line, {"events": [told[n]]}, at=NOW)
    assert milestones(s) == {"GATE_IN_FULL": datetime(2026, 1, 23, 1, 30, tzinfo=UTC)}


@pytest.mark.req("R1.4")
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_withdrawn_id_stays_dead_whatever_comes_first(acme, order) -> None:
    s, line = shipment(acme), source()
    told = [gate_in(number_of(s)), withdrawn(), gate_in(number_of(s), updated="2026-03-01T00:00:00Z")]
    for n, which in enumerate(order):
        take(line, {"events": [told[which]]}, at=NOW + timedelta(minutes=n))
        run_due(at=NOW + timedelta(minutes=n, seconds=30))
    assert milestones(s) == {}
    with as_tenant(OPERATOR_ID):
        assert not Quarantined.objects.filter(source=line, state="OPEN").exists()
    take(line, {"events": [gate_in(number_of(s), id="e2")]}, at=NOW)
    assert set(milestones(s)) == {"GATE_IN_FULL"}
    assert counts(take(line, [withdrawn(eventUpdatedDateTime="2026-03-09T00:00:00Z")], at=NOW)) == (1, 0, 1, 0)


@pytest.mark.req("R1.4")
def test_a_withdrawal_waits_for_an_event_that_waits_for_its_shipment(acme) -> None:
    number, line = box(), source()
    take(line, [withdrawn()], at=NOW)
    take(line, [gate_in(number)], at=NOW)
    s = shipment(acme, containers=(number,))
    for n in range(3):
        run_due(at=NOW + timedelta(minutes=n))
    assert milestones(s) == {}
    with as_tenant(acme.pk):
        assert SightingRow.objects.filter(shipment=s).count() == 2


@pytest.mark.req("R1.4")
def test_whatever_stands_beside_a_withdrawn_id_does_no_harm() -> None:
    odd = withdrawn(eventDateTime="\0", equipmentDetails=[], reason="x" * 100_000, eventClassification={"what": 1})
    (found,) = dcsa_3.parse(json.dumps({"events": [odd]}).encode()).events
    assert (found.retracts, found.payload) == ("e1", {"eventID": "e1", "isRetracted": True})


@pytest.mark.req("R1.4", "G11")
def test_only_the_source_that_told_it_withdraws_it(acme) -> None:
    s, line, other = shipment(acme), source(), source()
    take(line, [gate_in(number_of(s))], at=NOW)
    take(other, [withdrawn()], at=NOW)
    assert set(milestones(s)) == {"GATE_IN_FULL"}


def test_a_vessel_that_comes_near_has_not_arrived(acme) -> None:
    s, line = shipment(acme), source()
    near = event("TRANSPORT", "APPROACHING", "2026-03-10T08:00:00Z", eventLocation={"UNLocationCode": "NLRTM"},
                 shipmentDetails={"documentReference": {"type": "BOOKING", "reference": booking_of(s)},
                                  "shipmentLocationType": "PORT_OF_DISCHARGE"})  # fmt: skip
    message = take(line, {"events": [near]}, at=NOW)
    assert (counts(message), reasons(message)) == ((1, 0, 0, 1), ["not_tracked"])
    with as_tenant(OPERATOR_ID):
        assert Quarantined.objects.get(message=message).state == "DISCARDED", "nobody needs to look at it"
    assert milestones(s) == {}


@pytest.mark.parametrize(("named", "reached"), [(True, {"DELIVERED"}), (False, set())])
def test_a_proof_of_delivery_delivers_the_box_that_it_names(acme, named, reached) -> None:
    s, line = shipment(acme), source()
    papers = {
        "documentReference": {"type": "PROOF_OF_DELIVERY", "reference": "POD-1"},
        "additionalDocumentReferences": [{"type": "BOOKING", "reference": booking_of(s)}],
    }
    proof = event("SHIPMENT", "ISSUED", "2026-03-10T14:00:00Z", shipmentDetails=papers,
                  equipmentDetails={"equipmentReference": number_of(s)} if named else {})  # fmt: skip
    assert counts(take(line, [proof], at=NOW)) == (1, 1, 0, 0)
    assert set(milestones(s)) == reached


@pytest.mark.req("R1.0", "T13")
def test_each_account_gets_its_own_part_of_a_vessel_call(acme, globex) -> None:
    mine, theirs, line = shipment(acme, booking="ONE31"), shipment(globex, booking="TWO32"), source()
    call = {"modeOfTransport": "VESSEL", "vesselTransport": {"vesselIMONumber": "9321483"}}
    departed = event(
        "TRANSPORT", "DEPARTED", "2026-02-01T22:00:00+08:00", eventLocation={"UNLocationCode": "CNSHA"},
        transportDetails={"transportCall": call},
        eventRouting={"originatingParties": [{"partyCode": "MSK"}], "destinationParties": [{"partyCode": "GLOBEX"}]},
        shipmentDetails={
            "documentReference": {"type": "BOOKING", "reference": "TWO32"},
            "additionalDocumentReferences": [{"type": "BOOKING", "reference": "ONE31"}],
            "shipmentReferences": [
                {"type": "EQUIPMENT_REFERENCE", "reference": number_of(mine)},
                {"type": "EQUIPMENT_REFERENCE", "reference": number_of(theirs)},
            ],
            "documentReferenceReplacements": [
                {"oldReferences": [{"type": "BOOKING", "reference": "TWO30"}],
                 "newReferences": [{"type": "BOOKING", "reference": name} for name in ("TWO32", "ONE31")]},
            ],
        },
    )  # fmt: skip
    take(line, {"events": [departed]}, at=NOW)
    assert set(milestones(mine)) == {"VESSEL_DEPARTED"} == set(milestones(theirs))
    for owner, made, foreign in (
        (acme, mine, ("TWO3", number_of(theirs))), (globex, theirs, ("ONE31", number_of(mine))),
    ):  # fmt: skip
        with as_tenant(owner.pk):
            text = json.dumps(SightingRow.objects.filter(shipment=made).values_list("payload", flat=True)[0])
        assert number_of(made) in text
        assert not [word for word in (*foreign, "GLOBEX") if word in text]
