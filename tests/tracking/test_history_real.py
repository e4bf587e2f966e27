"""A real delivery history, loaded from history files and closed month by month, gives the published figures."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kpis.figures import display_pct
from kpis.models import Snapshot, SnapshotRow, SnapshotUnit
from kpis.services import month_close
from portal.lib import clock
from portal.lib.periods import Month
from portal.outbox.models import OutboxRow
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import Role, Tenant
from portal.tenancy.selectors import tenant_id_of_code
from tests import cast
from tests.doors import client_of
from tracking.backfill import Loaded, history_load
from tracking.models import InboundMessage, Reference, Shipment, SightingRow

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))
import scms  # noqa: E402

LINES = ROOT / "tests" / "golden" / "delivery_history" / "deliveries.csv"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """The history in the database, once for this module."""
    cast.operator()
    folder = tmp_path_factory.mktemp("scms")
    assert scms.convert(LINES, folder) == 3036
    return history_load(folder=folder, at=NOW, tell=lambda _text: None)


@pytest.fixture(scope="module")
def closed(loaded: Loaded) -> int:
    """The account with every month closed."""
    account = tenant_id_of_code(scms.ACCOUNT)
    assert account is not None
    with as_tenant(account):
        for period in sorted(set(Shipment.objects.values_list("due_period", flat=True))):
            month_close(period=Month.parse(period), at=NOW)
    return account


@pytest.mark.req("R1.1")
def test_every_line_is_taken_in_and_nobody_is_told(loaded: Loaded) -> None:
    assert (loaded.shipments, loaded.received, loaded.accepted, loaded.quarantined) == (3036, 3036, 3036, 0)
    assert (loaded.accounts, loaded.sources, loaded.places, loaded.refused) == (1, 1, 29, [])
    account = tenant_id_of_code(scms.ACCOUNT)
    assert account is not None
    with as_tenant(account):
        assert SightingRow.objects.filter(is_backfilled=True, precision="day").count() == 3036
        assert not SightingRow.objects.filter(recorded_at__gte=datetime(2011, 1, 1, tzinfo=UTC)).exists()
        assert set(Shipment.objects.values_list("mode_as_written", flat=True)) == {
            "Air", "Air Charter", "Truck", "N/A", "Ocean",
        }  # fmt: skip
        assert not OutboxRow.objects.filter(name="tracking.milestone_reached").exists()
    with as_tenant(OPERATOR_ID):
        messages = InboundMessage.objects.filter(source__key=scms.SOURCE)
        assert {m.channel for m in messages} == {"HISTORY"}
        assert max(m.events_received for m in messages) == 1000


@pytest.mark.req("R2.2", "R2.3", "R1.5")
def test_the_closed_months_sum_to_the_published_figure(closed: int) -> None:
    with as_tenant(closed):
        rows = SnapshotRow.objects.filter(kpi="OTD", lane="")
        num, den = (sum(rows.values_list(name, flat=True)) for name in ("num", "den"))
        assert (num, den) == (2965, 3036)
        assert f"{100 * num / den:.4f}" == "97.6614"
        assert Snapshot.objects.count() == 47


@pytest.mark.req("R2.2")
def test_counted_by_delivery_one_late_line_makes_it_late(closed: int) -> None:
    with as_tenant(closed):
        delivery = dict(Reference.objects.filter(kind="BOOKING").values_list("shipment_id", "value"))
        late: dict[str, bool] = defaultdict(bool)
        for shipment_id, outcome in SnapshotUnit.objects.values_list("shipment_id", "outcome"):
            late[delivery[shipment_id]] |= outcome != "ON_TIME"
    assert (len(late), sum(late.values())) == (2043, 53)
    assert f"{100 * (len(late) - sum(late.values())) / len(late):.4f}" == "97.4058"


@pytest.mark.req("R3.1", "R0.6")
def test_the_staff_see_every_figure_and_customers_what_its_grade_allows(closed: int) -> None:
    ops, member = cast.person(OPERATOR_ID, Role.OPS), cast.person(closed, Role.MEMBER)
    desk, customer = client_of(ops), client_of(member)
    with as_tenant(closed):
        account = Tenant.objects.get(pk=closed).public_id
        rows = list(SnapshotRow.objects.filter(kpi="OTD", lane="").select_related("snapshot"))
    assert {r.grade for r in rows} == {"A", "B"}, "no month is so unsure that its figure is held back"
    with clock.set_to(NOW + timedelta(days=1)):
        for grade in ("A", "B"):
            row = max((r for r in rows if r.grade == grade), key=lambda r: r.den)
            shown = display_pct(row.num, row.den)
            for client, path in ((customer, "/snapshots"), (desk, f"/ops/accounts/{account}/snapshots")):
                assert f"{shown}" in text_of(client.get(f"{path}/{row.snapshot.public_id}")), (grade, path)
        listed = text_of(desk.get(f"/ops/accounts/{account}/snapshots"))
        assert "December 2009" in listed


def text_of(answer: Any) -> str:
    """The words of a page, one space between them."""
    assert answer.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


@pytest.mark.req("R1.2")
def test_a_second_load_changes_nothing(loaded: Loaded, tmp_path: Path) -> None:
    scms.convert(LINES, tmp_path)
    again = history_load(folder=tmp_path, at=NOW, tell=lambda _text: None)
    assert (again.shipments, again.shipments_known, again.accepted, again.duplicate) == (0, 3036, 0, 3036)
