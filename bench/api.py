"""`python bench/api.py`: a page of 50 shipments of the API, against REST framework's own way (mark B9).

Both sides run through the whole middleware stack in this process, signed in by the same key, over the same rows of
one account. The other side is a ListAPIView with CursorPagination and a plain ModelSerializer of the shipment's own
columns; it names no places, lists no containers, knows no standing and counts no calls. Then the deepest page against
the first.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from stage import operator, places, stage

OURS, PLAIN = "/api/v1/shipments", "/plain/shipments"


def main() -> None:
    """Command line."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--shipments", type=int, default=100_000)
    reader.add_argument("--rounds", type=int, default=5)
    reader.add_argument("--requests", type=int, default=200, help="of each side in each round")
    given = reader.parse_args()
    with stage() as here:
        operator()
        places()
        tenant, key = _account(given.shipments)
        here.sql("vacuum analyze")
        _plain_door()
        ask = _asker(key)
        deep = {OURS: _deep_cursor(tenant), PLAIN: _deep_plain(tenant)}
        _same_rows(ask, deep)
        sides: dict[str, str] = {
            "API, first page": OURS,
            "API, deepest page": f"{OURS}?cursor={deep[OURS]}",
            "plain, first page": PLAIN,
            "plain, deepest page": f"{PLAIN}?cursor={deep[PLAIN]}",
        }
        _round(ask, sides, 30)  # what is prepared once
        rounds = [_round(ask, sides, given.requests) for _n in range(given.rounds)]
        times = {name: [one[name] for one in rounds] for name in sides}
        _told(times, ask, sides, given.shipments)


def _account(shipments: int) -> tuple[int, str]:
    """One account with so many shipments, a container each; and its key."""
    from django.conf import settings

    from portal.tenancy.context import as_tenant
    from portal.tenancy.keys import key_create
    from portal.tenancy.services import tenant_create
    from tiers.promises.services import subscription_open
    from tiers.promises.types import Tier
    from tracking.models import Container, Place, Shipment

    settings.API_CALLS_A_MINUTE = settings.API_ACCOUNT_CALLS_A_MINUTE = 10**9  # counted all the same
    at, codes = datetime.now(UTC), list(Place.objects.values_list("code", flat=True)[:60])
    tenant = tenant_create(code="SHIPPER", name="Shipper", zone="UTC", at=at)
    with as_tenant(tenant.pk):
        subscription_open(tier=Tier.PREMIUM, valid_from=at.date() - timedelta(days=1), at=at)
        for first in range(0, shipments, 5_000):
            made = Shipment.objects.bulk_create(
                _shipment(n, at, codes) for n in range(first, min(first + 5_000, shipments))
            )
            Container.objects.bulk_create(Container(shipment=s, number=f"MSKU{s.pk:07d}"[:11]) for s in made)
        return tenant.pk, key_create(label="bench", at=at)[1]


def _shipment(n: int, at: datetime, codes: list[str]) -> Any:
    from tracking.models import Shipment

    pol, pod = codes[n % 40], codes[40 + n % 20]
    due = at + timedelta(hours=n % 12_000 - 6_000)
    return Shipment(
        ref=f"B{n:07d}", final_milestone="DOOR", pol=pol, pod=pod, final_place=pod, lane=f"{pol}-{pod}",
        carrier="MAEU", voyage="601W", created_at=at, booked_at=at, confirmed_at=at, due_at=due, due_date=due.date(),
        due_period=f"{due:%Y-%m}", eta_at=due - timedelta(hours=5), last_heard_at=at, last_event_at=at,
        milestone="VESSEL_DEPARTED", milestone_at=at, status="UNDER_WAY",
    )  # fmt: skip


# --- the other side ---


