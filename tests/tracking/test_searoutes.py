"""Ways by sea: worked out once by a process of their own, kept for everybody, and honest where there is none."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import pytest
from django.db import transaction

from portal.outbox.models import OutboxRow
from portal.tenancy.context import as_tenant
from tests.tracking.messages import shipment
from tracking.jobs import find_routes, routes_due
from tracking.models import Place, SeaRoute
from tracking.seaways import Drawn, in_order, seaways, waiting
from tracking.services import searoutes_find, searoutes_want

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


class Ports:
    """Ports under codes that only this test knows, so that nobody worked out their ways yet."""

    def __init__(self) -> None:
        mark = secrets.token_hex(3).upper()
        self.points = {}
        for name, lon, lat in (
            ("shanghai", 121.5, 31.2), ("rotterdam", 4.5, 51.9), ("yokohama", 139.6, 35.4), ("angeles", -118.3, 33.7),
            ("duesseldorf", 6.78, 51.23),
        ):  # fmt: skip
            code = f"X{mark}{name[:3].upper()}"
            Place.objects.create(code=code, name=name.title(), zone="UTC", lat=Decimal(str(lat)), lon=Decimal(str(lon)))
            setattr(self, name, code)
            self.points[code] = (lon, lat)


def stored(a: str, b: str) -> SeaRoute:
    one, other = in_order((a, b))
    return SeaRoute.objects.get(one=one, other=other)


@pytest.fixture
def ports() -> Ports:
    return Ports()


def test_ways_are_worked_out_once_and_serve_both_directions(acme, ports) -> None:
    sha, rtm, yok, lax, dus = ports.shanghai, ports.rotterdam, ports.yokohama, ports.angeles, ports.duesseldorf
    with as_tenant(acme.pk):
        assert searoutes_find(pairs=[f"{rtm} {sha}", f"{yok} {lax}", f"{sha} {dus}"], at=NOW) == 3
        assert searoutes_find(pairs=[f"{sha} {rtm}"], at=NOW) == 0  # known, in either order
    around = stored(sha, rtm)
    assert 19_000 < around.km < 20_500  # by Suez
    assert 10 < len(around.points) < 120
    assert any(32 < lon < 33 and 29 < lat < 31.5 for lon, lat in around.points)
    pacific = stored(yok, lax)
    assert max(abs(b[0] - a[0]) for a, b in pairwise(pacific.points)) < 30  # no leap at 180 degrees
    inland = stored(sha, dus)
    assert (inland.points, inland.km) == ([], None)

    pairs = {(sha, rtm), (rtm, sha), (sha, dus), (sha, lax), (rtm, dus), (sha, "XXXXX")}
    lines = seaways(pairs, ports.points, by_sea=pairs - {(rtm, dus)})
    assert {pair: line.drawn for pair, line in lines.items()} == {
        (sha, rtm): Drawn.SEA, (rtm, sha): Drawn.SEA, (sha, dus): Drawn.STRAIGHT, (sha, lax): Drawn.WAITS,
        (rtm, dus): Drawn.STRAIGHT,
    }  # fmt: skip
    out, back = lines[sha, rtm].way, lines[rtm, sha].way
    assert (out.points[0], out.points[-1]) == (ports.points[sha], ports.points[rtm])
    assert out.km == pytest.approx(back.km)
    assert out.km == pytest.approx(around.km, rel=0.03)
    assert waiting(lines) == [in_order((sha, lax))]


def test_a_port_that_was_moved_gets_a_new_way(acme, ports) -> None:
    pair = f"{ports.yokohama} {ports.angeles}"
    with as_tenant(acme.pk):
        searoutes_find(pairs=[pair], at=NOW)
        Place.objects.filter(code=ports.angeles).update(lat=Decimal("37.8"), lon=Decimal("-122.4"))
        assert searoutes_find(pairs=[pair], at=NOW) == 1
    row = stored(ports.yokohama, ports.angeles)
    assert max(lat for lon, lat in (row.points[0], row.points[-1])) > 37


def test_a_night_works_out_what_open_shipments_go(acme, ports) -> None:
    sha, yok, rtm = ports.shanghai, ports.yokohama, ports.rotterdam
    shipment(acme, pol=sha, transhipments=(yok,), pod=rtm, final_place=rtm)
    with as_tenant(acme.pk):
        with transaction.atomic():
            routes_due(datetime(2026, 3, 15, 3, tzinfo=UTC))
            row = OutboxRow.objects.get(name="tracking.sea_routes")
        find_routes(row.payload, NOW)
    assert stored(sha, yok).km
    assert stored(yok, rtm).km


def test_a_page_asks_for_a_way_once_a_day_whoever_looks(acme) -> None:
    with as_tenant(acme.pk), transaction.atomic():
        for pairs in ([("NLRTM", "CNSHA")], [("CNSHA", "NLRTM")], []):
            searoutes_want(pairs=pairs, at=NOW)
        (row,) = OutboxRow.objects.filter(name="tracking.sea_routes")
        assert row.payload == {"pairs": ["CNSHA NLRTM"]}


def test_what_lies_nowhere_is_not_asked_for(acme, ports) -> None:
    sha = ports.shanghai
    with as_tenant(acme.pk):
        assert searoutes_find(pairs=[f"{sha} QQQQQ", f"{sha} {sha}"], at=NOW) == 0
