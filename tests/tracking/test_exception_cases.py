"""Cases of exceptions: opened with their true start, kept current by events and the clock, told once, owned by one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from portal.notify.models import Delivery
from portal.outbox import runner
from portal.outbox.models import OutboxRow, RowState
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import Role
from tests import cast
from tests.cast import Account
from tests.tracking.derived import derived, derived_anew
from tests.tracking.messages import box, equipment, number_of, shipment, source, take, vessel
from tests.tracking.pages import tiered
from tracking.backfill import history_apply
from tracking.derivation import stale
from tracking.models import ExceptionCase, ExceptionNotice, ExceptionStep, OwnerKind, Resolution, Shipment, VisitRow
from tracking.services import (
    CaseEnded,
    NoteNeeded,
    exception_acknowledge,
    exception_assign,
    exception_comment,
    exception_resolve,
    exceptions_escalate,
    exceptions_look,
    norms_renew,
    owner_set,
)
from tracking.telling import exceptions_tell

pytestmark = pytest.mark.req("R8.1")
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
T0 = datetime(2026, 3, 1, 9, 10, tzinfo=UTC)


def cases(account: Account, **wanted: Any) -> list[ExceptionCase]:
    with as_tenant(account.pk):
        return list(ExceptionCase.objects.filter(**wanted).order_by("pk"))


def looked(account: Account, at: datetime) -> None:
    """The clock's own work."""
    with as_tenant(account.pk):
        assert exceptions_look(at=at, portions=50)


def facts(account: Account, name: str = "tracking.exception") -> list[OutboxRow]:
    with as_tenant(account.pk):
        return list(OutboxRow.objects.filter(name__startswith=name, kind="FACT").order_by("pk"))


def told(account: Account, at: datetime) -> list[str]:
    """Runs what is due for the account; the names of all facts about exceptions that were told by then."""
    for _round in range(20):
        with as_tenant(account.pk):
            due = OutboxRow.objects.filter(state=RowState.PENDING, due_at__lte=at, name__startswith="tracking.")
            if not sum([runner.row_run(row_id=pk, at=at) for pk in due.values_list("pk", flat=True)]):
                break
    return [row.name.removeprefix("tracking.") for row in facts(account)]


def sailing(account: Account, src: Any, **more: Any) -> Shipment:
    """Under way, expected in time; told at T0."""
    made = shipment(account, **more)
    with as_tenant(account.pk):
        booking = made.references.get(kind="BOOKING").written
    take(src, [
        equipment("GTIN", number_of(made), "2026-02-26T10:00:00+08:00"),
        equipment("LOAD", number_of(made), "2026-02-27T10:00:00+08:00"),
        vessel("DEPA", booking, "2026-02-28T10:00:00+08:00", place="CNSHA"),
        vessel("ARRI", booking, "2026-03-14T10:00:00Z", place="NLRTM", cls="EST", created=T0.isoformat()),
        equipment("DROP", number_of(made), "2026-03-18T10:00:00Z", place="NLRTM", cls="EST", created=T0.isoformat()),
    ], at=T0)  # fmt: skip
    made.booking = booking
    return made


def expect(src: Any, made: Any, day: str, at: datetime) -> None:
    """Another estimate of the delivery."""
    take(src, [equipment("DROP", number_of(made), f"{day}T10:00:00Z", place="NLRTM", cls="EST",
                         created=at.isoformat())], at=at)  # fmt: skip


