"""X12 messages from the inbox to the milestones: what a shipment is told by 315, 214 and 322."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from portal.tenancy.context import OPERATOR_ID, as_tenant
from tests.tracking.messages import number_of, shipment, source, take
from tests.tracking.test_ingest import counts, milestones
from tracking.models import MilestoneRow, PartnerCode, Quarantined, SightingRow
from tracking.reasons import Reason
from tracking.types import SourceKind

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
ROUTE = ("R4*L*UN*CNSHA", "R4*T*UN*SGSIN", "R4*D*UN*NLRTM")


def interchange(
    *transactions: tuple[str, ...], kind: str = "315", control: int = 1, sent: str = "20260301*0900"
) -> bytes:
    """An interchange with its counts right; of each transaction the segments between ST and SE."""
    segments = [
        f"ISA*00*{' ' * 10}*00*{' ' * 10}*ZZ*{'LINE':15}*ZZ*{'US':15}*260301*0900*U*00401*{control:09}*0*P*>",
        f"GS*QO*LINE*US*{sent}*{control}*X*004010",
    ]
    for number, body in enumerate(transactions, 1):
        reference = f"{control}{number:04}"
        segments += [f"ST*{kind}*{reference}", *body, f"SE*{len(body) + 2}*{reference}"]
    return "~\n".join([*segments, f"GE*{len(transactions)}*{control}", f"IEA*1*{control:09}", ""]).encode()


def ocean(code: str, when: str, box: str, place: str, *more: str, laden: str = "L") -> tuple[str, ...]:
    """A 315 about one box."""
    status = f"B4***{code}*{when}**{box[:4]}*{box[4:10]}*{laden}*45G1*{place}*UN*{box[10]}"
    return (status, f"N9*EQ*{box}", "Q2*9321483********601W***L*GULL", *(more or ROUTE))


@pytest.mark.req("R1.9", "R2.5")
def test_arrivals_and_departures_between_never_set_the_milestones_of_the_journey(acme) -> None:
    s, line = shipment(acme), source(format="x12_315")
    box = number_of(s)
    take(line, interchange(
        ocean("VD", "20260201*2200", box, "CNSHA"), ocean("VA", "20260208*0400", box, "SGSIN"),
        ocean("UV", "20260208*0900", box, "SGSIN"), ocean("AE", "20260210*0900", box, "SGSIN"),
        ocean("VD", "20260210*2100", box, "SGSIN"),
    ), at=NOW)  # fmt: skip
    assert milestones(s) == {
        "VESSEL_DEPARTED": datetime(2026, 2, 1, 14, 0, tzinfo=UTC),
        "TS_DISCHARGED": datetime(2026, 2, 8, 1, 0, tzinfo=UTC),
        "TS_LOADED": datetime(2026, 2, 10, 1, 0, tzinfo=UTC),
    }
    take(line, interchange(ocean("VA", "20260305*0600", box, "NLRTM"), control=2), at=NOW)
    assert milestones(s)["VESSEL_ARRIVED"] == datetime(2026, 3, 5, 5, 0, tzinfo=UTC)


@pytest.mark.req("R1.2", "G3")
def test_a_message_sent_again_under_other_numbers_adds_nothing(acme) -> None:
    s, line = shipment(acme), source(format="x12_315")
    told = ocean("VD", "20260201*2200", number_of(s), "CNSHA", *ROUTE, "DTM*139*20260305*0600*LT")
    assert counts(take(line, interchange(told), at=NOW))[:2] == (2, 2)
    again = take(line, interchange(told, control=2), at=NOW + timedelta(hours=1))
    assert again.events_accepted == 0
    with as_tenant(acme.pk):
        assert SightingRow.objects.filter(shipment=s).count() == 2


@pytest.mark.req("R1.9")
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_an_estimate_that_returns_is_the_newest_again_in_whatever_order_it_is_heard(acme, order) -> None:
    s, line = shipment(acme), source(format="x12_315")
    days = ("20260318*0600", "20260321*0600", "20260318*0600")
    files = [
        interchange(
            ocean("AE", "20260201*1200", number_of(s), "CNSHA", *ROUTE, f"DTM*139*{day}*LT"),
            control=n, sent=f"2026030{n}*0900",
        )
        for n, day in enumerate(days, 1)
    ]  # fmt: skip
    for n in order:
        take(line, files[n], at=NOW)
    with as_tenant(acme.pk):
        row = MilestoneRow.objects.get(shipment=s, container="", milestone="VESSEL_ARRIVED")
        assert row.est_at == datetime(2026, 3, 18, 5, 0, tzinfo=UTC)
        loaded = SightingRow.objects.filter(shipment=s, code="LOAD").values_list("event_key", flat=True)
        assert len(set(loaded)) == 1, "versions of one happening, which is counted once"


def test_an_empty_gate_in_at_origin_is_no_empty_return(acme) -> None:
    s, line = shipment(acme), source(format="x12_315")
    box = number_of(s)
    take(line, interchange(
        ocean("I", "20260128*0900", box, "CNSHA", laden="E"), ocean("RD", "20260129*0900", box, "CNSHA", laden="E"),
    ), at=NOW)  # fmt: skip
    assert milestones(s) == {}
    take(line, interchange(ocean("RD", "20260312*0900", box, "NLRTM", laden="E"), control=2), at=NOW)
    assert set(milestones(s)) == {"EMPTY_RETURN"}


@pytest.mark.req("G8", "G5")
def test_a_strict_source_keeps_back_what_its_envelope_contradicts(acme) -> None:
    s, line = shipment(acme), source(format="x12_315")
    with as_tenant(OPERATOR_ID):
        line.strict_envelope = True
        line.save(update_fields=["strict_envelope"])
    good = interchange(ocean("VD", "20260201*2200", number_of(s), "CNSHA"))
    wrong = good.replace(b"SE*8*", b"SE*9*")
    assert wrong != good
    assert counts(take(line, wrong, at=NOW))[:2] == (1, 0)
    with as_tenant(OPERATOR_ID):
        row = Quarantined.objects.get(source=line)
        assert (row.reason, row.position) == (Reason.ENVELOPE_REFUSED, "$[0].ST[2]")
    assert milestones(s) == {}
    take(line, good, at=NOW)
    assert set(milestones(s)) == {"VESSEL_DEPARTED"}


@pytest.mark.req("G5")
def test_a_code_that_nobody_knows_waits_and_one_that_is_not_tracked_is_set_aside(acme) -> None:
    s, line = shipment(acme), source(format="x12_315")
    box = number_of(s)
    take(
        line, interchange(ocean("QQ", "20260201*2200", box, "CNSHA"), ocean("K", "20260202*2200", box, "NLRTM")), at=NOW
    )
    with as_tenant(OPERATOR_ID):
        found = dict(Quarantined.objects.filter(source=line).values_list("reason", "state"))
    assert found[Reason.UNKNOWN_CODE] == "OPEN"
    assert found[Reason.NOT_TRACKED] != "OPEN"


def test_the_source_means_what_its_partner_table_says(acme) -> None:
    s, line = shipment(acme), source(format="x12_315")
    with as_tenant(OPERATOR_ID):
        PartnerCode.objects.create(
            source=line, listed="x12_315", code="QQ", kind="TRANSPORT", event_code="DEPA", mode="VESSEL",
            changed_at=NOW, changed_by="test",
        )  # fmt: skip
    take(line, interchange(ocean("QQ", "20260201*2200", number_of(s), "CNSHA")), at=NOW)
    assert set(milestones(s)) == {"VESSEL_DEPARTED"}


def test_a_haulier_tells_of_an_attempt_and_of_the_delivery(acme) -> None:
    s, line = shipment(acme), source(SourceKind.CARRIER, format="x12_214")
    box = number_of(s)
    body = (
        "B10*PRO1*NOT-OURS*HAUL", f"L11*{box}*EQ", "LX*1", "AT7*AH*A1***20260310*0800*UT", "MS1*UTRECHT**NL",
        "AT7*D1*NS***20260311*0930*UT", "MS1*UTRECHT**NL",
    )  # fmt: skip
    assert counts(take(line, interchange(body, kind="214"), at=NOW))[:2] == (2, 2)
    assert milestones(s) == {
        "DELIVERY_FAILED": datetime(2026, 3, 10, 8, 0, tzinfo=UTC),
        "DELIVERED": datetime(2026, 3, 11, 9, 30, tzinfo=UTC),
    }
    with as_tenant(acme.pk):
        assert SightingRow.objects.get(shipment=s, code="DELIVERY_FAILED").reason == "A1"


@pytest.mark.req("R1.0")
def test_a_box_of_two_customers_tells_each_its_own_references(acme, globex) -> None:
    ours = shipment(acme, booking="BKGOURS1")
    theirs = shipment(globex, booking="BKGTHEIRS2", containers=(number_of(ours),))
    told = ocean("VD", "20260201*2200", number_of(ours), "CNSHA", "N9*BN*BKGOURS1", "N9*BN*BKGTHEIRS2", *ROUTE)
    take(source(format="x12_315"), interchange(told), at=NOW)
    for s, mine, other in ((ours, "BKGOURS1", "BKGTHEIRS2"), (theirs, "BKGTHEIRS2", "BKGOURS1")):
        assert set(milestones(s)) == {"VESSEL_DEPARTED"}
        with as_tenant(s.tenant_id):
            payload = str(SightingRow.objects.get(shipment=s).payload)
        assert (mine in payload, other in payload) == (True, False)
