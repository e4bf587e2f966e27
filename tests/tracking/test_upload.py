"""The upload wizard through its doors: what is asked, what is shown, what is imported, who may."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from portal.lib import clock
from portal.outbox.models import OutboxRow
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import AuditEntry, Member, Role
from tests import cast
from tests.doors import client_of
from tests.tracking.messages import box, number_of, shipment, source
from tests.tracking.xlsx import Day, book, workbook
from tracking.ingest import message_process
from tracking.models import InboundMessage, Quarantined, Shipment, SightingRow, Source, UploadDraft
from tracking.services import uploads_forget

DAY = "2026-03-12 14:05"


@pytest.fixture
def ops() -> Client:
    cast.operator()
    return client_of(cast.person(OPERATOR_ID, Role.OPS))


@pytest.fixture
def sheets() -> Source:
    return source(format="table")


def csv(*rows: str, header: str = "Cntr No.,Gate Out Date,Port,Status") -> bytes:
    return "\n".join([header, *rows, ""]).encode()


def choose(ops: Client, sheets: Source, raw: bytes, name: str = "moves.csv") -> Any:
    return ops.post(f"/ops/sources/{sheets.key}/upload", {"file": SimpleUploadedFile(name, raw)})


def draft_of(sheets: Source) -> UploadDraft:
    with as_tenant(sheets.tenant_id):
        return UploadDraft.objects.filter(source=sheets).latest("pk")


def at(sheets: Source, step: str) -> str:
    return f"/ops/sources/{sheets.key}/upload/{draft_of(sheets).public_id}/{step}"


ANSWERS = {"col-0": "container", "col-1": "event_time", "col-2": "place", "col-3": "status", "zone-is": "place",
           "code:discharged": "DISC", "code:gone": "GTOT_FULL"}  # fmt: skip


def seen(answer: Any) -> str:
    """The page's words."""
    assert answer.status_code in (200, 422), answer.status_code
    main = answer.content.decode().partition("<main")[2]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main))


def mapped(ops: Client, sheets: Source, raw: bytes, name: str = "moves.csv", **more: str) -> str:
    """The preview of a file whose columns are explained; its words."""
    assert choose(ops, sheets, raw, name).status_code == 302
    answer = ops.post(at(sheets, "columns"), ANSWERS | more)
    assert answer.status_code == 302, seen(answer)
    return seen(ops.get(answer["Location"]))


def made(acme: cast.Account) -> tuple[Shipment, str]:
    found = shipment(acme)
    return found, number_of(found)


@pytest.mark.req("G1", "G5")
def test_a_file_is_explained_looked_at_mended_and_imported(ops: Client, sheets: Source, acme: cast.Account) -> None:
    found, number = made(acme)
    other, second = made(acme)
    answer = choose(ops, sheets, csv(f"{number},{DAY},NLRTM,Discharged", f"{second[:-1]},{DAY},NLRTM,Gone",
                                     f"{second},soon,NLRTM,Discharged"))  # fmt: skip
    page = seen(ops.get(answer["Location"]))
    assert "What do the columns mean?" in page and "Gate Out Date" in page and "soon" in page
    preview = mapped(ops, sheets, csv(f"{number},{DAY},NLRTM,Discharged", f"{second[:-1]},{DAY},NLRTM,Gone",
                                      f"{second},soon,NLRTM,Discharged"))  # fmt: skip
    assert "1 row becomes an event of 1 shipment." in preview
    assert "Import 1 of 3 rows" in preview
    assert found.ref in preview and "is not a day or a time" in preview
    with as_tenant(acme.pk):
        assert not SightingRow.objects.filter(shipment__in=[found, other]).exists(), "a preview stores nothing"

    ops.post(at(sheets, "preview"), {"cell:1:0": second, "cell:2:1": DAY, "cell:0:0": number, "cell:9:9": "x"})
    preview = seen(ops.get(at(sheets, "preview")))
    assert "3 rows become events of 2 shipments." in preview and "Import 3 of 3 rows" in preview
    assert f"was {second[:-1]}" in preview or second[:-1] in preview

    result = ops.post(at(sheets, "import"))
    page = seen(ops.get(result["Location"]))
    assert "3 of 3 rows became events." in page
    assert found.ref in page and other.ref in page and "The original file" in page
    with as_tenant(acme.pk):
        rows = SightingRow.objects.filter(shipment=other).order_by("code")
        assert [(r.code, r.container, r.laden) for r in rows] == [("DISC", second, None), ("GTOT", second, True)]
    draft = draft_of(sheets)
    with as_tenant(OPERATOR_ID):
        message = InboundMessage.objects.select_related("raw").get(public_id=draft.message)
        assert second.encode() in bytes(message.raw.body) and b"soon" not in bytes(message.raw.body)
        assert b"soon" in bytes(draft.body), "the original is kept"
        assert [(c["row"], c["column"], c["was"]) for c in draft.corrections] == [
            (1, "Cntr No.", second[:-1]), (2, "Gate Out Date", "soon"),
        ]  # fmt: skip
        assert AuditEntry.objects.filter(action="upload.corrected", object_id=draft.public_id).exists()


