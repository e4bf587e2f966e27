"""Readiness: which milestone is missing, from whom and since when; every figure leads to its units."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, date, datetime, timedelta

import pytest

from portal.lib import clock
from portal.tenancy.context import OPERATOR_ID, across_tenants
from portal.tenancy.models import Role
from tests import cast
from tests.contracts.test_query_counts import asked
from tests.doors import client_of
from tests.tracking.messages import equipment, number_of, shipment, source, take, vessel
from tests.tracking.pages import NOW
from tracking.models import Reference
from tracking.readiness import Asked, Lane, Slot, behind, lanes
from tracking.types import FinalMilestone, SourceKind

DUE = date(2026, 3, 5)


@pytest.fixture(autouse=True)
def _march():
    with clock.set_to(NOW):
        yield


@pytest.fixture
def desk():
    cast.operator()
    return client_of(cast.person(OPERATOR_ID, Role.OPS))


def place() -> str:
    """A port of its own, so that each test has a lane of its own."""
    import secrets

    return "XA" + "".join(secrets.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(3))


def due(account, port: str, **more):
    return shipment(account, pol=port, due_date=DUE, **more)


def booking(made) -> str:
    from portal.tenancy.context import as_tenant

    with as_tenant(made.tenant_id):
        return str(Reference.objects.get(shipment=made, kind="BOOKING").written)


def told(src, made, port: str, *codes: str, at: datetime = NOW - timedelta(days=5)) -> None:
    """What a source says of a shipment, each event an hour before it is heard."""
    number, when = number_of(made), (at - timedelta(hours=1)).isoformat()
    said = {
        "GTIN": equipment("GTIN", number, when, place=port),
        "DEPA": vessel("DEPA", booking(made), when, place=port),
        "ARRI": vessel("ARRI", booking(made), when, place="NLRTM"),
        "GTOT": equipment("GTOT", number, when, place="NLRTM"),
        "DROP": equipment("DROP", number, when, place="NLRTM"),
    }
    take(src, [said[c] for c in codes], at=at)


def ask(lane: str, **more) -> Lane:
    with across_tenants(reason="test", actor="test", at=NOW):
        found = lanes(Asked(lane=lane, **more), at=NOW)
    assert [f.code for f in found] == [lane]
    return found[0]


@pytest.mark.req("R2.4", "R2.5")
def test_a_later_milestone_makes_the_earlier_ones_required(acme) -> None:
    port, src = place(), source()
    complete, gap = due(acme, port), due(acme, port)
    told(src, complete, port, "GTIN", "DEPA", "ARRI", "GTOT", "DROP")
    told(src, gap, port, "GTIN", "DEPA", "GTOT")  # left the port without ever having arrived
    lane = ask(f"{port}-NLRTM")
    by = {s.milestone: (s.required, s.captured) for s in lane.slots}
    assert by == {"GATE_IN_FULL": (2, 2), "VESSEL_DEPARTED": (2, 2), "VESSEL_ARRIVED": (2, 1), "GATE_OUT_FULL": (2, 2),
                  "DELIVERED": (1, 1)}  # fmt: skip
    assert (lane.units, lane.complete, lane.grade) == (2, 1, "C")
    # nothing was ever expected of it: it is missing since the gate-out that overtook it
    assert lane.slots[2].oldest == NOW - timedelta(days=5, hours=1)


@pytest.mark.req("R2.4")
def test_an_estimate_that_expired_two_days_ago_is_required_and_says_since_when(acme) -> None:
    port, src = place(), source()
    made = due(acme, port)
    expected = (NOW - timedelta(hours=49)).isoformat()
    take(src, [vessel("ARRI", booking(made), expected, place="NLRTM", cls="EST")], at=NOW - timedelta(days=9))
    slot = next(s for s in ask(f"{port}-NLRTM").slots if s.milestone == "VESSEL_ARRIVED")
    assert (slot.missing, slot.oldest) == (1, NOW - timedelta(hours=49))
    other = place()
    made = due(acme, other)
    expected = (NOW - timedelta(hours=47)).isoformat()
    take(src, [vessel("ARRI", booking(made), expected, place="NLRTM", cls="EST")], at=NOW - timedelta(days=9))
    with across_tenants(reason="test", actor="test", at=NOW):
        assert lanes(Asked(lane=f"{other}-NLRTM"), at=NOW) == []  # nothing is required of it yet


def test_a_delivery_stands_for_the_empty_return_of_a_cy_chain(acme) -> None:
    port, src = place(), source()
    made = due(acme, port, final_milestone=FinalMilestone.CY)
    told(src, made, port, "GTIN", "DEPA", "ARRI", "GTOT", "DROP")
    by = {s.milestone: s.captured for s in ask(f"{port}-NLRTM").slots}
    assert "DELIVERED" not in by
    late = place()
    made = due(acme, late, final_milestone=FinalMilestone.CY)
    told(src, made, late, "GTIN", "DEPA", "ARRI", "GTOT", at=NOW - timedelta(days=24))
    slot = next(s for s in ask(f"{late}-NLRTM").slots if s.milestone == "EMPTY_RETURN")
    assert slot.missing == 1  # three weeks after the gate-out, and two days of grace


@pytest.mark.req("R2.6")
def test_late_manual_and_conflicting_actuals_are_counted_and_named(acme) -> None:
    port, line, hand = place(), source(), source(SourceKind.MANUAL)
    prompt, slow, typed = (due(acme, port) for _ in range(3))
    told(line, prompt, port, "GTIN")
    take(line, [equipment("GTIN", number_of(slow), "2026-02-20T08:00:00+08:00", place=port)],
         at=datetime(2026, 2, 21, 1, tzinfo=UTC))  # fmt: skip
    told(hand, typed, port, "GTIN")
    take(source(SourceKind.TERMINAL), [equipment("GTIN", number_of(prompt), "2026-03-09T08:00:00+08:00", place=port)],
         at=NOW)  # fmt: skip
    slot = ask(f"{port}-NLRTM").slots[0]
    assert (slot.captured, slot.wrong, slot.manual) == (3, 1, 1)
    assert slot.late == 2  # a day and an hour; and the terminal's word, which counts, six days on
    assert ask(f"{port}-NLRTM", late_hours=48).slots[0].late == 1
    with across_tenants(reason="test", actor="test", at=NOW):
        found = behind(Asked(lane=f"{port}-NLRTM"), milestone="GATE_IN_FULL", what="manual", at=NOW)
    assert [(b.ref, b.source) for b in found] == [(typed.ref, hand.key)]


@pytest.mark.req("R3.1", "R3.2", "R7.1", "R0.6")
def test_what_is_enough_is_judged_at_the_very_limits() -> None:
    def lane(units: int, complete: int, **more) -> Lane:
        slot = Slot(milestone="DELIVERED", required=units, captured=complete, wrong=more.pop("wrong", 0), late=0,
                    manual=0, oldest=None, last_heard=None, reporter="", median=None, p90=None)  # fmt: skip
        return Lane(code="A-B", slots=[slot], units=units, complete=complete, **more)

    assert [lane(100, n).grade for n in (95, 94, 85, 84)] == ["A", "B", "B", "C"]
    assert lane(100, 100, wrong=2).grade == "A"
    assert lane(100, 100, wrong=3).grade == "B"
    assert lane(0, 0).grade == ""
    assert [lane(n, n).can_compute for n in (9, 10)] == [False, True]
    assert lane(10, 8).can_compute is False
    limits = [(6, 100), (5, 100), (6, 99)]
    assert [lane(1, 1, months=m, history=h).can_promise for m, h in limits] == [True, False, False]


def test_the_page_names_the_gap_its_reporter_and_leads_to_the_shipment(acme, globex, desk) -> None:
    port, src = place(), source()
    full, gap, other = due(acme, port), due(acme, port), due(globex, port)
    told(src, full, port, "GTIN", "DEPA", "ARRI", "GTOT", "DROP")
    told(src, gap, port, "DEPA", "ARRI", "GTOT", "DROP")
    told(src, other, port, "DEPA", "ARRI", "GTOT", "DROP")
    page = desk.get(f"/ops/readiness?lane={port}-NLRTM").content.decode()
    assert "2 of 3" in page
    assert f"usually from {src.key}" in page
    assert "3 of 10 units: counts only (R0.6, R3.2)" in page
    address = re.search(r'href="(/ops/readiness/units\?[^"]*what=missing[^"]*)"', page)[1].replace("&amp;", "&")
    units = desk.get(address).content.decode()
    assert {gap.ref, other.ref} == set(re.findall(r'class="rowlink ref" href="[^"]*">([^<]*)<', units))
    link = f"/ops/accounts/{acme.tenant.public_id}/shipments/{gap.public_id}"
    assert link in units
    assert desk.get(link).status_code == 200
    narrowed = f"/ops/readiness?lane={port}-NLRTM&account={acme.tenant.public_id}"
    assert "1 of 2" in desk.get(narrowed).content.decode()
    text = desk.get(f"/ops/readiness.csv?lane={port}-NLRTM").content.decode()
    first = next(csv.DictReader(io.StringIO(text)))
    assert (first["milestone"], first["required"], first["missing"], first["usually_from"]) == (
        "GATE_IN_FULL", "3", "2", src.key,
    )  # fmt: skip
    assert (first["enough_to_compute"], first["enough_to_promise"]) == ("no", "no")
    assert "Nothing was due" in desk.get("/ops/readiness?lane=NO-LANE").content.decode()


def test_customers_find_no_readiness(acme) -> None:
    for page in ("readiness", "readiness/units", "readiness.csv"):
        assert client_of(acme.manager).get(f"/ops/{page}").status_code == 404


def test_readiness_asks_as_often_for_many_lanes_as_for_few(acme, desk) -> None:
    src, counts = source(), []
    for lanes_more in (1, 12):
        for _ in range(lanes_more):
            port = place()
            told(src, due(acme, port), port, "GTIN", "DEPA")
        desk.get("/ops/readiness")
        counts.append(len(asked(desk, "/ops/readiness")))
    assert counts[0] == counts[1]
    assert counts[0] <= 16
