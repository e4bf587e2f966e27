"""Versions of one event that concern different shipments: the same end whatever came first, together or apart (G3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from portal.outbox.runner import run_due
from portal.tenancy.context import OPERATOR_ID, as_tenant
from tests.tracking.messages import box, equipment, number_of, shipment, source, take, vessel
from tests.tracking.test_ingest import milestones
from tracking.models import Quarantined, SightingRow

pytestmark = [pytest.mark.walls, pytest.mark.req("R1.3", "G3")]
NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


def moving(*numbers: str) -> list[dict[str, Any]]:
    """One event in as many versions as boxes are named, an hour apart."""
    first = equipment("GTIN", numbers[0], "2026-01-28T09:30:00+08:00", id="g1")
    return [
        {**first, "equipmentReference": number, "eventCreatedDateTime": f"2026-01-28T{10 + n}:00:00Z"}
        for n, number in enumerate(numbers)
    ]


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("together", [True, False])
def test_an_event_that_moves_is_where_its_newest_version_says(acme, globex, order, together) -> None:
    one, two, three, line = shipment(acme), shipment(acme), shipment(globex), source()
    versions = moving(number_of(one), number_of(two), number_of(three))
    told = [versions[n] for n in order]
    for part in [told] if together else [[v] for v in told]:
        take(line, part, at=NOW)
    assert [bool(milestones(s)) for s in (one, two, three)] == [False, False, True]
    again = take(line, told, at=NOW)
    assert (again.events_accepted, again.events_quarantined) == (0, 0)


def test_an_event_may_come_back_and_leave_again(acme) -> None:
    here, there, line = shipment(acme), shipment(acme), source()
    a, b = number_of(here), number_of(there)
    for n, version in enumerate(moving(a, b, a, b), start=1):
        take(line, [version], at=NOW + timedelta(minutes=n))
        assert [bool(milestones(s)) for s in (here, there)] == ([True, False] if n % 2 else [False, True])


def test_a_happening_without_an_id_takes_nothing_from_others(acme) -> None:
    one, two, line = shipment(acme, booking="NOID1"), shipment(acme, booking="NOID2"), source()
    for n, booking in enumerate(("NOID1", "NOID2")):
        event = vessel("DEPA", booking, "2026-02-01T22:00:00+08:00", place="CNSHA", created=f"2026-02-02T0{n}:00:00Z")
        del event["eventID"]
        event["transportCall"].pop("exportVoyageNumber")  # so that only the paper says whose it is
        take(line, [event], at=NOW)
    assert set(milestones(one)) == set(milestones(two)) == {"VESSEL_DEPARTED"}


@pytest.mark.req("R1.4")
def test_a_withdrawal_that_names_only_an_id_waits_for_its_target(acme) -> None:
    s, line = shipment(acme), source()
    head = "event_time,code,classifier,container,source_event_id,place,retracts,laden\n"
    take(line, f"{head},,,,r1,,e1,\n".encode(), at=NOW)
    run_due(at=NOW + timedelta(minutes=1))  # tried once more, still nothing to withdraw
    take(line, f"{head}2026-01-28T09:30:00+08:00,GTIN,ACT,{number_of(s)},e1,CNSHA,,true\n".encode(), at=NOW)
    run_due(at=NOW + timedelta(minutes=2))
    assert milestones(s) == {}
    with as_tenant(OPERATOR_ID):
        assert Quarantined.objects.get(source=line).state == "REPLAYED"
    with as_tenant(acme.pk):
        assert SightingRow.objects.filter(shipment=s).count() == 2


def test_ten_rounds_are_the_most_that_one_message_takes(acme) -> None:
    boxes, line = [shipment(acme) for _n in range(15)], source()
    message = take(line, moving(*[number_of(s) for s in boxes])[:14], at=NOW)
    assert message.events_received == message.events_accepted == 14


HEAD = "event_time,code,classifier,container,source_event_id,source_created_at,place,retracts,laden\n"


def told(number: str, version: int) -> bytes:
    """A version of the event e1, about a box."""
    return f"{HEAD}2026-01-28T09:30:00+08:00,GTIN,ACT,{number},e1,2026-02-0{version}T00:00:00Z,CNSHA,,true\n".encode()


WITHDRAWN = f"{HEAD},,,,,,,e1,\n".encode()


@pytest.mark.req("R1.4")
@pytest.mark.parametrize("first", [False, True])
def test_a_withdrawn_id_stays_dead_when_it_is_told_anew_of_somebody_else(acme, globex, first) -> None:
    one, two, line = shipment(acme), shipment(globex), source(format="csv")
    for n, message in enumerate(
        [WITHDRAWN, told(number_of(one), 1)] if first else [told(number_of(one), 1), WITHDRAWN]
    ):
        take(line, message, at=NOW)
        run_due(at=NOW + timedelta(minutes=n))
    assert milestones(one) == {}
    for version in (2, 3):
        take(line, told(number_of(two), version), at=NOW + timedelta(hours=version))
        assert (milestones(one), milestones(two)) == ({}, {})
    with as_tenant(globex.pk):
        assert SightingRow.objects.filter(shipment=two).exclude(retracts="").count() == 1


@pytest.mark.req("R1.4")
def test_a_withdrawal_of_what_waits_for_its_shipment_waits_with_it(acme) -> None:
    number, line = box(), source(format="csv")
    take(line, told(number, 1), at=NOW)
    take(line, WITHDRAWN, at=NOW)
    run_due(at=NOW)
    s = shipment(acme, containers=(number,))
    for n in range(3):
        run_due(at=NOW + timedelta(minutes=n))
    assert milestones(s) == {}
    with as_tenant(OPERATOR_ID):
        assert not Quarantined.objects.filter(source=line, state="OPEN").exists()
