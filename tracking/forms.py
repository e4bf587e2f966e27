"""Forms of tracking's pages: labels and checks; what they cause stands in services."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.core.validators import RegexValidator
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from portal.lib.egress import EgressRefused, target_of
from tracking import codes
from tracking.feeds import FILTERS
from tracking.models import SecretIn
from tracking.registry import ADAPTERS, AUTO
from tracking.timing import zone_or_none
from tracking.types import Classifier, Kind, SourceKind
from tracking.wording import EVENTS, MILESTONES, PAPERS, SOURCE_KINDS


def formats() -> list[tuple[str, Any]]:
    """Every format that is read, by its name; a new adapter is offered by itself."""
    return [*((a.key, a.label) for a in ADAPTERS), (AUTO, _("Whatever its messages look like"))]


def format_name(key: str) -> str:
    """A format in words; one that is not read any more keeps its key."""
    return str(dict(formats()).get(key, key))


_TAKEN: Final = frozenset({"new", "readiness", "freshness", "upload", "entry"})


class TimeRulesForm(forms.Form):
    """How a source's times are taken; asked when it is made, and again where it is edited."""

    future_act_as_est = forms.BooleanField(
        label=_("Take actuals in the future as estimates"), required=False,
        help_text=_("Else an actual more than 15 minutes ahead goes to quarantine."),
    )  # fmt: skip
    arrival_is_anchorage = forms.BooleanField(
        label=_("Its arrivals are at the anchorage"), required=False,
        help_text=_("Else an arrival means the berth."),
    )  # fmt: skip


class SourceForm(TimeRulesForm):
    """A new source of events."""

    name = forms.CharField(label=_("Name"), max_length=120, help_text=_("The partner or system, as people call it."))
    key = forms.CharField(
        label=pgettext_lazy("of a source", "Key"), max_length=40,
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
    field_order = ["name", "key", "kind", "format", "account"]

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


class PollForm(forms.Form):
    """How the events of a source are fetched."""

    base_url = forms.CharField(
        label=_("Address"), max_length=500,
        help_text=_("Of the carrier's Track & Trace 2.2; what stands before /v2/events."),
    )  # fmt: skip
    token_url = forms.CharField(
        label=_("Token address"), max_length=500, required=False,
        help_text=_("Where client credentials are given for a token (OAuth 2). Empty: no token is needed."),
    )  # fmt: skip
    client_id = forms.CharField(label=_("Client id"), max_length=200, required=False)
    secret = forms.CharField(
        label=_("Client secret"), max_length=500, required=False, strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("Never shown again, so that it is entered once more after a test."),
    )  # fmt: skip
    secret_in = forms.ChoiceField(label=_("The secret is sent"), choices=SecretIn.choices)
    scope = forms.CharField(label=_("Scope"), max_length=200, required=False)
    interval_minutes = forms.IntegerField(
        label=_("Every so many minutes"), min_value=1, max_value=1_440, initial=15,
        help_text=_("Carriers rarely know more within a quarter of an hour; some limit how often they are asked."),
    )  # fmt: skip
    overlap_minutes = forms.IntegerField(
        label=_("Minutes asked for again"), min_value=0, max_value=10_080, initial=120,
        help_text=_("An event may become visible after a later one. What comes twice is recognised."),
    )  # fmt: skip
    page_size = forms.IntegerField(label=_("Events on one page"), min_value=1, max_value=1_000, initial=100)
    days_back = forms.IntegerField(
        label=_("Days to look back at first"), min_value=0, max_value=400, initial=14,
        help_text=_("Counts for a new address only; afterwards we go on from where we were."),
    )  # fmt: skip
    filters = forms.CharField(
        label=_("Filters"), max_length=2_000, required=False, widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("One name=value a line, as the standard names them, such as eventType=EQUIPMENT,TRANSPORT."),
    )  # fmt: skip

    def __init__(self, *args: Any, has_secret: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.has_secret = has_secret
        if has_secret:
            self.fields["secret"].help_text = _("One is kept. Leave this empty to go on with it.")

    def clean_base_url(self) -> str:
        """Without the part that every publisher has."""
        told = self.cleaned_data["base_url"].rstrip("/")
        url = str(told).removesuffix("/events").removesuffix("/v2").rstrip("/")
        if "?" in url:
            raise forms.ValidationError(_("Parameters belong into the filters."))
        return _callable(url)

    def clean_token_url(self) -> str:
        """Empty, or an address."""
        return _callable(self.cleaned_data["token_url"]) if self.cleaned_data["token_url"] else ""

    def clean_filters(self) -> dict[str, str]:
        """Lines as pairs; names of the standard only."""
        found: dict[str, str] = {}
        for line in self.cleaned_data["filters"].splitlines():
            name, _sign, value = (part.strip() for part in line.partition("="))
            if not name and not value:
                continue
            if name not in FILTERS:
                raise forms.ValidationError(_("%(name)s is not a filter of the standard."), params={"name": name})
            if not value or name in found:
                raise forms.ValidationError(
                    _("%(name)s needs one value; several are separated by commas."), params={"name": name}
                )
            found[name] = value
        return found

    def clean(self) -> dict[str, Any]:
        """A token needs somebody to ask for it."""
        told: dict[str, Any] = super().clean() or {}
        if told.get("token_url"):
            if not told.get("client_id"):
                self.add_error("client_id", _("A token is given to a client id only."))
            if not told.get("secret") and not self.has_secret:
                self.add_error("secret", _("A token is given for a secret only."))
        return told


def _callable(url: str) -> str:
    try:
        target_of(url)
    except EgressRefused as error:
        raise forms.ValidationError(error.sentence()) from None
    return url


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
