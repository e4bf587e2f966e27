"""The form of the look."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.brand.colours import DEFAULT, is_colour


class BrandForm(forms.Form):
    """Everything people choose about the look."""

    accent = forms.CharField(
        label=_("Accent"), required=False, max_length=7,
        widget=forms.TextInput(attrs={"type": "color"}),
        help_text=_("Links and main buttons. Made darker or lighter where it could not be read."),
    )  # fmt: skip
    logo = forms.FileField(
        label=_("Logo"), required=False, widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg,image/webp"}),
        help_text=_("PNG, JPEG or WebP, at most 1 MB, best on a transparent ground. It stands on top of every page."),
    )  # fmt: skip
    drop_logo = forms.BooleanField(label=_("Take the logo away"), required=False)
    sender_name = forms.CharField(
        label=_("Name of the sender of mails"), max_length=80, required=False,
        help_text=_("Left empty: the name of this installation's settings."),
    )  # fmt: skip
    sender = forms.EmailField(
        label=_("Address of the sender"), required=False,
        help_text=_("Your mail server must be allowed to send for its domain (SPF, DKIM), or mails are lost."),
    )  # fmt: skip

    def clean_accent(self) -> str:
        """`#rrggbb`, or empty for our own."""
        accent = str(self.cleaned_data["accent"]).strip().lower()
        if accent and not is_colour(accent):
            raise forms.ValidationError(_("A colour is written like #0b5683."))
        return "" if accent == DEFAULT else accent

    def clean_sender_name(self) -> str:
        """A header must stay one line."""
        name = str(self.cleaned_data["sender_name"])
        if any(ord(c) < 32 or c in "\x7f\x85\u2028\u2029" for c in name):
            raise forms.ValidationError(_("A name is one line."))
        return name

    def values(self) -> dict[str, Any]:
        """For `brand_change`, but for the picture."""
        data = self.cleaned_data
        return {name: data[name] for name in ("accent", "sender_name", "sender", "drop_logo")}
