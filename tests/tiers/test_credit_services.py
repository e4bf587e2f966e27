"""A closed month becomes a credit unasked, is approved by two people, and is posted once."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, connections, transaction

from portal.lib.errors import Forbidden
from portal.outbox.models import OutboxRow
from portal.tenancy.context import as_tenant
from portal.tenancy.models import AuditEntry, Role
from tests.tiers.world import (
    BANDS,
    CHARGES,
    MARCH,
    START,
    agree,
    assessed,
    bill,
    block,
    close,
    drops,
    month,
    premium,
    staff,
)
from tests.tracking.messages import source, take
from tiers.credits import ledger_services, selectors, services
from tiers.credits.ledger_rules import Answer, PostingKind
from tiers.credits.models import CreditLine, CreditTransition, LedgerTransaction
from tiers.credits.state_rules import CreditState, may_move

pytestmark = [pytest.mark.walls]
D = Decimal


def one(account, *, on_time: int, late: int, base: str, **terms) -> CreditLine:
    """The line of one agreement G for March."""
    premium(account)
    agree(account, **terms)
    bill(account, month(account, on_time=on_time, late=late), base)
    (line,) = assessed(account, close(account))
    return line


def found(line: CreditLine) -> tuple[str, str, str]:
    return line.state, line.status, f"{line.amount:f}"


@pytest.mark.req("C01", "C02", "C03", "C05", "C06", "C07", "R6.1", "R6.2", "R6.3", "R6.4", "R6.7")
@pytest.mark.parametrize(
    ("on_time", "late", "base", "expected"),
    [
        (190, 10, "84350.00", ("MET", "MET", "0.00")),
        (189, 11, "84350.00", ("COMPUTED", "BREACH", "4217.50")),
        (93, 7, "61200.00", ("COMPUTED", "BREACH", "3060.00")),
        (17, 3, "12345.67", ("COMPUTED", "BREACH", "1851.85")),
        (47, 3, "1000.50", ("COMPUTED", "BREACH", "50.03")),
        (16, 3, "9000.00", ("NOT_ASSESSED_LOW_VOLUME", "NOT_ASSESSED_LOW_VOLUME", "0.00")),
        (17, 3, "9000.00", ("COMPUTED", "BREACH", "1350.00")),
    ],
)
def test_the_worked_examples_come_out_through_the_services(acme, on_time, late, base, expected) -> None:
    line = one(acme, on_time=on_time, late=late, base=base)
    assert found(line) == expected
    with as_tenant(acme.pk):
        assert list(selectors.invariant_breaches()) == []


@pytest.mark.req("C26", "R6.11")
def test_a_credit_below_the_minimum_payout_owes_nothing_and_says_so(acme) -> None:
    line = one(acme, on_time=47, late=3, base="480.00", credit=block(min_payout=D(25)))
    assert found(line) == ("COMPUTED", "BREACH_BELOW_MINIMUM", "0.00")


@pytest.mark.req("P25", "X50", "M7")
def test_several_workers_at_once_work_a_month_out_once(acme) -> None:
    premium(acme)
    agree(acme)
    bill(acme, month(acme, on_time=17, late=3), "9000.00")
    snapshot, gate, made = close(acme), threading.Barrier(3), []

    def work() -> None:
        try:
            gate.wait(10)
            made.append([line.pk for line in assessed(acme, snapshot)])
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(made) == 3
    assert made[0] == made[1] == made[2]
    with as_tenant(acme.pk):
        assert CreditLine.objects.count() == CreditTransition.objects.count() == 1


@pytest.mark.req("4.1")
def test_nothing_is_worked_out_before_the_charges_are_in(acme) -> None:
    premium(acme)
    agree(acme)
    bill(acme, month(acme, on_time=17, late=3), "9000.00")
    snapshot = close(acme)
    with pytest.raises(services.ChargesStillOpen):
        assessed(acme, snapshot, at=CHARGES - timedelta(seconds=1))
    with as_tenant(acme.pk):
        assert selectors.snapshots_to_assess(at=CHARGES - timedelta(seconds=1)) == []
        assert [s.pk for s in selectors.snapshots_to_assess(at=CHARGES)] == [snapshot.pk]
        services.credit_assess(snapshot=snapshot, at=CHARGES)
        assert selectors.snapshots_to_assess(at=CHARGES) == []


@pytest.mark.req("C18", "R1.17", "R5.3", "X44")
def test_only_units_promised_since_premium_are_covered(acme) -> None:
    premium(acme, since=date(2026, 3, 16))
    agree(acme, at=datetime(2026, 3, 16, 9, tzinfo=UTC), valid_from=date(2026, 3, 16))
    april = MARCH.next()
    month(acme, on_time=15, late=6, month=april, confirmed=datetime(2026, 3, 15, 22, 59, tzinfo=UTC))
    after = month(acme, on_time=29, late=2, month=april, confirmed=datetime(2026, 3, 15, 23, 1, tzinfo=UTC))
    bill(acme, after, "46500.00", at=datetime(2026, 5, 2, tzinfo=UTC))
    (line,) = assessed(acme, close(acme, april), at=datetime(2026, 5, 16, 12, tzinfo=UTC))
    assert (line.num, line.den, f"{line.amount:f}") == (29, 31, "2325.00")


@pytest.mark.req("C24", "R3.3")
@pytest.mark.parametrize(("proven", "amount"), [(6, "3000.00"), (0, "4500.00")])
def test_poor_data_holds_a_credit_and_never_cancels_it(acme, proven, amount) -> None:
    premium(acme)
    agree(acme)
    made = month(acme, on_time=49, late=2, silent=9)
    bill(acme, made, "30000.00")
    (line,) = assessed(acme, close(acme))
    assert (line.state, line.amount_minor, line.held_until) == ("HELD_DATA", 0, datetime(2026, 5, 7, 12, tzinfo=UTC))
    if proven:
        late_news = drops(made[51 : 51 + proven], [date(2026, 3, 19)] * proven)
        take(source(tenant_id=acme.pk), late_news, at=datetime(2026, 4, 20, tzinfo=UTC))
    with as_tenant(acme.pk):
        early = services.credit_release(public_id=line.public_id, at=line.held_until - timedelta(seconds=1))
        assert early.state == "HELD_DATA"
        released = services.credit_release(public_id=line.public_id, at=line.held_until)
        assert (released.state, f"{released.amount:f}") == ("COMPUTED", amount)
        assert [t.to_state for t in selectors.transitions_of(released)] == ["HELD_DATA", "COMPUTED"]
        assert list(selectors.invariant_breaches()) == []


@pytest.mark.req("X52")
def test_freight_that_is_not_invoiced_is_waited_for_a_month(acme) -> None:
    premium(acme)
    agree(acme)
    made = month(acme, on_time=17, late=3)
    bill(acme, made[:19], "9000.00")
    (line,) = assessed(acme, close(acme))
    assert (line.state, line.reason) == ("HELD_CHARGES", made[19].ref)
    with as_tenant(acme.pk):
        assert [x.pk for x in selectors.lines_to_release(at=CHARGES + timedelta(days=30))] == [line.pk]
        released = services.credit_release(public_id=line.public_id, at=CHARGES + timedelta(days=30))
    assert found(released) == ("COMPUTED", "BREACH", "1350.00")


@pytest.mark.req("X51", "R6.8")
def test_a_missing_rate_holds_its_line_alone(acme) -> None:
    premium(acme)
    agree(acme)
    bill(acme, month(acme, on_time=17, late=3), "9000.00", currency="EUR")
    (line,) = assessed(acme, close(acme))
    assert (line.state, line.reason) == ("HELD_FX", "EUR")


@pytest.mark.req("R6.10", "X54", "P21")
def test_the_account_cap_is_shared_and_said(acme) -> None:
    line = one(acme, on_time=189, late=11, base="84350.00", credit=block(account_month_cap=D("1000.00")))
    assert (line.computed_minor, line.amount_minor) == (421_750, 100_000)
    assert line.steps[-1] == {
        "code": "ACCOUNT_CAP", "values": {"claimed": "4217.50", "room": "1000.00"}, "result": "1000.00"
    }  # fmt: skip


def in_review(account) -> tuple[CreditLine, object]:
    line = one(account, on_time=189, late=11, base="84350.00")
    preparer = staff(Role.FINANCE)
    with as_tenant(account.pk):
        return services.credit_send_to_review(public_id=line.public_id, actor=preparer, at=CHARGES), preparer


@pytest.mark.req("M7", "6.5", "L1", "P26")
def test_two_people_of_which_one_is_finance_approve_and_it_is_posted(acme) -> None:
    line, _preparer = in_review(acme)
    finance = staff(Role.FINANCE)
    with as_tenant(acme.pk):
        services.credit_approve(public_id=line.public_id, actor=finance, at=CHARGES)
        assert selectors.balances("USD") == {"CREDITS_PAYABLE": -421_750, "CREDIT_COST": 421_750}
        services.credit_issue(public_id=line.public_id, actor=finance, at=CHARGES)
        services.credit_apply(public_id=line.public_id, actor=finance, at=CHARGES)
        assert selectors.balances("USD") == {"CREDITS_PAYABLE": 0, "CREDIT_COST": 421_750, "RECEIVABLE": -421_750}
        fact = OutboxRow.objects.get(name="credits.credit_approved")
        assert (fact.payload["amount"], fact.payload["currency"]) == ("4,217.50", "USD")
        steps = AuditEntry.objects.filter(object_id=line.public_id).order_by("id").values_list("action", flat=True)
        assert list(steps) == ["credit.in_review", "credit.approved", "credit.issued", "credit.applied"]
        assert list(selectors.invariant_breaches()) == []


@pytest.mark.req("M7", "P2", "6.5")
def test_the_preparer_cannot_approve_nor_reject(acme) -> None:
    line, preparer = in_review(acme)
    with as_tenant(acme.pk):
        with pytest.raises(services.SamePerson):
            services.credit_approve(public_id=line.public_id, actor=preparer, at=CHARGES)
        with pytest.raises(services.SamePerson):
            services.credit_reject(public_id=line.public_id, actor=preparer, reason="no", at=CHARGES)
        with pytest.raises(DatabaseError, match="credit_second_person"), connection.cursor() as cursor:
            cursor.execute(
                "update tiers_creditline set state = 'APPROVED', approved_by = prepared_by, approved_at = now()"
                " where public_id = %s",
                [line.public_id],
            )


@pytest.mark.req("6.5")
@pytest.mark.parametrize("role", [Role.OPS, Role.ACCOUNT_MANAGER, Role.ADMIN])
def test_only_finance_approves(acme, role) -> None:
    line, _preparer = in_review(acme)
    with as_tenant(acme.pk), pytest.raises(Forbidden):
        services.credit_approve(public_id=line.public_id, actor=staff(role), at=CHARGES)


@pytest.mark.req("6.5")
def test_a_rejection_needs_its_reason(acme) -> None:
    line, _preparer = in_review(acme)
    finance = staff(Role.FINANCE)
    with as_tenant(acme.pk):
        with pytest.raises(services.ReasonMissing):
            services.credit_reject(public_id=line.public_id, actor=finance, reason="  ", at=CHARGES)
        rejected = services.credit_reject(public_id=line.public_id, actor=finance, reason="wrong lane", at=CHARGES)
        assert (rejected.state, rejected.reason) == ("REJECTED", "wrong lane")
        with pytest.raises(services.WrongState):
            services.credit_approve(public_id=line.public_id, actor=finance, at=CHARGES)


@pytest.mark.req("M7", "P25")
def test_two_approvals_at_once_post_once(acme) -> None:
    line, _preparer = in_review(acme)
    people, gate, answers = [staff(Role.FINANCE), staff(Role.FINANCE)], threading.Barrier(2), []

    def work(actor) -> None:
        try:
            gate.wait(10)
            with as_tenant(acme.pk):
                services.credit_approve(public_id=line.public_id, actor=actor, at=CHARGES)
            answers.append("approved")
        except services.WrongState:
            answers.append("too late")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(p,)) for p in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(answers) == ["approved", "too late"]
    with as_tenant(acme.pk):
        assert LedgerTransaction.objects.count() == 1


@pytest.mark.req("6.5", "P27")
def test_a_reversal_takes_back_every_posting(acme) -> None:
    line, _preparer = in_review(acme)
    finance = staff(Role.FINANCE)
    with as_tenant(acme.pk):
        services.credit_approve(public_id=line.public_id, actor=finance, at=CHARGES)
        services.credit_reverse(public_id=line.public_id, actor=finance, reason="restated", at=CHARGES)
        assert set(selectors.balances("USD").values()) == {0}
        assert list(selectors.invariant_breaches()) == []


@pytest.mark.req("C30", "P26")
def test_c30_through_the_ledger(acme) -> None:
    def post(kind: PostingKind, key: str, minor: int) -> str:
        try:
            return ledger_services.ledger_post(
                key=key, kind=kind, minor=minor, currency="USD", at=START, actor="test"
            )[0].value  # fmt: skip
        except ledger_services.IdempotencyConflict:
            return "ERROR"

    with as_tenant(acme.pk):
        answers = [
            post(PostingKind.APPROVE, "k1", 421_750), post(PostingKind.APPROVE, "k1", 421_750),
            post(PostingKind.APPROVE, "k1", 421_751), post(PostingKind.APPLY, "k2", 421_750),
            post(PostingKind.APPROVE, "k3", 421_750),
        ]  # fmt: skip
        answers += [ledger_services.ledger_reverse(key="k3", at=START, actor="test")[0].value for _n in range(2)]
        assert answers == ["POSTED", "REPLAY", "ERROR", "POSTED", "POSTED", "POSTED", Answer.REPLAY.value]
        assert selectors.balances("USD") == {"CREDITS_PAYABLE": 0, "CREDIT_COST": 421_750, "RECEIVABLE": -421_750}
        assert LedgerTransaction.objects.count() == 4
        with pytest.raises(ledger_services.NothingToReverse):
            ledger_services.ledger_reverse(key="k9", at=START, actor="test")


@pytest.mark.req("M7", "D3")
def test_the_database_keeps_the_arrows_of_the_specification() -> None:
    pairs = [(a.value, b.value) for a in CreditState for b in CreditState]
    with connection.cursor() as cursor:
        cursor.execute(
            "select a, b from unnest(%s::text[], %s::text[]) as t(a, b) where plimsoll_credit_may_move(a, b)",
            [[a for a, _b in pairs], [b for _a, b in pairs]],
        )
        assert set(cursor.fetchall()) == {(a, b) for a, b in pairs if may_move(CreditState(a), CreditState(b))}


@pytest.mark.req("M7", "P31")
@pytest.mark.parametrize(
    "change",
    ["amount_minor = 1", "currency = 'EUR'", "state = 'ISSUED'", "num = 0", "steps = '[]'", "period = '2026-04'"],
)
def test_the_database_refuses_other_figures_and_other_ways(acme, change) -> None:
    line = one(acme, on_time=17, late=3, base="9000.00")
    with as_tenant(acme.pk), pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute(f"update tiers_creditline set {change} where public_id = %s", [line.public_id])


@pytest.mark.req("M7", "P26")
@pytest.mark.parametrize(
    "table", ["tiers_ledgertransaction", "tiers_ledgerentry", "tiers_credittransition", "tiers_chargeline"]
)
@pytest.mark.parametrize("statement", ["update {} set tenant_id = tenant_id", "delete from {}", "truncate {} cascade"])
def test_what_is_posted_is_never_changed(acme, table, statement) -> None:
    with as_tenant(acme.pk), pytest.raises(DatabaseError), connections["owner"].cursor() as cursor:
        cursor.execute(statement.format(table))


@pytest.mark.req("P26", "D3")
def test_the_database_refuses_a_posting_that_does_not_balance(acme) -> None:
    from tiers.credits.models import LedgerEntry

    def write(minors: list[int]) -> None:
        with as_tenant(acme.pk), transaction.atomic():
            head = LedgerTransaction.objects.create(
                key=f"x{minors}", kind="APPROVE", currency="USD", minor=5, posted_at=START, posted_by="test"
            )
            for name, minor in zip(("CREDIT_COST", "CREDITS_PAYABLE"), minors, strict=False):
                LedgerEntry.objects.create(transaction=head, account=name, currency="USD", minor=minor)

    write([5, -5])
    for minors in ([5, -4], [4, -4], [5], []):
        with pytest.raises(DatabaseError, match="does not balance"):
            write(minors)


@pytest.mark.req("T1", "P14")
def test_another_account_sees_and_moves_nothing(acme, globex) -> None:
    line, _preparer = in_review(acme)
    with as_tenant(globex.pk):
        assert selectors.credit_get(line.public_id) is None
        with pytest.raises(CreditLine.DoesNotExist):
            services.credit_approve(public_id=line.public_id, actor=staff(Role.FINANCE), at=CHARGES)


@pytest.mark.req("R5.3", "V03")
def test_bands_are_the_agreements_own(acme) -> None:
    line = one(acme, on_time=93, late=7, base="1000.00", credit=block(bands=((None, D(95), D(1)),)))
    assert len(BANDS) == 3
    assert f"{line.amount:f}" == "10.00"
