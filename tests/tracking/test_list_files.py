"""Files of the list: exactly the view, read back with another library; long ones made in the background."""

from __future__ import annotations

import csv
import io
import re
import secrets
import zipfile
from datetime import UTC, date, datetime, timedelta

import pytest
from python_calamine import CalamineWorkbook

from portal.lib import clock
from portal.notify.models import Delivery
from portal.outbox.models import OutboxRow, RowState
from portal.outbox.runner import run_due
from portal.tenancy.context import as_tenant
from portal.tenancy.models import Member
from portal.web.exports import xlsx_write
from tests.doors import client_of
from tests.tracking.messages import number_of, shipment, source
from tests.tracking.pages import NOW, journey, many, refs, tiered
from tiers.promises.models import EntitlementOverride
from tracking import export_views
from tracking.filters import COLUMNS, ShipmentFilter
from tracking.list_files import file_heads
from tracking.models import Export, ExportState, Shipment
from tracking.services import TooManyExports, export_ask, export_build, exports
from tracking.services.exports import KEPT, MOST_KEPT, exports_forget

HOSTILE = ["=2+5", "+1", "-1", "@SUM(A1)", "\tTAB", "'quoted", "http://evil.example/x", "=HYPERLINK(\"http://x\")",
           "mailto:a@b.c", "_x0041_", "007", "1e5", "2026-03-01", "ünïcode 集装箱", "a" * 60]  # fmt: skip


@pytest.fixture(autouse=True)
def _march():
    with clock.set_to(NOW):
        yield


def sheet(body: bytes) -> list[list[object]]:
    """The workbook's rows as another library reads them."""
    return CalamineWorkbook.from_filelike(io.BytesIO(body)).get_sheet_by_index(0).to_python()


def csv_of(response) -> list[dict[str, str]]:
    assert response.status_code == 200
    return list(csv.DictReader(io.StringIO(b"".join(response).decode())))


@pytest.mark.req("X1")
def test_text_stays_text_numbers_stay_numbers_and_days_stay_days() -> None:
    out = io.BytesIO()
    moment = datetime(2026, 3, 12, 6, 40, tzinfo=UTC)
    rows = [[text, 41, 2.5, True, date(2026, 3, 20), moment, None, ""] for text in HOSTILE]
    assert xlsx_write(out, sheet="s", columns=list("abcdefgh"), rows=rows) == len(HOSTILE)
    read = sheet(out.getvalue())
    assert read[0] == list("abcdefgh")
    assert [row[0] for row in read[1:]] == HOSTILE
    assert read[1][1:] == [41.0, 2.5, True, date(2026, 3, 20), moment.replace(tzinfo=None), "", ""]
    parts = zipfile.ZipFile(out)
    names = parts.namelist()
    assert not [name for name in names if "rels" in name and "sheet1" in name]  # no links of any kind
    assert b"<f>" not in parts.read("xl/worksheets/sheet1.xml")


@pytest.mark.req("X1", "X3")
def test_the_workbook_is_the_view_its_columns_its_filters_its_order(acme) -> None:
    tiered(acme, "PRIORITY")
    made = journey(acme, source(), ref="=2+5", po_numbers=("@po", "0099"))
    shipment(acme, ref="LATER", due_date=date(2026, 4, 1))
    shipment(acme, ref="AIR", carrier="HLCU")
    client = client_of(acme.member)
    query = "carrier=MAEU&sort=promised&cols=shipment,po,promised,expected,last,boxes"
    answer = client.get(f"/shipments.xlsx?{query}")
    assert answer["Content-Type"] == "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    assert answer["Content-Disposition"] == 'attachment; filename="shipments-2026-03-15.xlsx"'
    head, *rows = sheet(answer.content)
    assert [row[0] for row in rows] == ["=2+5", "LATER"] == refs_plain(client, query)
    first = dict(zip(head, rows[0], strict=True))
    assert first["purchase_orders"] == "@po|0099"
    assert first["promised_date"] == date(2026, 3, 20)
    assert first["expected_utc"] == datetime(2026, 3, 18, 9, 0, tzinfo=UTC).replace(tzinfo=None)
    assert first["containers"] == number_of(made)
    assert rows[1][head.index("last_event")] == ""  # unknown, not a zero
    table = csv_of(client.get(f"/shipments.csv?{query}"))
    assert list(table[0]) == head
    assert [row["shipment"] for row in table] == ["'=2+5", "LATER"]


