"""What is asked for when a link is made."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from portal.shares.services import MOST_DAYS


class ShareForm(forms.Form):
    """Whom the link is for, for how many days it works, and what it shows."""

    label = forms.CharField(
        label=_("For whom"), max_length=80, help_text=_("So that you know it again; the link does not show it.")
    )
    days = forms.IntegerField(label=_("Days it works"), min_value=1, max_value=MOST_DAYS, initial=14)
    shows_containers = forms.BooleanField(label=_("Show container numbers"), required=False)
    shows_references = forms.BooleanField(
        label=_("Show references"), required=False, help_text=_("Shipment number, booking, bills of lading, orders.")
    )

    def __init__(self, *args: Any, zone: ZoneInfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["days"].help_text = _now("It ends with the last of them, %(zone)s time; %(most)d at most.") % {
            "zone": zone.key, "most": MOST_DAYS,
        }  # fmt: skip
