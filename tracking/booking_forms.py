"""Forms about shipments and their promises. What a shipment may look like is decided where rows of files are read."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext_lazy as _

from portal.lib.periods import local_midnight
from tracking import bookings
from tracking.models import CommitmentRow, ReferenceKind, Shipment
from tracking.types import FinalMilestone, Load, Mode, Refusal

FINALS = [
    (FinalMilestone.CY.value, _("available at the terminal (CY)")),
    (FinalMilestone.CFS.value, _("available at the warehouse (CFS)")),
    (FinalMilestone.DOOR.value, _("delivered at the door")),
]
MODES = [
    (Mode.SEA.value, _("Sea")),
    (Mode.AIR.value, _("Air")),
    (Mode.ROAD.value, _("Road")),
    (Mode.RAIL.value, _("Rail")),
]
LOADS = [(Load.FCL.value, _("FCL: whole containers")), (Load.LCL.value, _("LCL: a part of a container"))]
_DAYS = [MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2199, 12, 31))]


def _day(**more: Any) -> forms.DateField:
    return forms.DateField(widget=forms.DateInput(attrs={"type": "date"}), validators=_DAYS, **more)


def _text(label: Any, *, most: int = 64, needed: bool = False, help_text: Any = "") -> forms.CharField:
    return forms.CharField(label=label, max_length=most, required=needed, help_text=help_text)


class BookingForm(forms.Form):
    """A shipment as booked; the same form changes what describes it."""

    shipment_ref = _text(_("Shipment"), needed=True, help_text=_("Your number of it. It never changes."))
    mode = forms.ChoiceField(label=_("Mode"), choices=MODES)
    load = forms.ChoiceField(label=_("Load"), choices=LOADS)
    pol = _text(_("Origin"), most=16, help_text=_("UN/LOCODE such as CNSHA, or a code of yours."))
    pod = _text(_("Destination port"), most=16, help_text=_("UN/LOCODE such as NLRTM; airports and ramps too."))
    final_milestone = forms.ChoiceField(label=_("Promised is"), choices=FINALS)
    final_place = _text(_("Where that is"), most=16, help_text=_("Left empty: at the destination port."))
    due_date = _day(label=_("Promised day"), help_text=_("Local to that place. It is kept until the day is over."))
    tol_days = forms.IntegerField(label=_("Days of tolerance"), min_value=0, max_value=60, required=False)
    containers = forms.CharField(
        label=_("Containers"), required=False, max_length=4_000, widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Numbers between blanks, commas or lines. One that is left out leaves the shipment."),
    )  # fmt: skip
    transhipments = _text(_("Transhipment ports"), help_text=_("In their order, between commas."))
    carrier = _text(_("Carrier"), most=32, help_text=_("SCAC such as MAEU."))
    vessel_imo = _text(_("Vessel, IMO number"), most=12)
    voyage = _text(_("Voyage"), most=50)
    booking = _text(_("Carrier's booking"))
    mbl = _text(_("Master bill"))
    hbl = _text(_("House bill"))
    po_numbers = _text(_("Purchase orders"), most=640, help_text=_("Between commas."))
    trade = _text(_("Trade"))
    branch = _text(_("Branch"), most=32)
    vertical = _text(_("Vertical"))

    def __init__(self, *args: Any, account: str, known: Shipment | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.account, self.known = account, known
        if known is not None:
            del self.fields["shipment_ref"], self.fields["due_date"], self.fields["tol_days"]

    def clean(self) -> dict[str, Any]:
        """Read as a row of a file is, so that both agree on what can be."""
        data = super().clean() or {}
        if self.errors:
            return data
        told = bookings.of_fields(self._cells(data))
        if isinstance(told, Refusal):
            column = told.position.partition(".")[2]
            self.add_error(column if column in self.fields else None, told.detail)
        else:
            data["row"] = told
        return data

    def _cells(self, data: dict[str, Any]) -> dict[str, str]:
        lists = {name: "|".join(data[name].replace(",", " ").split()) for name in ("containers", "transhipments")}
        lists["po_numbers"] = "|".join(data["po_numbers"].split(","))
        plain = {name: "" if data[name] is None else str(data[name]) for name in self.fields}
        if self.known is not None and data["mode"] == self.known.mode:
            plain["mode"] = self.known.mode_as_written or plain["mode"]  # kept as somebody once wrote it
        return {**plain, **lists, "account": self.account, **(self._kept() if self.known is not None else {})}

    def _kept(self) -> dict[str, str]:
        """What this form does not change: name, promise, and when it was booked, confirmed or cancelled."""
        assert self.known is not None
        known, asked = self.known, newest_asked(self.known)
        instants = {name: getattr(known, name) for name in ("booked_at", "confirmed_at", "cancelled_at")}
        return {
            "shipment_ref": known.ref, "cancelled_by": known.cancelled_by,
            **{name: instant.isoformat() if instant else "" for name, instant in instants.items()},
            "due_date": asked.due_date.isoformat() if asked.due_date else "",
            "due_at": asked.due_at.isoformat() if asked.due_at else "",
            "tol_days": str(asked.tol_days), "tol_hours": str(asked.tol_hours),
        }  # fmt: skip


def newest_asked(shipment: Shipment) -> CommitmentRow:
    """What was last asked for, binding or not."""
    found = shipment.commitments.order_by("-id").first()
    assert found is not None
    return found


def described(shipment: Shipment, live: list[str]) -> dict[str, str]:
    """The form's values of a known shipment; `live`: its containers now."""
    written: dict[str, list[str]] = {}
    for kind, text in shipment.references.order_by("id").values_list("kind", "written"):
        written.setdefault(kind, []).append(text)
    names = {"booking": ReferenceKind.BOOKING, "mbl": ReferenceKind.MBL, "hbl": ReferenceKind.HBL}
    same = ("pol", "pod", "final_place", "carrier", "vessel_imo", "voyage", "trade", "branch", "vertical", "mode",
            "load", "final_milestone")  # fmt: skip
    return {
        **{name: getattr(shipment, name) for name in same},
        **{name: written.get(kind, [""])[-1] for name, kind in names.items()},
        "po_numbers": ", ".join(written.get(ReferenceKind.PO, [])), "containers": " ".join(live),
        "transhipments": ", ".join(shipment.transhipments),
    }  # fmt: skip


