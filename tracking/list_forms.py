"""The form of a kept view."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from tracking.models import DefaultFor, SavedView


class ViewForm(forms.Form):
    """Its name, who sees it, for whom it opens."""

    name = forms.CharField(label=_("Name"), max_length=60, help_text=_("For example: late into Rotterdam."))
    shared = forms.BooleanField(label=_("Everybody in the account sees it"), required=False)
    default_for = forms.ChoiceField(
        label=_("Opens with Shipments"), required=False, widget=forms.RadioSelect, choices=(),
        help_text=_("Instead of the whole list, for whoever is named here."),
    )  # fmt: skip

    def __init__(self, *args: Any, manages: bool, view: SavedView | None = None, **kwargs: Any) -> None:
        """`manages`: only managers share, and choose for the account."""
        if view is not None:
            kwargs["initial"] = {"name": view.name, "shared": view.is_shared, "default_for": view.default_for}
        super().__init__(*args, **kwargs)
        names = {DefaultFor.NOBODY: _("No"), DefaultFor.OWNER: _("For me"), DefaultFor.ACCOUNT: _("For everybody")}
        offered = [(key.value, label) for key, label in names.items() if manages or key != DefaultFor.ACCOUNT]
        self.fields["default_for"].choices = offered  # type: ignore[attr-defined]
        if not manages:
            del self.fields["shared"]

    def clean_name(self) -> str:
        """One line, without what cannot be seen."""
        name = " ".join(str(self.cleaned_data["name"]).split())
        if not name.isprintable():
            raise forms.ValidationError(_("A name holds letters, digits and signs only."))
        return name