@pytest.mark.req("R8.4", "R8.5")
def test_at_risk_is_raised_by_the_clock_told_once_and_cleared_once(acme: Account) -> None:
    tiered(acme, "PRIORITY")
    src = source()
    made = sailing(acme, src)  # promised for 20 March
    expect(src, made, "2026-03-23", T0 + HOUR)  # 10:10
    assert cases(acme, code="AT_RISK") == [], "one evaluation is not enough"
    with as_tenant(acme.pk):
        assert Shipment.objects.get(pk=made.pk).look_at == T0 + HOUR + 20 * MINUTE, "the next half hour"
    looked(acme, T0 + 3 * HOUR)  # the scheduler slept
    risk = cases(acme, code="AT_RISK")[0]
    assert (risk.state, risk.started_at, risk.noticed_at) == ("OPEN", T0 + HOUR + 20 * MINUTE, T0 + 3 * HOUR)
    assert (risk.severity, risk.delay_seconds) == (2, int((datetime(2026, 3, 23, 10, tzinfo=UTC)
                                                         - made.due_at).total_seconds()))  # fmt: skip
    assert told(acme, T0 + 3 * HOUR) == ["exception_raised"]
    looked(acme, T0 + 5 * HOUR)
    assert told(acme, T0 + 5 * HOUR) == ["exception_raised"]
    expect(src, made, "2026-03-26", T0 + 6 * HOUR)
    assert told(acme, T0 + 12 * HOUR) == ["exception_raised"], "a day later, but not yet twelve hours after"
    looked(acme, T0 + 14 * HOUR)
    assert told(acme, T0 + 14 * HOUR) == ["exception_raised", "exception_worsened"]
    assert cases(acme, code="AT_RISK")[0].severity == 3
    expect(src, made, "2026-03-19", T0 + 15 * HOUR)
    looked(acme, T0 + 16 * HOUR)
    risk = cases(acme, code="AT_RISK")[0]
    assert (risk.state, risk.cleared_at) == ("CLEARED", T0 + 15 * HOUR + 20 * MINUTE)
    assert told(acme, T0 + 16 * HOUR) == ["exception_raised", "exception_worsened", "exception_cleared"]
    with as_tenant(acme.pk):
        kinds = list(ExceptionStep.objects.filter(case=risk).order_by("pk").values_list("kind", flat=True))
        assert kinds == ["WORSENED", "CLEARED"]
        assert stale(list(Shipment.objects.all()), at=T0 + 16 * HOUR) == []


@pytest.mark.req("R1.1")
def test_history_opens_cases_and_tells_nobody(acme: Account) -> None:
    src = source(tenant_id=acme.pk, format="csv")
    made = shipment(acme)
    rows = (
        "container,code,classifier,event_time,source_created_at,recorded_at,place,laden\n"
        f"{number_of(made)},GTIN,ACT,2026-02-26T10:00:00Z,,2026-02-26T11:00:00Z,CNSHA,true\n"
        f"{number_of(made)},DROP,EST,2026-03-25T10:00:00Z,2026-02-26T10:00:00Z,2026-02-26T11:10:00Z,NLRTM,true\n"
    )
    with as_tenant(acme.pk):
        history_apply(source=src, body=rows.encode(), at=T0 + DAY)
    found = cases(acme)
    assert {(c.code, c.state) for c in found} == {("AT_RISK", "OPEN"), ("STALE", "OPEN")}
    with as_tenant(acme.pk):
        assert not ExceptionNotice.objects.exists()
    assert told(acme, T0 + DAY) == []


def test_late_evidence_opens_a_case_with_its_true_start_and_takes_another_away(acme: Account) -> None:
    tiered(acme, "PRIORITY")
    src = source()
    made = shipment(acme)
    with as_tenant(acme.pk):
        booking = made.references.get(kind="BOOKING").written
    left = "2026-02-28T10:00:00+08:00"
    take(src, [equipment("GTIN", number_of(made), "2026-02-26T10:00:00+08:00"),
               vessel("DEPA", booking, left, place="CNSHA")], at=T0)  # fmt: skip
    rolled = cases(acme, code="ROLLOVER")[0]
    assert (rolled.state, rolled.severity) == ("OPEN", 3)
    assert rolled.started_at == datetime(2026, 2, 28, 14, tzinfo=UTC), "twelve hours after it left"
    assert told(acme, T0) == ["exception_raised"]
    take(src, [equipment("LOAD", number_of(made), "2026-02-27T10:00:00+08:00")], at=T0 + HOUR)
    assert [(c.state, c.cleared_at) for c in cases(acme, code="ROLLOVER")] == [("WITHDRAWN", T0 + HOUR)]
    assert told(acme, T0 + HOUR) == ["exception_raised", "exception_cleared"]
    assert facts(acme)[-1].payload["because"] == "withdrawn"
    failed = equipment("DROP", number_of(made), "2026-02-28T12:00:00Z", place="NLRTM")
    take(src, [failed], at=T0 + 2 * HOUR)
    with as_tenant(acme.pk):
        assert stale(list(Shipment.objects.all()), at=T0 + 2 * HOUR) == []


