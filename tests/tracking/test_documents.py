"""Documents of a shipment: what is taken, versions, who reads them, what is missing, what is withdrawn."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from portal.lib import clock
from portal.outbox.models import OutboxRow
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import AuditEntry, Role
from tests import cast
from tests.apiworld import key_of
from tests.doors import client_of
from tests.tracking.messages import equipment, number_of, shipment, source, take, vessel
from tests.tracking.pages import journey, tiered
from tests.tracking.sightings import journey as trip
from tracking.filekinds import FileKind, kind_of, safe_name
from tracking.models import Document, Shipment
from tracking.papers import PaperKind, missing
from tracking.services import (
    DocumentWithdrawn,
    FileKnown,
    FileRefused,
    TooManyDocuments,
    comment_post,
    document_add,
    document_show,
    document_withdraw,
    documents,
    shipments_follow,
)
from tracking.types import FinalMilestone, Milestone, Mode

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
PDF = b"%PDF-1.7\n1 0 obj"


def office(main: str, *more: str, types: bytes = b"<Types/>") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("[Content_Types].xml", types)
        for name in (main, *more):
            archive.writestr(name, b"<x/>")
    return out.getvalue()


def picture(form: str, size: tuple[int, int] = (60, 40)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (10, 120, 90)).save(out, form)
    return out.getvalue()


def staff(role: Role = Role.OPS) -> cast.Member:
    cast.operator()
    return cast.person(OPERATOR_ID, role, name="Olga Ops")


def add(ship: Shipment, by, kind: PaperKind = PaperKind.PACKING_LIST, body: bytes = PDF, **more) -> Document:
    with as_tenant(ship.tenant_id):
        return document_add(shipment=ship, kind=kind, body=body, by=by, **{"name": "a.pdf", "at": NOW, **more})


# --- what a file is ---


@pytest.mark.req("X3")
@pytest.mark.parametrize(
    ("body", "ending"),
    [
        (PDF, "pdf"), (b"\n\n" + PDF, "pdf"), (picture("PNG"), "png"), (picture("JPEG"), "jpg"),
        (office("word/document.xml"), "docx"), (office("xl/workbook.xml"), "xlsx"),
    ],
)  # fmt: skip
def test_a_file_is_what_its_bytes_say(body: bytes, ending: str) -> None:
    found = kind_of(body)
    assert isinstance(found, FileKind)
    assert found.ending == ending


@pytest.mark.req("X3", "X4")
@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "it is empty"),
        (b"MZ\x90\x00 program", "none of PDF"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "none of PDF"),
        (b"<html>", "none of PDF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old", "old or protected Office"),
        (office("word/document.xml", "word/vbaProject.bin"), "it holds macros"),
        (office("xl/workbook.xml", types=b"application/vnd.ms-excel.sheet.macroEnabled.main+xml"), "it holds macros"),
        (office("anything.txt"), "none of PDF"),
        (office("word/document.xml")[:60], "damaged"),
        (picture("PNG")[:50], "damaged"),
    ],
)
def test_what_is_not_kept_says_why_and_leaves_nothing(acme, body: bytes, why: str) -> None:
    ship = shipment(acme)
    with pytest.raises(FileRefused, match=why):
        add(ship, acme.member, body=body, name="invoice.pdf")
    with as_tenant(acme.pk):
        assert not Document.objects.exists()


def test_more_than_ten_megabytes_are_refused_and_ten_are_taken(acme) -> None:
    ship = shipment(acme)
    full = PDF + b" " * (10 * 1024 * 1024 - len(PDF))
    assert add(ship, acme.member, body=full).size == 10 * 1024 * 1024
    with pytest.raises(FileRefused, match="larger than 10 MB"):
        add(ship, acme.member, body=full + b" ")


@pytest.mark.req("X4")
def test_pictures_are_drawn_anew_and_nothing_rides_along(acme) -> None:
    hidden = picture("JPEG") + b"<script>alert(1)</script>"
    made = add(shipment(acme), acme.member, body=hidden, name="scan.jpeg")
    client = client_of(acme.member)
    with as_tenant(acme.pk):
        ship = Shipment.objects.get(pk=made.shipment_id)
    answer = client.get(f"/shipments/{ship.public_id}/documents/{made.public_id}")
    assert b"script" not in answer.content
    assert answer.headers["Content-Type"] == "image/jpeg"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("Invoice 4711.PDF", "Invoice 4711.pdf"),
        ("../../etc/passwd", "passwd.pdf"),
        ("C:\\papers\\bill.pdf", "bill.pdf"),
        ("bill\u202efdp.exe", "billfdp.exe.pdf"),
        ('a"b\r\nSet-Cookie: x.pdf', "a b Set-Cookie x.pdf"),
        ("提单.pdf", "提单.pdf"),
        ("...", "packing list.pdf"),
        ("x" * 300 + ".pdf", "x" * 116 + ".pdf"),
    ],
)
def test_names_are_safe_and_end_as_what_the_file_is(name: str, kept: str) -> None:
    kind = kind_of(PDF)
    assert isinstance(kind, FileKind)
    assert safe_name(name, kind, otherwise="packing list") == kept


# --- versions ---


def test_a_further_one_is_the_next_version_and_the_older_one_stays(acme) -> None:
    ship = shipment(acme)
    first, second = add(ship, acme.member), add(ship, acme.manager, body=PDF + b" better")
    other = add(ship, acme.member, kind=PaperKind.COMMERCIAL_INVOICE)
    assert (first.version, second.version, other.version) == (1, 2, 1)
    client = client_of(acme.member)
    for made, body in ((first, PDF), (second, PDF + b" better")):
        answer = client.get(f"/shipments/{ship.public_id}/documents/{made.public_id}")
        assert answer.content == body
        assert answer.headers["Content-Disposition"] == 'attachment; filename="a.pdf"'
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    with pytest.raises(FileKnown, match="version 2"):
        add(ship, acme.member, body=PDF + b" better")


def test_a_shipment_has_room_for_so_many(acme, monkeypatch) -> None:
    monkeypatch.setattr(documents, "MOST_DOCUMENTS", 1)
    ship = shipment(acme)
    add(ship, acme.member)
    with pytest.raises(TooManyDocuments):
        add(ship, acme.member, body=PDF + b"2")
    monkeypatch.undo()
    monkeypatch.setattr(documents, "MOST_MB", 1)
    add(ship, acme.member, body=PDF + b" " * 600_000)
    with pytest.raises(TooManyDocuments, match="1 MB together"):
        add(ship, acme.member, body=PDF + b"-" * 600_000)


# --- who reads them ---


@pytest.mark.req("T7", "T9")
def test_an_internal_document_does_not_exist_for_the_customer_by_any_door(acme) -> None:
    tiered(acme, "PRIORITY")
    ship, olga = shipment(acme), staff()
    kept = add(ship, olga, kind=PaperKind.DELIVERY_ORDER, name="CANARY-rates.pdf", note="CANARY note", is_internal=True)
    shown = add(ship, olga, kind=PaperKind.DELIVERY_ORDER, body=PDF + b" shown", name="order.pdf")
    assert shown.version == 1, "a gap in the numbers would tell of it"
    add(ship, acme.member, kind=PaperKind.DELIVERY_ORDER, name="same.pdf")  # the same bytes are no hint either
    base, key = f"/shipments/{ship.public_id}", client_of(None, key=key_of(acme))
    for client in (client_of(acme.manager), client_of(acme.member)):
        assert client.get(f"{base}/documents/{kept.public_id}").status_code == 404
        for page in (base, f"{base}/documents", f"{base}/changes", f"{base}/comments", "/settings/audit"):
            text = client.get(page).content.decode()
            assert "CANARY" not in text and kept.public_id not in text, page
    assert key.get(f"/api/v1{base}/documents/{kept.public_id}/file").status_code == 404
    listed = key.get(f"/api/v1{base}/documents").json()["items"]
    assert [(d["name"], d["version"], d["is_newest"]) for d in listed] == [
        ("order.pdf", 1, False),
        ("same.pdf", 2, True),
    ]
    desk = client_of(olga)
    ops = f"/ops/accounts/{acme.tenant.public_id}{base}"
    assert "CANARY-rates.pdf" in desk.get(f"{ops}/documents").content.decode()
    assert desk.get(f"{ops}/documents/{kept.public_id}").content == PDF


def test_an_internal_document_is_shown_as_the_next_version_of_what_the_customer_sees(acme) -> None:
    ship, olga = shipment(acme), staff()
    kept = add(ship, olga, is_internal=True)
    add(ship, acme.member, body=PDF + b" theirs")
    client_of(olga).post(
        f"/ops/accounts/{acme.tenant.public_id}/shipments/{ship.public_id}/documents/{kept.public_id}/show"
    )
    with as_tenant(acme.pk):
        now = Document.objects.get(pk=kept.pk)
        assert document_show(shipment=ship, public_id=kept.public_id, by=olga, at=NOW).version == 2
    assert (now.is_internal, now.version) == (False, 2)
    page = client_of(acme.member).get(f"/shipments/{ship.public_id}/changes").content.decode()
    assert "showed Packing list, version 2 to the customer" in page


def test_the_staff_say_who_reads_it(acme) -> None:
    ship = shipment(acme)
    desk, path = client_of(staff()), f"/ops/accounts/{acme.tenant.public_id}/shipments/{ship.public_id}/documents"
    unsaid = desk.post(path, {"kind": "OTHER", "file": SimpleUploadedFile("a.pdf", PDF)})
    assert (unsaid.status_code, "field-error" in unsaid.content.decode()) == (422, True)
    desk.post(path, {"kind": "OTHER", "file": SimpleUploadedFile("a.pdf", PDF), "readers": "internal"})
    desk.post(path, {"kind": "OTHER", "file": SimpleUploadedFile("a.pdf", PDF), "readers": "customer"})
    with as_tenant(acme.pk):
        assert list(Document.objects.order_by("pk").values_list("is_internal", flat=True)) == [True, False]


def test_what_a_customer_brings_is_never_internal(acme) -> None:
    assert add(shipment(acme), acme.member, is_internal=True).is_internal is False


@pytest.mark.req("T6")
def test_documents_of_another_account_are_not_there(acme, globex) -> None:
    ours, theirs = shipment(acme), shipment(globex)
    made = add(theirs, globex.member)
    client = client_of(acme.manager)
    for path in (f"/shipments/{theirs.public_id}/documents", f"/shipments/{ours.public_id}/documents/{made.public_id}"):
        assert client.get(path).status_code == 404
    assert client.post(f"/shipments/{theirs.public_id}/documents", {}).status_code == 404


def told(document: Document) -> dict[str, set[str]]:
    """side -> the members that a fact about the document names."""
    found = {}
    for tenant_id, side in ((document.tenant_id, "account"), (OPERATOR_ID, "desk")):
        with as_tenant(tenant_id):
            for row in OutboxRow.objects.filter(name="tracking.document_added", payload__document=document.public_id):
                found[side] = set(row.payload["members"])
    return found


def test_followers_hear_of_what_they_may_read_and_the_desk_of_what_a_customer_brings(acme) -> None:
    ship, olga = shipment(acme), staff()
    with as_tenant(acme.pk):
        shipments_follow(member=acme.member, shipments=[ship.pk], at=NOW)
    assert told(add(ship, olga)) == {"account": {acme.member.public_id}}
    assert told(add(ship, acme.member, body=PDF + b"own")) == {}, "not the one who brought it; nobody looks after it"
    with as_tenant(acme.pk):
        comment_post(shipment=ship, text="A note.", by=olga, at=NOW, is_internal=True)
    theirs = add(ship, acme.manager, body=PDF + b"theirs")
    assert told(theirs) == {"account": {acme.member.public_id}, "desk": {olga.public_id}}
    kept = add(ship, olga, body=PDF + b"kept", is_internal=True)
    assert told(kept) == {}
    with as_tenant(acme.pk):
        document_show(shipment=ship, public_id=kept.public_id, by=olga, at=NOW)
    assert told(kept) == {"account": {acme.member.public_id}}


# --- withdrawn ---


def test_what_is_withdrawn_is_handed_out_no_more_and_says_why(acme) -> None:
    ship, olga = shipment(acme), staff()
    made = add(ship, olga, body=PDF + b" wrong")
    desk, base = client_of(olga), f"/shipments/{ship.public_id}/documents"
    path = f"/ops/accounts/{acme.tenant.public_id}{base}/{made.public_id}/withdraw"
    assert "handed out no more" in desk.get(path).content.decode()
    assert desk.post(path, {"why": "  "}).status_code == 422
    assert desk.post(path, {"why": "It is another shipment's."}).status_code == 302
    customer = client_of(acme.member)
    assert customer.get(f"{base}/{made.public_id}").status_code == 404
    assert "It is another shipment&#x27;s." in customer.get(base).content.decode()
    assert customer.post(f"{base}/{made.public_id}", {"why": "x"}).status_code == 405
    with as_tenant(acme.pk):
        with pytest.raises(DocumentWithdrawn):
            document_withdraw(shipment=ship, public_id=made.public_id, why="again", by=olga, at=NOW)
        entry = AuditEntry.objects.get(action="document.withdrawn", object_id=ship.public_id)
    assert (entry.details["why"], entry.details["version"]) == ("It is another shipment's.", 1)
    assert add(ship, olga, body=PDF + b" right").version == 2


# --- what is missing ---


def needed(final: FinalMilestone, mode: Mode, *here: PaperKind, at=None, reached: bool = False):
    gaps = missing(
        trip(final=final, mode=mode), here, final=Milestone.DELIVERED, when=lambda _m: (at, reached), now=NOW
    )
    return {gap.one_of: gap.is_late for gap in gaps}


def test_what_is_needed_depends_on_mode_and_chain_and_is_late_once_its_milestone_has_come() -> None:
    K = PaperKind
    bills = (K.BILL_OF_LADING, K.SEA_WAYBILL)
    sea = needed(FinalMilestone.DOOR, Mode.SEA)
    assert set(sea) == {bills, (K.COMMERCIAL_INVOICE,), (K.PACKING_LIST,), (K.PROOF_OF_DELIVERY,)}
    assert not any(sea.values()), "nobody knows when"
    assert (K.PROOF_OF_DELIVERY,) not in needed(FinalMilestone.CY, Mode.SEA)
    assert (K.AIR_WAYBILL,) in needed(FinalMilestone.DOOR, Mode.AIR)
    assert (K.CONSIGNMENT_NOTE,) in needed(FinalMilestone.DOOR, Mode.ROAD)
    assert bills not in needed(FinalMilestone.DOOR, Mode.SEA, K.SEA_WAYBILL), "one of the two will do"
    assert not any(needed(FinalMilestone.CY, Mode.SEA, at=NOW + timedelta(seconds=1)).values())
    assert all(needed(FinalMilestone.CY, Mode.SEA, at=NOW).values())
    assert all(needed(FinalMilestone.CY, Mode.SEA, at=NOW + timedelta(days=1), reached=True).values())


def test_the_page_says_what_is_missing_and_by_when_it_is_needed(acme) -> None:
    tiered(acme, "PRIORITY")
    ship = journey(acme, source(), due_date=date(2026, 3, 20))
    client, path = client_of(acme.member), f"/shipments/{ship.public_id}"

    def words() -> str:
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", client.get(path).content.decode()))

    with clock.set_to(datetime(2026, 3, 1, tzinfo=UTC)):
        page = words()
        assert "Bill of lading or Sea waybill: needed by “Vessel arrived”, 10 Mar" in page
        assert "Missing:" not in page
    with clock.set_to(datetime(2026, 3, 11, tzinfo=UTC)):
        assert "Missing: Bill of lading or Sea waybill" in re.sub(r"\s+", " ", words())
        file = SimpleUploadedFile("hbl.pdf", PDF, "application/octet-stream")
        posted = client.post(f"{path}/documents", {"kind": "SEA_WAYBILL", "file": file, "note": "telex release"})
        assert posted.status_code == 302
        assert "Sea waybill: needed" not in words()
        assert "Bill of lading or" not in words()


def test_a_refused_file_is_said_at_its_field_and_the_choice_is_kept(acme) -> None:
    ship = shipment(acme)
    client, path = client_of(acme.member), f"/shipments/{ship.public_id}/documents"
    answer = client.post(path, {"kind": "PACKING_LIST", "file": SimpleUploadedFile("run.pdf", b"MZ\x90")})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "run.pdf was not taken: it is none of PDF" in page
    assert '<option value="PACKING_LIST" selected>' in page
    assert client.post(path, {"kind": "PACKING_LIST"}).status_code == 422


def late(account: cast.Account, ship: Shipment) -> int:
    """How many documents its page calls late."""
    with clock.set_to(NOW):
        page = client_of(account.member).get(f"/shipments/{ship.public_id}/documents").content.decode()
    return page.count("Missing:")


def test_a_vessel_that_arrived_makes_the_bill_late(acme) -> None:
    ship = shipment(acme)
    with as_tenant(acme.pk):
        booking = ship.references.get(kind="BOOKING").written
    take(source(), [vessel("ARRI", booking, "2026-03-10T10:00:00+01:00", place="NLRTM")], at=NOW)
    assert late(acme, ship) == 3


@pytest.mark.req("R5.1")
def test_so_does_what_can_only_come_after_it_for_whoever_may_know(acme, globex) -> None:
    for account, count in ((tiered(acme, "PRIORITY"), 3), (globex, 0)):
        ship = shipment(account)
        take(source(), [equipment("DISC", number_of(ship), "2026-03-11T10:00:00+01:00", place="NLRTM")], at=NOW)
        assert late(account, ship) == count
