"""What people enter about endpoints; each refusal stands beside its field."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.lib.egress import LONGEST_URL, EgressRefused, customer_reach, target_of
from portal.webhooks.payloads import kind_says


class EndpointForm(forms.Form):
    """Name, address and kinds of an endpoint."""

    label = forms.CharField(
        label=_("Name"), max_length=80, help_text=_("Which of your systems it is, for example “TMS, production”.")
    )
    url = forms.CharField(
        label=_("Address"), max_length=LONGEST_URL,
        widget=forms.URLInput(attrs={"spellcheck": "false", "autocomplete": "off", "placeholder": "https://"}),
        help_text=_("Public, with https and a certificate that browsers trust. It is called by POST."),
    )  # fmt: skip
    kinds = forms.MultipleChoiceField(
        label=_("Events"), widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one kind of event.")},
    )  # fmt: skip

    def __init__(self, *args: Any, offered: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["kinds"]
        field.choices = [(key, kind_says(key)) for key in offered]

    def clean_url(self) -> str:
        """The address, when it may be called at all."""
        url = str(self.cleaned_data["url"]).strip()
        try:
            target_of(url, customer_reach())
        except EgressRefused as refused:
            raise ValidationError(refused.sentence()) from None
        return url


class RotateForm(forms.Form):
    """How long the old secret goes on signing beside the new one."""

    HOURS: Final = (
        ("0", _("It ends at once")), ("1", _("1 hour")), ("24", _("24 hours")), ("168", _("7 days")),
    )  # fmt: skip

    hours = forms.ChoiceField(
        label=_("The old secret still signs for"), choices=HOURS, initial="24",
        help_text=_("Meanwhile each message carries both signatures, so your system may check either."),
    )  # fmt: skip

    def overlap(self) -> timedelta:
        """As a span."""
        return timedelta(hours=int(self.cleaned_data["hours"]))


class SampleForm(forms.Form):
    """Which example to send."""

    kind = forms.ChoiceField(label=_("Event"))

    def __init__(self, *args: Any, offered: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["kind"]
        field.choices = [(key, kind_says(key)) for key in offered]


class ReplayForm(forms.Form):
    """From when until when, in the account's zone, and which of it."""

    WHICH: Final = (("lost", _("What was not delivered")), ("all", _("Everything, also what was delivered")))
    _AT = {"type": "datetime-local", "step": "60"}

    since = forms.DateTimeField(label=_("From"), widget=forms.DateTimeInput(attrs=_AT, format="%Y-%m-%dT%H:%M"))
    until = forms.DateTimeField(label=_("Until, and not including"), widget=forms.DateTimeInput(
        attrs=_AT, format="%Y-%m-%dT%H:%M"))  # fmt: skip
    which = forms.ChoiceField(label=_("Messages"), choices=WHICH, initial="lost")

    def __init__(self, *args: Any, zone: ZoneInfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = zone

    def full_clean(self) -> None:
        """Times are read as the account's local ones."""
        with timezone.override(self.zone):
            super().full_clean()

    def clean(self) -> dict[str, Any]:
        """The end comes after the beginning."""
        given: dict[str, Any] = super().clean() or {}
        since, until = given.get("since"), given.get("until")
        if isinstance(since, datetime) and isinstance(until, datetime) and until <= since:
            self.add_error("until", _("The end must come after the beginning."))
        return given
