"""What people enter by hand: on record with name and evidence, counted as the rules say, withdrawn and never erased."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from portal.lib import clock
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import AuditEntry, Role
from tests import cast
from tests.doors import client_of
from tests.servers import ROOT
from tests.tracking.messages import equipment, number_of, shipment, source, take
from tests.tracking.pages import tiered
from tests.tracking.test_ingest import milestones
from tracking.adapters.manual import MANUAL
from tracking.canonical import event_line, refusal_line
from tracking.models import Evidence, InboundMessage, MilestoneRow, Shipment, SightingRow
from tracking.services import (
    MANUAL_KEY,
    Entry,
    EntryRefused,
    EvidenceRefused,
    NotByHand,
    entry_record,
    entry_withdraw,
    evidence_store,
)
from tracking.types import Classifier, FinalMilestone, Load

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
pytestmark = pytest.mark.req("R1.12")


def delivered(**more: object) -> Entry:
    values = {"code": "DROP", "local": "2026-03-14T10:30", "place": "NLRTM", "laden": True, "place_role": "PDE",
              "note": "phoned in by the haulier"}  # fmt: skip
    return Entry(**{**values, **more})


def record(ship: Shipment, entry: Entry, at: datetime = NOW) -> SightingRow:
    with as_tenant(ship.tenant_id):
        return entry_record(shipment=ship, entry=entry, at=at, actor="Otto Ops")


def photo(fmt: str = "JPEG", size: tuple[int, int] = (60, 40), **save: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(out, fmt, **save)
    return out.getvalue()


def test_a_phoned_in_delivery_counts_with_evidence_and_only_then(acme) -> None:
    shown, proven = shipment(acme), shipment(acme)
    record(shown, delivered())
    record(proven, delivered(evidence="POD 4711, archive Rotterdam"))
    with as_tenant(acme.pk):
        final = {s.pk: s.final_at for s in Shipment.objects.filter(pk__in=[shown.pk, proven.pk])}
    assert final == {shown.pk: None, proven.pk: datetime(2026, 3, 14, 9, 30, tzinfo=UTC)}


def test_an_entry_is_a_message_like_any_other_and_names_its_author(acme) -> None:
    ship = shipment(acme)
    row = record(ship, delivered(evidence="POD 1", container=number_of(ship)))
    assert (row.source, row.source_kind, row.entered_by, row.evidence_ref, row.reason) == (
        MANUAL_KEY, "manual", "Otto Ops", "POD 1", "phoned in by the haulier",
    )  # fmt: skip
    assert (row.local_text, row.zone, row.warnings) == ("2026-03-14T10:30", "Europe/Amsterdam", ["zone_from_facility"])
    with as_tenant(OPERATOR_ID):
        message = InboundMessage.objects.get(public_id=row.message)
        assert (message.channel, message.events_accepted) == ("MANUAL", 1)
    with as_tenant(acme.pk):
        assert AuditEntry.objects.filter(action="entry.recorded", object_id=ship.public_id).count() == 1


@pytest.mark.req("R1.9")
def test_carriers_and_terminals_are_believed_before_the_telephone(acme) -> None:
    ship = shipment(acme)
    record(ship, delivered(evidence="POD 2"))
    take(source(), [equipment("DROP", number_of(ship), "2026-03-13T08:00:00+01:00", place="NLRTM")], at=NOW)
    with as_tenant(acme.pk):
        assert MilestoneRow.objects.get(shipment=ship, container="", milestone="DELIVERED").act_at == datetime(
            2026, 3, 13, 7, tzinfo=UTC
        )


@pytest.mark.req("R1.7")
def test_a_day_without_a_time_is_a_day(acme) -> None:
    row = record(shipment(acme), delivered(local="2026-03-14", evidence="POD 3"))
    assert row.precision == "day"


@pytest.mark.req("R1.4", "G12")
def test_an_entry_is_withdrawn_and_stays_on_record(acme) -> None:
    ship = shipment(acme)
    row = record(ship, delivered(evidence="POD 4"))
    assert set(milestones(ship)) == {"DELIVERED"}
    with as_tenant(acme.pk):
        entry_withdraw(shipment=ship, sighting=row, why="wrong box", at=NOW, actor="Otto Ops")
        assert SightingRow.objects.filter(shipment=ship).count() == 2
    assert milestones(ship) == {}


def test_only_entries_are_withdrawn_by_hand(acme) -> None:
    ship = shipment(acme)
    take(source(), [equipment("GTIN", number_of(ship), "2026-01-28T08:00:00+08:00")], at=NOW)
    with as_tenant(acme.pk), pytest.raises(NotByHand):
        entry_withdraw(shipment=ship, sighting=SightingRow.objects.get(shipment=ship), why="x", at=NOW, actor="O")


@pytest.mark.req("R1.5")
def test_what_cannot_be_is_refused_and_leaves_nothing(acme) -> None:
    ship = shipment(acme)
    with pytest.raises(EntryRefused, match="future"):
        record(ship, delivered(local="2026-03-20T10:00"))
    with as_tenant(OPERATOR_ID):
        assert not InboundMessage.objects.filter(
            channel="MANUAL", received_at=NOW, raw__body__contains=b"2026-03-20T10:00"
        ).exists()
    record(ship, delivered(local="2026-03-20T10:00", classifier=Classifier.EST))
    with as_tenant(acme.pk):
        assert Shipment.objects.get(pk=ship.pk).eta_at == datetime(2026, 3, 20, 9, tzinfo=UTC)


@pytest.mark.req("R1.0")
def test_it_concerns_the_one_account_it_was_entered_for(acme, globex) -> None:
    ours = shipment(acme)
    theirs = shipment(globex, ref=ours.ref)
    record(ours, delivered(evidence="POD 5"))
    assert (set(milestones(ours)), milestones(theirs)) == ({"DELIVERED"}, {})


@pytest.mark.req("G10")
def test_no_partner_can_enter_by_hand(acme) -> None:
    """A message that looks like an entry is read as whatever its source sends, never as an entry."""
    ship, line = shipment(acme), source()
    body = b'{"id":"x","code":"DROP","classifier":"ACT","time":"2026-03-14T10:00","place":"NLRTM","entered_by":"Me"}'
    took = take(line, body, at=NOW)
    assert (took.events_accepted, took.events_quarantined) == (0, 1)
    assert milestones(ship) == {}


# --- files ---


@pytest.mark.req("X4")
def test_a_photo_is_made_anew_upright_and_bare(acme) -> None:
    ship, exif = shipment(acme), Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "where I live"  # turned by a quarter; a description
    with as_tenant(acme.pk):
        kept = evidence_store(shipment=ship, name="../../pod.jpg", body=photo(exif=exif), at=NOW, actor="O")
    assert (kept.name, kept.content_type) == ("pod.jpg", "image/jpeg")
    assert b"where I live" not in bytes(kept.body)
    with Image.open(io.BytesIO(bytes(kept.body))) as picture:
        assert picture.size == (40, 60)
        assert not picture.getexif()


@pytest.mark.parametrize(
    "body",
    [b"", b"GIF89a" + b"x" * 60, b"<svg xmlns='http://www.w3.org/2000/svg'/>", photo()[:80],
     b"\x89PNG\r\n\x1a\n" + b"0" * 50, b"%PDF-1.7" + b"0" * (5 * 1024 * 1024)],
    ids=["empty", "gif", "svg", "cut photo", "false png", "too large"],
)  # fmt: skip
def test_what_is_no_photo_and_no_pdf_is_refused(acme, body) -> None:
    ship = shipment(acme)
    with as_tenant(acme.pk), pytest.raises(EvidenceRefused):
        evidence_store(shipment=ship, name="x", body=body, at=NOW, actor="O")


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_drawn(acme) -> None:
    bomb = photo("PNG", size=(9_000, 9_000), compress_level=9)
    assert len(bomb) < 1_000_000
    ship = shipment(acme)
    with as_tenant(acme.pk), pytest.raises(EvidenceRefused):
        evidence_store(shipment=ship, name="x", body=bomb, at=NOW, actor="O")


# --- pages ---


def desk(role: Role = Role.OPS):
    return client_of(cast.person(OPERATOR_ID, role))


def address(ship: Shipment, account: cast.Account, end: str = "/entry") -> str:
    return f"/ops/accounts/{account.tenant.public_id}/shipments/{ship.public_id}{end}"


def test_the_desk_enters_a_delivery_with_a_photo_and_the_customer_sees_both(acme) -> None:
    ship, ops = shipment(tiered(acme, "PRIORITY")), desk()
    with clock.set_to(NOW):
        form = ops.get(address(ship, acme)).content.decode()
        assert "Delivered" in form and number_of(ship) in form
        answer = ops.post(address(ship, acme), {
            "milestone": "DELIVERED", "classifier": "ACT", "day": "2026-03-14", "clock_time": "10:30",
            "note": "phoned in by the haulier", "container": "",
            "evidence_file": SimpleUploadedFile("pod.png", photo("PNG"), content_type="image/png"),
        })  # fmt: skip
        assert answer.status_code == 302
        assert "Entered: Delivered" in ops.get(answer["Location"]).content.decode()
        customer = client_of(acme.manager)
        page = customer.get(f"/shipments/{ship.public_id}/events/1").content.decode()
        assert "the file as it was kept" in page and "phoned in by the haulier" in page
        with as_tenant(acme.pk):
            kept = Evidence.objects.get(shipment=ship)
        file = customer.get(f"/shipments/{ship.public_id}/evidence/{kept.public_id}")
        assert (file.status_code, file["Content-Type"], file.content) == (200, "image/jpeg", bytes(kept.body))
        assert file["Content-Disposition"].startswith("attachment")


def test_the_form_says_what_is_wrong_beside_the_field(acme) -> None:
    ship, ops = shipment(acme), desk()
    wrong = {"milestone": "DELIVERED", "classifier": "ACT", "day": "2026-03-14", "note": "x"}
    with clock.set_to(NOW):
        for change, word in (
            ({"place": "QQQQQ"}, "no place of this code"),
            ({"day": "31.02."}, "Enter a valid date"),
            ({"note": ""}, "This field is required"),
            ({"day": "2026-03-30"}, "lies in the future"),
            ({"evidence_file": SimpleUploadedFile("a.exe", b"MZ")}, "neither a photo"),
        ):
            answer = ops.post(address(ship, acme), {**wrong, **change})
            assert answer.status_code == 422
            assert word in answer.content.decode(), word
    assert milestones(ship) == {}


def test_what_can_be_entered_follows_the_journey(acme) -> None:
    cfs = shipment(acme, load=Load.LCL, final_milestone=FinalMilestone.CFS)
    with clock.set_to(NOW):
        form = desk().get(address(cfs, acme)).content.decode()
    assert 'value="CFS_RECEIVED"' in form and 'value="CFS_AVAILABLE"' in form
    assert 'value="GATE_IN_FULL"' not in form and 'value="CY_AVAILABLE"' not in form


def test_ops_withdraw_an_entry_and_others_do_not(acme) -> None:
    ship = shipment(acme)
    record(ship, delivered(evidence="POD 9"))
    with clock.set_to(NOW):
        assert desk(Role.FINANCE).post(address(ship, acme, "/events/1/withdraw"), {"why": "x"}).status_code == 403
        ops = desk()
        assert "Withdraw" in ops.get(address(ship, acme, "/events/1")).content.decode()
        assert ops.post(address(ship, acme, "/events/1/withdraw"), {"why": ""}).status_code == 422
        assert ops.post(address(ship, acme, "/events/1/withdraw"), {"why": "wrong box"}).status_code == 302
    assert milestones(ship) == {}


# --- the adapter ---

GOLDEN = ROOT / "tests" / "golden" / "manual"


@pytest.mark.parametrize(
    "path", sorted(p for p in GOLDEN.glob("*.json") if ".expected" not in p.name), ids=lambda p: p.stem
)
def test_an_entry_is_read_as_its_file_says(path: Path) -> None:
    parsed = MANUAL.parse(path.read_bytes())
    lines = [event_line(e, message=path.name, place_zone="Europe/Amsterdam") for e in parsed.events]
    lines += [refusal_line(r) for r in parsed.refusals]
    assert lines == json.loads(path.with_suffix(".expected.json").read_text())
