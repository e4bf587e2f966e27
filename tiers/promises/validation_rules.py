"""What is wrong with a draft of an agreement, in the codes of 5.2 and in the user's words.

Pure: rows, known places and today's date come in; storing is services' business.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from django.utils.functional import Promise as Lazy
from django.utils.translation import gettext_lazy as _

from portal.lib.money import decimals
from tiers.promises.rules import Lane, Subscription, Term
from tiers.promises.types import CreditBlock, Tier

HIGHER: Final = frozenset({"OTD", "COMPLETENESS", "ETA"})
LOWER: Final = frozenset({"EXCEPTION", "DWELL"})
RATES: Final = HIGHER | {"EXCEPTION"}
_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class Fault:
    """A contradiction: its code, the field it belongs to, and what to do; a warning does not stop saving."""

    code: str
    field: str
    message: str | Lazy
    is_warning: bool = False

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An agreement version as it would be saved."""

    code: str
    version: int
    lane: Lane
    kpi: str
    unit: str
    target: Decimal
    term: Term
    tol_days: int = 0
    tol_hours: int = 0
    early_hours: int | None = None
    credit: CreditBlock | None = None


def faults(
    draft: Draft,
    *,
    others: Sequence[Draft],
    subscriptions: Sequence[Subscription],
    places: Collection[str],
    today: date,
    grace_days: int,
) -> list[Fault]:
    """Everything that speaks against the draft. `others`: the account's agreements, this version left out;
    `places`: those of its lane that are known; `today`: the tenant's local day."""
    found = [
        *_terms(draft, others, today),
        *_lane(draft, others, places),
        *_figures(draft, grace_days),
    ]
    if draft.credit is not None:
        found += [
            *_premium(draft, subscriptions),
            *_money(draft.credit),
            *_bands(draft, draft.credit),
            *_caps(draft.credit),
            *_currencies(draft.credit, draft, others),
        ]
    return found


def _terms(draft: Draft, others: Iterable[Draft], today: date) -> Iterator[Fault]:
    start, end = draft.term.start, draft.term.end
    if end is not None and end <= start:
        yield Fault("V10", "valid_to", _("The end must lie after the start."))
    later_version = any(o.code == draft.code for o in others)
    if later_version and start.day != 1:
        yield Fault("V11", "valid_from", _("A new version of an agreement starts on the first of a month."))
    if start < today.replace(day=1):
        yield Fault("V20", "valid_from", _("A month that is over cannot be changed; start this month or later."))


def _lane(draft: Draft, others: Iterable[Draft], places: Collection[str]) -> Iterator[Fault]:
    for field, codes in (("origins", draft.lane.origins), ("destinations", draft.lane.destinations)):
        unknown = sorted(c for c in codes if c not in places)
        if unknown:
            message = _("Unknown place: %(places)s. Add it to the places first.") % {"places": ", ".join(unknown)}
            yield Fault("V12", field, message)
    for other in others:
        same = other.kpi == draft.kpi and other.code != draft.code
        if same and other.lane.meets(draft.lane) and other.term.meets(draft.term):
            clash = _("Agreement %(code)s (%(lane)s) promises the same figure for some of the same shipments.")
            yield Fault("V02", "origins", clash % {"code": other.code, "lane": other.lane.code})


def _figures(draft: Draft, grace_days: int) -> Iterator[Fault]:
    if draft.kpi not in HIGHER | LOWER:
        yield Fault("V12", "kpi", _("This figure is not defined."))
        return
    if draft.kpi in RATES and not 0 <= draft.target <= 100:
        yield Fault("V13", "target", _("The target of a rate is a percentage between 0 and 100."))
    if draft.tol_days >= grace_days or draft.tol_hours >= 24 * grace_days:
        message = _("The tolerance must be shorter than the %(days)s days after which a month closes.")
        yield Fault("V07", "tol_days", message % {"days": grace_days})
    if draft.credit is not None and draft.kpi in HIGHER and draft.target >= 100:
        yield Fault("V08", "target", _("A target of 100 % with credits would be missed by a single shipment."))
    if draft.early_hours is not None and draft.lane.final == "CY":
        yield Fault("V21", "early_hours", _("Early availability at a container yard rarely hurts anybody."), True)


def _premium(draft: Draft, subscriptions: Sequence[Subscription]) -> Iterator[Fault]:
    day, end = draft.term.start, draft.term.end
    for term in sorted((s.term for s in subscriptions if s.tier == Tier.PREMIUM), key=lambda t: t.start):
        if day in term:
            if term.end is None or (end is not None and term.end >= end):
                return
            day = term.end
    yield Fault("V03", "valid_from", _("Credits need a Premium subscription for the whole term of the agreement."))


