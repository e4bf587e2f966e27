"""Events and history as CSV: any column order, unknown columns by name, one bad row never spoils the next."""

from __future__ import annotations

import io
import random
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from tracking import history
from tracking.adapters import csv_events
from tracking.matching import natural_key
from tracking.reasons import Reason
from tracking.types import CanonicalEvent, Classifier, FinalMilestone, Kind, Mode, Precision, Refusal, Unreadable

HEAD = "source,source_event_id,shipment_ref,container,kind,code,classifier,event_time,place,laden"


def events(*lines: str, head: str = HEAD) -> list[CanonicalEvent | Refusal]:
    return list(csv_events.events(io.BytesIO("\n".join([head, *lines, ""]).encode())))


def one(line: str, head: str = HEAD) -> CanonicalEvent:
    (found,) = events(line, head=head)
    assert isinstance(found, CanonicalEvent), found
    return found


def refused(line: str, head: str = HEAD) -> tuple[str, str]:
    (found,) = events(line, head=head)
    assert isinstance(found, Refusal), found
    assert found.fragment
    return found.code, found.position


def test_a_row_is_read_field_by_field() -> None:
    head = ",".join(reversed(csv_events.COLUMNS))
    cells = {
        "source": "line-a", "source_event_id": "0007", "shipment_ref": "S-1", "container": "csqu 305438-3",
        "booking": "B1", "account": "acme", "kind": "EQUIPMENT", "code": "gtin", "classifier": "act",
        "event_time": "2026-03-29T01:30:00+01:00", "source_created_at": "2026-03-29T02:00:00Z",
        "recorded_at": "2026-03-29T03:00:00Z", "place": "nlrtm", "facility": "ect", "laden": "true",
        "transhipment": "false", "mode": "VESSEL", "vessel_imo": "9321483", "voyage": "601W", "retracts": "",
    }  # fmt: skip
    event = one(",".join(cells[name] for name in reversed(csv_events.COLUMNS)), head)
    assert event.position == "$[0].event_time"
    assert (event.kind, event.code, event.classifier) == (Kind.EQUIPMENT, "GTIN", Classifier.ACT)
    assert event.time == datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    assert (event.container, event.container_ok, event.laden) == ("CSQU3054383", True, True)
    assert (event.place, event.facility, event.mode) == ("NLRTM", "ECT", "VESSEL")
    assert (event.source, event.account, event.source_event_id) == ("line-a", "acme", "0007")
    assert event.recorded_at == datetime(2026, 3, 29, 3, tzinfo=UTC)
    assert (event.is_transshipment, event.warnings) == (False, ())
    assert event.payload["source_event_id"] == "0007"


def test_a_bare_date_is_a_day_and_a_time_without_offset_stays_local() -> None:
    day = one("a,1,S-1,,,DROP,ACT,2026-03-29,NLRTM,true")
    local = one("a,1,S-1,,,DROP,ACT,2026-03-29 02:30,NLRTM,true")
    assert (day.precision, day.time, day.local) == (Precision.DAY, None, "2026-03-29")
    assert (local.precision, local.time, local.local) == (Precision.MINUTE, None, "2026-03-29 02:30")


@pytest.mark.req("R1.1")
def test_when_it_was_learned_falls_back_to_the_source_then_to_the_event() -> None:
    head = HEAD + ",source_created_at,recorded_at"
    line = "a,1,S-1,,,DROP,ACT,2026-03-29T10:00Z,NLRTM,true"
    hours = [one(f"{line},{c},{r}", head).recorded_at for c, r in (("", ""), ("2026-03-29T11:00Z", ""),
             ("2026-03-29T11:00Z", "2026-03-29T12:00Z"))]  # fmt: skip
    assert [h.hour if h else None for h in hours] == [10, 11, 12]


@pytest.mark.req("R1.4")
def test_a_withdrawal_needs_only_what_it_withdraws() -> None:
    event = one("a,9,,,,,,,,,1", HEAD + ",retracts")
    assert (event.retracts, event.local, event.time) == ("1", "", None)


def test_events_about_papers_of_two_shipments_stay_apart() -> None:
    first, second = events("a,,S-1,,,HOLD,ACT,2026-03-29T10:00Z,NLRTM,", "a,,S-2,,,HOLD,ACT,2026-03-29T10:00Z,NLRTM,")
    assert isinstance(first, CanonicalEvent)
    assert isinstance(second, CanonicalEvent)
    assert first.document_type == "CUS"
    assert natural_key("a", first, first.time) != natural_key("a", second, second.time)


