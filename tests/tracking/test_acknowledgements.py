"""Acknowledging interchanges: each reference is noted, doubles are seen, and the partner is told (G8)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
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
from tests.tracking.messages import equipment, number_of, shipment, source
from tracking.adapters.dcsa import DCSA
from tracking.inbox import inbox_run
from tracking.ingest import message_process, message_receive
from tracking.models import Acknowledgement, InboundMessage, Interchange, Quarantined, SightingRow, Source
from tracking.registry import ADAPTERS
from tracking.types import PLAIN, Adapter, Envelope, EnvelopePart, Parsed, Partner

pytestmark = pytest.mark.req("G8")
NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


def _parse(raw: bytes, *, content_type: str | None = None, partner: Partner = PLAIN) -> Parsed:
    """An interchange a line: `ENV syntax sender reference`, and after it the event of its one message as JSON."""
    envelopes, events = [], []
    for n, line in enumerate(raw.decode().splitlines()):
        head, _bar, body = line.partition("|")
        _mark, syntax, sender, reference = head.split()
        part = EnvelopePart(reference=f"M-{reference}", type="IFTSTA")
        envelopes.append(Envelope(syntax=syntax, sender=sender, receiver="US", reference=reference, parts=(part,)))
        found = DCSA.parse(f"[{body}]".encode())
        events += [_at(event, n) for event in found.events]
    return Parsed(events=tuple(events), envelopes=tuple(envelopes))


def _at(event: Any, n: int) -> Any:
    from dataclasses import replace

    return replace(event, position=f"$[{n}].STS[4]")


STAND_IN = Adapter(key="standin", label="stand-in", parse=_parse, recognises=lambda raw: raw.startswith(b"ENV "))


@pytest.fixture(autouse=True)
def _stand_ins() -> Iterator[None]:
    """A format with envelopes, and writers that say what they were given; the real ones have their own tests."""
    contrl, x12 = ModuleType("tracking.acknowledgements"), ModuleType("tracking.x12_ack")
    contrl.contrl = lambda e, *, at, reference: f"UNB+{reference}+{e.reference}+{_said(e)}'".encode()
    x12.acknowledge_997 = lambda e, *, at, control_number: f"ISA*{control_number}*{e.reference}*{_said(e)}~".encode()
    before = {name: sys.modules.get(name) for name in (contrl.__name__, x12.__name__)}
    sys.modules |= {contrl.__name__: contrl, x12.__name__: x12}
    ADAPTERS._all()["standin"] = STAND_IN
    yield
    del ADAPTERS._all()["standin"]
    for name, module in before.items():
        if module is None:
            del sys.modules[name]
        else:
            sys.modules[name] = module


def _said(envelope: Envelope) -> str:
    return "refused" if any(part.is_refused for part in envelope.parts) else ",".join(envelope.faults) or "accepted"


class Line:
    """A partner with interchanges."""

    def __init__(self, account: cast.Account, **more: Any) -> None:
        self.account, self.source = account, source(format="standin")
        self.shipment = shipment(account)
        self.change(**more)

    def change(self, **more: Any) -> None:
        with as_tenant(OPERATOR_ID):
            Source.objects.filter(pk=self.source.pk).update(**more)
            self.source.refresh_from_db()

    def interchange(self, reference: str, *, syntax: str = "EDIFACT", sender: str = "LINE", code: str = "GTIN") -> str:
        from json import dumps

        event = dumps(equipment(code, number_of(self.shipment), "2026-03-10T09:30:00+08:00"))
        return f"ENV {syntax} {sender} {reference}|{event}"

    def take(self, *lines: str, channel: str = "FILE") -> InboundMessage:
        with as_tenant(OPERATOR_ID):
            message = message_receive(source=self.source, body="\n".join(lines).encode(), channel=channel, at=NOW)
            return message_process(public_id=message.public_id, at=NOW)

    def told(self, message: InboundMessage) -> list[str]:
        with as_tenant(OPERATOR_ID):
            rows = Acknowledgement.objects.filter(message=message).order_by("place")
            return [bytes(row.body).decode() for row in rows]


def test_every_interchange_is_acknowledged_with_a_number_of_its_own(acme) -> None:
    line = Line(acme, acknowledges="CONTRL")
    first = line.take(line.interchange("R1"), line.interchange("R2"))
    second = line.take(line.interchange("R3"))
    assert line.told(first) == ["UNB+000000001+R1+accepted'", "UNB+000000002+R2+accepted'"]
    assert line.told(second) == ["UNB+000000003+R3+accepted'"]


@pytest.mark.parametrize(
    ("wanted", "syntax", "begins"),
    [("997", "X12", "ISA*1*"), ("997", "EDIFACT", ""), ("CONTRL", "X12", ""), ("", "X12", "")],
)
def test_only_what_the_partner_wants_is_answered(acme, wanted, syntax, begins) -> None:
    line = Line(acme, acknowledges=wanted)
    told = line.told(line.take(line.interchange("R1", syntax=syntax)))
    assert bool(told) is bool(begins) and all(text.startswith(begins) for text in told)
    with as_tenant(OPERATOR_ID):
        assert Interchange.objects.filter(source=line.source, reference="R1").count() == 1


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
    assert line.told(other)[0].endswith("+duplicate_interchange'") and line.told(other)[1].endswith("+accepted'")


def test_the_same_bytes_again_are_a_repeat_and_are_acknowledged_again(acme) -> None:
    line = Line(acme, acknowledges="CONTRL")
    text = line.interchange("R1")
    line.take(text)
    again = line.take(text)
    assert (again.events_duplicate, again.warnings) == (1, {})
    assert line.told(again) == ["UNB+000000002+R1+accepted'"]


def test_an_interchange_that_comes_again_beside_others_is_a_repeat(acme) -> None:
    line = Line(acme)
    first, second, third = (line.interchange(f"R{n}", code=code) for n, code in enumerate(("GTIN", "LOAD", "DISC")))
    for lines in ((first,), (second, first), (first, third)):
        assert line.take(*lines).warnings == {}
    assert line.take(third, line.interchange("R1", code="GTOT")).warnings == {"duplicate_interchange": 1}


def test_a_reference_that_no_column_can_hold_stops_nothing(acme) -> None:
    line = Line(acme, acknowledges="CONTRL")
    for reference in ("R\0", "R" * 300, "R\udc80".encode("utf-8", "surrogatepass").decode("utf-8", "replace")):
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
    assert line.told(other) == ["UNB+000000002+R1+refused'"]


def test_a_writer_that_fails_does_not_keep_the_message_from_being_applied(acme) -> None:
    line = Line(acme, acknowledges="CONTRL")
    sys.modules["tracking.acknowledgements"].contrl = lambda *_a, **_k: 1 / 0
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
    assert (mine.content, mine["Content-Type"]) == (b"ISA*1*R1*accepted~", "application/EDI-X12")
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
    assert "What the partner is told" in page and "UNB+000000001+R1+accepted&#x27;" in page


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
    assert (folder / "out" / "contrl-000000001.edi").read_text() == "UNB+000000001+R1+accepted'"
