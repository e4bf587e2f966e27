"""Forms of credits: a reason, nothing else; the figures are never typed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _


class ReasonForm(forms.Form):
    """Why a line is rejected or reversed; the customer reads it."""

    reason = forms.CharField(label=_("Reason"), max_length=400, required=False, help_text=_("Needed to reject."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].widget.attrs["autocomplete"] = "off"