def _plain_door() -> None:
    """REST framework as its tutorial has it, inside the account's scope."""
    from django.db import transaction
    from django.urls import clear_url_caches, path
    from rest_framework.generics import ListAPIView
    from rest_framework.pagination import CursorPagination
    from rest_framework.permissions import AllowAny
    from rest_framework.serializers import ModelSerializer

    from portal import urls
    from portal.lib import clock
    from portal.tenancy.context import as_tenant
    from portal.tenancy.keys import key_of_request
    from tracking.models import Shipment

    class PlainSerializer(ModelSerializer):
        class Meta:
            model = Shipment
            fields = ["public_id", "ref", "status", "punctuality", "mode", "carrier", "pol", "pod", "final_place",
                      "lane", "final_milestone", "due_at", "due_date", "eta_at", "final_at", "last_heard_at",
                      "milestone", "milestone_at"]  # fmt: skip

    class Pages(CursorPagination):
        page_size, ordering = 50, ("-due_at", "-id")

    class PlainList(ListAPIView):
        authentication_classes = ()
        permission_classes = (AllowAny,)
        serializer_class, pagination_class = PlainSerializer, Pages

        def get_queryset(self) -> Any:
            return Shipment.objects.all()

        def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            known = key_of_request(request, at=clock.now())
            with as_tenant(known.tenant_id), transaction.atomic():
                response = super().dispatch(request, *args, **kwargs)
                response.render()
                return response

    urls.urlpatterns.insert(0, path(PLAIN[1:], PlainList.as_view()))
    clear_url_caches()


def _edge() -> Any:
    """The row behind which the last page but one begins."""
    from tracking.models import Shipment

    return Shipment.objects.order_by("due_at", "id")[60]


def _deep_cursor(tenant: int) -> str:
    from portal.tenancy.context import as_tenant
    from portal.web.apipages import Place, cursor_write

    with as_tenant(tenant):
        row = _edge()
        return str(cursor_write(Place((row.public_id, row.due_at.isoformat())), f"{OURS} -due_at"))


def _deep_plain(tenant: int) -> str:
    from base64 import b64encode
    from urllib.parse import quote, urlencode

    from portal.tenancy.context import as_tenant

    with as_tenant(tenant):
        row = _edge()
    return quote(b64encode(urlencode({"p": str(row.due_at)}).encode()).decode())


# --- measuring ---


def _asker(key: str) -> Callable[[str], Any]:
    from django.test import Client

    client = Client(headers={"authorization": f"Bearer {key}"}, HTTP_HOST="localhost")
    return client.get


def _round(ask: Callable[[str], Any], sides: dict[str, str], times: int) -> dict[str, list[float]]:
    """The sides take turns at each request, so that whatever else the machine does meets all of them alike."""
    spent: dict[str, list[float]] = {name: [] for name in sides}
    for _n in range(times):
        for name, address in sides.items():
            began = time.perf_counter()
            answer = ask(address)
            spent[name].append(time.perf_counter() - began)
            assert answer.status_code == 200, answer.content
    return spent


def _same_rows(ask: Callable[[str], Any], deep: dict[str, str]) -> None:
    """Both sides show the same shipments in the same order."""
    ours = [row["id"] for row in json.loads(ask(OURS).content)["items"]]
    plain = [row["public_id"] for row in json.loads(ask(PLAIN).content)["results"]]
    assert ours == plain, "the two sides do not show the same rows"
    assert len(ours) == 50
    assert len(json.loads(ask(f"{OURS}?cursor={deep[OURS]}").content)["items"]) == 50


def _told(times: dict[str, list[list[float]]], ask: Callable[[str], Any], sides: dict[str, str], rows: int) -> None:
    print(f"{rows:,} shipments of one account, 50 a page, {len(times['API, first page'])} rounds, taking turns")
    medians = {}
    for name, rounds in times.items():
        medians[name] = statistics.median(statistics.median(part) for part in rounds)
        p95 = statistics.median(sorted(part)[int(len(part) * 0.95)] for part in rounds)
        size = len(ask(sides[name]).content) / 1024
        print(f"{name:20} p50 {medians[name] * 1000:6.2f} ms  p95 {p95 * 1000:6.2f} ms  {size:5.1f} KiB")
    ratio = medians["API, first page"] / medians["plain, first page"]
    deep = medians["API, deepest page"] / medians["API, first page"]
    print(f"API against plain ModelSerializer: {ratio:.2f}x (B9: <= 1.5)")
    print(f"deepest page against the first: {deep:.2f}x (B9: within 15 %)")


if __name__ == "__main__":
    main()
