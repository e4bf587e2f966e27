"""The form of a free-day term, and a file of such forms, line by line: both are checked by the same fields."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from tracking import csvtable
from tracking.freetime import MOST_FREE_DAYS, FreeKind, Term
from tracking.models import Place
from tracking.rules import FreeTimeStart
from tracking.types import Refusal, Unreadable

KINDS: Final = (
    (FreeKind.DEMURRAGE.value, _("Demurrage: the full box at the terminal of import")),
    (FreeKind.DETENTION.value, _("Detention: the box is out, until it is back empty")),
)
STARTS: Final = (
    (FreeTimeStart.NEXT_DAY.value, _("the day after")), (FreeTimeStart.EVENT_DAY.value, _("the day itself")),
)  # fmt: skip
DAYS: Final = (("CALENDAR", _("calendar days")), ("WORKING", _("working days")))
COLUMNS: Final = (
    "kind", "place", "terminal", "free_days", "start", "days", "holidays", "first_day", "last_day",
)  # fmt: skip
NEEDED: Final = ("kind", "place", "free_days", "first_day")
MOST_LINES: Final = 1_000
MOST_BYTES: Final = 256 * 1024
_MOST_HOLIDAYS: Final = 400
_APART: Final = re.compile(r"[\s,;|]+")
_IN_YEARS: Final = (MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2199, 12, 31)))


class FreeTermForm(forms.Form):
    """One term. `known`: the places with a zone among those that the forms of a file name; asked when not given."""

    kind = forms.ChoiceField(
        label=_("For"), choices=KINDS,
        error_messages={"invalid_choice": _("This is neither DEMURRAGE nor DETENTION.")},
    )  # fmt: skip
    place = forms.RegexField(
        r"^[A-Za-z0-9?._-]{1,16}$", label=_("Port or place"), help_text=_("UN/LOCODE, such as NLRTM."),
        error_messages={"invalid": _("This is no code of a place.")},
    )  # fmt: skip
    terminal = forms.RegexField(
        r"^[A-Za-z0-9._/-]{1,32}$", label=_("Terminal"), required=False,
        help_text=_("Its code as events name it. Left empty: every terminal there that has no term of its own."),
        error_messages={"invalid": _("This is no code of a terminal.")},
    )  # fmt: skip
    free_days = forms.IntegerField(label=_("Free days"), min_value=1, max_value=MOST_FREE_DAYS)
    start = forms.ChoiceField(
        label=_("First counted day"), choices=STARTS, initial=FreeTimeStart.NEXT_DAY.value,
        help_text=_("Of the discharge for demurrage, of the gate-out for detention."),
        error_messages={"invalid_choice": _("This is neither NEXT_DAY nor EVENT_DAY.")},
    )  # fmt: skip
    days = forms.ChoiceField(
        label=_("Counted are"), choices=DAYS, initial="CALENDAR",
        error_messages={"invalid_choice": _("This is neither CALENDAR nor WORKING.")},
    )  # fmt: skip
    holidays = forms.CharField(
        label=_("Holidays"), required=False, widget=forms.Textarea(attrs={"rows": 2}), max_length=8_000,
        help_text=_("Days as 2026-12-25, with blanks or commas between them. Not counted with working days."),
    )  # fmt: skip
    first_day = forms.DateField(
        label=_("From"), widget=forms.DateInput(attrs={"type": "date"}), validators=_IN_YEARS,
        input_formats=["%Y-%m-%d"], error_messages={"invalid": _("Write days as 2026-12-25.")},
        help_text=_("The first day on which the count may begin under this term. It ends the term before it."),
    )  # fmt: skip
    last_day = forms.DateField(
        label=_("To"), widget=forms.DateInput(attrs={"type": "date"}), validators=_IN_YEARS, required=False,
        input_formats=["%Y-%m-%d"], error_messages={"invalid": _("Write days as 2026-12-25.")},
        help_text=_("The last such day. Left empty: until the next term begins."),
    )  # fmt: skip

    def __init__(self, *args: Any, known: frozenset[str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.known = known

    def clean_place(self) -> str:
        """A place whose clock we know."""
        code: str = self.cleaned_data["place"].upper()
        if not (code in self.known if self.known is not None else bool(places_with_zone({code}))):
            raise forms.ValidationError(_("We know no place of this code with its time zone; add it first."))
        return code

    def clean_terminal(self) -> str:
        """Codes are upper case."""
        return str(self.cleaned_data["terminal"]).upper()

    def clean_holidays(self) -> frozenset[date]:
        """Days of the calendar."""
        words = [w for w in _APART.split(self.cleaned_data["holidays"]) if w]
        if len(words) > _MOST_HOLIDAYS:
            raise forms.ValidationError(_("At most %(most)d holidays."), params={"most": _MOST_HOLIDAYS})
        found = set()
        for word in words:
            try:
                found.add(date.fromisoformat(word))
            except ValueError:
                message = _("%(word)s is no day; write days as 2026-12-25.")
                raise forms.ValidationError(message, params={"word": word[:40]}) from None
        return frozenset(found)

    def clean(self) -> dict[str, Any]:
        """It runs forward."""
        data = super().clean() or {}
        first, last = data.get("first_day"), data.get("last_day")
        if first and last and last < first:
            self.add_error("last_day", _("It lies before the first day."))
        return data

    def term(self) -> Term:
        """What was said, as a rule reads it."""
        data = self.cleaned_data
        return Term(
            kind=FreeKind(data["kind"]), place=data["place"], facility=data["terminal"], free_days=data["free_days"],
            start=FreeTimeStart(data["start"]), working_days=data["days"] == "WORKING", holidays=data["holidays"],
            first_day=data["first_day"], last_day=data["last_day"],
        )  # fmt: skip

    @staticmethod
    def initial_of(term: Term) -> dict[str, Any]:
        """The form's values of a stored term."""
        return {
            **dict(zip(COLUMNS, cells_of(term), strict=True)),
            "first_day": term.first_day, "last_day": term.last_day,
        }  # fmt: skip


