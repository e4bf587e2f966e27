"""Free time: which term holds, the last free day, what is said of a box, terms by hand and by file, the long stay."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from portal.lib import clock
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import AuditEntry, Role
from tests import cast
from tests.apiworld import key_of
from tests.doors import client_of
from tests.tracking.messages import equipment, number_of, shipment, source, take
from tests.tracking.pages import tiered
from tracking.exceptions import Code
from tracking.freetime import FreeKind, Term, free_times, term_for
from tracking.models import CaseState, ExceptionCase, FreeTerm, Shipment
from tracking.rules import FreeTimeStart
from tracking.services import exceptions_look, free_term_set
from tracking.visits import Stay

ROTTERDAM = ZoneInfo("Europe/Amsterdam")
BOX = "MSKU1234565"
TERM = Term(kind=FreeKind.DEMURRAGE, place="NLRTM", free_days=5, first_day=date(2026, 1, 1))
OUT = replace(TERM, kind=FreeKind.DETENTION, free_days=3)
pytestmark = pytest.mark.req("R8.9")


def stay(entry: datetime, left: datetime | None = None, **more) -> Stay:
    """A box that was discharged at Rotterdam, and may have left by the gate."""
    exits = {"exit_at": left, "exit_code": "GTOT", "role": "IMPORT"} if left else {}
    return Stay(container=BOX, place="NLRTM", facility="", entry_at=entry, entry_code="DISC", entry_id=1,
                **{**exits, **more})  # fmt: skip


def clocks(*stays: Stay, terms=(TERM, OUT), returned=None):
    found = free_times(stays, pod="NLRTM", terms=terms, zone=ROTTERDAM, returned=returned or {})
    return {c.kind: c for c in found.get(BOX, [])}


# --- the rule ---


def test_the_day_is_that_of_the_terminal_and_not_of_utc() -> None:
    late = datetime(2026, 3, 4, 23, 30, tzinfo=UTC)  # Thursday, half past midnight there
    assert clocks(stay(late))[FreeKind.DEMURRAGE].last_free == date(2026, 3, 10)


@pytest.mark.parametrize(
    ("term", "last"),
    [
        (TERM, date(2026, 3, 10)),
        (replace(TERM, start=FreeTimeStart.EVENT_DAY), date(2026, 3, 9)),
        (replace(TERM, working_days=True, holidays=frozenset({date(2026, 3, 9)})), date(2026, 3, 13)),
    ],
    ids=["the day after", "the day itself", "working days and a holiday"],
)
def test_the_last_free_day_is_that_of_the_rule(term: Term, last: date) -> None:
    found = clocks(stay(datetime(2026, 3, 5, 9, tzinfo=UTC)), terms=(term,))
    assert found[FreeKind.DEMURRAGE].last_free == last


def test_detention_begins_at_the_gate_and_ends_with_the_empty_box() -> None:
    left = datetime(2026, 3, 12, 9, tzinfo=UTC)
    gone = stay(datetime(2026, 3, 5, 9, tzinfo=UTC), left)
    found = clocks(gone)
    assert (found[FreeKind.DEMURRAGE].ended, found[FreeKind.DEMURRAGE].charged_days) == (date(2026, 3, 12), 2)
    running = found[FreeKind.DETENTION]
    assert (running.last_free, running.ended, running.days_left(date(2026, 3, 16))) == (date(2026, 3, 15), None, -1)
    back = clocks(gone, returned={BOX: datetime(2026, 3, 15, 20, tzinfo=UTC)})[FreeKind.DETENTION]
    assert (back.ended, back.charged_days) == (date(2026, 3, 15), 0)


def test_only_an_import_counts_and_only_where_something_was_agreed() -> None:
    entry = datetime(2026, 3, 5, 9, tzinfo=UTC)
    assert clocks(replace(stay(entry), place="SGSIN")) == {}
    assert clocks(replace(stay(entry), entry_code="GTIN")) == {}
    assert clocks(stay(entry), terms=()) == {}
    assert clocks(stay(entry), terms=(replace(TERM, first_day=date(2026, 3, 6)),)) == {}


def test_the_terminals_own_term_comes_first_and_then_the_newest_that_has_begun() -> None:
    own = replace(TERM, facility="ECTDELTA", free_days=7)
    newer = replace(TERM, free_days=4, first_day=date(2026, 3, 1))
    over = replace(TERM, free_days=9, first_day=date(2026, 3, 3), last_day=date(2026, 3, 4))
    day = {"kind": FreeKind.DEMURRAGE, "place": "NLRTM", "day": date(2026, 3, 5)}
    terms = [newer, own, TERM, over]
    assert term_for(terms, facility="ECTDELTA", **day) is own
    assert term_for(terms, facility="APMTMVII", **day) is newer
    assert term_for(terms, facility="", **{**day, "day": date(2026, 3, 4)}) is over
    assert term_for(terms, facility="", **{**day, "day": date(2026, 2, 1)}) is TERM


# --- a shipment ---


def landed(account: cast.Account) -> Shipment:
    """Discharged at Rotterdam on Thursday, 5 March."""
    made = shipment(account)
    take(source(), [
        equipment("GTIN", number_of(made), "2026-02-01T10:00:00+08:00"),
        equipment("DISC", number_of(made), "2026-03-05T10:00:00+01:00", place="NLRTM"),
    ], at=datetime(2026, 3, 5, 10, tzinfo=UTC))  # fmt: skip
    return made


def agreed(account: cast.Account, term: Term = TERM, at: datetime = datetime(2026, 3, 5, 11, tzinfo=UTC)) -> FreeTerm:
    with as_tenant(account.pk):
        return free_term_set(term=term, by="Olga <olga@example.com>", at=at)


def looked(account: cast.Account, at: datetime) -> list[ExceptionCase]:
    """The long stays after the clock was looked at."""
    with as_tenant(account.pk):
        exceptions_look(at=at, portions=2)
        return list(ExceptionCase.objects.filter(code=Code.LONG_DWELL.value))


def words(account: cast.Account, made: Shipment, at: datetime, *, staff: bool = False) -> str:
    base = f"/ops/accounts/{account.tenant.public_id}" if staff else ""
    person = cast.person(OPERATOR_ID, Role.OPS) if staff else account.member
    with clock.set_to(at):
        page = client_of(person).get(f"{base}/shipments/{made.public_id}")
    assert page.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.content.decode()))


@pytest.mark.req("8.1", "R5.1")
def test_each_box_says_its_last_free_day_and_what_is_left_of_it(acme) -> None:
    made = landed(tiered(acme, "PRIORITY"))
    agreed(acme)
    assert "Demurrage: last free day 10 Mar 2026 , 2 days left" in words(
        acme, made, datetime(2026, 3, 8, 9, tzinfo=UTC)
    )
    assert "10 Mar 2026 , today" in words(acme, made, datetime(2026, 3, 10, 9, tzinfo=UTC))
    late = words(acme, made, datetime(2026, 3, 13, 9, tzinfo=UTC))
    assert "10 Mar 2026 , passed 3 days ago" in late
    assert "At the terminal for 8 days" in late


@pytest.mark.req("W10")
def test_systems_read_the_same_days(acme) -> None:
    made = landed(tiered(acme, "PRIORITY"))
    agreed(acme)
    key, path = client_of(None, key=key_of(acme)), f"/api/v1/shipments/{made.public_id}/containers"
    (row,) = key.get(path).json()["items"]
    assert row["free_time"] == [
        {"kind": "DEMURRAGE", "began_on": "2026-03-05", "last_free_day": "2026-03-10", "ended_on": None,
         "days_beyond": None}
    ]  # fmt: skip
    take(source(), [equipment("GTOT", number_of(made), "2026-03-12T10:00:00+01:00", place="NLRTM")],
         at=datetime(2026, 3, 12, 10, tzinfo=UTC))  # fmt: skip
    (row,) = key.get(path).json()["items"]
    assert (row["free_time"][0]["ended_on"], row["free_time"][0]["days_beyond"]) == ("2026-03-12", 2)


@pytest.mark.req("R5.1")
def test_a_standard_account_learns_no_discharge_by_its_free_days(acme) -> None:
    made = landed(acme)
    agreed(acme)
    assert "last free day" not in words(acme, made, datetime(2026, 3, 8, 9, tzinfo=UTC))
    assert "last free day" in words(acme, made, datetime(2026, 3, 8, 9, tzinfo=UTC), staff=True)


@pytest.mark.req("8.1")
def test_a_long_stay_begins_48_hours_before_the_last_free_day_ends(acme) -> None:
    made = landed(tiered(acme, "PRIORITY"))
    agreed(acme)
    ends = datetime(2026, 3, 10, 23, tzinfo=UTC)  # midnight at Rotterdam
    start = ends - timedelta(hours=48)
    assert looked(acme, datetime(2026, 3, 5, 12, tzinfo=UTC)) == []
    with as_tenant(acme.pk):
        assert Shipment.objects.get(pk=made.pk).look_at <= start + timedelta(seconds=1)
    assert looked(acme, start) == []
    (case,) = looked(acme, start + timedelta(seconds=1))
    assert (case.started_at, case.state, case.about["last_free_day"]) == (start, CaseState.OPEN, "2026-03-10")
    assert "Last free day: 10 Mar 2026" in words(acme, made, ends)
    take(source(), [equipment("GTOT", number_of(made), "2026-03-10T10:00:00+01:00", place="NLRTM")], at=ends)
    with as_tenant(acme.pk):
        case.refresh_from_db()
    assert (case.state, case.cleared_at) == (CaseState.CLEARED, datetime(2026, 3, 10, 9, tzinfo=UTC))


# --- the desk ---


def desk(account: cast.Account, role: Role = Role.OPS):
    client = client_of(cast.person(OPERATOR_ID, role, name="Olga Ops"))
    return client, f"/ops/accounts/{account.tenant.public_id}/free-days"


def form(**more: str) -> dict[str, str]:
    values = {
        "kind": "DEMURRAGE", "place": "nlrtm", "terminal": "", "free_days": "5", "start": "NEXT_DAY",
        "days": "WORKING", "holidays": "2026-04-03, 2026-04-06", "first_day": "2026-01-01", "last_day": "",
    }  # fmt: skip
    return {**values, **more}


def test_a_term_is_entered_changed_and_removed_and_the_trail_keeps_it(acme) -> None:
    olga, base = desk(acme)
    assert olga.post(f"{base}/new", form()).status_code == 302
    with as_tenant(acme.pk):
        row = FreeTerm.objects.get()
    assert (row.place, row.working_days, row.holidays) == ("NLRTM", True, [date(2026, 4, 3), date(2026, 4, 6)])
    again = olga.post(f"{base}/new", form())
    assert again.status_code == 422
    assert "begins on the same day" in again.content.decode()
    assert 'value="5"' in olga.get(f"{base}/{row.public_id}").content.decode()
    olga.post(f"{base}/{row.public_id}", form(free_days="7"))
    assert "7 working days" in olga.get(base).content.decode()
    olga.post(f"{base}/{row.public_id}/remove")
    with as_tenant(acme.pk):
        assert not FreeTerm.objects.exists()
        trail = AuditEntry.objects.filter(object_id=row.public_id).order_by("pk")
        assert [e.action for e in trail] == ["freeterm.added", "freeterm.changed", "freeterm.removed"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"place": "XXNOP"}, "We know no place of this code"),
        ({"free_days": "0"}, "greater than or equal to 1"),
        ({"holidays": "Easter"}, "Easter is no day"),
        ({"first_day": "2026-13-01"}, "Write days as 2026-12-25."),
        ({"first_day": "2026-02-01", "last_day": "2026-01-01"}, "It lies before the first day."),
        ({"terminal": "<b>"}, "This is no code of a terminal."),
    ],
)
def test_what_cannot_be_is_said_at_its_field(acme, more: dict[str, str], said: str) -> None:
    olga, base = desk(acme)
    answer = olga.post(f"{base}/new", form(**more))
    assert (answer.status_code, said in answer.content.decode()) == (422, True)


def upload(client, base: str, text: str):
    return client.post(f"{base}/import", {"file": SimpleUploadedFile("free.csv", text.encode(), "text/csv")})


def test_a_file_shows_what_each_line_becomes_before_it_is_taken(acme) -> None:
    olga, base = desk(acme)
    agreed(acme)
    text = "place,kind,free_days,first_day,terminal\nNLRTM,demurrage,5,2026-01-01,\nNLRTM,DETENTION,4,2026-01-01,ECT\n"
    seen = upload(olga, base, text)
    page = re.sub(r"<[^>]+>", " ", seen.content.decode())
    assert seen.status_code == 200
    assert "As it is" in page and "New" in page and "4 calendar days from the day after gate-out" in page
    with as_tenant(acme.pk):
        assert FreeTerm.objects.count() == 1, "nothing is stored by looking at it"
    sent = re.search(r"<textarea[^>]*>(.*?)</textarea>", seen.content.decode(), re.S).group(1).lstrip("\n")
    olga.post(f"{base}/import", {"do": "import", "text": sent})
    with as_tenant(acme.pk):
        assert set(FreeTerm.objects.values_list("kind", "facility", "free_days")) == {
            ("DEMURRAGE", "", 5), ("DETENTION", "ECT", 4),
        }  # fmt: skip
    fetched = b"".join(olga.get(f"{base}.csv").streaming_content).decode()
    assert "DETENTION,NLRTM,ECT,4,NEXT_DAY,CALENDAR,,2026-01-01," in fetched
    assert upload(olga, base, fetched).content.decode().count("As it is") == 2


def test_a_bad_line_is_named_with_its_fault_and_none_is_taken(acme) -> None:
    olga, base = desk(acme)
    text = ("place,kind,free_days,first_day\nNLRTM,DEMURRAGE,5,2026-01-01\nNLRTM,STORAGE,x,01.02.2026\n"
            "NLRTM,DEMURRAGE,6,2026-01-01\nNLRTM\n")  # fmt: skip
    seen = upload(olga, base, text)
    page = seen.content.decode()
    assert seen.status_code == 422
    for said in ("kind: ", "free_days: ", "first_day: Write days as 2026-12-25.", "Line 2 is about the same",
                 "It has 1 cells", "3 lines cannot be taken"):  # fmt: skip
        assert said in page, said
    assert "<textarea" not in page
    olga.post(f"{base}/import", {"do": "import", "text": text})
    with as_tenant(acme.pk):
        assert not FreeTerm.objects.exists()


@pytest.mark.parametrize("raw", [b"", b"place;kind\n", b"\xff\xfe\x00", b"place,kind,free_days,first_day,price\n"])
def test_what_is_no_such_file_is_refused_with_a_reason(acme, raw: bytes) -> None:
    olga, base = desk(acme)
    answer = olga.post(f"{base}/import", {"file": SimpleUploadedFile("free.csv", raw, "text/csv")})
    assert answer.status_code == 422
    assert "field-error" in answer.content.decode()


def test_terms_belong_to_one_account_and_finance_only_looks(acme, globex) -> None:
    agreed(acme)
    with as_tenant(globex.pk):
        assert not FreeTerm.objects.exists()
    finn, base = desk(acme, Role.FINANCE)
    assert finn.get(base).status_code == 200
    assert finn.post(f"{base}/new", form()).status_code == 403
    assert client_of(acme.manager).get(base).status_code == 404
