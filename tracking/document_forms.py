"""Forms about documents of a shipment: a file with its kind, and why one is withdrawn."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from tracking.filekinds import ACCEPT
from tracking.papers import LABELS, PaperKind

_READERS: Final = (("customer", _("the customer and we")), ("internal", _("only we: an internal document")))


class DocumentForm(forms.Form):
    """A file and what it is."""

    kind = forms.ChoiceField(label=_("What it is"), choices=[(k.value, label) for k, label in LABELS.items()])
    file = forms.FileField(
        label=_("File"), widget=forms.FileInput(attrs={"accept": ACCEPT}), allow_empty_file=True,
        help_text=_("PDF, PNG, JPEG, Word or Excel, at most 10 MB. A further one of its kind is its next version."),
    )  # fmt: skip
    note = forms.CharField(label=_("Note"), max_length=200, required=False, strip=True)
    # nothing is chosen beforehand: whichever it were, somebody in a hurry would be wrong
    readers = forms.ChoiceField(
        label=_("Who reads it"), choices=_READERS, widget=forms.RadioSelect,
        help_text=_("An internal one can be shown to the customer later; what was shown stays shown."),
    )  # fmt: skip

    def __init__(self, *args: Any, is_staff: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_staff = is_staff
        if not is_staff:
            del self.fields["readers"]

    @property
    def kind_chosen(self) -> PaperKind:
        """What was chosen."""
        return PaperKind(self.cleaned_data["kind"])

    @property
    def is_internal(self) -> bool:
        """Whether the staff keep it for themselves."""
        return self.is_staff and self.cleaned_data["readers"] == "internal"


class DocumentWithdrawForm(forms.Form):
    """Why a document is withdrawn."""

    why = forms.CharField(
        label=_("Why it is withdrawn"), max_length=250, strip=True,
        help_text=_("Whoever could read the document reads the reason."),
    )  # fmt: skip
