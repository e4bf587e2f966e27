"""Forms of a source's pages: labels, help and how what is typed becomes values. What can be is judged by services."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from tracking import codes, wording
from tracking.forms import TimeRulesForm, formats
from tracking.identifiers import upper
from tracking.models import AcknowledgementKind, PartnerCode, Source, ZoneRule
from tracking.partners import code_lists
from tracking.services import CodeLine, line_of
from tracking.services.partners import PLACE_ROLES
from tracking.types import Classifier, Kind, SourceKind

MOST_PASTED: Final = 5 * 1024 * 1024
_PARTS: Final = re.compile(r"[\s,;]+")
_LADEN: Final = {"": None, "LADEN": True, "EMPTY": False}


def _listed(text: str) -> list[str]:
    """Codes between commas, blanks or line ends, each once."""
    return list(dict.fromkeys(upper(part) for part in _PARTS.split(text) if part))


class Told(forms.Form):
    """A form that shows the faults that a service found, each at its field."""

    def tell(self, faults: Mapping[str, str]) -> None:
        """What names no field of the form stands above it."""
        for name, fault in faults.items():
            self.add_error(name if name in self.fields else None, fault)


class SourceEditForm(Told, TimeRulesForm):
    """Everything about a source that people set."""

    field_order = ["name", "kind", "format", "zone_rule", "zone"]
    name = forms.CharField(label=_("Name"), max_length=120)
    kind = forms.ChoiceField(
        label=_("Kind"), choices=[(k.value, wording.SOURCE_KINDS[k]) for k in SourceKind],
        help_text=_("Stands on what it reports from now on."),
    )  # fmt: skip
    format = forms.ChoiceField(
        label=_("Format"), choices=formats,
        help_text=_("The bytes have the last word: this one is taken when they look like it, or like nothing known."),
    )  # fmt: skip
    zone_rule = forms.ChoiceField(
        label=_("Times without offset"), choices=ZoneRule.choices,
        help_text=_("In which zone a local time is read. A stated offset always wins."),
    )  # fmt: skip
    zone = forms.CharField(
        label=_("That one zone"), max_length=64, required=False, help_text=_("Such as Europe/Amsterdam.")
    )
    rank = forms.IntegerField(
        label=_("Rank"), required=False,
        help_text=_("Where sources report the same, the lowest rank counts. Empty: the rank of its kind."),
    )  # fmt: skip
    strict_envelope = forms.BooleanField(
        label=_("Refuse messages whose envelope does not fit"), required=False,
        help_text=_("Wrong control counts and references. Else they are warnings."),
    )  # fmt: skip
    all_or_nothing = forms.BooleanField(
        label=_("All events of a message, or none"), required=False,
        help_text=_("One event that cannot be used keeps the others in quarantine with it."),
    )  # fmt: skip
    books_shipments = forms.BooleanField(
        label=_("It may register shipments"), required=False,
        help_text=_("For your own booking system: its key then makes and changes shipments and promises."),
    )  # fmt: skip
    acknowledges = forms.ChoiceField(
        label=_("Acknowledgement"), choices=AcknowledgementKind.choices, required=False,
        help_text=_("What the partner wants to hear back about an interchange."),
    )  # fmt: skip
    accounts = forms.CharField(
        label=_("Accounts it may report on"), required=False, max_length=4_000,
        help_text=_("Account codes between commas. Empty: every account."), widget=forms.Textarea(attrs={"rows": 2}),
    )  # fmt: skip
    carriers = forms.CharField(
        label=_("Carriers it may report for"), required=False, max_length=1_000,
        help_text=_("Carrier codes such as MAEU, between commas. Empty: every carrier."),
    )  # fmt: skip
    silent_after_minutes = forms.IntegerField(
        label=_("Silent after, in minutes"), required=False, help_text=_("Empty: learned from how often it sends.")
    )
    inbox = forms.CharField(
        label=_("Folder"), max_length=40, required=False,
        help_text=_("Under the inbox of this installation; files put there are taken in."),
    )  # fmt: skip

    @classmethod
    def of(cls, source: Source, *, rank: int | None, accounts: list[str], data: Any = None) -> SourceEditForm:
        """As the source is now."""
        plain = {name: getattr(source, name) for name in cls.base_fields if hasattr(source, name)}
        shown = {"rank": rank, "accounts": ", ".join(accounts), "carriers": ", ".join(source.carriers)}
        return cls(data, initial=plain | shown)

    def changes(self) -> dict[str, Any]:
        """For `source_update`."""
        told = dict(self.cleaned_data)
        told["name"] = told["name"].strip()
        told["accounts"], told["carriers"] = _listed(told["accounts"]), _listed(told["carriers"])
        return told


def _event_choices() -> list[tuple[str, Any]]:
    named = [
        (kind.value, [(code, f"{code} · {wording.EVENTS.get(code, code)}") for code in sorted(known)])
        for kind, known in codes.BY_KIND.items()
    ]
    failed = (codes.DELIVERY_FAILED, wording.event(codes.DELIVERY_FAILED))
    return [("", _("none")), *named, (str(_("Without a standard code")), [failed])]


def _optional(values: Any, empty: Any) -> list[tuple[str, Any]]:
    return [("", empty), *((v, v) for v in values)]


class CodeForm(Told):
    """What one code means when this source sends it."""

    listed = forms.ChoiceField(label=_("List"), help_text=_("The format that the code stands in."))
    code = forms.CharField(label=_("Code"), max_length=40, help_text=_("As the source sends it."))
    agency = forms.CharField(
        label=_("Agency"), max_length=16, required=False, help_text=_("Who keeps the list, as sent. Empty: any.")
    )
    is_ignored = forms.BooleanField(
        label=_("It says nothing that is tracked"), required=False, help_text=_("Kept and set aside at once.")
    )
    kind = forms.ChoiceField(label=_("Kind of event"), choices=[(k.value, k.value) for k in Kind])
    event_code = forms.ChoiceField(
        label=_("Event"), choices=_event_choices, required=False, help_text=_("None only for a code that is ignored.")
    )
    classifier = forms.ChoiceField(
        label=_("Planned, estimated or actual"), initial=Classifier.ACT.value,
        choices=[(c.value, wording.CLASSIFIERS[c]) for c in Classifier],
        help_text=_("DCSA messages and our own tables say it themselves; there it is not asked."),
    )  # fmt: skip
    laden = forms.ChoiceField(
        label=_("Laden"), required=False,
        choices=[("", _("as the message says")), ("LADEN", _("laden")), ("EMPTY", _("empty"))],
    )  # fmt: skip
    mode = forms.ChoiceField(
        label=_("Mode"), required=False, choices=lambda: _optional(sorted(codes.MODES), _("as the message says"))
    )
    place_role = forms.ChoiceField(
        label=_("Role of the place"), required=False, choices=lambda: _optional(PLACE_ROLES, _("as the message says"))
    )
    document_type = forms.ChoiceField(
        label=_("Document"), required=False,
        choices=lambda: [("", _("none")), *((c, f"{c} · {wording.PAPERS.get(c, c)}") for c in sorted(codes.DOCUMENTS))],
    )  # fmt: skip
    note = forms.CharField(label=_("Note"), max_length=200, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["listed"]
        field.choices = [(name, name) for name in code_lists()]

    @classmethod
    def of(cls, row: PartnerCode) -> CodeForm:
        """As the line is now."""
        line = line_of(row)
        shown = {name: getattr(line, name) for name in CodeLine.__slots__}
        return cls(initial={**shown, "laden": {True: "LADEN", False: "EMPTY"}.get(line.laden, "")})  # type: ignore[arg-type]

    def line(self) -> CodeLine:
        """What was written down; codes count in upper case."""
        told = dict(self.cleaned_data)
        told["code"], told["agency"] = upper(told["code"]), upper(told["agency"])
        return CodeLine(**{**told, "laden": _LADEN[told["laden"]]})


class CodesFileForm(Told):
    """A partner table as a file."""

    file = forms.FileField(
        label=_("CSV file"), help_text=_("Columns: list, agency, code, kind, event_code, classifier, laden, mode, …"),
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
    )  # fmt: skip


class RankForm(Told):
    """An account's own rank of a source."""

    account = forms.ChoiceField(label=_("Account"))
    rank = forms.IntegerField(
        label=_("Rank for this account"), required=False, help_text=_("Empty: as for everybody else.")
    )

    def __init__(self, *args: Any, accounts: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["account"]
        field.choices = accounts


class SourceKeyForm(Told):
    """A further key."""

    label = forms.CharField(label=_("Name of the key"), max_length=80, help_text=_("Such as the system that uses it."))


class BenchForm(Told):
    """A message to try."""

    text = forms.CharField(
        label=_("Message"), strip=False, max_length=MOST_PASTED,
        widget=forms.Textarea(attrs={"rows": 12, "spellcheck": "false", "autocomplete": "off", "class": "mono"}),
        help_text=_("As the source would send it. Nothing of it is stored."),
    )  # fmt: skip

    def body(self) -> bytes:
        """The bytes; a browser writes line ends of its own."""
        text: str = self.cleaned_data["text"]
        return text.replace("\r\n", "\n").encode("utf-8", "surrogatepass")
