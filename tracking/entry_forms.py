"""The form of an event entered by hand: which event, when, where, and what proves it.

Which events a shipment can have, and where each would be, is worked out here; what an entry causes stands in services.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext_lazy as _

from tracking import wording
from tracking.types import Classifier, FinalMilestone, Journey, Load, Milestone

_M = Milestone


@dataclass(frozen=True, slots=True)
class Choice:
    """What choosing a milestone means as an event."""

    code: str
    place: str | None
    role: str = ""
    laden: bool | None = None
    mode: str = ""
    whole_shipment: bool = False


def choices_of(journey: Journey) -> dict[Milestone, Choice]:
    """The events that a person can enter for this journey, in the order of its chain."""
    pol, pod, final = journey.pol, journey.pod, journey.final_place or journey.pod
    yard = final if journey.final == FinalMilestone.CY else pod
    found = {
        _M.CFS_RECEIVED: Choice("GTIN", pol, "PRE", laden=True, whole_shipment=True),
        _M.GATE_IN_FULL: Choice("GTIN", pol, "POL", laden=True),
        _M.LOADED: Choice("LOAD", pol, "POL", laden=True, mode="VESSEL"),
        _M.VESSEL_DEPARTED: Choice("DEPA", pol, "POL", mode="VESSEL", whole_shipment=True),
        _M.VESSEL_ARRIVED: Choice("ARRI", pod, "POD", mode="VESSEL", whole_shipment=True),
        _M.DISCHARGED: Choice("DISC", pod, "POD", laden=True, mode="VESSEL"),
        _M.CUSTOMS_HOLD: Choice("CUSI", pod, "POD"),
        _M.CUSTOMS_RELEASED: Choice("CUSR", pod, "POD"),
        _M.CY_AVAILABLE: Choice("AVPU", yard, "POD", laden=True),
        _M.GATE_OUT_FULL: Choice("GTOT", yard, "POD", laden=True),
        _M.CFS_AVAILABLE: Choice("AVPU", final, "PDE", laden=True),
        _M.DELIVERY_FAILED: Choice("DELIVERY_FAILED", final, "PDE"),
        _M.DELIVERED: Choice("DROP", final, "PDE", laden=True),
        _M.EMPTY_RETURN: Choice("GTIN", pod, laden=False),
    }
    if journey.load == Load.FCL:
        del found[_M.CFS_RECEIVED]
    else:
        del found[_M.GATE_IN_FULL], found[_M.EMPTY_RETURN]
    del found[_M.CFS_AVAILABLE if journey.final != FinalMilestone.CFS else _M.CY_AVAILABLE]
    return found


class EntryForm(forms.Form):
    """One event as somebody told it."""

    milestone = forms.ChoiceField(label=_("What happened"))
    classifier = forms.ChoiceField(
        label=_("Is it"), choices=[("ACT", _("a fact: it has happened")), ("EST", _("an estimate: it is expected"))],
        initial="ACT",
    )  # fmt: skip
    container = forms.ChoiceField(label=_("Container"), required=False)
    place = forms.CharField(
        label=_("Place"), max_length=16, required=False,
        help_text=_("UN/LOCODE or a code of ours. Left empty: where this shipment's journey has it."),
    )  # fmt: skip
    day = forms.DateField(label=_("Day there"), widget=forms.DateInput(attrs={"type": "date"}))
    clock_time = forms.TimeField(
        label=_("Time there"), required=False, widget=forms.TimeInput(attrs={"type": "time"}),
        help_text=_("Local time at the place. Left empty: only the day is known, and it counts as its last second."),
    )  # fmt: skip
    note = forms.CharField(
        label=_("Who says so"), max_length=250,
        help_text=_("For example: phoned in by the haulier, Mr de Wit, at 14:20. The customer can read it."),
    )  # fmt: skip
    evidence_file = forms.FileField(
        label=_("Photo or PDF as evidence"), required=False,
        widget=forms.FileInput(attrs={"accept": "image/jpeg,image/png,image/webp,application/pdf"}),
        help_text=_("Without evidence the final milestone is shown but counts for no figure. At most 5 MB."),
    )  # fmt: skip
    evidence_ref = forms.CharField(
        label=_("or where the signed paper is kept"), max_length=100, required=False,
        help_text=_("For example: POD 4711 in the archive of branch Rotterdam."),
    )  # fmt: skip

    def __init__(self, *args: Any, journey: Journey, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.known = choices_of(journey)
        own: Any = self.fields
        own["milestone"].choices = [(m.value, wording.MILESTONES[m]) for m in self.known]
        own["container"].choices = [("", _("all of them")), *((c, c) for c in journey.containers)]
        if not journey.containers:
            del own["container"]

    def clean(self) -> dict[str, Any]:
        """Where it would be, and that the place has a clock."""
        data = super().clean() or {}
        chosen = self.known.get(Milestone(data["milestone"])) if data.get("milestone") else None
        if chosen is not None:
            data["place"] = (data.get("place") or chosen.place or "").strip().upper()
            if not data["place"]:
                self.add_error("place", _("This journey does not say where that would be: give the place."))
        return data

    @property
    def choice(self) -> Choice:
        """What was chosen, as an event."""
        return self.known[Milestone(self.cleaned_data["milestone"])]

    def local(self, zone: ZoneInfo) -> str:
        """The time at the place as ISO 8601 with its offset there, or the bare day."""
        day: date = self.cleaned_data["day"]
        at: time | None = self.cleaned_data["clock_time"]
        return day.isoformat() if at is None else datetime.combine(day, at, zone).isoformat(timespec="minutes")

    @property
    def classified(self) -> Classifier:
        """Fact or estimate."""
        return Classifier(self.cleaned_data["classifier"])


class WithdrawForm(forms.Form):
    """Why an entry is withdrawn."""

    why = forms.CharField(label=_("Why it is withdrawn"), max_length=250, strip=True)
