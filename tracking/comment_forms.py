"""Forms about comments: what is written, for whom, who is told; and why one is withdrawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django import forms
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from tracking.mentions import Person
from tracking.models import LONGEST_COMMENT

_READERS: Final = (("internal", _("Internal note: only we read it")), ("customer", _("The customer reads it")))


class CommentForm(forms.Form):
    """A comment. The staff say who reads it; what they do not say is an internal note."""

    text = forms.CharField(
        label=_("Write a comment"), max_length=LONGEST_COMMENT, strip=True,
        widget=forms.Textarea(attrs={"rows": 3, "data-mentions": "mention-names", "data-people": _("People")}),
    )  # fmt: skip
    readers = forms.ChoiceField(
        label=_("Who reads it"), choices=_READERS, required=False, initial="internal", widget=forms.RadioSelect
    )  # fmt: skip
    named = forms.MultipleChoiceField(
        label=_("Tell these people"), required=False, widget=forms.CheckboxSelectMultiple,
        help_text=_("They get a mail. Naming somebody in the text, as @Name, does the same."),
    )  # fmt: skip

    def __init__(self, *args: Any, people: Sequence[Person], is_staff: bool, me: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_staff = is_staff
        own: Any = self.fields
        others = [p for p in people if p.id != me]
        own["named"].choices = [(p.id, self._label(p)) for p in others]
        self.names = sorted({p.name for p in others})
        if not is_staff:
            del own["readers"]
        if not others:
            del own["named"]

    def _label(self, person: Person) -> str:
        """Whose side somebody is on is said to the other side."""
        if person.is_staff == self.is_staff:
            return person.name
        side = _now("your forwarder") if person.is_staff else _now("the customer")
        return f"{person.name} ({side})"

    @property
    def is_internal(self) -> bool:
        """Unless it is said that the customer reads it."""
        return self.is_staff and self.cleaned_data["readers"] != "customer"


class CommentWithdrawForm(forms.Form):
    """Why the desk withdraws a comment."""

    why = forms.CharField(label=_("Why it is withdrawn"), max_length=250, strip=True)
