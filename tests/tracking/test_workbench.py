"""The quarantine workbench: many at once, one answer for all, corrections that overwrite nothing; inside the walls."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from portal.lib import clock
from portal.outbox.runner import run_due
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import AuditEntry, Role
from tests import cast
from tests.doors import client_of
from tests.tracking.messages import box, equipment, number_of, shipment, source, take
from tests.tracking.pages import NOW
from tracking.models import InboundMessage, PartnerCode, Place, QuarantineBatch, Quarantined, SightingRow
from tracking.positions import own_part
from tracking.services import batch_start, batch_step, quarantine_correct

HEAD = "container,code,classifier,event_time,place\n"


@pytest.fixture(autouse=True)
def _march():
    with clock.set_to(NOW):
        yield


@pytest.fixture
def desk():
    cast.operator()
    return client_of(cast.person(OPERATOR_ID, Role.OPS))


def rows_of(src) -> list[Quarantined]:
    with as_tenant(src.tenant_id):
        return list(Quarantined.objects.filter(source=src).order_by("id"))


def csv_of(*rows: tuple[str, str], code: str = "DELV", place: str = "NLRTM") -> bytes:
    return (HEAD + "".join(f"{number},{code},ACT,{time},{place}\n" for number, time in rows)).encode()


def unknown(src, account, count: int = 3, **more):
    """So many rows of the account's own boxes whose code nobody knows, in two messages."""
    made = [shipment(account) for _ in range(count)]
    rows = [(number_of(one), f"2026-03-1{n % 3}T10:00:00+01:00") for n, one in enumerate(made)]
    take(src, csv_of(*rows[:1], **more), at=NOW - timedelta(hours=2))
    take(src, csv_of(*rows[1:], **more), at=NOW - timedelta(hours=1))
    return made


def finished(batch: str) -> list[QuarantineBatch]:
    run_due(at=NOW)
    with as_tenant(OPERATOR_ID):
        return list(QuarantineBatch.objects.filter(batch=batch))


# --- one answer for all that wait for it ---


@pytest.mark.req("G5")
def test_a_code_is_mapped_once_and_all_that_waited_for_it_are_applied(acme, desk) -> None:
    src, other = source(format="csv"), source(format="csv")
    made = unknown(src, acme)
    unknown(other, acme, 1)
    item = rows_of(src)[0]
    assert (item.reason, item.listed, item.code) == ("unknown_code", "csv", "DELV")
    page = desk.get(f"/ops/quarantine/{item.public_id}").content.decode()
    assert "Say what DELV means" in page
    assert "3 events that wait for it" in page
    refused = desk.post(f"/ops/quarantine/{item.public_id}/map", {"meaning": "", "classifier": "ACT"})
    assert refused.status_code == 422
    answer = desk.post(f"/ops/quarantine/{item.public_id}/map", {"meaning": "DROP", "classifier": "ACT",
                                                                "laden": "LADEN", "note": "their guide"})  # fmt: skip
    assert answer.status_code == 302
    assert answer["Location"].startswith("/ops/quarantine/many/")
    assert "0 of 3 tried" in desk.get(answer["Location"]).content.decode()
    done = finished(answer["Location"].rsplit("/", 1)[1])
    assert [(b.done, b.settled, b.waiting) for b in done] == [(3, 3, 0)]
    assert {r.state for r in rows_of(src)} == {"REPLAYED"}
    assert {r.state for r in rows_of(other)} == {"OPEN"}  # another source may mean something else
    with as_tenant(acme.pk):
        rows = SightingRow.objects.filter(shipment__in=made, source=src.key)
        assert {(r.code, r.laden, r.place) for r in rows} == {("DROP", True, "NLRTM")}
        assert rows.count() == 3
    page = desk.get(answer["Location"]).content.decode()
    assert "Finished" in page
    assert "every 2s" not in page
    with as_tenant(OPERATOR_ID):
        line = PartnerCode.objects.get(source=src)
        assert (line.listed, line.code, line.event_code, line.note) == ("csv", "DELV", "DROP", "their guide")
        told = AuditEntry.objects.get(action="quarantine.replayed", object_id=done[0].batch).details
        assert sorted(told["items"]) == sorted(r.public_id for r in rows_of(src))