def test_the_database_keeps_one_case_for_one_occurrence(acme: Account) -> None:
    made = shipment(acme)
    values = {"shipment": made, "code": "AT_RISK", "node": "NLRTM", "occurrence": "1", "started_at": T0, "severity": 2,
              "noticed_at": T0, "changed_at": T0}  # fmt: skip
    with as_tenant(acme.pk):
        ExceptionCase.objects.create(**values)
        with pytest.raises(IntegrityError, match="exception_once"), transaction.atomic():
            ExceptionCase.objects.create(**values)
        with pytest.raises(IntegrityError, match="open_has_no_end"), transaction.atomic():
            ExceptionCase.objects.create(**{**values, "occurrence": "2", "cleared_at": T0})


def test_silence_is_found_by_the_clock_and_ended_by_any_event(acme: Account) -> None:
    src = source()
    made = sailing(acme, src)
    looked(acme, T0 + 5 * DAY)
    assert cases(acme, code="STALE") == []
    looked(acme, T0 + 5 * DAY + MINUTE)
    found = cases(acme, code="STALE")[0]
    assert (found.state, found.started_at) == ("OPEN", T0 + 5 * DAY)
    take(src, [equipment("DISC", number_of(made), "2026-03-06T10:00:00Z", place="NLRTM")], at=T0 + 6 * DAY)
    found = cases(acme, code="STALE")[0]
    assert (found.state, found.cleared_at) == ("CLEARED", T0 + 6 * DAY)
    assert told(acme, T0 + 6 * DAY) == [], "the desk's own affair"
    assert derived(acme) == derived_anew(acme, at=T0 + 6 * DAY)


def test_a_cutoff_that_comes_near_is_found_without_any_event(acme: Account) -> None:
    made = shipment(acme, cutoff_at=T0 + 2 * DAY)
    looked(acme, cast.START)
    with as_tenant(acme.pk):
        assert Shipment.objects.get(pk=made.pk).look_at == T0 + 2 * DAY - 12 * HOUR
    looked(acme, T0 + 2 * DAY - 12 * HOUR)
    assert [c.code for c in cases(acme, state="OPEN")] == ["CUTOFF_RISK"]
    looked(acme, T0 + 2 * DAY + MINUTE)
    assert [c.code for c in cases(acme, state="OPEN")] == ["CUTOFF_RISK", "LATE_GATE_IN"]


@pytest.mark.req("R2.13", "R2.14")
def test_a_stay_is_long_against_the_accounts_own_visits_there(acme: Account) -> None:
    src = source()
    entry = datetime(2026, 2, 1, tzinfo=UTC)
    other = shipment(acme)
    with as_tenant(acme.pk):
        VisitRow.objects.bulk_create(
            VisitRow(shipment=other, container=box(), place="NLRTM", entry_at=entry, entry_code="DISC",
                     entry_sighting=1, exit_at=entry + n * HOUR, exit_code="GTOT", role="IMPORT", seconds=n * 3600)
            for n in range(1, 20)
        )  # fmt: skip
        assert norms_renew(at=T0) == 0, "nineteen visits say nothing"
        VisitRow.objects.create(shipment=other, container=box(), place="NLRTM", entry_at=entry, entry_code="DISC",
                                entry_sighting=1, exit_at=entry + 20 * HOUR, exit_code="GTOT", role="IMPORT",
                                seconds=20 * 3600)  # fmt: skip
    made = sailing(acme, src)
    take(src, [equipment("DISC", number_of(made), "2026-03-02T00:00:00Z", place="NLRTM")], at=T0 + DAY)
    with as_tenant(acme.pk):
        assert norms_renew(at=T0 + DAY) == 1
    looked(acme, T0 + DAY + MINUTE)
    # 1 to 20 h: 0.9 * 19 = 17.1, so 18 h + 0.1 * 1 h; and a day on top
    limit = datetime(2026, 3, 2, tzinfo=UTC) + timedelta(hours=18, minutes=6) + DAY
    with as_tenant(acme.pk):
        assert Shipment.objects.get(pk=made.pk).look_at <= limit + timedelta(microseconds=1)
    looked(acme, limit)
    assert cases(acme, code="LONG_DWELL") == []
    looked(acme, limit + MINUTE)
    assert [(c.node, c.started_at, c.state) for c in cases(acme, code="LONG_DWELL")] == [("NLRTM", limit, "OPEN")]
    take(src, [equipment("GTOT", number_of(made), "2026-03-04T00:00:00Z", place="NLRTM")], at=T0 + 3 * DAY)
    ended = cases(acme, code="LONG_DWELL")[0]
    assert (ended.state, ended.cleared_at) == ("CLEARED", datetime(2026, 3, 4, tzinfo=UTC))


