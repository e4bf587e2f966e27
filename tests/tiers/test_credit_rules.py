"""Credits to the cent: an oracle of its own, and what must hold whatever the terms (R6.2 to R6.14, P20 to P26, P30)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.lib.money import decimals
from tiers.credits.ledger_rules import Account, Answer, Book, PostingKind
from tiers.credits.rules import (
    Assessment,
    Band,
    CreditMode,
    CreditStatus,
    CreditTerms,
    Direction,
    MissingRate,
    MonthCounts,
    assess,
    contract_counts,
    credit_base,
    exact_text,
    pool_quarter,
)
from tiers.credits.sharing_rules import (
    KPI_ORDER,
    Downward,
    Stacking,
    account_room,
    allocate,
    charge_split,
    repost,
    restate,
    stack,
)
from tiers.credits.state_rules import CreditState, first_state, is_lapsed, is_second_person, may_move

MANY = settings(max_examples=5000, deadline=None, database=None, suppress_health_check=list(HealthCheck))
CURRENCIES = ("USD", "EUR", "JPY", "KWD")
S = CreditStatus


def decimal(number: int, places: int = 2) -> Decimal:
    return Decimal(number).scaleb(-places)


@st.composite
def terms(draw: Any) -> CreditTerms:
    """Terms as a valid agreement has them: bands without gaps, percentages that rise as performance worsens."""
    mode, lower = draw(st.sampled_from(list(CreditMode))), draw(st.booleans())
    if mode == CreditMode.PER_UNIT:
        lower = False
    target = draw(st.integers(700, 999))
    edges = sorted(
        {target, *(max(0, target - d) for d in draw(st.lists(st.integers(5, 200), max_size=3)))}, reverse=True
    )
    pcts = sorted(draw(st.lists(st.integers(0, 6000), min_size=len(edges), max_size=len(edges))))
    bands = []
    for i, pct in enumerate(pcts):
        near, far = decimal(edges[i], 1), decimal(edges[i + 1], 1) if i + 1 < len(edges) else None
        if lower:
            near, far = decimal(2 * target - edges[i], 1), None if far is None else 2 * decimal(target, 1) - far
            bands.append(Band(near, far, decimal(pct)))
        else:
            bands.append(Band(far, near, decimal(pct)))
    return CreditTerms(
        target=decimal(target, 1),
        mode=mode,
        direction=Direction.LOWER if lower else Direction.HIGHER,
        bands=tuple(bands),
        slope_step=decimal(draw(st.integers(1, 300))),
        slope_pct=decimal(draw(st.integers(0, 500))),
        max_pct=decimal(draw(st.integers(0, 100)), 0),
        per_unit=decimal(draw(st.integers(0, 50_000))),
        min_volume=draw(st.integers(1, 40)),
        lane_cap_pct=draw(st.none() | st.integers(0, 10_000).map(decimal)),
        lane_cap_abs=draw(st.none() | st.integers(0, 1_000_000).map(decimal)),
        repeat_multiplier=decimal(draw(st.integers(0, 300))),
        min_payout=decimal(draw(st.integers(0, 5000))),
        currency=draw(st.sampled_from(CURRENCIES)),
    )


def oracle(t: CreditTerms, num: int, den: int, base: Decimal, again: bool) -> tuple[CreditStatus, Fraction | None, int]:
    """Section 6.3 once more, written from the text alone: status, percentage, minor units."""
    if den < max(t.min_volume, 1):
        return S.NOT_ASSESSED_LOW_VOLUME, None, 0
    v, target = Fraction(num * 100, den), Fraction(t.target)
    better = v >= target if t.direction == "HIGHER" else v <= target
    if better:
        return S.MET, None, 0
    pct = None
    if t.mode == "PER_UNIT":
        money = Fraction(t.per_unit or 0) * max(0, (den - num) - floor((1 - target / 100) * den))
    else:
        if t.mode == "SLOPE":
            pct = ceil(abs(target - v) / Fraction(t.slope_step or 1)) * Fraction(t.slope_pct or 0)
        elif t.direction == "HIGHER":
            [pct] = [Fraction(b.pct) for b in t.bands if v < b.end and (b.start is None or v >= b.start)]  # type: ignore[operator]
        else:
            [pct] = [Fraction(b.pct) for b in t.bands if v > b.start and (b.end is None or v <= b.end)]  # type: ignore[operator]
        pct = min(pct * (Fraction(t.repeat_multiplier) if again else 1), Fraction(t.max_pct))
        money = Fraction(base) * pct / 100
    if t.lane_cap_pct is not None:
        money = min(money, Fraction(base) * Fraction(t.lane_cap_pct) / 100)
    if t.lane_cap_abs is not None:
        money = min(money, Fraction(t.lane_cap_abs))
    unit = 10 ** decimals(t.currency)
    minor = floor(money * unit + Fraction(1, 2))
    if minor == 0:
        return S.BREACH_NO_CREDIT, pct, 0
    if Fraction(minor, unit) < Fraction(t.min_payout):
        return S.BREACH_BELOW_MINIMUM, pct, 0
    return S.BREACH, pct, minor


parts = st.tuples(st.integers(0, 120), st.integers(0, 120)).map(lambda p: (min(p), max(p)))
bases = st.integers(0, 10_000_000).map(lambda b: decimal(b, 3))


@pytest.mark.req("R6.3", "R6.4", "R6.5", "R6.7", "R6.11", "P20", "P30")
@pytest.mark.slow
@MANY
@given(t=terms(), part=parts, base=bases, again=st.booleans())
def test_a_credit_is_what_the_text_says(t: CreditTerms, part: tuple[int, int], base: Decimal, again: bool) -> None:
    num, den = part
    found = assess(t, num=num, den=den, base=base, prev_month_breach=again)
    status, pct, minor = oracle(t, num, den, base, again)
    assert (found.status, found.minor) == (status, minor)
    if pct is not None:
        assert found.pct is not None
        assert Fraction(found.pct) == Fraction(floor(pct * 100 + Fraction(1, 2)), 100)
    unit = 10 ** decimals(t.currency)
    assert found.amount == Decimal(minor) / unit
    assert found.in_breach == (status not in (S.MET, S.NOT_ASSESSED_LOW_VOLUME))
    if t.mode != CreditMode.PER_UNIT:
        assert found.minor <= floor(Fraction(base) * unit + Fraction(1, 2))
    if found.lane_cap_minor is not None:
        assert 0 <= found.minor <= found.lane_cap_minor
    if found.minor:
        assert den >= t.min_volume
        assert (Fraction(100 * num, den) < t.target) == (t.direction == Direction.HIGHER)


@pytest.mark.req("P23")
@pytest.mark.slow
@MANY
@given(t=terms(), part=parts, base=bases)
def test_worse_performance_never_pays_less(t: CreditTerms, part: tuple[int, int], base: Decimal) -> None:
    num, den = part
    step = -1 if t.direction == Direction.HIGHER else 1
    if not 0 <= num + step <= den:
        return
    better, worse = (assess(t, num=n, den=den, base=base) for n in (num, num + step))
    assert worse.minor >= better.minor
    if better.pct is not None and worse.pct is not None:
        assert worse.pct >= better.pct


@pytest.mark.req("R6.2")
def test_the_steps_can_be_redone_with_a_pencil() -> None:
    t = CreditTerms(
        target=Decimal(95),
        bands=(Band(Decimal(90), Decimal(95), Decimal(10)), Band(None, Decimal(90), Decimal(20))),
        lane_cap_pct=Decimal(15),
    )
    found = assess(t, num=17, den=20, base=Decimal("12345.67"))
    told = [(s.code, s.result) for s in found.steps]
    assert told == [
        ("VOLUME", "ENOUGH"),
        ("RATE", "85"),
        ("SHORTFALL", "10"),
        ("BAND", "20"),
        ("RAW", "2469.134"),
        ("LANE_CAP_PCT", "1851.8505"),
        ("CAPPED", "1851.8505"),
        ("ROUND", "1851.85"),
    ]
    assert found.steps[0].plain() == {
        "code": "VOLUME",
        "values": {"den": "20", "min_volume": "20"},
        "result": "ENOUGH",
    }
    assert exact_text(Fraction(94900, 999)) == "94900/999"
    assert [exact_text(n) for n in (Fraction(1, 8), 7, Decimal("-0.50"), 0)] == ["0.125", "7", "-0.5", "0"]


@pytest.mark.req("R6.4")
def test_a_lower_is_better_rate_counts_its_failures_by_unit() -> None:
    t = CreditTerms(target=Decimal(5), mode=CreditMode.PER_UNIT, direction=Direction.LOWER, per_unit=Decimal("150.00"))
    assert assess(t, num=9, den=80).minor == 5 * 15_000
    assert assess(t, num=4, den=80).status == S.MET


@pytest.mark.req("R6.6", "R6.8", "X51")
def test_a_missing_rate_holds_the_line_and_credit_notes_come_off() -> None:
    lines = [(Decimal("100.10"), "EUR"), (Decimal("-0.10"), "EUR"), (Decimal("10"), "USD")]
    base, steps = credit_base(lines, rates={"EUR": Decimal("1.1")}, settlement="USD")
    assert base == 120
    assert [s.code for s in steps] == ["CHARGES", "CHARGES", "BASE"]
    with pytest.raises(MissingRate) as missing:
        credit_base(lines, rates={}, settlement="USD")
    assert missing.value.currency == "EUR"
    assert credit_base([(Decimal(-5), "USD")], rates={}, settlement="USD")[0] == 0


@pytest.mark.req("P24", "R6.13", "X48")
def test_on_time_units_in_a_window_leave_with_the_late_ones() -> None:
    late = contract_counts(num=184, den=200, scope_on_time=3, scope_late=9)
    flipped = contract_counts(num=185, den=200, scope_on_time=4, scope_late=8)
    assert (late.num, late.den) == (flipped.num, flipped.den) == (181, 188)


@pytest.mark.req("R6.2")
def test_a_quarter_without_low_months_pools_nothing() -> None:
    t = CreditTerms(target=Decimal(95), bands=(Band(None, Decimal(95), Decimal(5)),))
    found = pool_quarter(t, [MonthCounts(90, 100, Decimal(10))])
    assert (found.den, found.pooled.status) == (0, S.NOT_ASSESSED_LOW_VOLUME)


claims = st.dictionaries(st.text("AB-12", min_size=1, max_size=3), st.integers(0, 10**7), max_size=5)


@pytest.mark.req("R6.10", "P21", "P22")
@pytest.mark.slow
@MANY
@given(lines=claims, cap=st.none() | st.integers(-5, 10**7))
def test_parts_add_up_to_the_cap_and_none_exceeds_its_claim(lines: dict[str, int], cap: int | None) -> None:
    shared = allocate(lines, cap)
    room = sum(lines.values()) if cap is None else max(0, cap)
    assert sum(shared.values()) == min(sum(lines.values()), room)
    assert all(0 <= shared[lane] <= claim for lane, claim in lines.items())
    assert allocate(dict(reversed(lines.items())), cap) == shared
    if sum(lines.values()) > room:
        assert all(abs(shared[k] - Fraction(c * room, sum(lines.values()))) < 1 for k, c in lines.items())


@pytest.mark.req("R6.9")
@pytest.mark.slow
@MANY
@given(
    lines=st.dictionaries(st.sampled_from(KPI_ORDER), st.integers(0, 10**6), min_size=1),
    policy=st.sampled_from(list(Stacking)),
    cap=st.none() | st.integers(0, 10**6),
)
def test_stacking_keeps_the_largest_or_shares_the_sum(lines: dict[str, int], policy: Stacking, cap: int | None) -> None:
    found = stack(policy, lines, lane_cap=cap)
    if policy == Stacking.HIGHEST_ONLY:
        assert found.total == max(lines.values())
        assert set(found.suppressed) | {k for k, m in found.amounts.items() if m} >= set(lines) - {
            k for k, m in lines.items() if m == max(lines.values())
        }
        assert len(found.suppressed) == len(lines) - 1
    else:
        assert found.total == (sum(lines.values()) if cap is None else min(cap, sum(lines.values())))
    assert stack(policy, dict(reversed(lines.items())), lane_cap=cap) == found


@pytest.mark.req("R6.14", "P21", "X53")
@pytest.mark.slow
@MANY
@given(issued=claims, recomputed=claims, headroom=st.none() | st.integers(-10, 10**7))
def test_a_restatement_under_keep_takes_nothing_back_and_stays_under_the_caps(
    issued: dict[str, int], recomputed: dict[str, int], headroom: int | None
) -> None:
    kept = restate(issued=issued, recomputed=recomputed, headroom=headroom, policy=Downward.KEEP)
    assert set(kept) == set(issued) | set(recomputed)
    assert all(delta >= 0 for delta in kept.values())
    assert headroom is None or sum(kept.values()) <= max(0, headroom)
    offset = restate(issued=issued, recomputed=recomputed, headroom=headroom, policy=Downward.OFFSET_NEXT)
    for lane, delta in repost(approved=issued, recomputed=recomputed).items():
        assert offset[lane] == (delta if delta < 0 else kept[lane])
        assert kept[lane] <= max(0, delta)


@pytest.mark.req("R6.6")
@pytest.mark.slow
@MANY
@given(minor=st.integers(-(10**9), 10**9), boxes=st.integers(1, 40))
def test_a_split_charge_adds_up_and_spare_units_come_first(minor: int, boxes: int) -> None:
    split = charge_split(minor, boxes)
    assert sum(split) == minor
    assert list(map(abs, split)) == sorted(map(abs, split), reverse=True)
    assert max(split) - min(split) <= 1


@pytest.mark.req("R6.10", "X54")
def test_a_used_year_cap_leaves_no_room() -> None:
    assert account_room(month_cap=None, year_cap=None, issued_this_year=9) is None
    assert account_room(month_cap=7500, year_cap=50_000, issued_this_year=48_250) == 1750
    assert account_room(month_cap=7500, year_cap=50_000, issued_this_year=51_000) == 0


operations = st.lists(
    st.tuples(st.sampled_from(["APPROVE", "APPLY", "REVERSE"]), st.sampled_from("abc"), st.integers(-1, 3)), max_size=12
)


@pytest.mark.req("P25", "P26", "X50")
@pytest.mark.slow
@MANY
@given(ops=operations)
def test_the_ledger_balances_and_posts_each_key_once(ops: list[tuple[str, str, int]]) -> None:
    def ask(book: Book, op: tuple[str, str, int]) -> tuple[Answer, Book]:
        kind, key, minor = op
        return book.reverse(key=key) if kind == "REVERSE" else book.post(key=key, kind=PostingKind(kind), minor=minor)

    book, posted = Book.empty(), []
    for op in ops:
        answer, book = ask(book, op)
        posted += [op] if answer == Answer.POSTED else []
        assert sum(book.balances().values()) == 0
    assert len(book.posted) == len(posted)
    assert [ask(book, op) for op in posted] == [(Answer.REPLAY, book)] * len(posted)


def test_a_reversal_puts_every_account_back() -> None:
    _, book = Book.empty().post(key="k", kind=PostingKind.APPROVE, minor=5)
    answer, book = book.reverse(key="k")
    assert answer == Answer.POSTED
    assert book.balances() == {Account.CREDIT_COST: 0, Account.CREDITS_PAYABLE: 0}
    assert book.reverse(key="k")[0] == Answer.REPLAY
    assert book.reverse(key="none")[0] == Answer.NOTHING_TO_REVERSE


def _found(status: CreditStatus) -> Assessment:
    return Assessment(
        status=status, pct=None, amount=Decimal(0), minor=0, in_breach=False, lane_cap_minor=None, steps=()
    )


@pytest.mark.req("R6.11", "R6.12")
def test_a_line_moves_only_along_its_way_and_needs_two_persons() -> None:
    way = ["COMPUTED", "IN_REVIEW", "APPROVED", "ISSUED", "APPLIED"]
    for now, then in pairwise(way):
        assert may_move(CreditState(now), CreditState(then))
    assert not may_move(CreditState.COMPUTED, CreditState.APPROVED)
    assert not may_move(CreditState.MET, CreditState.IN_REVIEW)
    assert not is_second_person(preparer=7, approver=7)
    assert first_state(_found(S.BREACH_NO_CREDIT)) == CreditState.COMPUTED
    assert first_state(_found(S.MET)) == CreditState.MET
    published, last = date(2026, 4, 7), date(2026, 5, 7)
    assert not is_lapsed(published_on=published, filed_on=last, today=last, claim_days=30)
    assert is_lapsed(published_on=published, filed_on=None, today=date(2026, 5, 8), claim_days=30)
