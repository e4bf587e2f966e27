"""Credits in words: states, the one sentence with the numbers, the receipt of steps.

Reads nothing but the line it is given; all figures come from its stored inputs and steps (M6).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from kpis import wording as kpi_wording
from kpis.figures import display_pct
from kpis.tables import month_name
from portal.lib.money import decimals, from_minor, half_up
from portal.web.retelling import decimal_mark
from tiers.credits.models import CreditLine
from tiers.credits.state_rules import CreditState

_S = CreditState

STATES: Final[dict[str, tuple[str, Promise]]] = {
    _S.COMPUTED: ("info", gettext_lazy("Worked out")),
    _S.IN_REVIEW: ("info", gettext_lazy("In review")),
    _S.APPROVED: ("money", gettext_lazy("Approved")),
    _S.ISSUED: ("money", gettext_lazy("Issued")),
    _S.APPLIED: ("ok", gettext_lazy("Set off")),
    _S.HELD_DATA: ("warn", gettext_lazy("Waits for data")),
    _S.HELD_CHARGES: ("warn", gettext_lazy("Waits for invoices")),
    _S.HELD_FX: ("warn", gettext_lazy("Waits for an exchange rate")),
    _S.NOT_ASSESSED_LOW_VOLUME: ("neutral", gettext_lazy("Too few units")),
    _S.NOT_ASSESSED_DATA: ("neutral", gettext_lazy("Not assessed")),
    _S.MET: ("ok", gettext_lazy("Promise kept")),
    _S.SUPPRESSED: ("neutral", gettext_lazy("Covered by a higher credit")),
    _S.LAPSED: ("neutral", gettext_lazy("Lapsed")),
    _S.REJECTED: ("late", gettext_lazy("Rejected")),
    _S.DISPUTED: ("warn", gettext_lazy("Disputed")),
    _S.REVERSED: ("neutral", gettext_lazy("Reversed")),
}


def state(line: CreditLine) -> dict[str, Any]:
    """Tone and word of its state."""
    tone, word = STATES[CreditState(line.state)]
    if line.state == _S.COMPUTED and line.amount_minor == 0:
        return {"tone": "neutral", "label": _("Missed, nothing owed")}
    return {"tone": tone, "label": word}


def money(minor: int, currency: str) -> str:
    """`4,217.50 USD`."""
    return f"{grouped(from_minor(minor, currency), decimals(currency))} {currency}"


def grouped(value: Decimal, places: int) -> str:
    """An amount with its decimals and grouped thousands, in the reader's language."""
    return str(number_format(value, decimal_pos=places, use_l10n=True, force_grouping=True))


def exact(text: str) -> Fraction:
    """A stored exact value: plain decimals, or `94900/999`."""
    return Fraction(text)


def number(text: str) -> str:
    """A stored exact value for people: at most six decimals, no trailing zeros."""
    if not text:
        return ""
    shown = half_up(exact(text), 6).normalize()
    places = max(0, -int(shown.as_tuple().exponent))
    return grouped(shown, places)


def amount(text: str, currency: str) -> str:
    """A stored exact amount, not rounded to the minor unit unless it is whole there."""
    if not text:
        return ""
    value, places = exact(text), decimals(currency)
    scaled = value * 10**places
    if scaled.denominator == 1:
        return f"{grouped(half_up(value, places), places)} {currency}"
    return f"{number(text)} {currency}"


def percent_of(line: CreditLine) -> str | None:
    """What was reached, never contradicting the target beside it (R0.5)."""
    found = display_pct(line.num, line.den, [line.target])
    return None if found is None else decimal_mark(found)


def plain(value: Decimal) -> str:
    """`95`, `97.5`."""
    return decimal_mark(f"{value.normalize():f}")


def kpi_phrase(kpi: str) -> str:
    """How the numerator reads in a sentence."""
    return _("on time") if kpi == "OTD" else _("with all milestones")


def sentence(line: CreditLine, account: str) -> str:
    """One sentence with the numbers: what was reached, what was promised, what follows, or why nothing does."""
    facts = {
        "account": account,
        "lane": line.lane,
        "month": month_name(line.period),
        "num": line.num,
        "den": line.den,
        "phrase": kpi_phrase(line.kpi),
        "pct": percent_of(line) or "",
        "target": plain(line.target),
    }
    head = _("%(account)s, %(lane)s, %(month)s:") % facts
    if not line.den:
        return f"{head} " + _("no unit was due, so there is nothing to assess.")
    reached = _("%(num)s of %(den)s %(phrase)s, %(pct)s %%; promised %(target)s %%") % facts
    return f"{head} {reached}{_follows(line)}"


