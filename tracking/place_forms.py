"""Forms of master data: places, terminals, carriers, vessels. What they cause stands in services."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from tracking import identifiers


def _code(label: Any, most: int, **more: Any) -> forms.CharField:
    return forms.CharField(
        label=label, max_length=most,
        validators=[RegexValidator(r"\A[A-Za-z0-9][A-Za-z0-9._-]*\Z", _("Letters, digits, dots, - and _ only."))],
        **more,
    )  # fmt: skip


class CodeForm(forms.Form):
    """What all kinds have in common: codes in upper case, the key fixed once it exists."""

    keys: tuple[str, ...] = ("code",)

    def __init__(self, *args: Any, fixed: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.keys if fixed else ():
            del self.fields[name]

    def clean(self) -> dict[str, Any]:
        """Codes are upper case from the first byte."""
        data = super().clean() or {}
        for name in (*self.keys, "alias_of", "provider", "smdg", "country", "call_sign"):
            if isinstance(data.get(name), str):
                data[name] = identifiers.upper(data[name].strip())
        return data


class PlaceForm(CodeForm):
    """A place."""

    code = _code(_("Code"), 16, help_text=_("UN/LOCODE such as NLRTM, or a code of your own."))
    name = forms.CharField(label=_("Name"), max_length=120)
    country = forms.RegexField(
        r"\A[A-Za-z]{2}\Z", label=_("Country"), required=False, help_text=_("Two letters, as in NL.")
    )
    zone = forms.CharField(
        label=_("Time zone"), max_length=64, required=False,
        help_text=_("As in Europe/Amsterdam. Local times without offset are read in it; without it they wait."),
    )  # fmt: skip
    lat = forms.DecimalField(label=_("Latitude"), required=False, min_value=-90, max_value=90, decimal_places=5)
    lon = forms.DecimalField(label=_("Longitude"), required=False, min_value=-180, max_value=180, decimal_places=5)
    sends_avpu = forms.BooleanField(
        label=_("Its terminals say when a box is available"), required=False,
        help_text=_("Else the discharge stands in for “available for collection” in what is derived from now on."),
    )  # fmt: skip
    alias_of = _code(
        _("Another code of"), 16, required=False,
        help_text=_("The same place under its usual code. Events that name this one are read as naming that."),
    )  # fmt: skip


class TerminalForm(CodeForm):
    """A terminal or depot."""

    keys = ("place", "code")
    place = _code(_("Place"), 16)
    code = _code(_("Code"), 32, help_text=_("As events name it: SMDG or BIC code, or one of your own."))
    name = forms.CharField(label=_("Name"), max_length=120)
    provider = _code(_("Who keeps the code"), 16, required=False, help_text=_("SMDG, BIC."))


class CarrierForm(CodeForm):
    """A carrier."""

    code = _code(_("Code"), 32, help_text=_("SCAC such as MAEU, as shipments name it."))
    name = forms.CharField(label=_("Name"), max_length=120)
    smdg = _code(_("Liner code"), 8, required=False, help_text=_("SMDG, such as MSK."))


class VesselForm(CodeForm):
    """A vessel."""

    keys = ("imo",)
    imo = forms.RegexField(r"\A[0-9]{7,8}\Z", label=_("IMO number"), help_text=_("Seven digits."))
    name = forms.CharField(label=_("Name"), max_length=80)
    call_sign = _code(_("Call sign"), 16, required=False)