# --- no storms ---


@pytest.fixture
def fleet(acme: Account, globex: Account) -> tuple[Any, dict[str, Any], list[Account]]:
    """One ship with 500 shipments of two accounts aboard, all expected on 14 March."""
    src, voyage = source(), f"V{box()[4:10]}"
    for account in (acme, globex):
        tiered(account, "PRIORITY")
        for _n in range(250):
            shipment(account, voyage=voyage, vessel_imo="9321483")
    call = {"transportCallID": "call-9", "modeOfTransport": "VESSEL", "UNLocationCode": "NLRTM",
            "exportVoyageNumber": voyage, "carrierVoyageNumber": voyage,
            "vessel": {"vesselIMONumber": "9321483"}}  # fmt: skip
    return src, call, [acme, globex]


def arrival(call: dict[str, Any], day: str, at: datetime) -> dict[str, Any]:
    return {**vessel("ARRI", "none", f"{day}T10:00:00Z", place="NLRTM", cls="EST", created=at.isoformat()),
            "transportCall": call, "documentReferences": []}  # fmt: skip


@pytest.mark.slow
@pytest.mark.req("R8.5")
def test_500_changes_on_one_vessel_call_are_ten_messages_and_one_for_each_account(fleet: Any) -> None:
    src, call, accounts = fleet
    take(src, [arrival(call, "2026-03-14", T0)], at=T0)
    take(src, [arrival(call, "2026-03-17", T0 + HOUR)], at=T0 + HOUR)
    for account in accounts:
        assert len(cases(account, code="ETA_SLIP", state="OPEN")) == 250
        assert told(account, T0 + HOUR) == ["exception_raised"] * 10
        assert told(account, T0 + 2 * HOUR - MINUTE) == ["exception_raised"] * 10
        names = told(account, T0 + 2 * HOUR)
        assert names == ["exception_raised"] * 10 + ["exceptions_grouped"]
        group = facts(account)[-1].payload
        assert (group["count"], len(set(group["references"]))) == (240, 240)
        assert told(account, T0 + 5 * HOUR) == names
        with as_tenant(account.pk):
            for member in (account.member, account.manager):
                assert Delivery.objects.filter(member=member).count() == 11


def test_a_case_that_comes_back_is_the_same_one_and_its_clock_starts_anew(acme: Account) -> None:
    tiered(acme, "PRIORITY")
    case, src = rolled(acme), source()
    ops = cast.person(OPERATOR_ID, Role.OPS)
    with as_tenant(acme.pk):
        exception_acknowledge(public_id=case.public_id, actor=ops, at=T0 + MINUTE)
        number = case.shipment.containers.get().number
    load = equipment("LOAD", number, "2026-02-27T10:00:00+08:00", id="a-load", created="2026-03-01T10:00:00Z")
    take(src, [load], at=T0 + HOUR)
    assert [c.state for c in cases(acme, code="ROLLOVER")] == ["WITHDRAWN"]
    moved = {**load, "eventLocation": {"UNLocationCode": "CNNGB"}, "eventCreatedDateTime": "2026-03-01T11:00:00Z"}
    take(src, [moved], at=T0 + 2 * HOUR)
    again = cases(acme, code="ROLLOVER")
    assert [(c.pk, c.state, c.openings, c.cleared_at) for c in again] == [(case.pk, "OPEN", 2, None)]
    assert (again[0].acknowledged_at, again[0].respond_by) == (None, T0 + 6 * HOUR)
    assert told(acme, T0 + 2 * HOUR) == ["exception_raised"], "three changes within moments: the last one stands"