def _follows(line: CreditLine) -> str:
    state_, currency = line.state, line.currency
    until = f"{line.held_until:%Y-%m-%d}" if line.held_until else ""
    if state_ == _S.MET:
        return _(". The promise was kept; nothing is owed.")
    if state_ == _S.NOT_ASSESSED_LOW_VOLUME:
        least = line.inputs["terms"]["min_volume"]
        return _(". Fewer than %(least)s units, so the agreement does not assess this month.") % {"least": least}
    if state_ == _S.HELD_DATA:
        why = kpi_wording.gate_reasons(line.reason.split())
        return _(". Held, because %(why)s; on %(until)s it is worked out from what is known then.") % {
            "why": why, "until": until}  # fmt: skip
    if state_ == _S.HELD_CHARGES:
        return _(". Held, because not all freight is invoiced; on %(until)s what is invoiced counts.") % {
            "until": until
        }
    if state_ == _S.HELD_FX:
        return _(". Held, because the month has no exchange rate for %(currency)s.") % {"currency": line.reason}
    worked = _worked(line)
    ends = {
        _S.SUPPRESSED: _(" A higher credit of the same lane is paid instead."),
        _S.REJECTED: _(" Rejected: %(reason)s") % {"reason": line.reason},
        _S.REVERSED: _(" Reversed: %(reason)s") % {"reason": line.reason},
    }
    end = ends.get(CreditState(state_), "")
    if not end and line.amount_minor == 0:
        end = _(" Nothing is owed: %(why)s.") % {"why": _why_nothing(line)}
    return f"; {worked}.{end}" if worked else f".{end or ' ' + money(line.amount_minor, currency)}"


def _worked(line: CreditLine) -> str:
    """`5 % of 84,350.00 USD = 4,217.50 USD`, with the cap that binds."""
    currency = line.currency
    if line.pct is None:
        step = _step(line, "PER_UNIT")
        if step is None:
            return ""
        text = _("%(over)s failures beyond the allowed %(allowed)s, %(each)s each = %(raw)s") % {
            "over": step["values"]["over"], "allowed": step["values"]["allowed"],
            "each": amount(step["values"]["per_unit"], currency), "raw": amount(step["result"], currency),
        }  # fmt: skip
    else:
        raw = _step(line, "RAW")
        if raw is None:
            return ""
        result = raw["result"]
        rounded = _step(line, "ROUND")
        if rounded is not None and _step(line, "CAPPED") is None:
            result = rounded["result"]
        text = _("%(pct)s %% of %(base)s = %(raw)s") % {
            "pct": plain(line.pct), "base": amount(line.inputs["base"], currency), "raw": amount(result, currency),
        }  # fmt: skip
    capped = _step(line, "CAPPED")
    if capped is not None:
        text += _(", capped for the lane at %(amount)s") % {"amount": money(line.computed_minor, currency)}
    if line.amount_minor != line.computed_minor and line.amount_minor:
        text += _(", of which the account's cap leaves %(amount)s") % {"amount": money(line.amount_minor, currency)}
    return text


def _why_nothing(line: CreditLine) -> str:
    if line.status == "BREACH_BELOW_MINIMUM":
        return _("the amount lies below the minimum payout of the agreement")
    if _step(line, "ACCOUNT_CAP") is not None:
        return _("the account's cap is used up")
    return _("there is no amount to take a share of")


def _step(line: CreditLine, code: str) -> dict[str, Any] | None:
    return next((s for s in line.steps if s["code"] == code), None)


# --- the receipt ---


def receipt(line: CreditLine) -> list[dict[str, Any]]:
    """Every stored step as a line of a receipt, and the total."""
    rows = [_row(step["code"], step["values"], step["result"], line) for step in line.steps]
    if line.state.startswith("HELD"):
        return rows
    rows.append({"label": _("Credit"), "value": money(line.amount_minor, line.currency), "total": True})
    return rows


def _row(code: str, values: Mapping[str, str], result: str, line: CreditLine) -> dict[str, Any]:
    currency = line.currency
    build = _ROWS.get(code)
    if build is None:
        return {"label": code, "value": number(result) if result else ""}
    label, formula, rule, kind = build
    if code == "BAND":
        formula = _band_words(values)
    shown = {k: _shown(k, v, currency) for k, v in values.items()}
    value = {"money": amount(result, currency) if kind == "money" else "", "pct": f"{_maybe(result)} %",
             "text": _maybe(result)}[kind]  # fmt: skip
    return {"label": str(label), "value": value, "formula": str(formula) % shown if formula else "", "rule": rule}


