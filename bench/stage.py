"""What the benches stand on: a PostgreSQL of our own in a folder of its own, migrated, and made-up accounts in it.

Real durability (fsync on). Everything is made anew and thrown away; the traffic is portal/demo/traffic.py, seeded.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import psycopg  # noqa: E402

from portal.demo.traffic import ORIGINS, ZONES, World, stamp  # noqa: E402
from portal.launch.postgres import PostgresServer, postgres_bin  # noqa: E402
from portal.launch.roles import ensure_roles, role_names  # noqa: E402

UNTIL = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = {
    "shared_buffers": "'1GB'", "max_wal_size": "'8GB'", "checkpoint_timeout": "'30min'", "work_mem": "'32MB'",
    "maintenance_work_mem": "'256MB'",
}  # fmt: skip


class Stage:
    """A migrated database with the three roles, and Django set up on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.postgres = PostgresServer(folder / "pg", bin_dir=postgres_bin())
        self.admin = ""

    def start(self) -> None:
        """Starts the server, makes roles and tables, and sets Django up in this process."""
        self.postgres.start()
        with psycopg.connect(self.postgres.superuser_url(), autocommit=True) as admin:
            for name, value in SETTINGS.items():
                admin.execute(f"alter system set {name} = {value}")
        self.postgres.stop()
        self.postgres.start()
        with psycopg.connect(self.postgres.superuser_url(), autocommit=True) as admin:
            admin.execute("create database bench")
        self.admin = self.postgres.superuser_url("bench")
        ensure_roles(admin_url=self.admin)
        names = role_names()
        os.environ.update({
            "PLIMSOLL_MODE": "demo", "PLIMSOLL_NO_BOOTSTRAP": "1", "DJANGO_SETTINGS_MODULE": "portal.settings",
            "DATABASE_URL": self.postgres.url(names.app, "bench"),
            "DATABASE_OPERATOR_URL": self.postgres.url(names.operator, "bench"),
            "DATABASE_OWNER_URL": self.postgres.url(names.owner, "bench"),
            "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",  # nobody publishes here
        })  # fmt: skip
        command = [sys.executable, "-W", "ignore", "-m", "django", "migrate", "--database", "owner", "--verbosity", "0"]
        subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
        import django

        django.setup()

    def stop(self) -> None:
        """Ends the server and throws everything away."""
        from django.db import connections

        connections.close_all()
        self.postgres.stop()
        for folder in {self.postgres.home, self.postgres.root, self.postgres.socket_folder}:
            shutil.rmtree(folder, ignore_errors=True)

    def sql(self, text: str, values: Any = None) -> list[tuple[Any, ...]]:
        """One statement as the administrator."""
        with psycopg.connect(self.admin, autocommit=True) as admin:
            cursor = admin.execute(text, values)
            return cursor.fetchall() if cursor.description else []

    def busy(self) -> float:
        """Processor seconds of the database server so far, all its processes."""
        return busy_of(int(self.postgres.pid or 0))


def busy_of(pid: int) -> float:
    """Processor seconds of a process and its children, the ended ones too."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()
    living = 0.0
    for child in found:
        try:
            part = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        living += sum(int(field) for field in part[11:13]) / os.sysconf("SC_CLK_TCK")
    return own + living


@contextmanager
def stage() -> Iterator[Stage]:
    """A stage for the block."""
    folder = Path(tempfile.mkdtemp(prefix="plimsoll-bench-"))
    made = Stage(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


# --- who is there ---


@cache
def _zone(code: str) -> ZoneInfo:
    return ZoneInfo(ZONES.get(code, "Asia/Shanghai"))


def places() -> None:
    """The ports of the traffic, with their zones; those of loading in one zone each, it matters little which."""
    from tracking.models import Place

    rows = [Place(code=code, name=code, country=code[:2], zone=_zone(code).key) for code in (*ORIGINS, *ZONES)]
    Place.objects.bulk_create(rows, ignore_conflicts=True)


def feed(key: str) -> str:
    """A carrier's feed in the operator's scope; returns the text of its key."""
    from portal.tenancy.context import OPERATOR_ID, as_tenant
    from portal.tenancy.keys import key_create
    from tracking.services import source_create
    from tracking.types import SourceKind

    at = datetime.now(UTC)
    with as_tenant(OPERATOR_ID):
        source_create(key=key, name=key, kind=SourceKind.CARRIER, format="dcsa", at=at)
        return key_create(label=key, at=at, scope="events:write", source_key=key)[1]


def operator() -> None:
    """The operator's own scope."""
    from portal.tenancy.services import installation_create

    installation_create(name="Bench", code="bench", zone="UTC", currency="USD", at=datetime.now(UTC))