class PromiseForm(forms.Form):
    """Another promised day, and who asked for it."""

    due_date = _day(label=_("New promised day"))
    asked_by = forms.ChoiceField(
        label=_("Who asked for it"), widget=forms.RadioSelect,
        choices=[("CUSTOMER", _("The customer: it counts from now on")),
                 ("OPERATOR", _("We did: it is shown, and the old day still counts"))],
    )  # fmt: skip
    reason = forms.CharField(
        label=_("Reason"), max_length=250, help_text=_("Who said so, and why. The customer can read it.")
    )


class CancelForm(forms.Form):
    """Who called a shipment off."""

    cancelled_by = forms.ChoiceField(
        label=_("Who called it off"),
        choices=[("CUSTOMER", _("the customer")), ("CARRIER", _("the carrier")), ("OPERATOR", _("we did"))],
    )  # fmt: skip
    day = _day(label=_("Day"))

    def instant(self, zone: ZoneInfo, now: datetime) -> datetime:
        """The beginning of that day, or now when it is today or later."""
        day: date = self.cleaned_data["day"]
        return min(local_midnight(day, zone), now)


class ManyForm(forms.Form):
    """Rows of `shipments.csv`: a file, or pasted."""

    file = forms.FileField(
        label=_("CSV file"), required=False, widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv"})
    )
    rows = forms.CharField(
        label=_("or its rows"), required=False, strip=False, max_length=1_000_000,
        widget=forms.Textarea(attrs={"rows": 12, "spellcheck": "false", "wrap": "off"}),
        help_text=_("With a line of column names. What is wrong can be mended here after a look."),
    )  # fmt: skip

    def text(self) -> bytes:
        """What came; the file wins. Adds an error when there is neither."""
        file = self.cleaned_data["file"]
        if file is not None:
            return bytes(file.read())
        return str(self.cleaned_data["rows"]).encode()

    def clean(self) -> dict[str, Any]:
        """One of both is needed."""
        data = super().clean() or {}
        file = data.get("file")
        if file is None and not (data.get("rows") or "").strip():
            self.add_error("file", _("Choose a file, or paste its rows."))
        if file is not None and (file.size or 0) > 1_000_000:
            self.add_error("file", _("The file has more than 1 MB; send it in parts."))
        return data
