"""The running month: what has come due so far, late and silent ones included, with the grade of its data."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from html import unescape

import pytest

from kpis.running import running
from kpis.selectors import month_figures
from portal.lib import clock
from portal.lib.periods import Month
from portal.tenancy.context import as_tenant
from tests.doors import client_of
from tests.kpis import world
from tests.kpis.world import CUT, due, hear, numbers, utc
from tests.tracking.messages import equipment, source, vessel
from tests.tracking.pages import refs, tiered

MARCH = Month(2026, 3)
pytestmark = pytest.mark.req("R2.1", "R3.1", "R0.6")


@pytest.fixture
def w1(acme):
    return world.w1(acme)


def test_what_is_due_so_far_counts_as_the_close_would_count_it(acme, w1) -> None:
    with as_tenant(acme.pk):
        now = running(MARCH, at=CUT)
        closed = next(c for c in month_figures(MARCH, as_of=CUT, known_at=CUT).cells if c.kpi == "OTD" and not c.lane)
    assert (now.num, now.den, now.unknown) == (closed.counts.num, closed.counts.den, closed.counts.unknown)
    assert (now.num, now.den, now.unknown) == (4, 10, 1)  # W1
    assert now.graded.grade == closed.graded.grade


def test_nothing_leaves_because_it_failed_and_nothing_enters_before_its_limit(acme, w1) -> None:
    with as_tenant(acme.pk):
        early = running(MARCH, at=utc("03-06 00:00:00"))
    assert (early.num, early.den) == (1, 2)  # S01 and S02; S11 is due in April, the others later in March
    assert early.due == 10


def complete(account, line, shipment, arrived: str) -> None:
    """Every critical milestone of a door shipment."""
    with as_tenant(account.pk):
        booking = shipment.references.get(kind="BOOKING").written
    number = numbers(shipment)[0]
    hear(line, [
        equipment("GTIN", number, "2026-02-01T10:00:00+08:00"), vessel("DEPA", booking, "2026-02-03T10:00:00+08:00",
                                                                      place="CNSHA"),
        vessel("ARRI", booking, "2026-03-01T10:00:00+01:00", place="NLRTM"),
        equipment("GTOT", number, "2026-03-02T10:00:00+01:00", place="NLRTM"),
        equipment("DROP", number, arrived, place="NLRTM"),
    ], datetime(2026, 3, 6, tzinfo=UTC))  # fmt: skip


def tile_of(page: str) -> str:
    at = page.index('<div class="tile')
    return " ".join(page[at : at + 1500].split())


def test_the_tile_shows_counts_for_few_their_grade_and_never_a_zero_for_nothing(acme) -> None:
    tiered(acme, "PRIORITY")
    client, line = client_of(acme.member), source()
    made = [due(acme, f"N{n}", due_date=date(2026, 3, 5)) for n in range(8)]
    with clock.set_to(datetime(2026, 3, 3, tzinfo=UTC)):
        nothing = tile_of(client.get("/kpis/so-far").content.decode())
    assert "no data: nothing due yet" in nothing
    assert "0 of the month's 8 due so far" in unescape(nothing)
    for n, one in enumerate(made):
        complete(acme, line, one, "2026-03-04T10:00:00+01:00" if n else "2026-03-06T10:00:00+01:00")
    with clock.set_to(datetime(2026, 3, 8, tzinfo=UTC)):
        shown = tile_of(client.get("/kpis/so-far").content.decode())
    assert "7 of 8" in shown
    assert "grade-A" in shown
    assert "provisional" in shown
    assert '/shipments?month=2026-03&amp;due=past"' in shown


@pytest.mark.req("R3.1")
def test_poor_data_publish_no_figure(acme) -> None:
    tiered(acme, "PRIORITY")
    for n in range(4):
        due(acme, f"Q{n}", due_date=date(2026, 3, 5))
    with clock.set_to(datetime(2026, 3, 20, tzinfo=UTC)):
        shown = tile_of(client_of(acme.member).get("/kpis/so-far").content.decode())
    assert "not published" in shown
    assert "0.0" not in shown


def test_each_part_leads_to_as_many_shipments(acme, w1) -> None:
    tiered(acme, "PRIORITY")
    client = client_of(acme.member)
    with clock.set_to(datetime(2026, 3, 30, tzinfo=UTC)):
        page = unescape(client.get("/kpis/so-far").content.decode())
        parts = re.findall(r'href="(/shipments\?month=2026-03&due=past&standing=[a-z-]+)">(\d+)<', page)
        listed = [len(refs(client.get(url).content.decode())) for url, _number in parts]
    assert [int(number) for _url, number in parts] == listed
    assert listed == [2, 3, 2]


def test_the_home_page_does_not_wait_for_it(acme) -> None:
    tiered(acme, "PRIORITY")
    due(acme, "H1", due_date=date(2026, 3, 5))
    with clock.set_to(datetime(2026, 3, 20, tzinfo=UTC)):
        page = client_of(acme.member).get("/").content.decode()
    assert 'hx-get="/kpis/so-far" hx-trigger="load"' in page