def traffic(*, tenants: int, shipments: int, seed: int, prefix: str) -> tuple[list[int], list[list[dict[str, Any]]]]:
    """Registers the shipments of so many equal accounts; returns their ids and, by account, what carriers will tell
    of them in the order of telling.
    """
    from portal.tenancy.context import as_tenant
    from portal.tenancy.services import tenant_create
    from tracking.services import ShipmentSpec, shipments_register
    from tracking.types import FinalMilestone

    at = datetime.now(UTC)
    ids: list[int] = []
    told: list[list[dict[str, Any]]] = []
    for n in range(tenants):
        start = UNTIL - timedelta(days=600)
        world = World(shipments=shipments // tenants, accounts=1, seed=seed + n, start=start, prefix=f"{prefix}{n:03d}")
        tenant = tenant_create(code=f"{prefix}{n:03d}", name=f"Bench {n}", zone="UTC", at=at)
        specs, events = [], []
        for number in range(world.shipments):
            row = world.shipment(number)
            specs.append(
                ShipmentSpec(
                    ref=row["shipment_ref"], final_milestone=FinalMilestone(row["final_milestone"]), pol=row["pol"],
                    pod=row["pod"], final_place=row["pod"], due_date=row["due_date"], booked_at=row["booked_at"],
                    confirmed_at=row["confirmed_at"], containers=(row["containers"],), booking=row["booking"],
                    hbl=row["hbl"], po_numbers=(row["po_numbers"],), carrier=row["carrier"], voyage=row["voyage"],
                    vessel_imo=row["vessel_imo"], branch=row["branch"], vertical=row["vertical"],
                )
            )  # fmt: skip
            events += [e for e in world.events(row, number) if e["recorded_at"] <= UNTIL]
        with as_tenant(tenant.pk):
            for first in range(0, len(specs), 2_000):
                shipments_register(specs=specs[first : first + 2_000], at=at)
        events.sort(key=lambda e: e["recorded_at"])
        ids.append(tenant.pk)
        told.append(events)
    return ids, told


def mixed(told: list[list[dict[str, Any]]], seed: int) -> list[dict[str, Any]]:
    """The events of several accounts as one stream in which they take turns by chance."""
    every = [(event["recorded_at"], n, m) for n, listed in enumerate(told) for m, event in enumerate(listed)]
    every.sort()
    window, dice, stream = 5_000, random.Random(seed), []
    for first in range(0, len(every), window):
        part = every[first : first + window]
        dice.shuffle(part)
        stream += [told[n][m] for _at, n, m in part]
    return stream


def dcsa(row: dict[str, Any]) -> dict[str, Any]:
    """An event of the traffic in the words of DCSA 2.2, as a carrier's feed sends it."""
    by_vessel = row["kind"] == "TRANSPORT"
    call: dict[str, Any] = {
        "transportCallID": f"{row['place']}-{row['source_event_id'][-12:]}", "UNLocationCode": row["place"],
        "facilityCode": f"{row['place'][2:]}T1", "facilityCodeListProvider": "SMDG", "facilityTypeCode": "POTE",
        "modeOfTransport": "VESSEL" if by_vessel else "TRUCK",
    }  # fmt: skip
    if by_vessel:
        call |= {
            "exportVoyageNumber": row["voyage"], "importVoyageNumber": row["voyage"],
            "vessel": {"vesselIMONumber": row["vessel_imo"], "vesselName": "BENCH SPIRIT"},
        }  # fmt: skip
    event = {
        "eventID": row["source_event_id"], "eventType": row["kind"], "eventClassifierCode": row["classifier"],
        "eventDateTime": row["event_time"].astimezone(_zone(row["place"])).isoformat(timespec="seconds"),
        "eventCreatedDateTime": stamp(row["source_created_at"]),
        ("transportEventTypeCode" if by_vessel else "equipmentEventTypeCode"): row["code"],
        "transportCall": call,
        "documentReferences": [{"documentReferenceType": "BKG", "documentReferenceValue": row["booking"]}],
    }  # fmt: skip
    if not by_vessel:
        event |= {
            "equipmentReference": row["container"],
            "emptyIndicatorCode": "EMPTY" if row["laden"] == "false" else "LADEN",
            "ISOEquipmentCode": "45G1", "eventLocation": {"UNLocationCode": row["place"]},
        }  # fmt: skip
    return event
