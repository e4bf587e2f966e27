"""Spreadsheets by their mapping: raw files against what stands beside them; codes stay text, no time is guessed."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from tests.tracking.xlsx import workbook
from tracking.adapters import table
from tracking.canonical import event_line, refusal_line
from tracking.management.commands.canonical import _in_order, _zones
from tracking.reasons import WHOLE_MESSAGE, Reason
from tracking.registry import adapter_for
from tracking.types import Classifier, Kind, Parsed, Partner, Refusal, StatusRule, Unreadable

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "table"
FILES = sorted(p for p in GOLDEN.iterdir() if p.suffix in (".csv", ".txt", ".xlsx"))
SHOWN = ("position", "kind", "code", "classifier", "container", "container_ok", "laden", "place", "local", "zone",
         "time", "booking", "bill_of_lading", "voyage", "vessel_imo", "source_event_id", "source_created_at",
         "warnings")  # fmt: skip
BASE = {"columns": {"container": "Container", "status": "Status", "event_time": "Date"}, "dates": "ISO",
        "constants": {"place": "NLRTM"}}  # fmt: skip
BOX = "MSKU0004716"


def beside(path: Path, what: str) -> Path:
    return path.with_name(f"{path.name}.{what}.json")


def said(path: Path) -> list[dict[str, Any]]:
    """What the adapter makes of the file, as `canonical` prints it."""
    partner = Partner(mapping=json.loads(beside(path, "mapping").read_text("utf-8")))
    try:
        parsed = adapter_for("table", "", path.name).parse(path.read_bytes(), partner=partner)
    except Unreadable as fault:
        return [refusal_line(Refusal(code=fault.code, position=fault.position, detail=fault.detail))]
    lines = []
    for item in _in_order(parsed):
        if isinstance(item, Refusal):
            lines.append(refusal_line(item))
        else:
            told = event_line(item, message="table", place_zone=_zones().get(item.place or ""))
            lines.append({name: told[name] for name in SHOWN if told[name] not in (None, "")})
    return lines


@pytest.mark.req("G6", "R1.6", "X1")
@pytest.mark.parametrize("path", FILES, ids=[p.name for p in FILES])
def test_a_raw_file_says_what_stands_beside_it(path: Path) -> None:
    found = said(path)
    if os.environ.get("UPDATE_GOLDEN"):
        beside(path, "expected").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
    assert found == json.loads(beside(path, "expected").read_text("utf-8"))


def parsed(text: str, mapping: dict[str, Any] | None = None, **more: Any) -> Any:
    return table.parse(text.encode(), partner=Partner(mapping={**BASE, **(mapping or {})}, **more))


def test_a_code_may_also_be_said_by_the_partner_table() -> None:
    rule = StatusRule(kind=Kind.EQUIPMENT, code="DISC", classifier=Classifier.EST, laden=True)
    told = parsed(f"Container,Status,Date\n{BOX},z 7,2026-03-12\n", status={("csv", "", "Z 7"): rule})
    (event,) = told.events
    assert (event.code, event.classifier, event.laden) == ("DISC", Classifier.EST, True)
    assert event.rule == "partner table: csv Z 7"


def test_what_a_mapping_ignores_is_set_aside_and_what_it_does_not_know_waits() -> None:
    told = parsed(f"Container,Status,Date\n{BOX},Remark,2026-03-12\n{BOX},Huh,2026-03-12\n",
                  {"codes": {"remark": {"is_ignored": True}}})  # fmt: skip
    assert [(r.code, r.position) for r in told.refusals] == [
        (Reason.NOT_TRACKED, "$[0].Status"), (Reason.UNKNOWN_CODE, "$[1].Status"),
    ]  # fmt: skip
    assert f"Container: {BOX}" in told.refusals[1].fragment


def test_a_column_that_means_nothing_is_no_part_of_the_event() -> None:
    plain = parsed(f"Container,Status,Date,Remark\n{BOX},DISC,2026-03-12,\n").events[0]
    noted = parsed(f"Container,Status,Date,Remark\n{BOX},DISC,2026-03-12,call Ana\n").events[0]
    assert plain.payload == noted.payload == {"Container": BOX, "Status": "DISC", "Date": "2026-03-12"}


def test_a_column_that_looks_like_a_segment_does_not_hide_its_row() -> None:
    told = parsed(
        f"Container,Status,EQD[9]\n{BOX},DISC,soon\n", {"columns": {**BASE["columns"], "event_time": "EQD[9]"}}
    )
    assert told.refusals[0].position == "$[0].EQD(9)"


@pytest.mark.req("G9")
@pytest.mark.parametrize(
    ("raw", "name", "reason"),
    [
        (b"Container,Status,Date\n", "moves.xlsx", Reason.NOT_XLSX),
        (workbook([["Container", "Status", "Date"]]), "moves.csv", Reason.NOT_CSV),
    ],
)
def test_the_name_and_the_bytes_say_the_same(raw: bytes, name: str, reason: Reason) -> None:
    with pytest.raises(Unreadable) as caught:
        adapter_for("table", "", name).parse(raw, partner=Partner(mapping=BASE))
    assert caught.value.code == reason


@pytest.mark.parametrize(
    ("mapping", "reason"),
    [
        ({}, Reason.NO_MAPPING), ({"columns": []}, Reason.BAD_MAPPING), ({"columns": {}}, Reason.BAD_MAPPING),
        ({**BASE, "dates": "YDM"}, Reason.BAD_MAPPING), ({**BASE, "dates": ""}, Reason.BAD_MAPPING),
        ({**BASE, "zone": "Rotterdam"}, Reason.BAD_MAPPING), ({**BASE, "surprise": 1}, Reason.BAD_MAPPING),
        ({**BASE, "codes": {"x": {"code": "NOPE"}}}, Reason.BAD_MAPPING),
        ({**BASE, "columns": {**BASE["columns"], "booking": " CONTAINER"}}, Reason.BAD_MAPPING),
    ],
)  # fmt: skip
def test_a_mapping_that_says_nothing_refuses_the_file_and_not_its_rows(mapping: Any, reason: Reason) -> None:
    with pytest.raises(Unreadable) as caught:
        table.parse(b"Container,Status,Date\nx,DISC,2026-03-12\n", partner=Partner(mapping=mapping))
    assert caught.value.code == reason


def test_a_source_that_is_read_by_its_mapping_is_not_read_as_the_fixed_columns() -> None:
    """The file has the fixed columns' names, the source says what they mean here."""
    text = f"code,classifier,event_time,container,place\nDISC,ACT,03/04/2026 10:00,{BOX},NLRTM\n"
    columns = {name: name for name in ("code", "classifier", "event_time", "container", "place")}
    told = adapter_for("table").parse(text.encode(), partner=Partner(mapping={"columns": columns, "dates": "DMY"}))
    assert told.events[0].local == "2026-04-03T10:00"


