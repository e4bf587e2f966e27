"""The forms of what a person is told: one line a kind of notice, and the person's hours and lanes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.notify.models import DigestRhythm, MailMode, NoticeHabits, Which
from portal.notify.wishes import Wish
from portal.notify.wording import is_about_a_shipment, kind_label

_GROUP: Final = "tracking.exceptions_grouped"
_OFFSETS: Final = ("Etc/", "posix/", "right/", "SystemV/")


@dataclass(frozen=True, slots=True)
class Row:
    """A kind of notice with its fields, as the page shows it; what a kind does not have is None."""

    key: str
    label: str
    says: str
    mail: forms.BoundField
    bell: forms.BoundField
    which: forms.BoundField | None
    always: forms.BoundField
    is_group: bool  # of several shipments: which, is said of their own kinds


class NoticesForm(forms.Form):
    """What is told, by which channel, of which shipments, and when."""

    digest = forms.ChoiceField(label=gettext_lazy("Digest"), choices=DigestRhythm.choices)
    digest_weekday = forms.TypedChoiceField(
        label=gettext_lazy("On"), coerce=int, choices=[(n, WEEKDAYS[n]) for n in range(7)]
    )
    digest_hour = forms.TypedChoiceField(
        label=gettext_lazy("At"), coerce=int, choices=[(n, f"{n:02}:00") for n in range(24)]
    )
    quiet_from = forms.TimeField(label=gettext_lazy("Quiet from"), required=False)
    quiet_to = forms.TimeField(label=gettext_lazy("until"), required=False)
    quiet_weekend = forms.BooleanField(label=gettext_lazy("Saturday and Sunday are quiet"), required=False)
    zone = forms.ChoiceField(label=gettext_lazy("My time zone"), required=False)

    def __init__(
        self, data: Any = None, *, kinds: Sequence[str], said: Mapping[str, Wish], habits: NoticeHabits | None,
        zone: str, usual_zone: str, lanes: Sequence[str], for_staff: bool,
    ) -> None:  # fmt: skip
        super().__init__(data, initial=_initial(habits or NoticeHabits(), zone))
        self.kinds = kinds
        self.said = {key: said.get(key, Wish()) for key in kinds}
        for key in kinds:
            self._add(key, self.said[key], for_staff)
        for name in ("quiet_from", "quiet_to"):
            self.fields[name].widget = forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
        own: Any = self.fields["zone"]
        own.choices = [("", _("As the account: %(zone)s") % {"zone": usual_zone}), *((z, z) for z in _zones())]
        self.has_lanes = bool(lanes) and not for_staff
        if self.has_lanes:
            self.fields["lanes"] = forms.MultipleChoiceField(
                label=_("My lanes"), required=False, choices=[(lane, lane) for lane in lanes],
                widget=forms.CheckboxSelectMultiple, initial=habits.lanes if habits else [],
            )  # fmt: skip

    def _add(self, key: str, wish: Wish, for_staff: bool) -> None:
        name, _says = kind_label(key)
        about = {"aria-label": _("By mail: %(kind)s") % {"kind": name}}
        self.fields[f"mail-{key}"] = forms.ChoiceField(
            choices=MailMode.choices, initial=wish.mail, widget=forms.Select(attrs=about)
        )
        self.fields[f"bell-{key}"] = forms.BooleanField(
            required=False, initial=wish.bell, label=_("In the portal"),
            widget=forms.CheckboxInput(attrs={"aria-label": _("In the portal: %(kind)s") % {"kind": name}}),
        )  # fmt: skip
        self.fields[f"always-{key}"] = forms.BooleanField(
            required=False, initial=wish.always, label=_("Even in quiet hours"),
            widget=forms.CheckboxInput(attrs={"aria-label": _("Even in quiet hours: %(kind)s") % {"kind": name}}),
        )  # fmt: skip
        if is_about_a_shipment(key) and not for_staff:
            which = {"aria-label": _("Of which shipments: %(kind)s") % {"kind": name}}
            self.fields[f"which-{key}"] = forms.ChoiceField(
                choices=Which.choices, initial=wish.which, widget=forms.Select(attrs=which)
            )

    def rows(self) -> list[Row]:
        """One a kind, in order."""
        return [
            Row(key, *kind_label(key), mail=self[f"mail-{key}"], bell=self[f"bell-{key}"], always=self[f"always-{key}"],
                which=self[f"which-{key}"] if f"which-{key}" in self.fields else None, is_group=key == _GROUP)
            for key in self.kinds
        ]  # fmt: skip

    def clean(self) -> dict[str, Any]:
        """Quiet hours have both ends; what comes in a digest needs one; what is of lanes needs a lane."""
        data: dict[str, Any] = super().clean() or {}
        begin, end = data.get("quiet_from"), data.get("quiet_to")
        if "quiet_from" not in self.errors and "quiet_to" not in self.errors:
            if (begin is None) != (end is None):
                missing = "quiet_to" if end is None else "quiet_from"
                self.add_error(missing, _("Say from when and until when, or leave both empty."))
            elif begin is not None and begin == end:
                self.add_error("quiet_to", _("A day that is quiet all around would hold every mail back for ever."))
        if data.get("digest") == DigestRhythm.NONE and "DIGEST" in self._chosen("mail", data):
            self.add_error("digest", _("Say how often the digest comes: something is to come in it."))
        if "LANES" in self._chosen("which", data) and not data.get("lanes"):
            self.add_error(
                "lanes" if self.has_lanes else None, _("Choose your lanes: something is to come of them only.")
            )
        return data

    def _chosen(self, what: str, data: Mapping[str, Any]) -> set[str]:
        return {str(data.get(f"{what}-{key}", "")) for key in self.kinds}

    def changed_wishes(self) -> dict[str, Wish]:
        """The kinds about which something else is said than before."""
        data, found = self.cleaned_data, {}
        for key, before in self.said.items():
            now = Wish(
                mail=data[f"mail-{key}"], bell=data[f"bell-{key}"], always=data[f"always-{key}"],
                which=data.get(f"which-{key}", before.which),
            )  # fmt: skip
            if now != before:
                found[key] = now
        return found


def _initial(habits: NoticeHabits, zone: str) -> dict[str, Any]:
    return {
        "digest": habits.digest, "digest_hour": habits.digest_hour, "digest_weekday": habits.digest_weekday,
        "quiet_from": habits.quiet_from, "quiet_to": habits.quiet_to, "quiet_weekend": habits.quiet_weekend,
        "zone": zone,
    }  # fmt: skip


@cache
def _zones() -> list[str]:
    """Zones that are called after a place."""
    return [*sorted(z for z in available_timezones() if "/" in z and not z.startswith(_OFFSETS)), "UTC"]


class WordingForm(forms.Form):
    """What stands around the mails to one account, a greeting and a closing for each language."""

    def __init__(self, data: Any = None, *, said: Mapping[str, tuple[str, str]]) -> None:
        super().__init__(data)
        self.languages = dict(settings.LANGUAGES)
        for code, name in self.languages.items():
            greeting, closing = said.get(code, ("", ""))
            self.fields[f"greeting-{code}"] = forms.CharField(
                required=False, max_length=200, initial=greeting,
                label=_("Greeting, %(language)s") % {"language": name},
                help_text=_("Stands above what happened. {name} becomes the reader's name."),
            )  # fmt: skip
            self.fields[f"closing-{code}"] = forms.CharField(
                required=False, max_length=600, initial=closing, widget=forms.Textarea(attrs={"rows": 2}),
                label=_("Closing, %(language)s") % {"language": name},
                help_text=_("Stands below it, such as whom to call."),
            )  # fmt: skip
