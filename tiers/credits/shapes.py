"""Credits in the form that systems read: the declared shapes of answers, and lines put into them.

Decides nothing; every figure comes from the line's stored inputs and steps (M6).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kpis.figures import Grade
from kpis.registry import CLOSED
from kpis.shapes import UnitShape, unit_row
from portal.lib.money import from_minor
from portal.tenancy.services import SYSTEM
from portal.web.apishapes import Shape, exact, instant, many, named, number, text, texts, word
from tiers.credits import wording
from tiers.credits.models import CreditLine, CreditTransition, LedgerTransaction
from tiers.credits.selectors import Missed
from tiers.credits.state_rules import CreditState


class CreditRow(Shape):
    """What one promise came to in one closed month."""

    id = text("Names the credit in addresses.")
    month = text("The local month, as YYYY-MM.")
    state = word("Where it stands.", CreditState)
    agreement = text("Code of the agreement.")
    agreement_version = number("Its version.")
    lane = text("The lane of the promise.")
    kpi = word("The figure that was promised.", CLOSED)
    numerator = number("Units that hit.")
    denominator = number("Units that were judged.")
    target = exact("The promised percentage.")
    reached = exact("The percentage that was reached, with as many decimals as show on which side of the target it is.")
    amount = exact("What is owed, with the decimals of the currency.")
    currency = text("The currency, by its code of three letters.")
    held_until = instant("Until when it waits at the latest, where it waits.")
    assessed_at = instant("When it was worked out.")
    snapshot = text("The id of the closed month.")


class StepShape(Shape):
    """A step of the sum."""

    code = text("Which step.")
    rule = text("The rule it follows.")
    values = named("What went in, exact, as texts by name.")
    result = text("What came out, exact: a decimal number, or a fraction such as 94900/999.")


class TransitionShape(Shape):
    """A step from state to state."""

    state = word("The state that began.", CreditState)
    at = instant("When.")
    by = text("The name of who did it; empty: the portal itself.")
    reason = text("Why, where a person gave a reason.")


class PostingShape(Shape):
    """A transaction of the ledger; it is never changed."""

    kind = text("APPROVE, APPLY or REVERSE.")
    posted_at = instant("When it was posted.")
    debit = text("The account that is debited.")
    credit = text("The account that is credited.")
    amount = exact("How much.")
    currency = text("The currency.")


class CreditShape(CreditRow):
    """A credit with every step of the sum, and who decided."""

    sentence = text("What was reached, what was promised, and what follows, in a sentence.")
    grade = word("How far the data of the figure can be trusted; null while it is held.", Grade, null=True)
    percentage = exact("The share of the charges that is credited, in percent.")
    base = exact("The charges that it is a share of.")
    charge_codes = texts("Codes of the charges that count.")
    charges_until = instant("Charges recorded later do not count.")
    steps = many(StepShape, "The sum, step by step.")
    history = many(TransitionShape, "Who did what, the oldest first.")
    postings = many(PostingShape, "What was posted, the oldest first.")
    missed = many(UnitShape, "The first 100 units that missed the promise.")
    missed_total = number("How many units missed it.")


def credit_row(line: CreditLine) -> dict[str, Any]:
    """A line as the list shows it."""
    return {
        "id": line.public_id, "month": line.period, "state": line.state, "agreement": line.agreement_code,
        "agreement_version": line.agreement_version, "lane": line.lane, "kpi": line.kpi, "numerator": line.num,
        "denominator": line.den, "target": wording.plain(line.target), "reached": wording.percent_of(line),
        "amount": str(line.amount), "currency": line.currency, "held_until": line.held_until,
        "assessed_at": line.assessed_at, "snapshot": line.snapshot.public_id,
    }  # fmt: skip


def credit_more(
    line: CreditLine,
    *,
    account: str,
    transitions: Iterable[CreditTransition],
    postings: Iterable[LedgerTransaction],
    missed: Missed,
) -> dict[str, Any]:
    """What CreditShape has beyond its row; customers read names, not addresses."""
    return {
        "sentence": wording.sentence(line, account),
        "grade": line.grade or None,
        "percentage": None if line.pct is None else wording.plain(line.pct),
        "base": line.inputs.get("base") or None,
        "charge_codes": list(line.inputs["terms"]["charge_codes"]),
        "charges_until": line.inputs.get("charges_until"),
        "steps": [
            {"code": s["code"], "rule": wording.rule_of(s["code"]), "values": s["values"], "result": s["result"]}
            for s in line.steps
        ],
        "history": [
            {
                "state": t.to_state, "at": t.at,
                "by": "" if t.actor_label == SYSTEM else t.actor_label.partition(" <")[0],
                "reason": t.reason if t.actor else "",
            }
            for t in transitions
        ],
        "postings": [_posting(posting) for posting in postings],
        "missed": [unit_row(unit) for unit in missed.units],
        "missed_total": missed.total,
    }  # fmt: skip


def _posting(posting: LedgerTransaction) -> dict[str, Any]:
    legs = list(posting.entries.all())
    return {
        "kind": posting.kind, "posted_at": posting.posted_at,
        "debit": next(e.account for e in legs if e.minor > 0),
        "credit": next(e.account for e in legs if e.minor < 0),
        "amount": str(from_minor(posting.minor, posting.currency)), "currency": posting.currency,
    }  # fmt: skip
