"""`load_history`: what it makes, refuses and keeps quiet about; batches give what row by row gives."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from portal.lib import clock
from portal.outbox.models import OutboxRow
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.selectors import tenant_id_of_code
from tests import cast
from tests.tracking.messages import box
from tiers.credits.models import ChargeLine
from tiers.promises.selectors import subscription_rows
from tracking.backfill import NoHistory, UnreadableHistory, history_load
from tracking.eventfile import EventFile, Neighbours
from tracking.manyhands import LoaderLost
from tracking.models import (
    CommitmentRow,
    InboundMessage,
    MilestoneRow,
    Place,
    Quarantined,
    RawBody,
    Shipment,
    SightingRow,
    Source,
    Touched,
)
from tracking.services import waiting_match

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
pytestmark = [pytest.mark.walls, pytest.mark.req("R1.1")]


class Folder:
    """History files under a fresh account, source and place."""

    def __init__(self, path: Path) -> None:
        cast.operator()
        self.path, mark = path, secrets.token_hex(4).upper()
        self.account, self.source, self.place, self.box = f"H{mark}", f"terminal-{mark}", f"X{mark}", box()

    def write(self, name: str, *rows: Mapping[str, Any], header: str = "") -> None:
        """A file with the columns of its first row."""
        columns = list(rows[0]) if rows else header.split(",")
        lines = [",".join(columns), *(",".join(str(row.get(c, "")) for c in columns) for row in rows)]
        (self.path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")

    def usual(self) -> None:
        """Two accounts' worth of everything: one shipment, four events, a charge."""
        self.write("places.csv", {"code": self.place, "name": "Inland depot", "zone": "America/Port-au-Prince"})
        self.write(
            "accounts.csv",
            {"account": self.account, "name": "Heron", "tier": "PRIORITY", "valid_from": "2025-01-01", "zone": "UTC"},
            {"account": self.account, "name": "Heron", "tier": "PREMIUM", "valid_from": "2025-07-01", "zone": "UTC"},
        )
        self.write("shipments.csv", self.shipment())
        self.write("events.csv", *self.events())
        self.write(
            "charges.csv",
            *[{"account": self.account, "shipment_ref": "S1", "code": "FRT", "amount": "1200.50", "currency": "USD",
               "recorded_at": "2026-01-20T00:00:00Z"}] * 2,
        )  # fmt: skip

    def shipment(self, **more: Any) -> dict[str, Any]:
        """A door shipment to the depot."""
        return {
            "account": self.account, "shipment_ref": "S1", "final_milestone": "DOOR", "pol": "CNSHA", "pod": "NLRTM",
            "final_place": self.place, "due_date": "2026-01-20", "containers": self.box, "mode": "SEA", **more,
        }  # fmt: skip

    def event(self, code: str, time: str, **more: Any) -> dict[str, Any]:
        """An event of the container."""
        return {
            "source": self.source, "source_event_id": f"{code}-{time}", "container": self.box, "code": code,
            "classifier": "ACT", "event_time": time, "recorded_at": "", "place": "NLRTM", "laden": "true", **more,
        }  # fmt: skip

    def events(self) -> list[dict[str, Any]]:
        """Told late, on the day, not said, and ahead of our clock."""
        return [
            self.event("GTIN", "2025-12-01T10:00:00Z", place="CNSHA", recorded_at="2025-12-03T00:00:00Z"),
            self.event("DISC", "2026-01-10T10:00:00Z"),
            self.event("DROP", "2026-01-19", place=self.place, recorded_at="2026-01-19"),
            self.event("GTOT", "2026-01-15T10:00:00Z", recorded_at="2027-01-01T00:00:00Z"),
        ]

    def load(self, **more: Any) -> Any:
        """Loaded at noon of 1 March 2026."""
        return history_load(folder=self.path, at=NOW, **{"tell": lambda _text: None, **more})

    @property
    def tenant(self) -> int:
        """The account it made."""
        found = tenant_id_of_code(self.account)
        assert found is not None
        return found


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty folder."""
    return Folder(tmp_path)


@pytest.mark.req("R1.16", "R5.2", "R6.6")
def test_it_makes_what_it_does_not_know(folder) -> None:
    folder.usual()
    done = folder.load()
    assert (done.places, done.accounts, done.sources, done.shipments, done.charges) == (1, 1, 1, 1, 2)
    assert (done.received, done.accepted, done.refused) == (4, 4, [])
    with as_tenant(folder.tenant):
        s = Shipment.objects.get()
        assert (s.ref, s.final_place, s.due_date) == ("S1", folder.place, date(2026, 1, 20))
        assert [(r.tier, r.valid_from, r.valid_to) for r in subscription_rows()] == [
            ("PRIORITY", date(2025, 1, 1), date(2025, 7, 1)), ("PREMIUM", date(2025, 7, 1), None),
        ]  # fmt: skip
        assert ChargeLine.objects.count() == 2, "two equal lines of one file are two lines"
        assert CommitmentRow.objects.get().made_at == datetime(2026, 1, 20, 5, tzinfo=UTC), "start of the day there"
    with as_tenant(OPERATOR_ID):
        made = Source.objects.get(key=folder.source)
        assert (made.kind, made.last_heard_at) == ("terminal", NOW)
        message = InboundMessage.objects.get(source__key=folder.source)
        assert (message.channel, message.events_accepted) == ("HISTORY", 4)
        raw = bytes(RawBody.objects.get(source__key=folder.source).body)
        assert set(raw.splitlines()) == set((folder.path / "events.csv").read_bytes().splitlines())


def test_it_is_recorded_when_the_file_says_and_told_to_nobody(folder) -> None:
    folder.usual()
    folder.load()
    with as_tenant(folder.tenant):
        recorded = dict(SightingRow.objects.values_list("code", "recorded_at"))
        assert recorded == {
            "GTIN": datetime(2025, 12, 3, tzinfo=UTC),
            "DISC": datetime(2026, 1, 10, 10, tzinfo=UTC),  # not said: when it happened
            "DROP": datetime(2026, 1, 19, 5, tzinfo=UTC),  # a day: that day at its place, never before it began
            "GTOT": NOW,  # never later than now
        }
        assert all(SightingRow.objects.values_list("is_backfilled", flat=True))
        assert Shipment.objects.get().punctuality == "ON_TIME"
        assert not OutboxRow.objects.filter(name="tracking.milestone_reached").exists()


@pytest.mark.req("R1.2", "X15")
def test_a_second_load_changes_nothing(folder) -> None:
    folder.usual()
    folder.load()
    with as_tenant(folder.tenant):
        before = list(MilestoneRow.objects.order_by("milestone").values_list("milestone", "act_at", "act_recorded_at"))
    again = folder.load()
    assert (again.places, again.accounts, again.sources, again.shipments, again.shipments_known) == (0, 0, 0, 0, 1)
    assert (again.accepted, again.duplicate, again.refused) == (0, 4, [])
    with as_tenant(folder.tenant):
        after = list(MilestoneRow.objects.order_by("milestone").values_list("milestone", "act_at", "act_recorded_at"))
        assert ChargeLine.objects.count() == 2
    assert after == before


@pytest.mark.req("G3")
def test_small_batches_and_large_ones_give_the_same(folder, tmp_path) -> None:
    """The same files under two accounts, once a row at a time."""
    found = []
    for batch, name in ((1, "one"), (1_000, "many")):
        (tmp_path / name).mkdir()
        other = Folder(tmp_path / name)
        other.box, other.place = folder.box, folder.place
        other.usual()
        other.write("events.csv", *other.events(), {**other.event("GTIN", "2025-12-01T10:00:00Z"), "place": "CNSHA",
                    "event_time": "2025-12-01T09:00:00Z", "recorded_at": "2025-12-05T00:00:00Z",
                    "account": other.account})  # fmt: skip
        other.load(batch=batch)
        with as_tenant(other.tenant):
            rows = MilestoneRow.objects.order_by("milestone", "container", "node")
            found.append(
                list(rows.values_list("milestone", "container", "node", "act_at", "act_recorded_at", "est_at"))
            )
    assert found[0] == found[1]
    assert len(found[0]) > 4


@pytest.mark.req("G5", "G6")
def test_a_bad_event_row_waits_in_quarantine_and_the_rest_is_applied(folder) -> None:
    folder.usual()
    folder.write(
        "events.csv", folder.events()[0], folder.event("NONSENSE", "2026-01-02T00:00:00Z"),
        folder.event("DISC", "not a time"), folder.event("DISC", "2026-01-03T00:00:00Z", container="MSKU0000000"),
    )  # fmt: skip
    done = folder.load()
    assert (done.received, done.accepted, done.quarantined) == (4, 1, 3)
    assert done.quarantined_by_reason == {"unknown_code": 1, "bad_time": 1, "no_matching_shipment": 1}


@pytest.mark.req("R1.0")
def test_what_waited_is_recorded_when_the_file_said_also_when_it_is_matched_later(folder) -> None:
    folder.usual()
    (folder.path / "shipments.csv").rename(folder.path / "later")
    assert folder.load().quarantined == 4
    (folder.path / "later").rename(folder.path / "shipments.csv")
    (folder.path / "events.csv").unlink()
    folder.load()
    with as_tenant(OPERATOR_ID):
        assert waiting_match(refs=[f"CONTAINER:{folder.box}"], at=NOW) == 4
        assert not Quarantined.objects.filter(source__key=folder.source, state="OPEN").exists()
    with as_tenant(folder.tenant):
        assert SightingRow.objects.get(code="GTIN").recorded_at == datetime(2025, 12, 3, tzinfo=UTC)
        assert all(SightingRow.objects.values_list("is_backfilled", flat=True))
        assert not OutboxRow.objects.filter(name="tracking.milestone_reached").exists()


def test_a_row_that_says_whose_it_is_concerns_that_account_only(folder, tmp_path) -> None:
    (tmp_path / "b").mkdir()
    other = Folder(tmp_path / "b")
    other.place, other.source = folder.place, folder.source
    folder.usual()
    other.write("shipments.csv", other.shipment())
    other.write("events.csv", {"source": other.source, "source_event_id": "e", "shipment_ref": "S1",
                               "account": other.account, "code": "GTIN", "classifier": "ACT", "place": "CNSHA",
                               "event_time": "2025-12-02T10:00:00Z", "laden": "true"})  # fmt: skip
    folder.load()
    assert other.load().accepted == 1
    with as_tenant(other.tenant):
        assert SightingRow.objects.count() == 1
    with as_tenant(folder.tenant):
        assert SightingRow.objects.count() == 4


def test_an_event_with_a_shipment_ref_only_concerns_all_its_containers(folder) -> None:
    folder.usual()
    folder.write("shipments.csv", folder.shipment(containers=f"{folder.box}|{box()}"))
    folder.write("events.csv", folder.event("DROP", "2026-01-19", container="", shipment_ref="S1", place=folder.place,
                                            account=folder.account))  # fmt: skip
    folder.load()
    with as_tenant(folder.tenant):
        rows = MilestoneRow.objects.filter(milestone="DELIVERED", act_at__isnull=False)
        assert rows.exclude(container="").count() == 2
        assert Shipment.objects.get().status == "DONE"


@pytest.mark.req("R1.18")
def test_a_mode_is_kept_as_it_was_written(folder) -> None:
    folder.usual()
    folder.write("shipments.csv", *[folder.shipment(shipment_ref=f"S{n}", containers="", mode=mode)
                                    for n, mode in enumerate(("Air Charter", "Truck", "N/A", "Ocean"))])  # fmt: skip
    folder.write("events.csv", header="code,classifier,event_time")
    folder.write("charges.csv", header="account,shipment_ref,code,amount,currency,recorded_at")
    assert folder.load().shipments == 4
    with as_tenant(folder.tenant):
        kept = {s.mode_as_written: (s.mode, s.commitments.get().dims["mode"]) for s in Shipment.objects.all()}
    assert kept == {"Air Charter": ("AIR", "AIR"), "Truck": ("ROAD", "ROAD"), "N/A": ("ROAD", "?"),
                    "Ocean": ("SEA", "SEA")}  # fmt: skip


@pytest.mark.parametrize(("file", "column"), [
    ("shipments.csv", "colour"), ("events.csv", "weather"), ("places.csv", "mayor"), ("accounts.csv", "mood"),
    ("charges.csv", "reason"),
])  # fmt: skip
def test_extra_columns_are_refused_by_name_before_anything_is_stored(folder, file, column) -> None:
    folder.usual()
    lines = (folder.path / file).read_text().splitlines()
    (folder.path / file).write_text("\n".join([f"{lines[0]},{column}", *(f"{line}," for line in lines[1:])]) + "\n")
    with pytest.raises(UnreadableHistory, match=rf"{file}.*{column}"):
        folder.load()
    assert tenant_id_of_code(folder.account) is None
    assert not Place.objects.filter(code=folder.place).exists()
    out = StringIO()
    with pytest.raises(SystemExit) as stopped:
        call_command("load_history", str(folder.path), stderr=out)
    assert stopped.value.code == 2
    assert column in out.getvalue()


def test_bytes_that_are_no_text_deep_in_a_file_are_found_before_anything_is_stored(folder) -> None:
    folder.usual()
    with (folder.path / "events.csv").open("ab") as file:
        file.write(b"x,\xff\xfe,\n")
    with pytest.raises(UnreadableHistory, match=r"events\.csv: .*UTF-8"):
        folder.load()
    assert tenant_id_of_code(folder.account) is None


def test_a_folder_without_history_is_said_so(tmp_path) -> None:
    cast.operator()
    with pytest.raises(NoHistory):
        history_load(folder=tmp_path, at=NOW, tell=lambda _text: None)
    for wrong in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(SystemExit) as stopped:
            call_command("load_history", str(wrong), stderr=StringIO())
        assert stopped.value.code == 2


def test_rows_that_cannot_be_used_are_named_and_the_others_are_loaded(folder) -> None:
    folder.usual()
    folder.write(
        "shipments.csv", folder.shipment(), folder.shipment(shipment_ref="S2", final_place="QQNOWHERE"),
        folder.shipment(shipment_ref="S3", due_date="soon"), folder.shipment(shipment_ref="S4", account="no!"),
    )  # fmt: skip
    out, err = StringIO(), StringIO()
    with clock.set_to(NOW), pytest.raises(SystemExit) as stopped:
        call_command("load_history", str(folder.path), "--json", stdout=out, stderr=err)
    assert stopped.value.code == 1
    told = json.loads(out.getvalue())
    assert told["shipments"] == 1
    assert told["refused"] == {"bad_time": 1, "no_zone": 1, "unknown_account": 1}
    assert "shipments.csv $[1]" in err.getvalue()


def test_quoted_cells_with_line_ends_stay_one_row(folder) -> None:
    folder.usual()
    text = (folder.path / "events.csv").read_text()
    first = text.splitlines()[1]
    quoted = first.replace(folder.source, f'"{folder.source}\n"', 1)
    (folder.path / "events.csv").write_text(text.replace(first, quoted))
    done = folder.load()
    assert (done.received, done.accepted) == (4, 4)


@pytest.mark.req("G6", "W8")
@pytest.mark.parametrize(
    ("file", "column", "value"),
    [
        ("shipments.csv", "due_date", "9999-12-31"), ("shipments.csv", "due_date", "0001-01-01"),
        ("events.csv", "event_time", "0001-01-01"), ("events.csv", "source", "a\0b"),
        ("charges.csv", "container", "X" * 20), ("charges.csv", "code", "ß" * 32),
        ("charges.csv", "amount", "99999999999999.99999999"),
    ],
)  # fmt: skip
def test_what_no_column_can_hold_is_one_refused_row(tmp_path: Path, file: str, column: str, value: str) -> None:
    folder = Folder(tmp_path)
    folder.usual()
    head, first, *others = (tmp_path / file).read_text().splitlines()
    cells = dict(zip(head.split(","), first.split(","), strict=True)) | {column: value}
    lines = [
        ",".join(cells),
        ",".join(cells.values()),
        *(line + "," * (len(cells) - head.count(",") - 1) for line in others),
    ]
    (tmp_path / file).write_text("\n".join(lines) + "\n")
    done = history_load(folder=tmp_path, at=NOW, tell=lambda _line: None)
    assert len(done.refused) + done.quarantined >= 1
    assert done.received == done.accepted + done.duplicate + done.quarantined


@pytest.mark.req("G3", "P4")
def test_many_processes_load_what_one_does(folder, tmp_path) -> None:
    """Two sources, one shipment: each process takes one, and the state waits for both."""
    found, told = [], []
    for workers in (1, 2, 3):
        (tmp_path / str(workers)).mkdir()
        other = Folder(tmp_path / str(workers))
        other.box, other.place = folder.box, folder.place
        other.usual()
        second = {"source": f"{other.source}b", "account": other.account}
        other.write(
            "events.csv", *({**e, "account": other.account} for e in other.events()),
            other.event("LOAD", "2025-12-02T10:00:00Z", place="CNSHA", **second), other.event("XXXX", "?", **second),
        )  # fmt: skip
        done = other.load(workers=workers, batch=2, tell=told.append)
        assert (done.received, done.accepted, done.sources) == (6, 5, 2)
        assert done.quarantined_by_reason.total() == 1
        with as_tenant(other.tenant):
            assert not Touched.objects.exists()
            rows = MilestoneRow.objects.order_by("milestone", "container", "node")
            found.append(list(rows.values_list("milestone", "container", "node", "act_at", "act_recorded_at")))
    assert found[0] == found[1] == found[2]
    assert {m for m, *_rest in found[0]} >= {"LOADED", "GATE_IN_FULL"}
    assert any("of 6 rows" in text for text in told)
    assert any("milestones of" in text for text in told)


@pytest.mark.req("P4")
def test_a_load_whose_process_is_killed_says_so_and_goes_on_the_next_time(folder, monkeypatch) -> None:
    folder.usual()
    folder.write("events.csv", *folder.events(), {**folder.events()[0], "source": f"{folder.source}b"})
    with monkeypatch.context() as broken:
        broken.setenv("PLIMSOLL_FAULT", "history.after_batch")
        with pytest.raises(LoaderLost, match="exit code -9"):
            folder.load(workers=2, batch=2)
    done = folder.load(workers=2, batch=2)
    assert (done.received, done.accepted + done.duplicate) == (5, 5)
    assert done.accepted < 5, "what the lost process had stored is known"


@pytest.mark.parametrize("part", [1, 3, 1_000])
def test_rows_lie_by_source_and_shipment_in_the_order_they_were_learned(tmp_path, monkeypatch, part) -> None:
    monkeypatch.setattr("tracking.eventfile._PART", part)
    near = Neighbours()
    for account, name in (("B", "BOX2"), ("A", "BOX1"), ("B", "BOX3")):
        near.add(account, (name,))
    path = tmp_path / "events.csv"
    rows = [("s", "BOX1", "2026-01-03"), ("t", "BOX2", "2026-01-01"), ("s", "BOX3", "2026-01-02"), ("s", "?", "?"),
            ("s", "BOX1", "2026-01-01T00:00:00+01:00"), ("s", "BOX2", "2026-01-09")]  # fmt: skip
    lines = "".join(f"{s},{box},GTIN,ACT,{t},NLRTM\n" for s, box, t in rows)
    path.write_text("source,container,code,classifier,event_time,place\n" + lines)
    with closing(EventFile(path, near)) as events:
        assert (len(events), events.sources) == (6, {"s": 5, "t": 1})
        whole, one = list(events.batches(2)), list(events.batches(9, of={"t"}))
    listed = [(key, line.split(",")[1:5:3]) for key, body in whole for line in body.decode().split()[1:]]
    assert listed == [
        ("s", ["?", "?"]), ("s", ["BOX2", "2026-01-09"]), ("s", ["BOX3", "2026-01-02"]),
        ("s", ["BOX1", "2026-01-01T00:00:00+01:00"]), ("s", ["BOX1", "2026-01-03"]), ("t", ["BOX2", "2026-01-01"]),
    ]  # fmt: skip
    assert one == whole[-1:]