def test_a_code_that_says_nothing_is_set_aside_with_all_that_waited(acme, desk) -> None:
    src = source(format="csv")
    unknown(src, acme, code="NEWS")
    item = rows_of(src)[0]
    answer = desk.post(f"/ops/quarantine/{item.public_id}/map", {"meaning": "IGNORED", "classifier": "ACT"})
    finished(answer["Location"].rsplit("/", 1)[1])
    assert {(r.state, r.reason, r.decision) for r in rows_of(src)} == {("DISCARDED", "not_tracked", "not_tracked")}
    more = take(src, csv_of((box(), "2026-03-12T10:00:00+01:00"), code="NEWS"), at=NOW)
    assert (more.events_quarantined, rows_of(src)[-1].state) == (1, "DISCARDED")


def test_a_place_gets_its_zone_once_for_all_sources_and_scopes(acme, desk) -> None:
    code = f"ZZ{box()[-3:]}"
    ours, theirs = source(format="csv"), source(format="csv", tenant_id=acme.pk)
    made = shipment(acme)
    for src in (ours, theirs):
        take(src, csv_of((number_of(made), "2026-03-12T10:00:00"), code="GTOT", place=code), at=NOW)
    item = rows_of(ours)[0]
    assert (item.reason, item.code) == ("no_zone", code)
    assert "2 events that wait for it" in desk.get(f"/ops/quarantine/{item.public_id}").content.decode()
    bad = desk.post(f"/ops/quarantine/{item.public_id}/zone", {"zone": "Mars/Olympus"})
    assert bad.status_code == 422
    assert "no time zone of this name" in bad.content.decode()
    answer = desk.post(f"/ops/quarantine/{item.public_id}/zone", {"zone": "Europe/Rome"})
    run_due(at=NOW)
    assert "2 of 2 tried" in desk.get(answer["Location"]).content.decode()
    assert {r.state for src in (ours, theirs) for r in rows_of(src)} == {"REPLAYED"}
    assert Place.objects.get(code=code).zone == "Europe/Rome"
    with as_tenant(acme.pk):  # its own part of the decision stands in its own trail
        assert AuditEntry.objects.filter(action="quarantine.replayed", object_type="quarantine_batch").count() == 1
        assert {s.event_time.hour for s in SightingRow.objects.filter(shipment=made)} == {9}


# --- correcting ---


@pytest.mark.req("G5", "G12")
def test_a_correction_is_a_new_message_and_overwrites_nothing(acme, desk) -> None:
    src, made = source(), shipment(acme)
    good = equipment("GTIN", number_of(made), "2026-03-01T10:00:00+08:00")
    message = take(src, [good, {**good, "eventID": "e2", "eventDateTime": "yesterday"}], at=NOW)
    item = rows_of(src)[0]
    address = f"/ops/quarantine/{item.public_id}/correct"
    offered = desk.get(address).content.decode()
    assert "yesterday" in offered
    assert offered.count("GTIN") == 1  # only its own event, not its neighbour
    text = json.dumps([{**good, "eventID": "e2", "eventDateTime": "2026-03-02T10:00:00+08:00"}])
    assert desk.post(address, {"text": text, "reason": ""}).status_code == 422
    again = desk.post(address, {"text": text.replace("T10:00", " noon "), "reason": "asked them"})
    assert again.status_code == 422
    assert "$[0].eventDateTime" in again.content.decode()
    assert len(rows_of(src)) == 1  # nothing was sent before it can be read
    done = desk.post(address, {"text": text, "reason": "asked them"})
    assert done.status_code == 302
    with as_tenant(OPERATOR_ID):
        row = Quarantined.objects.get(pk=item.pk)
        new = InboundMessage.objects.get(corrects=row)
        assert (row.state, row.decision, row.message_id) == ("REPLACED", "asked them", message.pk)
        assert (new.channel, new.events_accepted, new.source_id) == ("CORRECTION", 1, src.pk)
        assert item.public_id in new.file_name
        assert b"yesterday" in bytes(row.message.raw.body)
        assert AuditEntry.objects.filter(action="quarantine.corrected", object_id=item.public_id).exists()
    assert done["Location"] == f"/ops/messages/{new.public_id}"
    assert item.public_id in desk.get(done["Location"]).content.decode()
    assert new.public_id in desk.get(f"/ops/quarantine/{item.public_id}").content.decode()
    assert desk.get(address).status_code == 404
    with as_tenant(OPERATOR_ID), pytest.raises(Exception, match="already"):
        quarantine_correct(public_id=item.public_id, body=b"[]", reason="twice", at=NOW, actor="Olga")


