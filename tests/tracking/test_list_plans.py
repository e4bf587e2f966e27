"""What a list page costs does not grow with the account: every filter and order has an index that gives its rows in
order, and the policy of row security lets it be used (B8).

Sorting and reading whole tables are made dear to the planner: if a plan still does either, no index can do the work.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection, transaction

from portal.tenancy.context import as_tenant
from tests.tracking.pages import NOW, many
from tracking.filters import COLUMNS, SORTS, ShipmentFilter
from tracking.models import Follow
from tracking.selectors import shipment_page, shipments_found

_DEAR = ("enable_seqscan", "enable_bitmapscan", "enable_sort", "enable_incremental_sort", "enable_material")


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """All steps of a plan."""
    return [plan, *(node for part in plan.get("Plans", []) for node in nodes(part))]


def steps(account: Any, sql: str, params: Any) -> list[dict[str, Any]]:
    """The steps of a statement's plan, in the account's scope, as the role that the portal uses."""
    with as_tenant(account.pk), transaction.atomic(), connection.cursor() as cursor:
        for setting in _DEAR:
            cursor.execute(f"set local {setting} = off")
        cursor.execute(f"explain (format json) {sql}", params)
        found = cursor.fetchone()[0]
    return nodes((found if isinstance(found, list) else json.loads(found))[0]["Plan"])


def plan_of(account: Any, wanted: ShipmentFilter, key: str, *, falling: bool) -> list[dict[str, Any]]:
    """How the dated part of a page is found, one row more than it shows."""
    sign = "-" if falling else ""
    with as_tenant(account.pk):
        found = shipments_found(wanted, hits=None, now=NOW, every_event=True, follower=account.member.pk)
        rows = found.filter(**{f"{key}__isnull": False}).order_by(f"{sign}{key}", f"{sign}id").values("id")[:51]
        sql, params = rows.query.sql_with_params()
    return steps(account, sql, params)


@pytest.fixture(scope="module")
def account() -> Any:
    from tests import cast

    made = cast.account("PLAN")
    many(made, 300, undated=20)
    with connection.cursor() as cursor, as_tenant(made.pk):
        cursor.execute("select count(*) from tracking_shipment")
    return made


FILTERED = {
    "status": ("BOOKED", "shipment_by_status"), "milestone": ("LOADED", "shipment_by_milestone"),
    "lane": ("CNSHA-NLRTM", "shipment_by_lane"), "pol": ("CNSHA", "shipment_by_pol"),
    "pod": ("NLRTM", "shipment_by_pod"), "carrier": ("MAEU", "shipment_by_carrier"),
    "branch": ("Rotterdam", "shipment_by_branch"), "vertical": ("Cars", "shipment_by_vertical"),
    "month": ("2026-03", "shipment_by_month"),
}  # fmt: skip


@pytest.mark.req("W9")
@pytest.mark.parametrize("falling", [True, False])
@pytest.mark.parametrize("name", list(FILTERED))
def test_a_filtered_page_comes_in_order_out_of_one_index(account, name: str, falling: bool) -> None:
    value, index = FILTERED[name]
    found = plan_of(account, ShipmentFilter(**{name: value}), "due_at", falling=falling)
    scans = [node for node in found if node.get("Relation Name") == "tracking_shipment"]
    assert [node.get("Index Name") for node in scans] == [index]
    column = "due_period" if name == "month" else name
    assert f"({column} = '{value}'" in scans[0]["Index Cond"].replace("::text", "")
    assert not {node["Node Type"] for node in found} & {"Sort", "Incremental Sort", "Seq Scan"}


@pytest.mark.req("W9")
@pytest.mark.parametrize(
    ("key", "index"),
    [("due_at", "shipment_by_due"), ("eta_at", "shipment_by_eta"), ("last_heard_at", "shipment_by_heard"),
     ("ref", "shipment_ref_once")],
)  # fmt: skip
def test_every_order_of_the_list_has_an_index(account, key: str, index: str) -> None:
    for falling in (True, False):
        found = plan_of(account, ShipmentFilter(), key, falling=falling)
        names = [node.get("Index Name") for node in found if node.get("Relation Name") == "tracking_shipment"]
        if key == "ref":  # unique: the order by its number behind it needs no more than runs of one
            assert names == [index]
            assert "Seq Scan" not in {node["Node Type"] for node in found}
        else:
            assert names == [index]
            assert not {node["Node Type"] for node in found} & {"Sort", "Incremental Sort", "Seq Scan"}


@pytest.mark.parametrize("order", [s for s in SORTS if s.lstrip("-") in ("promised", "expected", "heard")])
def test_a_later_page_begins_where_the_index_is_entered_and_reads_no_table_whole(account, order: str) -> None:
    from django.test.utils import CaptureQueriesContext

    from portal.web.tables import Cursor

    with as_tenant(account.pk):
        wanted = ShipmentFilter(sort="" if order == SORTS[0] else order, cols=COLUMNS)
        some = shipments_found(wanted, hits=None, now=NOW, every_event=True).order_by("-id").first()
        cursor = Cursor(some.public_id, NOW.isoformat())
        with CaptureQueriesContext(connection) as asked:
            shipment_page(wanted, hits=None, cursor=cursor, now=NOW, every_event=True, follower=account.member.pk)
    sql = next(q["sql"] for q in asked.captured_queries if "tracking_shipment" in q["sql"])
    found = steps(account, sql, None)
    whole = {node.get("Relation Name") for node in found if node["Node Type"] == "Seq Scan"}
    assert whole <= {"tracking_place"}  # a few hundred rows that belong to nobody
    edge = {"promised": "due_at", "expected": "eta_at", "heard": "last_heard_at"}[order.lstrip("-")]
    conditions = [n.get("Index Cond", "") for n in found if n.get("Relation Name") == "tracking_shipment"]
    assert any(f"({edge} {'<=' if order.startswith('-') else '>='}" in text for text in conditions), conditions


def test_what_a_person_follows_is_looked_up_by_that_person(account) -> None:
    with as_tenant(account.pk):
        sql, params = Follow.objects.filter(member=account.member.pk).values("shipment").query.sql_with_params()
    found = steps(account, sql, params)
    assert "follow_once" in {node.get("Index Name") for node in found}