def test_a_source_of_tables_that_sends_events_as_json_is_still_understood() -> None:
    raw = (GOLDEN.parent / "dcsa" / "one-event.json").read_bytes()
    assert adapter_for("table").parse(raw).events


@pytest.mark.req("G7")
def test_damaged_tables_are_refused_or_read_and_never_crash() -> None:
    """2,000 text files with bytes changed, cut, doubled; every row that is not read has its reason."""
    dice = random.Random(13)
    files = [p for p in FILES if p.suffix != ".xlsx"]
    partners = {p: Partner(mapping=json.loads(beside(p, "mapping").read_text("utf-8"))) for p in files}
    for _n in range(2_000):
        path = dice.choice(files)
        told = read(damaged(dice, path.read_bytes()), partners[path])
        assert all(Reason(r.code) not in WHOLE_MESSAGE for r in told.refusals)
        assert len({e.position for e in told.events}) == len(told.events)


@pytest.mark.req("G7")
@pytest.mark.slow
def test_damaged_workbooks_are_refused_or_read_and_never_crash() -> None:
    dice = random.Random(14)
    files = [p for p in FILES if p.suffix == ".xlsx"]
    for _n in range(60):
        path = dice.choice(files)
        partner = Partner(mapping=json.loads(beside(path, "mapping").read_text("utf-8")))
        read(damaged(dice, path.read_bytes()), partner)


def read(raw: bytes, partner: Partner) -> Parsed:
    """What is read, nothing when the whole is refused with a reason of its own."""
    try:
        return table.parse(raw, partner=partner)
    except Unreadable as fault:
        refused = fault.code
    assert Reason(refused) in WHOLE_MESSAGE
    return Parsed()


def damaged(dice: random.Random, raw: bytes) -> bytes:
    """The bytes with a few accidents."""
    text = bytearray(raw)
    for _n in range(dice.randint(1, 4)):
        at, act = dice.randrange(len(text) or 1), dice.randrange(5)
        if act == 0 and text:
            text[at : at + 1] = bytes([dice.choice(b'",;|\t\n\r\0\xff\x80PK0')])
        elif act == 1:
            del text[at : at + dice.randint(1, 30)]
        elif act == 2:
            text[at:at] = text[at : at + dice.randint(1, 60)]
        elif act == 3:
            del text[at:]
        else:
            text[at:at] = dice.choice([b'"', b"\n\n", b"2026-99-99", b"1e999", "\u202e\ud55c".encode(), b"=cmd()"])
    return bytes(text)
