"""Acknowledging interchanges: each reference is noted, doubles are seen, and the partner is told (G8)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client, override_settings

from portal.lib import clock
from portal.outbox.runner import run_due
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.keys import key_create
from portal.tenancy.models import Role
from tests import cast
from tests.doors import client_of
from tests.tracking.messages import number_of, shipment, source
from tracking.inbox import inbox_run
from tracking.ingest import message_process, message_receive
from tracking.models import Acknowledgement, InboundMessage, Interchange, Quarantined, SightingRow, Source

pytestmark = pytest.mark.req("G8")
NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


REPORTS = {"GTIN": ("CODECO", 34), "GTOT": ("CODECO", 36), "LOAD": ("COARRI", 46), "DISC": ("COARRI", 44)}
X12_CODES = {"GTIN": "I", "GTOT": "OA", "LOAD": "AE", "DISC": "UV"}


def edifact(reference: str, sender: str, code: str, box: str) -> str:
    """One report of one box, in an interchange of its own."""
    kind, report = REPORTS[code]
    when = 7 if kind == "CODECO" else 203
    place = "LOC+165+CNSHA:139:6'" if kind == "CODECO" else ""
    head = "" if kind == "CODECO" else f"LOC+{9 if code == 'LOAD' else 11}+CNSHA:139:6'"
    body = (
        f"UNH+M-{reference}+{kind}:D:95B:UN'BGM+{report}+D-{code}+9'TDT+20++1'{head}"
        f"EQD+CN+{box}+45G1:102:5+2++5'DTM+{when}:202603100930:203'{place}CNT+16:1'"
    )
    count = body.count("'") + 1
    return f"UNB+UNOC:3+{sender}+US+260310:0930+{reference}'{body}UNT+{count}+M-{reference}'UNZ+1+{reference}'"


def x12(reference: str, sender: str, code: str, box: str) -> str:
    """The same as a 315."""
    number = f"{int(re.sub(r'[^0-9]', '', reference) or 0):09d}"
    return (
        f"ISA*00*          *00*          *ZZ*{sender:<15}*ZZ*US             *260310*0930*U*00401*{number}*0*P*>~"
        f"GS*QO*{sender}*US*20260310*0930*{int(number)}*X*004010~ST*315*0001~"
        f"B4***{X12_CODES[code]}*20260310*0930**{box[:4]}*{box[4:10]}*L*45G1*CNSHA*UN*{box[10]}~N9*EQ*{box}~"
        f"SE*4*0001~GE*1*{int(number)}~IEA*1*{number}~"
    )


def told_in(body: str) -> str:
    """`<our number> <their reference> <4 refused, 7 or A accepted>` of an acknowledgement."""
    if body.startswith("ISA"):
        ours, theirs = re.search(r"\*00401\*(\d+)\*", body), re.search(r"AK1\*QO\*(\d+)", body)
        verdict = re.search(r"AK9\*(\w)", body)
    else:
        ours, theirs = re.search(r"UNB(?:\+[^+']*){4}\+([^+']*)'", body), re.search(r"UCI\+([^+']*)", body)
        verdict = re.search(r"UC[IM](?:\+[^+']*)*\+([47])", body)
    assert ours and theirs and verdict, body
    return f"{ours[1]} {theirs[1]} {verdict[1]}"


class Line:
    """A partner with interchanges."""

    def __init__(self, account: cast.Account, **more: Any) -> None:
        self.account, self.source = account, source(format="codeco")
        self.shipment = shipment(account)
        self.change(**more)

    def change(self, **more: Any) -> None:
        with as_tenant(OPERATOR_ID):
            Source.objects.filter(pk=self.source.pk).update(**more)
            self.source.refresh_from_db()

    def interchange(self, reference: str, *, syntax: str = "EDIFACT", sender: str = "LINE", code: str = "GTIN") -> str:
        write = edifact if syntax == "EDIFACT" else x12
        return write(reference, sender, code, number_of(self.shipment))

    def take(self, *lines: str, channel: str = "FILE") -> InboundMessage:
        with as_tenant(OPERATOR_ID):
            message = message_receive(source=self.source, body="".join(lines).encode(), channel=channel, at=NOW)
            return message_process(public_id=message.public_id, at=NOW)

    def told(self, message: InboundMessage) -> list[str]:
        with as_tenant(OPERATOR_ID):
            rows = Acknowledgement.objects.filter(message=message).order_by("place")
            return [told_in(bytes(row.body).decode()) for row in rows]


def test_every_interchange_is_acknowledged_with_a_number_of_its_own(acme) -> None:
    line = Line(acme, acknowledges="CONTRL")
    first = line.take(line.interchange("R1"), line.interchange("R2"))
    second = line.take(line.interchange("R3"))
    assert line.told(first) == ["000000001 R1 7", "000000002 R2 7"]
    assert line.told(second) == ["000000003 R3 7"]


@pytest.mark.parametrize(
    ("wanted", "syntax", "begins"),
    [("997", "X12", "000000001 1 A"), ("997", "EDIFACT", ""), ("CONTRL", "X12", ""), ("", "X12", "")],
)
def test_only_what_the_partner_wants_is_answered(acme, wanted, syntax, begins) -> None:
    line = Line(acme, acknowledges=wanted)
    told = line.told(line.take(line.interchange("R1", syntax=syntax)))
    assert bool(told) is bool(begins) and all(text.startswith(begins) for text in told)
    with as_tenant(OPERATOR_ID):
        assert Interchange.objects.filter(source=line.source, reference__endswith="1").count() == 1


def test_a_reference_that_comes_again_with_other_contents_is_warned_about(acme) -> None:
    line = Line(acme, acknowledges="CONTRL")
    line.take(line.interchange("R1"))
    other = line.take(line.interchange("R1", code="GTOT"), line.interchange("R2", code="LOAD"))
    assert other.warnings.get("duplicate_interchange") == 1 and other.events_accepted == 2
    with as_tenant(acme.pk):
        marked = {
            r.code for r in SightingRow.objects.filter(shipment=line.shipment) if "duplicate_interchange" in r.warnings
        }
    assert marked == {"GTOT"}
    assert line.told(other) == ["000000002 R1 7", "000000003 R2 7"]


def test_the_same_bytes_again_are_a_repeat_and_are_acknowledged_again(acme) -> None:
    line = Line(acme, acknowledges="CONTRL")
    text = line.interchange("R1")
    line.take(text)
    again = line.take(text)
    assert (again.events_duplicate, "duplicate_interchange" in again.warnings) == (1, False)
    assert line.told(again) == ["000000002 R1 7"]


def test_an_interchange_that_comes_again_beside_others_is_a_repeat(acme) -> None:
    line = Line(acme)
    first, second, third = (line.interchange(f"R{n}", code=code) for n, code in enumerate(("GTIN", "LOAD", "DISC")))
    for lines in ((first,), (second, first), (first, third)):
        assert "duplicate_interchange" not in line.take(*lines).warnings
    assert line.take(third, line.interchange("R1", code="GTOT")).warnings["duplicate_interchange"] == 1


def test_a_reference_that_no_column_can_hold_stops_nothing(acme) -> None:
    line = Line(acme, acknowledges="CONTRL")
    for reference in ("R\0", "R" * 300, "R\ufffd"):
        assert line.take(line.interchange(reference)).state == "APPLIED"


def test_another_sender_or_source_may_use_the_same_reference(acme) -> None:
    line, other = Line(acme), Line(acme)
    for one, sender in ((line, "A"), (line, "B"), (other, "A")):
        assert "duplicate_interchange" not in one.take(one.interchange("R1", sender=sender)).warnings


def test_a_strict_source_s_double_is_refused_and_waits_in_quarantine(acme) -> None:
    line = Line(acme, acknowledges="CONTRL", strict_envelope=True)
    line.take(line.interchange("R1"))
    other = line.take(line.interchange("R1", code="GTOT"))
    assert (other.events_received, other.events_accepted, other.events_quarantined) == (1, 0, 1)
    with as_tenant(OPERATOR_ID):
        row = Quarantined.objects.get(message=other)
        assert row.reason == "envelope_refused" and "reference came before" in row.detail
        assert Acknowledgement.objects.get(message=other).is_refused
    assert line.told(other) == ["000000002 R1 4"]


def test_a_writer_that_fails_does_not_keep_the_message_from_being_applied(acme, monkeypatch) -> None:
    monkeypatch.setattr("tracking.ingest.acknowledge.contrl", lambda *_a, **_k: 1 / 0)  # a defect of ours
    line = Line(acme, acknowledges="CONTRL")
    message = line.take(line.interchange("R1"))
    assert message.events_accepted == 1 and line.told(message) == []


def test_the_door_says_where_the_acknowledgement_lies_and_only_its_partner_reads_it(acme) -> None:
    line, stranger = Line(acme, acknowledges="997"), Line(acme)
    keys = {}
    with as_tenant(OPERATOR_ID):
        for one in (line, stranger):
            _row, keys[one] = key_create(label="x", at=clock.now(), scope="events:write", source_key=one.source.key)
    answer = Client().post(
        f"/ingest/{line.source.key}", data=line.interchange("R1", syntax="X12"), content_type="application/edi-x12",
        headers={"authorization": f"Bearer {keys[line]}"},
    )  # fmt: skip
    address = answer.json()["acknowledgement"]
    mine = Client().get(address, headers={"authorization": f"Bearer {keys[line]}"})
    assert (told_in(mine.content.decode()), mine["Content-Type"]) == ("000000001 1 A", "application/EDI-X12")
    others = (address, address.replace(line.source.key, stranger.source.key))
    for url in others:
        assert Client().get(url, headers={"authorization": f"Bearer {keys[stranger]}"}).status_code == 404
    assert Client().get(address).status_code == 401


def test_a_message_without_one_names_none(acme) -> None:
    line = Line(acme)
    with as_tenant(OPERATOR_ID):
        _row, key = key_create(label="x", at=clock.now(), scope="events:write", source_key=line.source.key)
    answer = Client().post(f"/ingest/{line.source.key}", data=line.interchange("R1"), content_type="text/plain",
                           headers={"authorization": f"Bearer {key}"})  # fmt: skip
    assert answer.status_code == 200 and "acknowledgement" not in answer.json()
    url = f"{answer.json()['refusals']}/acknowledgement"
    assert Client().get(url, headers={"authorization": f"Bearer {key}"}).status_code == 404


def test_the_desk_shows_what_the_partner_was_told(acme) -> None:
    line = Line(acme, acknowledges="CONTRL")
    message = line.take(line.interchange("R1"))
    page = client_of(cast.person(OPERATOR_ID, Role.OPS)).get(f"/ops/messages/{message.public_id}").content.decode()
    assert "What the partner is told" in page and "UCI+R1+LINE+US" in page


@pytest.mark.req("O1")
def test_a_dropped_file_is_answered_in_the_folder(acme, tmp_path: Path) -> None:
    line = Line(acme, acknowledges="CONTRL")
    line.change(inbox=line.source.key)
    folder = tmp_path / line.source.key
    folder.mkdir()
    (folder / "a.edi").write_text(line.interchange("R1"))
    at = datetime.now(UTC) + timedelta(minutes=1)
    with override_settings(INBOX_DIR=str(tmp_path)):
        with as_tenant(OPERATOR_ID):
            inbox_run(source=line.source.key, at=at)
        run_due(at=at + timedelta(minutes=1))
    assert [p.name for p in (folder / "out").iterdir()] == ["contrl-000000001.edi"]
    assert told_in((folder / "out" / "contrl-000000001.edi").read_text()) == "000000001 R1 7"