def test_an_unchanged_text_is_no_correction(acme, desk) -> None:
    src = source(format="csv")
    unknown(src, acme, 1)
    item = rows_of(src)[0]
    offered = desk.get(f"/ops/quarantine/{item.public_id}/correct").content.decode()
    text = re.search(r"<textarea[^>]*>\s*(.*?)</textarea>", offered, re.DOTALL)[1]
    assert "DELV" in text
    answer = desk.post(f"/ops/quarantine/{item.public_id}/correct", {"text": text, "reason": "none"})
    assert answer.status_code == 422
    assert "Nothing is changed yet" in answer.content.decode()


def test_a_correction_is_no_sign_of_life_of_the_source(acme) -> None:
    src = source(format="csv")
    unknown(src, acme, 1)
    heard = type(src).objects
    with as_tenant(OPERATOR_ID):
        before = heard.get(pk=src.pk).last_heard_at
        later = NOW + timedelta(days=2)
        body = csv_of((box(), "2026-03-12T10:00:00+01:00"), code="GTOT")
        quarantine_correct(public_id=rows_of(src)[0].public_id, body=body, reason="typo", at=later, actor="Olga")
        assert heard.get(pk=src.pk).last_heard_at == before


@pytest.mark.parametrize(
    ("text", "position", "part"),
    [
        ("a,b\n1,2\n3,4\n", "$[1].b", "a,b\n3,4\n"),
        ('a,b\n"x\ny",2\n3,4\n', "$[0].b", 'a,b\n"x\ny",2\n'),
        ('[{"n": 1.10}, {"n": 2}]', "$[0].n", '[{"n": 1.10}]\n'),
        ('{"events": [{"n": 1}, {"n": 2}]}', "$[1].n", '[{"n": 2}]\n'),
        ('[{"n": 1}, {"n"', "$", '[{"n": 1}, {"n"'),
        ("UNB+UNOC:3+A+B+260101:1200+9'UNH+1+X'BGM+1'UNT+3+1'\nUNH+2+X'BGM+2?'s'UNT+3+2'UNZ+2+9'", "$[1].BGM[6]",
         "UNB+UNOC:3+A+B+260101:1200+9'UNH+2+X'BGM+2?'s'UNT+3+2'UNZ+1+9'"),
        ("UNA:+.? ~UNB+A~UNG+B~UNH+1~UNT+2+1~UNE+1+7~UNG+C~UNH+2~UNT+2+2~UNE+1+8~UNZ+2+9~", "$[1]",
         "UNA:+.? ~UNB+A~UNG+C~UNH+2~UNT+2+2~UNE+1+8~UNZ+1+9~"),
        ("ISA*00* *00* *ZZ*A*ZZ*B*160526*2245*U*00401*053*0*P*>~GS*SO*B*A~ST*322*1~SE*2*1~ST*322*2~SE*2*2~"
         "GE*2*1~IEA*1*5~",
         "$[0].ST[2]",
         "ISA*00* *00* *ZZ*A*ZZ*B*160526*2245*U*00401*053*0*P*>~GS*SO*B*A~ST*322*1~SE*2*1~GE*1*1~IEA*1*5~"),
    ],
)  # fmt: skip
def test_the_part_of_a_message_stands_by_itself(text: str, position: str, part: str) -> None:
    assert own_part(text, position) == part


# --- many at once ---