@pytest.mark.req("G2")
def test_what_the_preview_says_is_what_the_import_does(
    ops: Client, sheets: Source, acme: cast.Account, globex: cast.Account
) -> None:
    """Of every kind one, with shipments of two accounts, one box in both."""
    _one, number = made(acme)
    shared = shipment(globex, containers=(number,))
    rows = [f"{number},{DAY},NLRTM,Discharged", f"{number},{DAY},NLRTM,Discharged", f"{box()},{DAY},NLRTM,Gone",
            f"{number},2031-01-01,NLRTM,Gone", f"{number},{DAY},XXXXX,Gone", f",{DAY},NLRTM,Gone",
            f"{number},{DAY},NLRTM,Note", f"{number},{DAY},NLRTM,Huh", f'"{number},{DAY},NLRTM,Gone']  # fmt: skip
    preview = mapped(ops, sheets, csv(*rows), **{"code:note": "IGNORE"})
    assert "1 row becomes an event of 2 shipments." in preview
    assert "1 row is known already" in preview and "1 row waits in quarantine" in preview
    assert "5 rows cannot be used" in preview and "1 row says nothing that is tracked" in preview
    assert shared.ref in preview and "Huh" in preview
    ops.post(at(sheets, "import"))
    with as_tenant(OPERATOR_ID):
        message = InboundMessage.objects.get(public_id=draft_of(sheets).message)
        assert (message.events_received, message.events_accepted, message.events_duplicate) == (9, 1, 1)
        reasons = sorted(Quarantined.objects.filter(message=message).values_list("reason", flat=True))
    assert reasons == ["bad_row", "implausible_time", "no_matching_shipment", "no_reference", "no_zone", "not_tracked",
                       "unknown_code"]  # fmt: skip


def test_the_same_columns_go_straight_to_the_preview(ops: Client, sheets: Source, acme: cast.Account) -> None:
    _found, number = made(acme)
    mapped(ops, sheets, csv(f"{number},{DAY},NLRTM,Discharged"))
    ops.post(at(sheets, "import"))
    later = csv(f"NLRTM,Discharged,2026-03-13 10:00,{number}", header="PORT,status , Gate out  date,CNTR NO.")
    answer = choose(ops, sheets, later)
    assert answer["Location"] == at(sheets, "preview")
    page = seen(ops.get(answer["Location"]))
    assert "Same columns as last time" in page and "Import 1 of 1 row" in page
    assert choose(ops, sheets, csv(f"{number},1", header="Container,Other"))["Location"] == at(sheets, "columns")


@pytest.mark.req("R1.6")
def test_days_that_mean_two_things_are_asked_and_not_guessed(ops: Client, sheets: Source, acme: cast.Account) -> None:
    _found, number = made(acme)
    choose(ops, sheets, csv(f"{number},03/04/2026,NLRTM,Discharged"))
    page = seen(ops.get(at(sheets, "columns")))
    assert "03/04/2026 means 3 April 2026" in page and "03/04/2026 means 4 March 2026" in page
    refused = ops.post(at(sheets, "columns"), ANSWERS)
    assert refused.status_code == 422 and "Say in which order" in seen(refused)
    assert ops.get(at(sheets, "preview"))["Location"] == at(sheets, "columns")
    assert ops.post(at(sheets, "columns"), ANSWERS | {"dates": "MDY"}).status_code == 302
    assert "4 Mar 2026" in seen(ops.get(at(sheets, "preview")))