@pytest.mark.parametrize(
    ("line", "code", "column"),
    [
        ("a,1,,,,GTIN,ACT,2026-03-29T10:00Z,NLRTM,true", Reason.NO_REFERENCE, ""),
        ("a,1,S-1,,,GTIN,,2026-03-29T10:00Z,NLRTM,true", Reason.NO_CLASSIFIER, "classifier"),
        ("a,1,S-1,,,GTIN,REQ,2026-03-29T10:00Z,NLRTM,true", Reason.UNKNOWN_CODE, "classifier"),
        ("a,1,S-1,,,,ACT,2026-03-29T10:00Z,NLRTM,true", Reason.MISSING_FIELD, "code"),
        ("a,1,S-1,,,GATE,ACT,2026-03-29T10:00Z,NLRTM,true", Reason.UNKNOWN_CODE, "code"),
        ("a,1,S-1,,SHIPMENT,GTIN,ACT,2026-03-29T10:00Z,NLRTM,true", Reason.UNKNOWN_CODE, "code"),
        ("a,1,S-1,,BOX,GTIN,ACT,2026-03-29T10:00Z,NLRTM,true", Reason.UNKNOWN_CODE, "kind"),
        ("a,1,S-1,,,GTIN,ACT,,NLRTM,true", Reason.MISSING_FIELD, "event_time"),
        ("a,1,S-1,,,GTIN,ACT,29.03.2026,NLRTM,true", Reason.BAD_TIME, "event_time"),
        ("a,1,S-1,,,GTIN,ACT,2026-02-30,NLRTM,true", Reason.BAD_TIME, "event_time"),
        ("a,1,S-1,,,GTIN,ACT,2026-03-29T10:00Z,NLRTM,perhaps", Reason.BAD_VALUE, "laden"),
        (f"a,1,{'S' * 65},,,GTIN,ACT,2026-03-29T10:00Z,NLRTM,true", Reason.TOO_LONG, "shipment_ref"),
        ("a,1,S-1,,,GTIN,ACT,2026-03-29T10:00Z,NLRTM", Reason.BAD_ROW, ""),
        ("a,1,S-1,,,GTIN,ACT,2026-03-29T10:00Z,NLRTM,true,more", Reason.BAD_ROW, ""),
        ('a,1,"S-1,,,GTIN,ACT,2026-03-29T10:00Z,NLRTM,true', Reason.BAD_ROW, ""),
        ("a,1,S\0-1,,,GTIN,ACT,2026-03-29T10:00Z,NLRTM,true", Reason.BAD_TEXT, ""),
    ],
)
def test_a_row_that_cannot_be_read_says_why_and_where(line: str, code: Reason, column: str) -> None:
    assert refused(line) == (code, f"$[0].{column}" if column else "$[0]")


@pytest.mark.req("G6")
def test_one_bad_row_never_spoils_the_next() -> None:
    good = "a,{n},S-1,,,GTIN,ACT,2026-03-29T10:00Z,NLRTM,true"
    found = events(good.format(n=0), 'a,1,"S-1,,,GTIN', "", good.format(n=2), 'a,3,"S-1', good.format(n=4))
    kept = [e.source_event_id for e in found if isinstance(e, CanonicalEvent)]
    assert (kept, len(found)) == (["0", "2", "4"], 5)
    assert [r.position for r in found if isinstance(r, Refusal)] == ["$[1]", "$[3]"]


def test_a_quoted_cell_may_hold_commas_quotes_and_line_ends() -> None:
    rows = list(history.accounts(io.BytesIO(b'\xef\xbb\xbfname,account\r\n"Acme, ""the"" one\r\nLtd",acme\r\n')))
    assert [r.name for r in rows if isinstance(r, history.AccountRow)] == ['Acme, "the" one\nLtd']