def rule_of(code: str) -> str:
    """The rule that a step follows; empty for a step that we do not know."""
    return _ROWS[code][2] if code in _ROWS else ""


def _band_words(values: Mapping[str, str]) -> Promise:
    """Which formula fits: a band may be open below or above."""
    if not values["start"]:
        return gettext_lazy("below %(end)s")
    if not values["end"]:
        return gettext_lazy("from %(start)s up")
    return gettext_lazy("from %(start)s to below %(end)s")


_AMOUNTS: Final = frozenset({"base", "cap", "lane_cap_abs", "raw", "amount", "min_payout", "per_unit", "claimed",
                             "room", "sum"})  # fmt: skip


def _shown(name: str, value: str, currency: str) -> str:
    if name in _AMOUNTS:
        return amount(value, currency)
    return _maybe(value) or pgettext("an open end of a band", "open")


def _maybe(text: str) -> str:
    try:
        return number(text)
    except ValueError:
        words = {"ENOUGH": _("enough"), "TOO_FEW": _("too few")}
        return words.get(text, text)


_ROWS: Final[dict[str, tuple[Promise, Promise | str, str, str]]] = {
    "CHARGES": (
        gettext_lazy("Charges"), gettext_lazy("%(amount)s at %(rate)s"), "R6.6", "money",
    ),
    "BASE": (gettext_lazy("Base"), gettext_lazy("charges less credit notes, never below 0"), "R6.6", "money"),
    "VOLUME": (gettext_lazy("Volume"), gettext_lazy("%(den)s units, at least %(min_volume)s needed"), "R6.2", "text"),
    "RATE": (gettext_lazy("Reached"), gettext_lazy("100 × %(num)s ÷ %(den)s"), "R6.3", "pct"),
    "MEASURED": (gettext_lazy("Measured"), "", "R6.3", "text"),
    "SHORTFALL": (gettext_lazy("Shortfall"), gettext_lazy("target %(target)s, reached %(value)s"), "R6.3", "text"),
    "BAND": (gettext_lazy("Band"), "", "R6.4", "pct"),
    "SLOPE": (
        gettext_lazy("Slope"),
        gettext_lazy("%(started)s started steps of %(slope_step)s × %(slope_pct)s %%"),
        "R6.4",
        "pct",
    ),
    "REPEAT": (gettext_lazy("Missed again"), gettext_lazy("%(pct)s × %(multiplier)s"), "R6.5", "pct"),
    "MAX_PCT": (gettext_lazy("Highest percentage"), gettext_lazy("%(pct)s cut to %(max_pct)s"), "R6.5", "pct"),
    "ALLOWED": (gettext_lazy("Allowed failures"), gettext_lazy("what %(target)s %% of %(den)s allows"), "R6.4", "text"),
    "PER_UNIT": (gettext_lazy("Failures beyond"), gettext_lazy("%(over)s × %(per_unit)s"), "R6.4", "money"),
    "RAW": (gettext_lazy("Share of the base"), gettext_lazy("%(base)s × %(pct)s ÷ 100"), "R6.7", "money"),
    "LANE_CAP_PCT": (gettext_lazy("Lane cap"), gettext_lazy("%(base)s × %(lane_cap_pct)s ÷ 100"), "R6.7", "money"),
    "LANE_CAP_ABS": (gettext_lazy("Lane cap"), gettext_lazy("fixed amount"), "R6.7", "money"),
    "CAPPED": (gettext_lazy("Cut to the lane cap"), "", "R6.7", "money"),
    "ROUND": (gettext_lazy("Rounded once, half up"), "%(raw)s", "R6.7", "money"),
    "MIN_PAYOUT": (gettext_lazy("Below the minimum payout"), gettext_lazy("at least %(min_payout)s"), "R6.11", "money"),
    "STACKING": (gettext_lazy("Other credits of the lane"), gettext_lazy("claimed %(claimed)s"), "R6.9", "money"),
    "ACCOUNT_CAP": (
        gettext_lazy("Account cap"), gettext_lazy("claimed %(claimed)s, %(room)s left for all"), "R6.10", "money",
    ),
}  # fmt: skip