def chosen(desk, address: str) -> dict[str, list[str]]:
    """The hidden fields of the review that an address leads to."""
    text = desk.get(address).content.decode()
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', text):
        found.setdefault(name, []).append(value)
    return found


@pytest.mark.req("G5", "L1")
def test_all_that_match_are_set_aside_with_one_reason_and_each_is_named(acme, desk) -> None:
    ours, theirs = source(), source(tenant_id=acme.pk)
    for src in (ours, theirs):
        take(src, [{"eventType": "NONSENSE", "n": n} for n in range(2)], at=NOW - timedelta(minutes=5))
    reason = rows_of(ours)[0].reason
    listed = desk.get(f"/ops/quarantine?source={ours.key}").content.decode()
    assert listed.count('name="item"') == 2
    ids = [r.public_id for src in (ours, theirs) for r in rows_of(src)]
    named = "&".join(f"item={i}" for i in ids[:3])
    text = desk.get(f"/ops/quarantine/many?{named}&action=DISCARD").content.decode()
    assert "3 events will be given up" in text
    everything = f"/ops/quarantine/many?all=1&source={ours.key}&reason={reason}&action=DISCARD&until={NOW.isoformat()}"
    hidden = chosen(desk, everything.replace("+", "%2B"))
    assert "2 events will be given up" in desk.get(everything.replace("+", "%2B")).content.decode()
    with clock.set_to(NOW + timedelta(minutes=1)):
        take(ours, [{"eventType": "NONSENSE", "n": 9}], at=NOW + timedelta(seconds=30))  # came after the look
        assert desk.post("/ops/quarantine/many", {**hidden, "why-reason": " "}).status_code == 422
        answer = desk.post("/ops/quarantine/many", {**hidden, "why-reason": "a test of theirs"})
        run_due(at=NOW + timedelta(minutes=1))
    states = [(r.state, r.decision) for r in rows_of(ours)]
    assert states == [("DISCARDED", "a test of theirs")] * 2 + [("OPEN", "")]
    assert {r.state for r in rows_of(theirs)} == {"OPEN"}
    batch = answer["Location"].rsplit("/", 1)[1]
    with as_tenant(OPERATOR_ID):
        told = AuditEntry.objects.get(object_id=batch)
        assert sorted(told.details["items"]) == sorted(ids[:2])
        assert told.details["reason"] == "a test of theirs"


def test_a_decision_over_two_scopes_is_written_inside_each(acme, desk) -> None:
    ours, theirs = source(), source(tenant_id=acme.pk)
    for src in (ours, theirs):
        take(src, [{"eventType": "NONSENSE"}], at=NOW)
    ids = [r.public_id for src in (ours, theirs) for r in rows_of(src)]
    answer = desk.post("/ops/quarantine/many", {"item": ids, "action": "DISCARD", "why-reason": "old"})
    assert "0 of 2 decided" in desk.get(answer["Location"]).content.decode()
    run_due(at=NOW)
    assert {r.state for src in (ours, theirs) for r in rows_of(src)} == {"DISCARDED"}
    batch = answer["Location"].rsplit("/", 1)[1]
    for tenant_id in (OPERATOR_ID, acme.pk):
        with as_tenant(tenant_id):
            assert [len(b.items) for b in QuarantineBatch.objects.filter(batch=batch)] == [1]
            assert len(AuditEntry.objects.get(object_id=batch).details["items"]) == 1


def test_long_work_goes_on_in_steps_and_leaves_what_others_decided(acme) -> None:
    src = source()
    take(src, [{"eventType": "NONSENSE", "n": n} for n in range(230)], at=NOW)
    items = rows_of(src)
    with as_tenant(OPERATOR_ID):
        Quarantined.objects.filter(pk=items[5].pk).update(state="REPLAYED")
        batch_start(batch=f"b{items[0].public_id}"[:26], action="DISCARD", items=[r.pk for r in items], reason="old",
                    at=NOW, actor="Olga")  # fmt: skip
        name = f"b{items[0].public_id}"[:26]
        first = batch_step(batch=name, at=NOW)
        assert (first.done, first.settled, first.skipped, first.finished_at) == (100, 99, 1, None)
    run_due(at=NOW)
    with as_tenant(OPERATOR_ID):
        done = QuarantineBatch.objects.get(batch=name)
        assert (done.done, done.settled, done.skipped, done.finished_at) == (230, 229, 1, NOW)
        assert batch_step(batch=name, at=NOW + timedelta(hours=1)).finished_at == NOW