@pytest.mark.parametrize(
    ("raw", "code", "said"),
    [
        (b"", Reason.EMPTY, "empty"),
        (b"code,classifier,event_time,colour,size\n", Reason.UNKNOWN_COLUMN, "'colour', 'size'"),
        (b"code,classifier\n", Reason.MISSING_COLUMN, "event_time"),
        (b"code,classifier,event_time,code\n", Reason.DUPLICATE_COLUMN, "code"),
        (b"code;classifier;event_time\n", Reason.NOT_CSV, "semicolons"),
        (b"code,classifier,event_time,shipment_ref\nGTIN,ACT,2026-01-01,\xff\n", Reason.NOT_UTF8, "0xff"),
        (b"GTIN,ACT,2026-03-29T10:00Z,NLRTM\n", Reason.UNKNOWN_COLUMN, "gtin"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_name(raw: bytes, code: Reason, said: str) -> None:
    with pytest.raises(Unreadable) as fault:
        csv_events.parse(raw)
    assert fault.value.code == code
    assert said in fault.value.detail


@pytest.mark.req("G7")
def test_damaged_files_give_an_event_or_a_reason_for_every_row() -> None:
    dice = random.Random(5)
    raw = "\n".join([HEAD, *[f"a,{n},S-1,,,GTIN,ACT,2026-03-29T10:00Z,NLRTM,true" for n in range(6)]]).encode()
    for _run in range(600):
        damaged = bytearray(raw)
        for _time in range(dice.randint(1, 4)):
            at = dice.randrange(len(HEAD) + 1, len(damaged))
            damaged[at] = dice.choice([*b'",\n\r\0;:T+-', dice.randrange(256)])
        try:
            parsed = csv_events.parse(bytes(damaged))
        except Unreadable as fault:
            if fault.code != Reason.NOT_UTF8:
                raise
            continue
        assert parsed.events or parsed.refusals
        assert all(Reason(r.code) and r.detail and "\0" not in r.fragment for r in parsed.refusals)


SHIPMENT = {
    "account": "acme", "shipment_ref": "S-1", "final_milestone": "cy", "pol": "CNSHA", "pod": "NLRTM",
    "final_place": "", "carrier": "maeu", "booked_at": "2026-01-10T08:00:00+08:00", "confirmed_at": "2026-01-11",
    "due_date": "2026-03-20", "due_at": "", "tol_days": "1", "tol_hours": "", "containers": "CSQU3054383| apzu4812090|",
    "hbl": "H1", "mbl": "M1", "booking": "B1", "po_numbers": "4711|0815|4711", "branch": "RTM", "vertical": "retail",
    "trade": "FE-EU", "mode": "", "vessel_imo": "9321483", "voyage": "601W", "transhipments": "SGSIN|MYPKG",
    "cancelled_at": "", "cancelled_by": "",
}  # fmt: skip


def shipment(**changes: str) -> history.ShipmentRow | Refusal:
    row = {**SHIPMENT, **changes}
    text = f"{','.join(row)}\n{','.join(row.values())}\n"
    (found,) = history.shipments(io.BytesIO(text.encode()))
    return found


def test_a_shipment_is_read_field_by_field() -> None:
    row = shipment()
    assert isinstance(row, history.ShipmentRow), row
    assert (row.account, row.ref, row.final_milestone, row.mode) == ("acme", "S-1", FinalMilestone.CY, Mode.SEA)
    assert (row.containers, row.po_numbers) == (("CSQU3054383", "APZU4812090"), ("4711", "0815"))
    assert row.transhipments == ("SGSIN", "MYPKG")
    assert (row.booked_at, row.confirmed_at) == (datetime(2026, 1, 10, tzinfo=UTC), datetime(2026, 1, 11, tzinfo=UTC))
    assert (row.due_date, row.due_at, row.tol_days, row.tol_hours) == (date(2026, 3, 20), None, 1, 0)
    assert "account" not in row.spec()
    assert row.spec()["ref"] == "S-1"


@pytest.mark.parametrize(
    ("changes", "code", "column"),
    [
        ({"due_date": ""}, Reason.MISSING_FIELD, "due_date"),
        ({"due_at": "2026-03-20T10:00Z"}, Reason.BAD_VALUE, "due_at"),
        ({"due_date": "", "due_at": "2026-03-20T10:00"}, Reason.BAD_TIME, "due_at"),
        ({"due_date": "20.03.2026"}, Reason.BAD_TIME, "due_date"),
        ({"final_milestone": ""}, Reason.MISSING_FIELD, "final_milestone"),
        ({"final_milestone": "PORT"}, Reason.UNKNOWN_CODE, "final_milestone"),
        ({"mode": "SLEDGE"}, Reason.UNKNOWN_CODE, "mode"),
        ({"tol_days": "1.5"}, Reason.BAD_VALUE, "tol_days"),
        ({"account": ""}, Reason.MISSING_FIELD, "account"),
        ({"cancelled_by": "WEATHER"}, Reason.UNKNOWN_CODE, "cancelled_by"),
    ],
)
def test_a_shipment_that_cannot_be_read_says_why(changes: dict[str, str], code: Reason, column: str) -> None:
    found = shipment(**changes)
    assert isinstance(found, Refusal), found
    assert (found.code, found.position) == (code, f"$[0].{column}")


def test_amounts_are_exact_and_currencies_have_three_letters() -> None:
    head = b"account,shipment_ref,container,code,amount,currency,recorded_at\n"
    good, bad, worse = history.charges(
        io.BytesIO(head + b"acme,S-1,,FRT,-350.25,usd,2026-01-01T00:00Z\nacme,S-1,,FRT,1e5,USD,2026-01-01\n"
                   b"acme,S-1,,FRT,1.00,US,2026-01-01\n")
    )  # fmt: skip
    assert isinstance(good, history.ChargeRow)
    assert (good.amount, good.currency) == (Decimal("-350.25"), "USD")
    assert isinstance(bad, Refusal)
    assert isinstance(worse, Refusal)
    assert (bad.position, worse.position) == ("$[0].amount".replace("0", "1"), "$[2].currency")


def test_accounts_and_places_name_zones_that_exist() -> None:
    accounts = list(
        history.accounts(io.BytesIO(b"account,zone,tier,valid_from\na,Europe/Oslo,premium,2026-01-01\nb,Mars,,\n"))
    )
    assert isinstance(accounts[0], history.AccountRow)
    assert (accounts[0].tier, accounts[0].valid_from, accounts[0].name) == ("PREMIUM", date(2026, 1, 1), "a")
    assert isinstance(accounts[1], Refusal)
    places = list(history.places(io.BytesIO(b"code,zone,lat,lon\nHUB 7,Europe/Berlin,52.5,13.4\nNLXXX,,91,0\n")))
    assert isinstance(places[0], history.PlaceRow)
    assert (places[0].code, places[0].lat) == ("HUB 7", Decimal("52.5"))
    assert isinstance(places[1], Refusal)
