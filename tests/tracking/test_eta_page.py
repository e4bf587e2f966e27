"""How the estimate moved: the stored history, drawn and in a table, with the committed one marked (R2.17)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest

from kpis.registry import KPIS
from portal.lib import clock
from portal.tenancy.context import as_tenant
from tests.doors import client_of
from tests.tracking.messages import equipment, number_of, shipment, source, take, vessel
from tests.tracking.pages import tiered
from tracking.models import EtaRow
from tracking.rules import ETA_LOCK_HOURS

pytestmark = pytest.mark.req("R2.17")


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}:00+00:00")


# Worked example W8, E1: published at -> expected at; arrived on 20 March at 06:00.
E1 = (("02-02 00:00", "03-18 06:00"), ("03-15 00:00", "03-19 06:00"), ("03-19 00:00", "03-20 06:00"))
ARRIVED = "03-20 06:00"


@pytest.fixture
def account(acme):
    return tiered(acme, "PRIORITY")


def told(account, moves=E1, *, arrived: str = ""):
    """A shipment whose vessel was expected like this."""
    made, line = shipment(account), source()
    with as_tenant(account.pk):
        booking = made.references.get(kind="BOOKING").written
    for published, expected in moves:
        take(line, [vessel("ARRI", booking, at(expected).isoformat(), place="NLRTM", cls="EST",
                           created=at(published).isoformat())], at=at(published))  # fmt: skip
    if arrived:
        take(line, [vessel("ARRI", booking, at(arrived).isoformat(), place="NLRTM")],
             at=at(arrived) + timedelta(hours=1))  # fmt: skip
    return made


def card(account, made, now: str, query: str = "") -> str:
    with clock.set_to(at(now)):
        page = client_of(account.member).get(f"/shipments/{made.public_id}{query}").content.decode()
    found = re.search(r'<section class="card" aria-labelledby="eta-h">(.*?)</section>', page, re.DOTALL)
    return found[1] if found else ""


def rows(html: str) -> list[str]:
    body = re.search(r"<tbody>(.*?)</tbody>", html, re.DOTALL)[1]
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)]


def test_after_the_arrival_the_one_in_force_at_the_lock_is_committed(account) -> None:
    shown = card(account, told(account, arrived=ARRIVED), "03-21 00:00")
    assert [("committed" in row) for row in rows(shown)] == [False, True, False]  # newest first: 03-19 06:00 counts
    assert "19 Mar 2026 07:00 CET committed" in rows(shown)[1]
    assert rows(shown)[2].startswith("2 Feb 01:00 CET 18 Mar 2026 07:00 CET first estimate")
    assert "1 day later" in rows(shown)[0]
    assert shown.count('class="dot"') == 3
    assert shown.count('class="ring"') == 1
    assert shown.count('class="actual"') == 1
    assert "Committed: 19 Mar 07:00. Actual: 20 Mar 07:00." in shown  # for those who do not see the drawing


def test_before_the_lock_it_is_said_when_one_will_be_committed(account) -> None:
    shown = card(account, told(account, E1[:2]), "03-15 12:00")
    assert "will be the committed one, as it looks now: <time" in shown
    assert "16 Mar 07:00 CET" in shown
    assert "ring" not in shown


def test_after_the_lock_the_committed_one_is_marked_though_the_vessel_is_still_at_sea(account) -> None:
    shown = card(account, told(account), "03-19 12:00")
    assert [("committed" in row) for row in rows(shown)] == [False, True, False]


def test_each_move_leads_to_the_event_behind_it(account) -> None:
    made = told(account)
    links = re.findall(rf'href="(/shipments/{made.public_id}/events/\d+)"', card(account, made, "03-19 12:00"))
    assert len(links) == 3
    with clock.set_to(at("03-19 12:00")):
        assert "20 Mar 2026 07:00 CET" in client_of(account.member).get(links[0]).content.decode()


def test_the_table_is_the_stored_history(account) -> None:
    made = told(account, arrived=ARRIVED)
    with as_tenant(account.pk):
        stored = EtaRow.objects.filter(shipment=made, milestone="VESSEL_ARRIVED").count()
    assert len(rows(card(account, made, "03-21 00:00"))) == stored == 3


def test_arrival_and_delivery_each_have_their_own(account) -> None:
    made = told(account)
    line = source()
    for published, expected in (("02-03 00:00", "03-20 09:00"), ("03-16 00:00", "03-23 09:00")):
        take(line, [equipment("DROP", number_of(made), at(expected).isoformat(), place="NLRTM", cls="EST",
                              created=at(published).isoformat())], at=at(published))  # fmt: skip
    final, arrival = card(account, made, "03-17 00:00"), card(account, made, "03-17 00:00", "?eta=arrival")
    assert len(rows(final)) == 2
    assert 'class="limit"' in final  # the promise is about the delivery
    assert len(rows(arrival)) == 3
    assert 'class="limit"' not in arrival
    for shown in (final, arrival):
        assert shown.count('aria-current="true"') == 1
    assert rows(card(account, made, "03-17 00:00", "?eta=nonsense")) == rows(final)


def test_one_estimate_is_no_move(account) -> None:
    assert card(account, told(account, E1[:1]), "03-10 00:00") == ""


@pytest.mark.req("R5.1")
def test_a_standard_account_does_not_see_it(acme) -> None:
    assert card(acme, told(acme), "03-19 12:00") == ""


def test_far_and_near_estimates_are_drawn_inside_the_picture(account) -> None:
    for moves in (
        (("02-02 00:00", "03-18 06:00"), ("02-02 00:01", "03-18 06:01")),
        (("02-02 00:00", "03-18 06:00"), ("02-03 00:00", "12-18 06:00")),
    ):
        shown = card(account, told(account, moves), "02-04 00:00")
        heights = [float(h) for h in re.findall(r' (?:cy|y1|y2)="([\d.]+)"', shown)]
        assert heights and all(10 <= h <= 180 for h in heights)
        labels = re.findall(r'text-anchor="end">([^<]+)</text>', shown)
        assert 1 <= len(labels) <= 8
        assert len(labels) == len(set(labels))


def test_the_lock_is_the_kpis_own() -> None:
    assert str(ETA_LOCK_HOURS) == KPIS["ETA"].parameters["eta_lock_hours"]