@pytest.mark.req("R5.1", "O9")
def test_an_account_without_alerts_is_sent_none(acme: Account) -> None:
    rolled(acme)
    for _round in range(5):
        with as_tenant(acme.pk):
            due = OutboxRow.objects.filter(state=RowState.PENDING, due_at__lte=T0 + HOUR)
            for pk in due.values_list("pk", flat=True):
                runner.row_run(row_id=pk, at=T0 + HOUR)
    with as_tenant(acme.pk):
        about = Delivery.objects.filter(fact_key__startswith="tracking.exception")
        assert {(d.phase, d.reason) for d in about} == {("SUPPRESSED", "not_entitled")}


@pytest.mark.req("R8.5")
def test_what_is_over_before_it_was_told_is_not_told(acme: Account) -> None:
    tiered(acme, "PRIORITY")
    src = source()
    made = shipment(acme)
    with as_tenant(acme.pk):
        booking = made.references.get(kind="BOOKING").written
    take(src, [vessel("DEPA", booking, "2026-02-28T10:00:00+08:00", place="CNSHA")], at=T0)
    take(src, [equipment("LOAD", number_of(made), "2026-02-27T10:00:00+08:00")], at=T0 + MINUTE)
    assert told(acme, T0 + HOUR) == []
    with as_tenant(acme.pk):
        assert set(ExceptionNotice.objects.values_list("told", flat=True)) == {"DROPPED"}
        assert exceptions_tell(at=T0 + HOUR) == 0


# --- people ---


def rolled(account: Account, **more: Any) -> ExceptionCase:
    made = shipment(account, **more)
    with as_tenant(account.pk):
        booking = made.references.get(kind="BOOKING").written
    take(source(), [vessel("DEPA", booking, "2026-02-28T10:00:00+08:00", place="CNSHA")], at=T0)
    return cases(account, code="ROLLOVER", shipment=made)[0]


@pytest.mark.req("R8.3")
def test_the_owner_is_the_first_that_fits_and_a_case_is_passed_on_until_somebody_answers(acme: Account) -> None:
    tiered(acme, "PRIORITY")
    olga, lars, dora = (cast.person(OPERATOR_ID, Role.OPS, name=name) for name in ("Olga", "Lars", "Dora"))
    day = date(2026, 1, 1)
    with as_tenant(acme.pk):
        owner_set(kind=OwnerKind.ACCOUNT, about="", owner=olga.public_id, deputy="", valid_from=day, actor="x", at=T0)
    branch = f"B{box()[4:10]}"  # rules of the operator hold for all accounts of this database
    with as_tenant(OPERATOR_ID):
        owner_set(kind=OwnerKind.BRANCH, about=branch, owner=lars.public_id, deputy=dora.public_id, valid_from=day,
                  actor="x", at=T0)  # fmt: skip
    case = rolled(acme, branch=branch)
    assert (case.owner_name, case.owner_step, case.respond_by) == ("Olga", "ACCOUNT", T0 + 4 * HOUR)
    with as_tenant(OPERATOR_ID):
        type(lars).objects.filter(pk=lars.pk).update(is_active=False)
    with as_tenant(acme.pk):
        assert exceptions_escalate(at=T0 + 4 * HOUR) == 0
        assert exceptions_escalate(at=T0 + 4 * HOUR + MINUTE) == 1
    case = cases(acme, pk=case.pk)[0]
    assert (case.owner_name, case.owner_step) == ("Dora", "BRANCH"), "the deputy stands in"
    with as_tenant(acme.pk):
        exceptions_escalate(at=T0 + 9 * HOUR)
        exceptions_escalate(at=T0 + 19 * HOUR)
    case = cases(acme, pk=case.pk)[0]
    assert (case.owner, case.owner_step) == ("", "DESK")
    with as_tenant(acme.pk):
        notes = list(
            ExceptionStep.objects.filter(case=case, kind="ESCALATED").order_by("pk").values_list("note", flat=True)
        )
    assert notes == ["Olga → Dora", "Dora → desk"]


@pytest.mark.req("R8.3", "R5.1")
def test_a_tier_without_a_promise_has_no_clock_and_the_same_severity(acme: Account, globex: Account) -> None:
    tiered(globex, "PREMIUM")
    plain, premium = rolled(acme), rolled(globex)
    assert (plain.respond_by, premium.respond_by) == (None, T0 + HOUR)
    assert plain.severity == premium.severity