def cells_of(term: Term) -> list[str]:
    """A term as a line of the file."""
    return [
        term.kind.value, term.place, term.facility, str(term.free_days), term.start.value,
        "WORKING" if term.working_days else "CALENDAR", "|".join(d.isoformat() for d in sorted(term.holidays)),
        term.first_day.isoformat(), term.last_day.isoformat() if term.last_day else "",
    ]  # fmt: skip


def places_with_zone(codes: set[str]) -> frozenset[str]:
    """Those of the codes that name a place with a time zone."""
    return frozenset(Place.objects.filter(code__in=codes).exclude(zone="").values_list("code", flat=True))


class TermsFileForm(forms.Form):
    """A file of terms."""

    file = forms.FileField(
        label=_("CSV file"), widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
        help_text=_("With the columns of the file that can be fetched above. You see what each line becomes first."),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file: its number as people count, as written, the term it is, or what is wrong with it."""

    number: int
    cells: dict[str, str]
    term: Term | None = None
    faults: tuple[str, ...] = ()


def read_terms(raw: bytes) -> list[Line]:
    """The lines of a file, each with its term or its faults. Raises Unreadable when it is no such file."""
    rows = list(csvtable.read(raw, columns=COLUMNS, needed=NEEDED))
    if len(rows) > MOST_LINES:
        raise Unreadable("too_large", gettext("The file has more than %(most)d lines.") % {"most": MOST_LINES})
    codes = {r.cells.get("place", "").upper() for r in rows if isinstance(r, csvtable.Row)}
    known, seen, found = places_with_zone({c for c in codes if c}), dict[tuple[Any, ...], int](), []
    for number, row in enumerate(rows, start=2):  # the header is line 1
        line = _line(number, row, known)
        if line.term is not None:
            t = line.term
            twin = seen.setdefault((t.kind, t.place, t.facility, t.first_day), number)
            if twin != number:
                said = gettext("Line %(line)d is about the same, from the same day.") % {"line": twin}
                line = Line(number, line.cells, None, (said,))
        found.append(line)
    return found


def _line(number: int, row: csvtable.Row | Refusal, known: frozenset[str]) -> Line:
    if isinstance(row, Refusal):
        return Line(number, {}, None, (row.detail or row.code,))
    usual = {"start": FreeTimeStart.NEXT_DAY.value, "days": "CALENDAR"}
    upper = {name: row.cells[name].upper() for name in ("kind", "start", "days") if name in row.cells}
    form = FreeTermForm({**usual, **row.cells, **upper}, known=known)
    if form.is_valid():
        return Line(number, row.cells, form.term())
    faults = (f"{name}: {fault}" if name in COLUMNS else str(fault)
              for name, own in form.errors.items() for fault in own)  # fmt: skip
    return Line(number, row.cells, None, tuple(faults))
