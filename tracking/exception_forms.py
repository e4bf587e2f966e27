"""Forms about exceptions: labels and checks; what they cause stands in services."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext_lazy as _

from portal.tenancy.models import Member
from tracking.models import OwnerKind, Resolution


def people(members: Sequence[Member]) -> list[tuple[str, str]]:
    """Choices of the staff."""
    return [(m.public_id, m.name) for m in members]


class AssignForm(forms.Form):
    """Who takes a case over."""

    owner = forms.ChoiceField(label=_("Owner"))

    def __init__(self, *args: Any, members: Sequence[Member], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"].choices = people(members)  # type: ignore[attr-defined]


class NoteForm(forms.Form):
    """What is being done."""

    note = forms.CharField(
        label=_("What is being done"), max_length=1000, strip=True, widget=forms.Textarea(attrs={"rows": 3})
    )  # fmt: skip
    for_customer = forms.BooleanField(
        label=_("The customer reads it"), required=False, help_text=_("Else it stays among your own people."),
    )  # fmt: skip


class ResolveForm(forms.Form):
    """How a case ends, and why."""

    resolution = forms.ChoiceField(label=_("It was"), choices=Resolution.choices)
    reason = forms.CharField(
        label=_("Reason"), max_length=1000, strip=True, help_text=_("The customer reads it."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )  # fmt: skip


class CutoffForm(forms.Form):
    """Until when the boxes must be at the terminal, as read there."""

    day = forms.DateField(
        label=_("Day there"), widget=forms.DateInput(attrs={"type": "date"}), required=False,
        validators=[MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2199, 12, 31))],
        help_text=_("Left empty: the cut-off is not known, and nothing is said about it."),
    )  # fmt: skip
    clock_time = forms.TimeField(
        label=_("Time there"), widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"), required=False
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        """A cut-off is a minute, not a day."""
        data = super().clean() or {}
        if data.get("day") and not data.get("clock_time") and "clock_time" not in self.errors:
            self.add_error("clock_time", _("Say at what time."))
        return data

    def instant(self, zone: ZoneInfo) -> datetime | None:
        """In UTC; of a time that comes twice there, the first."""
        day, at = self.cleaned_data["day"], self.cleaned_data["clock_time"]
        return datetime.combine(day, at, zone).astimezone(UTC) if day else None


class OwnerForm(forms.Form):
    """Who owns the exceptions of an account, a lane or a branch from a day on."""

    kind = forms.ChoiceField(label=_("Of"), choices=OwnerKind.choices)
    account = forms.ChoiceField(label=_("Account"), required=False)
    about = forms.RegexField(
        r"^[A-Za-z0-9?._ /-]{1,64}$", label=_("Lane or branch"), required=False,
        help_text=_("A lane as CNSHA-NLRTM; a branch by its code."),
    )  # fmt: skip
    owner = forms.ChoiceField(label=_("Owner"))
    deputy = forms.ChoiceField(label=_("Deputy"), required=False)
    valid_from = forms.DateField(
        label=_("From"), widget=forms.DateInput(attrs={"type": "date"}),
        validators=[MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2199, 12, 31))],
    )  # fmt: skip

    def __init__(
        self, *args: Any, members: Sequence[Member], accounts: Sequence[tuple[str, str]], **kwargs: Any
    ) -> None:  # fmt: skip
        super().__init__(*args, **kwargs)
        self.fields["owner"].choices = people(members)  # type: ignore[attr-defined]
        self.fields["deputy"].choices = [("", _("none")), *people(members)]  # type: ignore[attr-defined]
        self.fields["account"].choices = [("", "—"), *accounts]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """An account is chosen, a lane or a branch is written."""
        data = super().clean() or {}
        if data.get("kind") == OwnerKind.ACCOUNT and not data.get("account"):
            self.add_error("account", _("Choose the account."))
        elif data.get("kind") in (OwnerKind.LANE, OwnerKind.BRANCH) and not data.get("about"):
            self.add_error("about", _("Say which lane or branch."))
        if data.get("deputy") and data.get("deputy") == data.get("owner"):
            self.add_error("deputy", _("A deputy is somebody else."))
        return data
