"""Credits in the form that pages take: rows, evidence, history, ledger. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from kpis import wording as kpi_wording
from kpis.tables import month_name, unit_rows
from portal.lib.money import decimals, from_minor
from portal.tenancy.selectors import tenant_zone
from portal.tenancy.services import SYSTEM
from portal.web.templatetags.ui import time_at
from tiers.credits import selectors, wording
from tiers.credits.models import CreditLine
from tiers.promises.types import CreditBlock


def credit_row(line: CreditLine, *, url: str, account: str = "") -> dict[str, Any]:
    """One line of a list."""
    return {
        "url": url,
        "period": month_name(line.period),
        "account": account,
        "agreement": line.lane,
        "kpi": f"{kpi_wording.KPIS[line.kpi]} · {line.agreement_code}",
        "target": wording.plain(line.target),
        "actual": wording.percent_of(line),
        "volume": _("%(num)s of %(den)s") % {"num": line.num, "den": line.den} if line.den else "",
        "amount": line.amount if line.amount_minor else None,
        "currency": line.currency,
        "state": wording.state(line),
        "note": _("until %(day)s") % {"day": f"{line.held_until:%Y-%m-%d}"} if line.held_until else "",
    }


def evidence(line: CreditLine, *, url: Callable[[str], str], all_url: str) -> dict[str, Any] | None:
    """The covered units that missed the promise, each linking to its shipment."""
    missed = selectors.missed_units(line)
    listed = unit_rows(missed.units, url=url)
    if not listed:
        return None
    note = ""
    if missed.total > selectors.EVIDENCE:
        note = _("The first %(n)s of %(all)s.") % {"n": selectors.EVIDENCE, "all": missed.total}
    return {"title": _("Units that missed the promise"), "note": note, "url": all_url, "rows": listed}


def history(line: CreditLine, *, staff: bool) -> list[dict[str, Any]]:
    """Who did what, oldest first; customers read names, not addresses."""

    def who(label: str) -> str:
        return "" if label == SYSTEM else label if staff else label.partition(" <")[0]

    return [
        {
            "label": wording.STATES[t.to_state][1] if t.to_state in wording.STATES else t.to_state,
            "who": who(t.actor_label),
            "at": t.at,
            "zone": tenant_zone(),
            "note": t.reason if t.actor else "",
        }
        for t in selectors.transitions_of(line)
    ]


def ledger(line: CreditLine) -> list[dict[str, Any]]:
    """Its postings, each with both sides."""
    words = {"APPROVE": _("Approval"), "APPLY": _("Set off"), "REVERSE": _("Reversal")}
    rows = []
    for posting in selectors.postings_of(line):
        legs = list(posting.entries.all())
        rows.append(
            {
                "at": posting.posted_at,
                "zone": tenant_zone(),
                "entry": words.get(posting.kind, posting.kind),
                "debit": next(e.account for e in legs if e.minor > 0),
                "credit": next(e.account for e in legs if e.minor < 0),
                "amount": from_minor(posting.minor, posting.currency),
                "currency": posting.currency,
            }
        )
    return rows


def agreement_facts(line: CreditLine) -> list[dict[str, Any]]:
    """The terms the line was judged by, as stored with it (R5.5)."""
    block = CreditBlock.read(line.inputs["terms"])
    return [
        {"label": _("Agreement"), "value": _("%(code)s, version %(n)s") % {
            "code": line.agreement_code, "n": line.agreement_version}},
        {"label": _("Figure"), "value": kpi_wording.KPIS[line.kpi]},
        {"label": _("Target"), "value": f"{wording.plain(line.target)} %"},
        *terms_facts(block),
        {"label": _("Data grade"), "value": line.grade},
        {"label": _("Covered units"), "value": line.inputs["covered"]},
        {"label": _("Charges recorded by"), "value": time_at(line.inputs["charges_until"], tenant_zone())},
    ]  # fmt: skip


def terms_facts(block: CreditBlock) -> list[dict[str, Any]]:
    """A credit block in words."""
    facts: list[dict[str, Any]] = []
    if block.mode == "STEP":
        facts.append({"label": _("Bands"), "value": "; ".join(_band(b) for b in block.bands)})
    elif block.mode == "SLOPE":
        facts.append({"label": _("Slope"), "value": _("%(pct)s %% for each started %(step)s points") % {
            "pct": wording.plain(block.slope_pct or block.max_pct),
            "step": wording.plain(block.slope_step or block.max_pct),
        }})  # fmt: skip
    else:
        facts.append({"label": _("Each failure beyond"), "value": f"{block.per_unit} {block.currency}"})
    facts.append({"label": _("Share of"), "value": ", ".join(block.charge_codes)})
    facts.append({"label": _("Minimum volume"), "value": block.min_volume})
    caps: Iterable[tuple[str, Any, str]] = (
        (_("Lane cap"), block.lane_cap_pct, "%"),
        (_("Lane cap, amount"), block.lane_cap_abs, block.currency),
        (_("Account cap a month"), block.account_month_cap, block.currency),
        (_("Account cap a year"), block.year_cap, block.currency),
    )
    facts += [
        {"label": label, "value": f"{wording.plain(value) if unit == '%' else _cap(value, unit)} {unit}"}
        for label, value, unit in caps
        if value is not None
    ]
    return facts


def _cap(value: Decimal, currency: str) -> str:
    return wording.grouped(value, decimals(currency))


def _band(band: tuple[Any, Any, Any]) -> str:
    start, end, pct = band
    shares = {"start": start, "end": end, "pct": wording.plain(pct)}
    if start is None:
        return _("below %(end)s: %(pct)s\u00a0%%") % shares
    if end is None:
        return _("above %(start)s: %(pct)s\u00a0%%") % shares
    return _("%(start)s to below %(end)s: %(pct)s\u00a0%%") % shares
