"""Forms of promises: a change of tier, an agreement. What a draft contradicts is said by validation_rules.py."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext_lazy as _

from tiers.promises.models import TIER_LABELS
from tiers.promises.services import AgreementSpec
from tiers.promises.types import CreditBlock

_BAND = re.compile(r"^\s*(?P<from>\S+)\s*(?:-|–|\.\.)\s*(?P<to>\S+)\s*:\s*(?P<pct>\S+?)\s*%?\s*$")
_OPEN: Final = ("*", "")
_PLAIN: Final = re.compile(r"\d{1,9}(?:\.\d{1,6})?", re.ASCII)


def _day(label: Any, **more: Any) -> forms.DateField:
    """A day on which calendars still have neighbours: 9999-12-31 has no next month."""
    outside = _("Choose a day between 2000 and 2199.")
    bounds = [MinValueValidator(date(2000, 1, 1), outside), MaxValueValidator(date(2199, 12, 31), outside)]
    return forms.DateField(label=label, widget=forms.DateInput(attrs={"type": "date"}), validators=bounds, **more)


class TierForm(forms.Form):
    """The new tier, from when, and why."""

    tier = forms.ChoiceField(label=_("New tier"), choices=[(t.value, label) for t, label in TIER_LABELS.items()])
    on = _day(_("From"), required=False, help_text=_("Empty: as early as possible."))
    reason = forms.CharField(label=_("Reason"), max_length=400, required=False)

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["on"].widget.attrs["min"] = today.isoformat()


class CodesField(forms.CharField):
    """Codes separated by commas or spaces, as a sorted list in upper case."""

    def to_python(self, value: Any) -> Any:
        """The list; empty for an empty field."""
        return sorted({code.upper() for code in re.split(r"[\s,;+\x00]+", str(value or "")) if code})


class BandsField(forms.CharField):
    """One band a line: `93 - 95: 5`; `*` for an open end."""

    def to_python(self, value: Any) -> Any:
        """Triples of from, to, percentage. Raises ValidationError naming the line."""
        bands = []
        for n, line in enumerate(str(value or "").splitlines(), start=1):
            if not line.strip():
                continue
            found = _BAND.match(line)
            try:
                if found is None:
                    raise InvalidOperation
                bands.append((_edge(found["from"]), _edge(found["to"]), _number(found["pct"])))
            except InvalidOperation:
                raise ValidationError(_("Line %(n)s is no band; write 93 - 95: 5"), params={"n": n}) from None
        return tuple(bands)


def _edge(text: str) -> Decimal | None:
    return None if text in _OPEN else _number(text)


def _number(text: str) -> Decimal:
    if not _PLAIN.fullmatch(text):  # neither NaN nor 1e-999999999, which would be written out
        raise InvalidOperation
    return Decimal(text)


def _amount(label: Any, **more: Any) -> forms.DecimalField:
    return forms.DecimalField(label=label, required=False, max_digits=16, **more)


class AgreementForm(forms.Form):
    """A lane agreement as a person states it; the credit block is read when `has_credit` is ticked."""

    code = forms.RegexField(
        r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,39}\Z",
        label=_("Code"),
        help_text=_("The same code again makes its next version."),
    )
    origins = CodesField(label=_("Origins"), help_text=_("UN/LOCODEs, for example CNSHA, CNNGB"))
    destinations = CodesField(label=_("Destinations"))
    mode = forms.ChoiceField(
        label=_("Mode"), choices=[("SEA", _("Sea")), ("AIR", _("Air")), ("RAIL", _("Rail")), ("ROAD", _("Road"))]
    )
    final_milestone = forms.ChoiceField(
        label=_("Agreed final milestone"),
        required=False,
        choices=[
            ("", _("Any")),
            ("CY", _("Available at the yard")),
            ("CFS", _("Available at the warehouse")),
            ("DOOR", _("Delivered")),
        ],
    )
    kpi = forms.ChoiceField(
        label=_("Figure"), choices=[("OTD", _("On-time delivery")), ("COMPLETENESS", _("Milestone completeness"))]
    )
    target = forms.DecimalField(label=_("Target in percent"), max_digits=7, decimal_places=4)
    tol_days = forms.IntegerField(label=_("Tolerance in days"), min_value=0, initial=0, required=False)
    tol_hours = forms.IntegerField(label=_("Tolerance in hours"), min_value=0, initial=0, required=False)
    valid_from = _day(_("From"))
    valid_to = _day(_("Until"), required=False, help_text=_("The first day on which it no longer holds."))
    note = forms.CharField(label=_("Note"), max_length=400, required=False)
    has_credit = forms.BooleanField(label=_("A miss is credited"), required=False)
    credit_mode = forms.ChoiceField(
        label=_("How a miss becomes money"),
        required=False,
        choices=[("STEP", _("Bands")), ("SLOPE", _("Slope")), ("PER_UNIT", _("Per failure"))],
    )
    bands = BandsField(
        label=_("Bands"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "class": "mono"}),
        help_text=_("One a line, from - to: percent, for example 93 - 95: 5; * for the open end."),
    )
    slope_step = _amount(_("Slope: step in points"))
    slope_pct = _amount(_("Slope: percent for each started step"))
    per_unit = _amount(_("Amount for each failure"))
    max_pct = _amount(_("Highest percentage"))
    min_volume = forms.IntegerField(label=_("Minimum volume"), min_value=0, required=False, initial=20)
    charge_codes = CodesField(label=_("Charge codes"), required=False, help_text=_("For example FREIGHT, BAF"))
    lane_cap_pct = _amount(_("Lane cap in percent of the base"))
    lane_cap_abs = _amount(_("Lane cap as an amount"))
    account_month_cap = _amount(_("Account cap a month"))
    year_cap = _amount(_("Account cap a year"))
    min_payout = _amount(_("Minimum payout"))
    currency = forms.CharField(label=_("Currency"), required=False, max_length=3, initial="USD")

    def spec(self) -> AgreementSpec:
        """What was stated, for services. Call after is_valid()."""
        data = self.cleaned_data
        return AgreementSpec(
            code=data["code"].upper(),
            origins=data["origins"],
            destinations=data["destinations"],
            mode=data["mode"],
            final_milestone=data["final_milestone"],
            kpi=data["kpi"],
            target=data["target"],
            tol_days=data["tol_days"] or 0,
            tol_hours=data["tol_hours"] or 0,
            valid_from=data["valid_from"],
            valid_to=data["valid_to"],
            note=data["note"],
            credit=self._block() if data["has_credit"] else None,
        )

    def _block(self) -> CreditBlock:
        data = self.cleaned_data
        given: dict[str, Any] = {
            name: data[name]
            for name in ("slope_step", "slope_pct", "per_unit", "max_pct", "min_volume", "lane_cap_pct", "lane_cap_abs",
                         "account_month_cap", "year_cap", "min_payout")
            if data.get(name) is not None
        }  # fmt: skip
        return CreditBlock(
            mode=data["credit_mode"] or "STEP",
            bands=data["bands"] or (),
            charge_codes=tuple(data["charge_codes"] or ()),
            currency=(data["currency"] or "USD").upper(),
            **given,
        )

    def refuse(self, fault: ValidationError) -> None:
        """Puts each message beside its field; those of parts without a field go to the top."""
        for name, listed in fault.message_dict.items():
            field = name if name in self.fields else None
            for message in listed:
                self.add_error(field, message)