def test_what_people_do_is_kept_and_a_case_that_was_ended_stays_ended(acme: Account) -> None:
    tiered(acme, "PRIORITY")
    ops, other = cast.person(OPERATOR_ID, Role.OPS, name="Ona"), cast.person(OPERATOR_ID, Role.OPS, name="Otto")
    case = rolled(acme)
    told(acme, T0)
    with as_tenant(acme.pk):
        exception_acknowledge(public_id=case.public_id, actor=ops, at=T0 + HOUR)
        exception_acknowledge(public_id=case.public_id, actor=other, at=T0 + 2 * HOUR)
        exception_assign(public_id=case.public_id, owner=other.public_id, actor=ops, at=T0 + 2 * HOUR)
        exception_comment(public_id=case.public_id, note="asked the line", for_customer=True, actor=other, at=T0)
        with pytest.raises(NoteNeeded):
            exception_resolve(public_id=case.public_id, resolution=Resolution.DEALT_WITH, note=" ", actor=ops, at=T0)
        exception_resolve(public_id=case.public_id, resolution=Resolution.FALSE_ALARM, note="was aboard", actor=ops,
                          at=T0 + 3 * HOUR)  # fmt: skip
        with pytest.raises(CaseEnded):
            exception_assign(public_id=case.public_id, owner=ops.public_id, actor=ops, at=T0 + 4 * HOUR)
        case.refresh_from_db()
        kinds = list(ExceptionStep.objects.filter(case=case).order_by("pk").values_list("kind", flat=True))
        assert kinds == ["ACKNOWLEDGED", "ASSIGNED", "COMMENTED", "RESOLVED"]
        assert (case.state, case.owner_name, case.resolution) == ("RESOLVED", "Otto", "FALSE_ALARM")
        with pytest.raises(Exception, match="append"):
            ExceptionStep.objects.filter(case=case).update(note="x")
    assert told(acme, T0 + 3 * HOUR) == ["exception_raised", "exception_cleared"]
    looked(acme, T0 + 9 * DAY)
    assert cases(acme, pk=case.pk)[0].state == "RESOLVED"
    with as_tenant(acme.pk):
        assert stale(list(Shipment.objects.all()), at=T0 + 9 * DAY) == []


def test_a_case_is_behind_the_wall(acme: Account, globex: Account) -> None:
    case = rolled(acme)
    ops = cast.person(OPERATOR_ID, Role.OPS)
    from portal.lib.errors import NotFound

    with as_tenant(globex.pk):
        assert not ExceptionCase.objects.filter(pk=case.pk).exists()
        with pytest.raises(NotFound):
            exception_acknowledge(public_id=case.public_id, actor=ops, at=T0)


@pytest.mark.req("O6")
def test_what_the_clock_calls_up_is_asked_for_once_a_minute_and_only_where_something_is(acme: Account) -> None:
    from portal.outbox.handlers import due_checks

    due = {check.name: check.ask for check in due_checks()}
    sailing(acme, source())

    def asked(name: str, at: datetime) -> int:
        with as_tenant(acme.pk), transaction.atomic():
            due[name](at)
            return OutboxRow.objects.filter(name=name, state=RowState.PENDING).count()

    look, later = "tracking.exceptions_look", T0 + 5 * DAY + MINUTE
    assert asked(look, T0 + DAY) == 0
    assert [asked(look, later), asked(look, later)] == [1, 1]
    told(acme, later)
    assert [c.code for c in cases(acme, state="OPEN")] == ["STALE"]
    assert asked(look, later + MINUTE) == 0
    case = rolled(tiered(acme, "PRIORITY"))
    with as_tenant(acme.pk), transaction.atomic():
        due["tracking.exceptions_unanswered"](T0 + 9 * HOUR)
        assert not OutboxRow.objects.filter(name="tracking.exceptions_escalate").exists(), "the desk has it already"
        ExceptionCase.objects.filter(pk=case.pk).update(owner_step="LANE")
        due["tracking.exceptions_unanswered"](T0 + 9 * HOUR)
        assert OutboxRow.objects.filter(name="tracking.exceptions_escalate").count() == 1