def refs_plain(client, query: str) -> list[str]:
    return refs(client.get(f"/shipments?{query}").content.decode())


def test_every_column_of_the_page_has_its_place_in_the_files(acme) -> None:
    tiered(acme, "PRIORITY")
    journey(acme, source(), hbl="H-1", mbl="M-1", branch="Rotterdam")
    client = client_of(acme.member)
    row = csv_of(client.get(f"/shipments.csv?cols={','.join(COLUMNS)}"))[0]
    assert (row["house_bill"], row["master_bill"], row["branch"]) == ("H-1", "M-1", "Rotterdam")
    assert row["booked_utc"] == "2026-01-10T00:00:00Z"
    heads = set(row)
    with as_tenant(acme.pk):
        each = [file_heads(["shipment", column]) for column in COLUMNS]
    for column, found in zip(COLUMNS, each, strict=True):
        assert len(found) > (column != "shipment")
        assert set(found) <= heads


# --- made in the background ---


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four rows are a long list."""
    monkeypatch.setattr(export_views, "MOST_AT_ONCE", 4)


def state_of(account, public_id: str) -> Export:
    with as_tenant(account.pk):
        return Export.objects.get(public_id=public_id)


@pytest.mark.req("W9", "X3")
def test_a_long_list_is_asked_for_made_by_the_outbox_told_by_mail_and_fetched(acme, globex, small) -> None:
    many(acme, 7)
    client = client_of(acme.member)
    offer = client.get("/shipments.xlsx?pol=CNSHA&sort=ref")
    assert "This view holds 7 shipments" in offer.content.decode()
    with as_tenant(acme.pk):
        assert not Export.objects.exists()  # looking makes nothing
    page = client.post("/shipments/exports?pol=CNSHA&sort=ref")["Location"]
    waiting = client.get(page).content.decode()
    assert "0 of 7 shipments are written" in waiting
    assert client.get(f"{page}/file").status_code == 404
    run_due(at=NOW)
    ready = client.get(page).content.decode()
    assert "7 shipments" in ready
    assert "Fetch the workbook" in ready
    answer = client.get(f"{page}/file")
    assert answer["Content-Disposition"].startswith("attachment")
    assert [row[0] for row in sheet(answer.content)[1:]] == [f"R{n:04d}" for n in range(7)]
    with as_tenant(acme.pk):
        told = Delivery.objects.get(fact_key="tracking.export_ready")
        assert (told.email, told.fact["path"]) == (acme.member.user.email, page)
    for other in (acme.manager, globex.member):
        assert client_of(other).get(page).status_code == 404
        assert client_of(other).get(f"{page}/file").status_code == 404


@pytest.mark.req("X3", "A7")
def test_who_may_have_the_file_is_judged_when_it_is_fetched(acme, small) -> None:
    many(acme, 7)
    client = client_of(acme.member)
    page = client.post("/shipments/exports")["Location"]
    run_due(at=NOW)
    assert client.get(f"{page}/file").status_code == 200
    with clock.set_to(NOW + KEPT + timedelta(minutes=1)):
        assert client_of(acme.member).get(f"{page}/file").status_code == 404
    with as_tenant(acme.pk):
        EntitlementOverride.objects.create(key="csv_export", value=False, valid_from=date(2026, 1, 1), created_at=NOW,
                                created_by="test", reason="test")  # fmt: skip
    assert client.get(f"{page}/file").status_code == 403
    with as_tenant(acme.pk):
        Member.objects.filter(pk=acme.member.pk).update(is_active=False)
    assert client.get(f"{page}/file").status_code == 302  # to the sign-in


def test_run_twice_it_is_one_file_and_one_mail_and_an_overtaken_run_writes_nothing(acme) -> None:
    many(acme, 6)
    with as_tenant(acme.pk):
        asked = export_ask(member=acme.member, wanted=ShipmentFilter(), total=6, at=NOW)
        export_build(public_id=asked.public_id, at=NOW)
        first = Export.objects.get(pk=asked.pk)
        export_build(public_id=asked.public_id, at=NOW)
        assert Export.objects.get(pk=asked.pk).run == first.run == 1
        late = Export.objects.get(pk=asked.pk)
        Export.objects.filter(pk=asked.pk).update(run=2, state=ExportState.RUNNING, rows=3)
        exports._finish(late, b"of the overtaken run", 6, NOW)
        assert bytes(Export.objects.get(pk=asked.pk).body) == bytes(first.body)
        assert OutboxRow.objects.filter(name="tracking.export_ready").count() == 1


def test_progress_is_seen_while_the_file_is_made(acme, monkeypatch: pytest.MonkeyPatch) -> None:
    many(acme, 25)
    monkeypatch.setattr(exports, "_STEP", 10)
    seen: list[int] = []
    plain = exports._mine

    def watched(export):
        seen.extend(Export.objects.filter(pk=export.pk).values_list("rows", flat=True))
        return plain(export)

    monkeypatch.setattr(exports, "_mine", watched)
    with as_tenant(acme.pk):
        asked = export_ask(member=acme.member, wanted=ShipmentFilter(), total=25, at=NOW)
        export_build(public_id=asked.public_id, at=NOW)
    assert seen == [0, 10, 20]


@pytest.mark.req("X3")
def test_an_account_keeps_so_many_files_and_each_for_a_day(acme) -> None:
    with as_tenant(acme.pk):
        for _n in range(MOST_KEPT):
            export_ask(member=acme.member, wanted=ShipmentFilter(), total=1, at=NOW)
        with pytest.raises(TooManyExports):
            export_ask(member=acme.manager, wanted=ShipmentFilter(), total=1, at=NOW)
        assert exports_forget(at=NOW + KEPT - timedelta(seconds=1)) == 0
        assert exports_forget(at=NOW + KEPT) == MOST_KEPT
        OutboxRow.objects.filter(state=RowState.PENDING).update(state=RowState.DONE, done_at=NOW)


def test_a_file_that_would_be_too_large_says_so(acme, monkeypatch: pytest.MonkeyPatch) -> None:
    many(acme, 3)
    monkeypatch.setattr(exports, "MOST_BYTES", 100)
    with as_tenant(acme.pk):
        asked = export_ask(member=acme.member, wanted=ShipmentFilter(), total=3, at=NOW)
        export_build(public_id=asked.public_id, at=NOW)
    text = client_of(acme.member).get(f"/shipments/exports/{asked.public_id}").content.decode()
    assert "would have more than 20 MB" in text
    many_rows = export_views.MOST_ROWS + 1
    with as_tenant(acme.pk), pytest.raises(exports.ExportTooLarge):
        export_ask(member=acme.member, wanted=ShipmentFilter(), total=many_rows, at=NOW)


def test_a_file_shows_what_its_person_may_see_when_it_is_made(acme) -> None:
    """A tier without every event: the last event is one of the core five, in files too (5.1)."""
    journey(acme, source(), ref="MINE")
    row = csv_of(client_of(acme.member).get("/shipments.csv"))[0]
    assert row["last_event"] != Shipment(ref=secrets.token_hex(2)).milestone
    assert row["last_event"] in ("GATE_IN_FULL", "VESSEL_DEPARTED")
    tiered(acme, "PRIORITY")
    assert re.match("[A-Z_]+$", csv_of(client_of(acme.member).get("/shipments.csv"))[0]["last_event"])
