"""Forms of tracking's pages: labels and checks; what they cause stands in services."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from tracking.registry import ADAPTERS, AUTO
from tracking.types import SourceKind
from tracking.wording import SOURCE_KINDS


def formats() -> list[tuple[str, Any]]:
    """Every format that is read, by its name; a new adapter is offered by itself."""
    return [*((a.key, a.label) for a in ADAPTERS), (AUTO, _("Whatever its messages look like"))]


def format_name(key: str) -> str:
    """A format in words; one that is not read any more keeps its key."""
    return str(dict(formats()).get(key, key))


_TAKEN: Final = frozenset({"new", "readiness", "freshness", "upload", "entry"})


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
    format = forms.ChoiceField(label=_("Format"), choices=formats, initial="dcsa")
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

    def clean_key(self) -> str:
        """Some words stand in the addresses of pages already."""
        key: str = self.cleaned_data["key"]
        if key in _TAKEN:
            raise forms.ValidationError(_("This word has a page of its own; choose another key."))
        return key


class DiscardForm(forms.Form):
    """Why an event is given up."""

    reason = forms.CharField(label=_("Why it is set aside"), max_length=400, strip=True)
