"""Forms of tracking's pages: labels and checks; what they cause stands in services."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from tracking.types import SourceKind
from tracking.wording import SOURCE_KINDS

FORMATS: Final = (
    ("dcsa", _("DCSA Track & Trace 2.2, JSON")),
    ("csv", _("Event files, CSV")),
    ("table", _("Spreadsheets with columns of their own, CSV or XLSX")),
)


class SourceForm(forms.Form):
    """A new source of events."""

    name = forms.CharField(label=_("Name"), max_length=120, help_text=_("The partner or system, as people call it."))
    key = forms.CharField(
        label=_("Key"), max_length=40,
        validators=[RegexValidator(r"\A[a-z0-9][a-z0-9_-]{1,39}\Z", _("Lower-case letters, digits, - and _ only."))],
        help_text=_("Stands in the addresses that it sends to, and beside every event it reports."),
    )  # fmt: skip
    kind = forms.ChoiceField(
        label=_("Kind"), choices=[(k.value, SOURCE_KINDS[k]) for k in SourceKind],
        help_text=_("Where sources report the same, the kind decides which one counts."),
    )  # fmt: skip
    format = forms.ChoiceField(label=_("Format"), choices=FORMATS)
    account = forms.ChoiceField(
        label=_("Belongs to"), required=False,
        help_text=_("A source of one account can report on that account's shipments only."),
    )  # fmt: skip
    future_act_as_est = forms.BooleanField(
        label=_("Take actuals in the future as estimates"), required=False,
        help_text=_("Else an actual more than 15 minutes ahead goes to quarantine."),
    )  # fmt: skip
    arrival_is_anchorage = forms.BooleanField(
        label=_("Its arrivals are at the anchorage"), required=False,
        help_text=_("Else an arrival means the berth."),
    )  # fmt: skip

    def __init__(self, *args: Any, accounts: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own: Any = self.fields["account"]
        own.choices = [("", _("the operator: it may report on every account")), *accounts]


class DiscardForm(forms.Form):
    """Why an event is given up."""

    reason = forms.CharField(label=_("Why it is set aside"), max_length=400, strip=True)