def test_one_message_with_many_faults_is_read_once_in_a_step(acme) -> None:
    src = source(format="csv")
    take(src, csv_of(*((box(), "2026-03-12T10:00:00+01:00") for _ in range(40))), at=NOW)
    items = rows_of(src)
    with as_tenant(OPERATOR_ID):
        name = f"c{items[0].public_id}"[:26]
        batch_start(batch=name, action="REPLAY", items=[r.pk for r in items], reason="", at=NOW, actor="Olga")
        with CaptureQueriesContext(connections["default"]) as asked:
            done = batch_step(batch=name, at=NOW)
    assert (done.settled, done.waiting) == (0, 40)
    assert sum("tracking_partnercode" in q["sql"] for q in asked.captured_queries) == 1


def test_a_message_that_cannot_be_read_at_all_waits_again_after_a_replay() -> None:
    src = source()
    take(src, b'[{"cut', at=NOW)
    item = rows_of(src)[0]
    desk = client_of(cast.person(OPERATOR_ID, Role.OPS))
    answer = desk.post(f"/ops/quarantine/{item.public_id}/replay", follow=True)
    assert "still cannot be used" in answer.content.decode()
    assert rows_of(src)[0].attempts == 1


def test_the_list_is_narrowed_by_code_and_age(acme, desk) -> None:
    src = source(format="csv")
    unknown(src, acme, 2, code="OLDE")
    with as_tenant(OPERATOR_ID):
        old = rows_of(src)[0]
        Quarantined.objects.filter(pk=old.pk).update(recorded_at=NOW - timedelta(days=8))
    both = desk.get(f"/ops/quarantine?source={src.key}&code=OLDE").content.decode()
    assert both.count('name="item"') == 2
    aged = desk.get(f"/ops/quarantine?source={src.key}&code=OLDE&age=7").content.decode()
    assert aged.count('name="item"') == 1
    assert old.public_id in aged
    assert desk.get(f"/ops/quarantine?source={src.key}&code=NONE").content.decode().count('name="item"') == 0


def test_who_may_not_decide_sees_no_boxes(acme) -> None:
    src = source()
    take(src, [{"eventType": "NONSENSE"}], at=NOW)
    item = rows_of(src)[0]
    reader = client_of(cast.person(OPERATOR_ID, Role.FINANCE))
    assert 'name="item"' not in reader.get(f"/ops/quarantine?source={src.key}").content.decode()
    assert "Correct as a new message" not in reader.get(f"/ops/quarantine/{item.public_id}").content.decode()
    assert reader.get(f"/ops/quarantine/{item.public_id}/correct").status_code == 403
    assert reader.post("/ops/quarantine/many", {"item": [item.public_id], "action": "REPLAY"}).status_code == 403


@pytest.mark.req("G5")
def test_a_dcsa_code_is_explained_within_the_kind_that_the_event_states(acme, desk) -> None:
    src, made = source(), shipment(acme)
    event = equipment("GTIN", number_of(made), "2026-03-01T10:00:00+08:00")
    take(src, [{**event, "equipmentEventTypeCode": "gtix"}], at=NOW)
    item = rows_of(src)[0]
    assert (item.listed, item.agency, item.code) == ("dcsa", "EQUIPMENT", "GTIX")
    page = desk.get(f"/ops/quarantine/{item.public_id}").content.decode()
    assert 'value="GTIN"' in page
    assert 'value="DEPA"' not in page
    answer = desk.post(f"/ops/quarantine/{item.public_id}/map", {"meaning": "GTIN", "classifier": "ACT"})
    finished(answer["Location"].rsplit("/", 1)[1])
    assert rows_of(src)[0].state == "REPLAYED"
    with as_tenant(acme.pk):
        assert SightingRow.objects.get(shipment=made).code == "GTIN"