def _money(credit: CreditBlock) -> Iterator[Fault]:
    if not _CURRENCY.fullmatch(credit.currency):
        yield Fault("V12", "currency", _("A currency has three letters, for example USD."))
    for field in ("lane_cap_pct", "max_pct", "slope_pct"):
        value = getattr(credit, field)
        if value is not None and not 0 <= value <= 100:
            yield Fault("V06", field, _("A percentage lies between 0 and 100."))
    places = decimals(credit.currency)
    for field in ("lane_cap_abs", "account_month_cap", "year_cap", "per_unit", "min_payout"):
        value = getattr(credit, field)
        if value is None:
            continue
        if value < 0:
            yield Fault("V06", field, _("An amount is never negative."))
        if value != value.quantize(Decimal(1).scaleb(-places)):
            message = _("%(currency)s has %(places)s decimals.")
            yield Fault("V06", field, message % {"currency": credit.currency, "places": places})


def _bands(draft: Draft, credit: CreditBlock) -> Iterator[Fault]:
    if credit.mode != "PER_UNIT" and not credit.charge_codes:
        yield Fault("V12", "charge_codes", _("Name the charge codes whose amounts the credit is a share of."))
    if credit.mode == "SLOPE" and not (credit.slope_step and credit.slope_step > 0 and credit.slope_pct):
        yield Fault("V04", "slope_step", _("A slope needs a step above 0 and its percentage."))
    if credit.mode == "PER_UNIT" and credit.per_unit is None:
        yield Fault("V04", "per_unit", _("Say what each failure beyond the allowed ones pays."))
    if credit.mode != "STEP":
        return
    if any(not 0 <= pct <= 100 for _from, _to, pct in credit.bands):
        yield Fault("V06", "bands", _("A percentage lies between 0 and 100."))
    higher = draft.kpi in HIGHER
    # from the target outwards: where each band begins, and where it ends
    walked = [(end, start, pct) if higher else (start, end, pct) for start, end, pct in credit.bands]
    bottom = Decimal("-Infinity") if higher else Decimal("Infinity")
    walked.sort(key=lambda b: b[0] if b[0] is not None else bottom, reverse=higher)
    edge: Decimal | None = draft.target
    for near, far, _pct in walked:
        forwards = far is None or (near is not None and (far < near if higher else far > near))
        if near is None or edge is None or near != edge or not forwards:
            yield Fault("V04", "bands", _("The bands must follow each other from the target without gap or overlap."))
            return
        edge = far
    if not walked or edge is not None:
        yield Fault("V04", "bands", _("The last band must be open, so that the worst result falls into it."))
        return
    pcts = [pct for _near, _far, pct in walked]
    if pcts != sorted(pcts):
        code = "V05" if higher else "V13"
        yield Fault(code, "bands", _("A worse result must not pay less than a better one."))


def _caps(credit: CreditBlock) -> Iterator[Fault]:
    if credit.min_volume < 1:
        yield Fault("V14", "min_volume", _("The minimum volume is at least 1."))
    caps = [c for c in (credit.lane_cap_abs, credit.account_month_cap, credit.year_cap) if c is not None]
    if any(credit.min_payout > cap for cap in caps):
        yield Fault("V15", "min_payout", _("The minimum payout lies above a cap, so nothing would ever be paid."))
    no_lane_cap = credit.lane_cap_pct is None and credit.lane_cap_abs is None
    if credit.stacking == "SUM" and no_lane_cap:
        yield Fault("V16", "stacking", _("Adding several credits of a lane needs a cap for the lane."))
    if credit.account_month_cap is None and credit.year_cap is None:
        yield Fault("V17", "account_month_cap", _("Without a monthly or yearly cap the exposure is unlimited."), True)
    smallest = min((pct for _from, _to, pct in credit.bands), default=None)
    if credit.mode == "STEP" and smallest and credit.lane_cap_pct is not None and credit.lane_cap_pct < smallest:
        yield Fault(
            "V19", "lane_cap_pct", _("The lane cap lies below the smallest band: the bands mean nothing."), True
        )
    if credit.mode == "PER_UNIT" and no_lane_cap:
        yield Fault("V25", "per_unit", _("Paying for each failure without a lane cap is open-ended."), True)


def _currencies(credit: CreditBlock, draft: Draft, others: Iterable[Draft]) -> Iterator[Fault]:
    for other in others:
        if other.credit is None or not other.term.meets(draft.term):
            continue
        capped = any((credit.account_month_cap, credit.year_cap, other.credit.account_month_cap, other.credit.year_cap))
        if capped and other.credit.currency != credit.currency:
            message = _("Agreement %(code)s settles in %(currency)s; one account cap needs one currency.")
            yield Fault("V23", "currency", message % {"code": other.code, "currency": other.credit.currency})