def test_a_word_for_a_place_gets_its_code_and_a_column_that_is_missing_its_value(
    ops: Client, sheets: Source, acme: cast.Account
) -> None:
    _found, number = made(acme)
    choose(ops, sheets, csv(f"{number},{DAY},Rotterdam", f"{number},{DAY},HAMBURG", header="Container,Date,Port"))
    answers = {"col-0": "container", "col-1": "event_time", "col-2": "place"}
    page = ops.post(at(sheets, "columns"), answers | {"look": "1"})
    assert page.status_code == 200 and 'name="place:hamburg" value="DEHAM"' in page.content.decode()
    assert 'name="place:rotterdam" value=""' in page.content.decode() and "NLRTM, USRAJ" in seen(page)
    refused = ops.post(at(sheets, "columns"), answers | {"place:rotterdam": "near Delft"})
    assert refused.status_code == 422
    assert "A place is a code such as NLRTM." in seen(refused) and "what happened in all rows" in seen(refused)
    told = {"place:rotterdam": "nlrtm", "place:hamburg": "DEHAM", "const-status": "DROP", "const-status-is": "EST"}
    assert ops.post(at(sheets, "columns"), answers | told).status_code == 302
    assert "Dropped off (it is expected)" in seen(ops.get(at(sheets, "preview")))


def test_a_workbook_with_two_sheets_asks_which(ops: Client, sheets: Source, acme: cast.Account) -> None:
    _found, number = made(acme)
    rows = [["Cntr No.", "Gate Out Date", "Port", "Status"],
            [number, Day(datetime(2026, 3, 12, 14, 5, tzinfo=UTC)), "NLRTM", "Discharged"]]  # fmt: skip
    told = {"Read me": [["Sent weekly"]], "Summary": [["Line", "Count"], ["A", 1]], "Moves": rows}
    choose(ops, sheets, book(told), "moves.xlsx")
    page = seen(ops.get(at(sheets, "columns")))
    assert "Which sheet?" in page and "Count" in page
    for none in ("Read me", "No such sheet"):
        refused = ops.post(at(sheets, "columns"), {"sheet": none, "look": "1"}, follow=True)
        assert "Count" in seen(refused) and ("no header" in seen(refused) or "has no sheet" in seen(refused))
    page = ops.post(at(sheets, "columns"), {"sheet": "Moves", "look": "1"}, follow=True)
    assert "Gate Out Date" in seen(page) and 'value="DISC" selected' in page.content.decode()
    assert ops.post(at(sheets, "columns"), ANSWERS | {"sheet": "Moves"}).status_code == 302
    assert "Import 1 of 1 row" in seen(ops.get(at(sheets, "preview")))
    ops.post(at(sheets, "import"))
    with as_tenant(OPERATOR_ID):
        assert InboundMessage.objects.get(public_id=draft_of(sheets).message).events_accepted == 1


@pytest.mark.req("G5")
def test_a_row_of_a_workbook_that_waits_is_shown_as_a_row_and_not_as_bytes(ops: Client, sheets: Source) -> None:
    number = box()
    rows = [["Cntr No.", "Gate Out Date", "Port", "Status"], [number, DAY, "NLRTM", "Discharged"],
            [number, "soon", "NLRTM", "Discharged"]]  # fmt: skip
    mapped(ops, sheets, workbook(rows), "moves.xlsx")
    ops.post(at(sheets, "import"))
    with as_tenant(OPERATOR_ID):
        waiting = dict(Quarantined.objects.filter(source=sheets).values_list("reason", "public_id"))
        message = draft_of(sheets).message
    page = ops.get(f"/ops/quarantine/{waiting['bad_time']}").content.decode()
    assert "Gate Out Date: soon</mark>" in page and f"Cntr No.: {number}" in page
    assert f"Cntr No.: {number}" in seen(ops.get(f"/ops/quarantine/{waiting['no_matching_shipment']}"))
    assert "A workbook: download it" in seen(ops.get(f"/ops/messages/{message}"))


