"""Made-up traffic is the same for the same seed, has the shape it promises, and loads without a refusal."""

from __future__ import annotations

import csv
import secrets
from collections import Counter
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from portal.checks.invariants import tenant_breaches
from portal.demo.traffic import generate
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.selectors import tenant_id_of_code
from tests import cast
from tracking.derivation import rebuild, sightings_of
from tracking.models import MilestoneRow, Shipment

UNTIL = datetime(2026, 1, 1, tzinfo=UTC)


def rows(path: Path) -> list[dict[str, str]]:
    """A file's rows."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_same_seed_makes_the_same_files_and_another_one_does_not(tmp_path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        generate(tmp_path / name, shipments=200, accounts=20, seed=seed, until=UNTIL)
    for file in ("accounts.csv", "events.csv", "places.csv", "shipments.csv"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert (tmp_path / "a" / "events.csv").read_bytes() != (tmp_path / "c" / "events.csv").read_bytes()


def test_the_traffic_has_the_shape_it_promises(tmp_path) -> None:
    made = generate(tmp_path, shipments=4_000, accounts=200, seed=1, until=UNTIL)
    shipments, events = rows(tmp_path / "shipments.csv"), rows(tmp_path / "events.csv")
    assert 11 < made["events"] / made["shipments"] < 13.5
    largest = Counter(s["account"] for s in shipments).most_common(1)[0]
    assert 0.18 < largest[1] / len(shipments) < 0.24
    assert len({s["carrier"] for s in shipments}) == 12
    versions = Counter((e["source"], e["source_event_id"]) for e in events)
    assert 0.02 < sum(n - 1 for n in versions.values()) / len(versions) < 0.04, "2 % twice, 1 % corrected"
    recorded = [e["recorded_at"] for e in events]
    assert recorded == sorted(recorded)
    assert max(recorded) <= "2026-01-01T00:00:00Z"


@pytest.mark.slow
@pytest.mark.req("I1", "I2", "P4")
def test_it_loads_whole_and_agrees_with_a_full_derivation() -> None:
    cast.operator()
    seed, out = secrets.randbelow(90_000), StringIO()
    call_command("seed_demo", tenants=4, shipments=60, seed=seed, stdout=out, stderr=StringIO())
    assert "60 shipments" in out.getvalue()
    assert " 0 quarantined" in out.getvalue()
    now = datetime.now(UTC)
    with as_tenant(OPERATOR_ID):
        assert [b for b in tenant_breaches(at=now) if b["invariant"] == "I2"] == []
    account = tenant_id_of_code(f"T{seed}N0001")
    assert account is not None
    with as_tenant(account):
        stored = milestones()
        shipments = list(Shipment.objects.order_by("pk"))
        rebuild(shipments, sightings_of([s.pk for s in shipments]), at=now)
        assert milestones() == stored
        assert Shipment.objects.filter(status="DONE").exists()


def milestones() -> list[tuple[object, ...]]:
    """Every derived row."""
    found = MilestoneRow.objects.order_by("shipment_id", "container", "milestone", "node")
    return list(found.values_list("shipment_id", "container", "milestone", "node", "act_at", "est_at", "basis"))
