"""Forms of tracking's pages: labels and checks; what they cause stands in services."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.core.validators import RegexValidator
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from tracking import codes
from tracking.timing import zone_or_none
from tracking.types import Classifier, Kind, SourceKind
from tracking.wording import EVENTS, MILESTONES, PAPERS, SOURCE_KINDS

FORMATS: Final = (("dcsa", _("DCSA Track & Trace 2.2, JSON")), ("csv", _("Event files, CSV")))


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


class CorrectionForm(forms.Form):
    """An event mended by hand, and how one knows."""

    text = forms.CharField(
        label=_("The event"), strip=False, max_length=120_000,
        widget=forms.Textarea(attrs={"class": "raw-edit", "spellcheck": "false", "rows": 16}),
    )  # fmt: skip
    reason = forms.CharField(
        label=_("What was wrong, and how you know"), max_length=400, strip=True,
        help_text=_("Kept with your name beside the event, for whoever asks later."),
    )  # fmt: skip

    def __init__(self, *args: Any, before: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["text"].initial = before
        self._before = before

    def clean_text(self) -> str:
        """Line ends as the original has them; the same text again is no correction."""
        text = str(self.cleaned_data["text"]).replace("\r\n", "\n")
        if text.split() == self._before.split():
            raise forms.ValidationError(_("Nothing is changed yet."))
        return text.replace("\n", "\r\n") if "\r\n" in self._before else text


_IGNORED: Final = "IGNORED"
_LADEN: Final = {"LADEN": True, "EMPTY": False}


def _meanings(only: str) -> list[tuple[str, Any]]:
    """The canonical codes by kind, with their words; of one kind where the message itself says which."""
    named = [(kind, sorted(listed)) for kind, listed in codes.BY_KIND.items() if only in ("", kind)]
    groups = {Kind.EQUIPMENT: _("Container"), Kind.TRANSPORT: _("Vessel, train or truck"), Kind.SHIPMENT: _("Papers")}
    choices: list[tuple[str, Any]] = [("", "—"), (_IGNORED, _("Nothing that is tracked: set aside at once"))]
    for kind, listed in named:
        entries: list[tuple[str, Any]] = [
            (code, format_lazy("{} ({})", EVENTS.get(code, code), code)) for code in listed
        ]
        if kind == Kind.EQUIPMENT:
            entries.append((codes.DELIVERY_FAILED, MILESTONES[codes.DELIVERY_FAILED]))
        choices.append((str(groups[kind]), entries))
    return choices


class CodeForm(forms.Form):
    """What a code of a source means: one line of its partner table."""

    meaning = forms.ChoiceField(label=_("It means"))
    classifier = forms.ChoiceField(
        label=_("It says that this"), initial=Classifier.ACT.value,
        choices=[("ACT", _("happened")), ("EST", _("is expected")), ("PLN", _("was planned"))],
    )  # fmt: skip
    laden = forms.ChoiceField(
        label=_("The container is"), required=False,
        choices=[("", _("as the message says")), ("LADEN", _("full")), ("EMPTY", _("empty"))],
    )  # fmt: skip
    mode = forms.ChoiceField(
        label=_("Moved by"), required=False,
        choices=[("", _("as the message says")), ("VESSEL", _("vessel")), ("RAIL", _("rail")), ("TRUCK", _("truck")),
                 ("BARGE", _("barge"))],
    )  # fmt: skip
    document_type = forms.ChoiceField(label=_("Which paper"), required=False)
    note = forms.CharField(
        label=_("Where you know it from"), max_length=200, required=False, strip=True,
        help_text=_("Such as the partner's guide, or a mail."),
    )  # fmt: skip

    def __init__(self, *args: Any, kind: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        meaning: Any = self.fields["meaning"]
        meaning.choices = _meanings(kind)
        paper: Any = self.fields["document_type"]
        paper.choices = [("", _("as the message says")), *((c, w) for c, w in PAPERS.items() if c in codes.DOCUMENTS)]

    def line(self) -> dict[str, Any]:
        """The line in the words of the partner table."""
        given, code = self.cleaned_data, self.cleaned_data["meaning"]
        ignored = code == _IGNORED
        return {
            "kind": codes.kind_of(code) or Kind.EQUIPMENT, "event_code": "" if ignored else code,
            "classifier": Classifier(given["classifier"]), "laden": _LADEN.get(given["laden"]), "mode": given["mode"],
            "place_role": "", "document_type": given["document_type"], "is_ignored": ignored, "note": given["note"],
        }  # fmt: skip


class ZoneForm(forms.Form):
    """The time zone of a place."""

    zone = forms.CharField(
        label=_("Its time zone"), max_length=64, strip=True,
        help_text=_("By its IANA name, such as Europe/Rome or Asia/Shanghai."),
    )  # fmt: skip

    def clean_zone(self) -> str:
        """A zone that exists."""
        zone = str(self.cleaned_data["zone"])
        if zone_or_none(zone) is None:
            raise forms.ValidationError(_("There is no time zone of this name."))
        return zone