@pytest.mark.req("G7")
def test_what_no_column_can_hold_is_never_a_fault_of_ours(ops: Client, sheets: Source) -> None:
    choose(ops, sheets, b"Cont\0ainer,Da\0te\n" + f"{box()},{DAY}\nMS\0KU,{DAY}\n".encode())
    assert ops.get(at(sheets, "columns")).status_code == 200
    nonsense = {"col-0": "container", "col-1": "event_time", "const-status": "DISC", "zone-is": "fixed", "zone": "\0",
                "code:\0": "DISC", "is:\0": "\0", "place:a\0": "NLRTM", "const-place": "\0\0\0", "dates": "\0",
                "sheet": "\0"}  # fmt: skip
    for name, value in nonsense.items():
        answer = ops.post(at(sheets, "columns"), {"col-0": "container", "col-1": "event_time", name: value})
        assert answer.status_code in (302, 422)
    cells = {"cell:0:0": "\0", "cell:1:0": "x" * 9_000, "cell:99999:0": "x", "cell:0:999": "x", "cell:-1:0": "x"}
    assert ops.post(at(sheets, "preview"), cells).status_code == 302
    assert ops.post(at(sheets, "columns"), {"col-0": "container", "col-1": "event_time", "const-status": "DISC",
                                            "const-place": "NLRTM"}).status_code == 302  # fmt: skip
    assert "Cannot be used" in seen(ops.get(at(sheets, "preview")))
    assert ops.post(at(sheets, "import")).status_code == 302


