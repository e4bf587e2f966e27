"""EDIFACT messages end as milestones: a whole journey, corrections in any order, what a partner's table changes."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime

import pytest

from portal.tenancy.context import OPERATOR_ID, as_tenant
from tests.tracking.messages import box, number_of, shipment, source, take
from tracking.models import MilestoneRow, PartnerCode, Quarantined, SightingRow, Source
from tracking.services import quarantine_replay
from tracking.types import SourceKind

NOW = datetime(2026, 4, 20, 12, tzinfo=UTC)
SHIP = "TDT+20+601W+1++MAEU:172:20+++9321483:146:11:KING OF THE SEAS"
FEEDER = "TDT+20+107W+1++MAEU:172:20+++V7AB3:103::LITTLE FEEDER"


def edi(type_: str, *segments: str, trailer: str = "") -> bytes:
    """One message in its interchange, with counts that fit unless a trailer is given."""
    lines = [f"UNH+1+{type_}:D:95B:UN", *segments]
    lines.append(trailer or f"UNT+{len(lines) + 1}+1")
    return "'\n".join(["UNB+UNOC:3+SENDER+PLIMSOLL+260310:0915+7", *lines, "UNZ+1+7'"]).encode()


def gate(report: str, number: str, when: str, place: str, *, full: bool = True, status: str = "2", document: str = "",
         function: int = 9, issued: str = "202604190000", trailer: str = "") -> bytes:  # fmt: skip
    """A CODECO about one box."""
    dtm = (f"DTM+7:{when}:203",) if when else ()
    return edi("CODECO", f"BGM+{report}+{document or 'G' + when}+{function}", f"DTM+137:{issued}:203",
               f"EQD+CN+{number}+45G1++{status}+{5 if full else 4}", *dtm, f"LOC+165+{place}", "TDT+1++3",
               trailer=trailer)  # fmt: skip


def quay(report: str, number: str, when: str, place: str, ship: str, *, status: str) -> bytes:
    """A COARRI about one box."""
    role = "9" if report == "46" else "11"
    return edi("COARRI", f"BGM+{report}+Q{when}+9", ship, f"LOC+{role}+{place}:139:6+T1:TER:306",
               f"EQD+CN+{number}+45G1++{status}+5", f"DTM+203:{when}:203", "LOC+147+0340782")  # fmt: skip


def carrier(code: str, number: str, when: str, place: str, *more: str) -> bytes:
    """An IFTSTA about one box."""
    return edi("IFTSTA", "BGM+23+ONE-NUMBER-FOR-ALL+9", f"STS+1+{code}::ZZZ", f"DTM+334:{when}:203",
               f"LOC+175+{place}", *more, f"EQD+CN+{number}+45G1:102:5+++5")  # fmt: skip


def milestones(shipment) -> dict[str, datetime]:
    with as_tenant(shipment.tenant_id):
        return dict(MilestoneRow.objects.filter(shipment=shipment, container="", act_at__isnull=False)
                    .values_list("milestone", "act_at"))  # fmt: skip


def journey(number: str) -> list[bytes]:
    """Shanghai to Rotterdam by Singapore, as two terminals and a carrier tell it."""
    return [
        gate("34", number, "202603010900", "CNSHA", full=False),  # the empty box comes to be stuffed
        gate("34", number, "202603012100", "CNNGB", full=False),  # and an empty export box at another depot
        gate("34", number, "202603081000", "CNSHA"),
        quay("46", number, "202603092300", "CNSHA", SHIP, status="2"),
        carrier("VD", number, "202603100230", "CNSHA", SHIP, "LOC+9+CNSHA", "LOC+11+NLRTM", "DTM+132:202604081500:203"),
        carrier("VA", number, "202603180900", "SGSIN", SHIP, "LOC+9+CNSHA", "LOC+11+SGSIN"),
        quay("44", number, "202603181400", "SGSIN", SHIP, status="6"),
        quay("46", number, "202603211400", "SGSIN", FEEDER, status="6"),
        carrier("VD", number, "202603220100", "SGSIN", FEEDER, "LOC+9+SGSIN", "LOC+11+NLRTM"),
        carrier("VA", number, "202604081600", "NLRTM", FEEDER, "LOC+9+SGSIN", "LOC+11+NLRTM"),
        quay("44", number, "202604082100", "NLRTM", FEEDER, status="3"),
        gate("36", number, "202604101100", "NLRTM", status="3"),
        gate("34", number, "202604151000", "NLRTM", full=False, status="3"),
    ]


@pytest.mark.req("R1.8", "R1.9")
@pytest.mark.parametrize("turned", [False, True], ids=["in order", "backwards"])
def test_a_journey_by_edi_reaches_its_milestones_and_no_others(acme, turned) -> None:
    s = shipment(acme, transhipments=("SGSIN",))
    line = source(SourceKind.TERMINAL, format="codeco")
    messages = journey(number_of(s))
    for message in reversed(messages) if turned else messages:
        assert take(line, message, at=NOW).events_quarantined == 0
    with as_tenant(acme.pk):
        nodes = set(MilestoneRow.objects.filter(shipment=s, container="").values_list("milestone", "node"))
    assert ("TS_DISCHARGED", "SGSIN") in nodes
    assert ("TS_LOADED", "SGSIN") in nodes
    found = milestones(s)
    assert found["GATE_IN_FULL"] == datetime(2026, 3, 8, 2, tzinfo=UTC)
    assert found["VESSEL_DEPARTED"] == datetime(2026, 3, 9, 18, 30, tzinfo=UTC)
    assert found["VESSEL_ARRIVED"] == datetime(2026, 4, 8, 14, tzinfo=UTC)
    assert found["DISCHARGED"] == datetime(2026, 4, 8, 19, tzinfo=UTC)
    assert found["GATE_OUT_FULL"] == datetime(2026, 4, 10, 9, tzinfo=UTC)
    assert found["EMPTY_RETURN"] == datetime(2026, 4, 15, 8, tzinfo=UTC)


@pytest.mark.req("R1.8")
def test_an_empty_box_at_its_origin_and_a_ship_between_ports_reach_nothing(acme) -> None:
    s = shipment(acme, transhipments=("SGSIN",))
    line, messages = source(SourceKind.TERMINAL, format="codeco"), journey(number_of(s))
    for n in (0, 1, 5, 8):
        assert take(line, messages[n], at=NOW).events_quarantined == 0
    assert milestones(s) == {}


@pytest.mark.req("R1.3", "R1.4", "X12", "G3")
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_a_report_replaced_and_then_withdrawn_is_gone_in_whatever_order_it_comes(acme, order) -> None:
    s, terminal = shipment(acme), source(SourceKind.TERMINAL, format="codeco")
    number = number_of(s)
    told = [
        gate("36", number, "202604100900", "NLRTM", status="3", document="D1", issued="202604101000"),
        gate("36", number, "202604101100", "NLRTM", status="3", document="D1", function=5, issued="202604101200"),
        gate("36", number, "", "NLRTM", status="3", document="D1", function=1, issued="202604101300"),
    ]
    for n in order[: order.index(2)]:
        take(terminal, told[n], at=NOW)
    if order == (0, 1, 2) or order == (1, 0, 2):
        assert milestones(s) == {"GATE_OUT_FULL": datetime(2026, 4, 10, 9, tzinfo=UTC)}, "11:00 there is 09:00 UTC"
    for n in order[order.index(2) :]:
        take(terminal, told[n], at=NOW)
    assert milestones(s) == {}


@pytest.mark.req("R1.2", "G2")
def test_the_same_report_in_another_envelope_is_a_duplicate(acme) -> None:
    s, terminal = shipment(acme), source(SourceKind.TERMINAL, format="codeco")
    first = gate("36", number_of(s), "202604100900", "NLRTM", status="3")
    again = first.replace(b"+7'", b"+8'").replace(b"260310:0915", b"260310:1000")
    assert take(terminal, first, at=NOW).events_accepted == 1
    message = take(terminal, again, at=NOW)
    assert (message.events_accepted, message.events_duplicate) == (0, 1)


@pytest.mark.req("R1.0")
def test_two_accounts_in_one_message_see_their_own_part_alone(acme, globex) -> None:
    ours, theirs = shipment(acme), shipment(globex)
    boxes = [number_of(ours), number_of(theirs)]
    bills = ["BILL-OF-ACME", "BILL-OF-GLOBEX"]
    groups = [
        segment for number, bill in zip(boxes, bills, strict=True)
        for segment in (f"EQD+CN+{number}+45G1++3+5", f"RFF+BM:{bill}", "NAD+CN+++CONSIGNEE " + bill,
                        "DTM+7:202604100900:203", "LOC+165+NLRTM")
    ]  # fmt: skip
    take(source(SourceKind.TERMINAL), edi("CODECO", "BGM+36+M1+9", *groups), at=NOW)
    for account, s, own, other in ((acme, ours, 0, 1), (globex, theirs, 1, 0)):
        with as_tenant(account.pk):
            text = json.dumps(SightingRow.objects.get(shipment=s).payload)
        assert boxes[own] in text
        assert boxes[other] not in text
        assert bills[other] not in text
        assert "CONSIGNEE" not in text


def waiting(message, reason: str) -> Quarantined:
    return Quarantined.objects.get(message=message, reason=reason)


@pytest.mark.req("G5", "G8")
def test_what_a_strict_envelope_refused_is_read_once_the_source_is_no_longer_strict(acme) -> None:
    s, terminal = shipment(acme), source(SourceKind.TERMINAL, format="codeco")
    wrong = gate("36", number_of(s), "202604100900", "NLRTM", status="3", trailer="UNT+99+1")
    with as_tenant(OPERATOR_ID):
        Source.objects.filter(pk=terminal.pk).update(strict_envelope=True)
        terminal.refresh_from_db()
    message = take(terminal, wrong, at=NOW)
    assert (message.events_accepted, message.events_quarantined) == (0, 1)
    with as_tenant(OPERATOR_ID):
        row = waiting(message, "envelope_refused")
        assert row.position == "$[0].UNT[8]"
        assert quarantine_replay(public_id=row.public_id, at=NOW, actor="Olga").state == "OPEN"
        Source.objects.filter(pk=terminal.pk).update(strict_envelope=False)
        assert quarantine_replay(public_id=row.public_id, at=NOW, actor="Olga").state == "REPLAYED"
    assert set(milestones(s)) == {"GATE_OUT_FULL"}
    with as_tenant(acme.pk):
        assert SightingRow.objects.get(shipment=s).warnings == ["control_count", "zone_from_facility"]


@pytest.mark.req("G5")
def test_a_code_that_is_mapped_frees_the_status_that_waited_for_it(acme) -> None:
    s, line = shipment(acme), source(format="iftsta")
    message = take(line, carrier("Q9", number_of(s), "202604101100", "NLRTM", "LOC+11+NLRTM"), at=NOW)
    with as_tenant(OPERATOR_ID):
        row = waiting(message, "unknown_code")
        PartnerCode.objects.create(source=line, listed="iftsta", code="Q9", event_code="GTOT", kind="EQUIPMENT",
                                   changed_at=NOW, changed_by="Olga")  # fmt: skip
        assert quarantine_replay(public_id=row.public_id, at=NOW, actor="Olga").state == "REPLAYED"
    assert set(milestones(s)) == {"GATE_OUT_FULL"}


@pytest.mark.req("G6")
def test_a_cut_message_takes_nothing_from_the_whole_ones_before_it(acme) -> None:
    s, terminal = shipment(acme), source(SourceKind.TERMINAL, format="codeco")
    whole = gate("36", number_of(s), "202604100900", "NLRTM", status="3").partition(b"UNZ")[0]
    message = take(terminal, whole + b"UNH+2+CODECO:D:95B:UN'\nBGM+36+X+9'\nEQD+CN+" + box().encode(), at=NOW)
    assert (message.events_accepted, message.events_quarantined) == (1, 1)
    with as_tenant(OPERATOR_ID):
        assert waiting(message, "truncated_message").position == "$[1].EQD[11]"