@pytest.mark.req("G7", "G9")
@pytest.mark.parametrize(
    ("raw", "name", "words"),
    [
        (b"", "moves.csv", "empty"), (csv("a"), "moves.xlsx", "no workbook inside"),
        (workbook([["a", "b"], ["c", "d"]]), "moves.csv", "archive inside"),
        (b"Container,Date\n", "moves.csv", "no rows below"), (b"%PDF-1.7 hello", "moves.pdf", "no header line"),
        (b"x" * (5 * 2**20 + 1), "big.csv", "more than 5 MB"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_table_is_refused_in_words(
    ops: Client, sheets: Source, raw: bytes, name: str, words: str
) -> None:
    answer = choose(ops, sheets, raw, name)
    assert answer.status_code == 422 and words in seen(answer)
    with as_tenant(OPERATOR_ID):
        assert not UploadDraft.objects.filter(source=sheets).exists()


def test_a_second_press_imports_once_and_what_is_imported_is_not_changed(
    ops: Client, sheets: Source, acme: cast.Account
) -> None:
    _found, number = made(acme)
    mapped(ops, sheets, csv(f"{number},{DAY},NLRTM,Discharged"))
    first, second = ops.post(at(sheets, "import")), ops.post(at(sheets, "import"))
    assert first["Location"] == second["Location"] == at(sheets, "result")
    ops.post(at(sheets, "preview"), {"cell:0:0": "MSKU0000006"})
    ops.post(at(sheets, "discard"))
    assert ops.get(at(sheets, "columns"))["Location"] == at(sheets, "result")
    with as_tenant(OPERATOR_ID):
        assert InboundMessage.objects.filter(source=sheets).count() == 1
    assert draft_of(sheets).corrections == []
    assert ops.get(at(sheets, "original")).content == csv(f"{number},{DAY},NLRTM,Discharged")


@pytest.mark.req("G1", "O1")
def test_a_long_file_is_stored_and_left_to_the_outbox(ops: Client, sheets: Source, acme: cast.Account) -> None:
    _found, number = made(acme)
    days = [f"2026-03-{1 + n % 28:02d} {n // 28 % 24:02d}:{n // 672:02d}" for n in range(1_001)]
    rows = [f"{number},{day},NLRTM,Discharged" for day in days]
    mapped(ops, sheets, csv(*rows))
    ops.post(at(sheets, "import"))
    assert "being applied" in seen(ops.get(at(sheets, "result")))
    with as_tenant(OPERATOR_ID):
        message = draft_of(sheets).message
        assert OutboxRow.objects.filter(
            key=f"tracking.process_message:message:{message}", due_at__lte=clock.now()
        ).exists()
        message_process(public_id=message, at=clock.now())
    assert "1001 of 1001 rows became events." in seen(ops.get(at(sheets, "result")))


def test_a_draft_that_is_thrown_away_is_gone(ops: Client, sheets: Source) -> None:
    choose(ops, sheets, csv(f"{box()},{DAY},NLRTM,Discharged"))
    gone = at(sheets, "preview")
    assert ops.post(at(sheets, "discard")).status_code == 302
    assert ops.get(gone).status_code == 404


@pytest.mark.req("L4")
def test_a_file_that_nobody_imports_is_forgotten_after_a_month_and_an_imported_one_is_kept(
    ops: Client, sheets: Source, acme: cast.Account
) -> None:
    _found, number = made(acme)
    mapped(ops, sheets, csv(f"{number},{DAY},NLRTM,Discharged"))
    ops.post(at(sheets, "import"))
    kept = draft_of(sheets).public_id
    choose(ops, sheets, csv(f"{box()},{DAY},NLRTM,Discharged"))
    with as_tenant(OPERATOR_ID):
        ours = UploadDraft.objects.filter(source=sheets)
        uploads_forget(at=clock.now() + timedelta(days=29))
        assert ours.count() == 2
        uploads_forget(at=clock.now() + timedelta(days=31))
        assert list(ours.values_list("public_id", flat=True)) == [kept]


@pytest.mark.req("T6", "R1.0")
def test_a_source_of_an_account_meets_that_account_only(ops: Client, acme: cast.Account, globex: cast.Account) -> None:
    own = source(tenant_id=acme.pk, format="table")
    _found, number = made(globex)
    preview = mapped(ops, own, csv(f"{number},{DAY},NLRTM,Discharged"))
    assert "1 row waits in quarantine" in preview
    with as_tenant(OPERATOR_ID):
        assert AuditEntry.objects.filter(action="account.entered", object_id=own.key).exists()


@pytest.mark.req("G11")
def test_a_row_about_an_account_that_the_source_may_not_report_on_is_named_before_the_import(
    ops: Client, sheets: Source, acme: cast.Account, globex: cast.Account
) -> None:
    with as_tenant(OPERATOR_ID):
        Source.objects.filter(pk=sheets.pk).update(account_ids=[acme.pk])
    found, number = made(globex)
    preview = mapped(ops, sheets, csv(f"{number},{DAY},NLRTM,Discharged"))
    assert "may not report on the shipment" in preview and found.ref not in preview


@pytest.mark.req("W1", "T6")
def test_only_the_desk_may_and_only_where_a_source_sends_tables(sheets: Source, acme: cast.Account) -> None:
    path = f"/ops/sources/{sheets.key}/upload"
    people: list[tuple[Member, int]] = [
        (acme.manager, 404), (cast.person(OPERATOR_ID, Role.FINANCE), 403), (cast.person(OPERATOR_ID, Role.ADMIN), 200),
    ]  # fmt: skip
    for person, status in people:
        assert client_of(person).get(path).status_code == status
    ops = client_of(cast.person(OPERATOR_ID, Role.OPS))
    assert ops.get(f"/ops/sources/{source().key}/upload").status_code == 404
    other = source(format="table")
    choose(ops, sheets, csv(f"{box()},{DAY},NLRTM,Discharged"))
    assert ops.get(at(sheets, "preview").replace(sheets.key, other.key)).status_code == 404
    assert "Upload a spreadsheet" in seen(ops.get("/ops/sources"))


def test_the_clock_of_the_preview_is_that_of_the_reader(ops: Client, sheets: Source, acme: cast.Account) -> None:
    _found, number = made(acme)
    soon = (clock.now() + timedelta(days=2)).strftime("%Y-%m-%d")
    assert "lies in the future" in mapped(ops, sheets, csv(f"{number},{soon},NLRTM,Discharged"))
