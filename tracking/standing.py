"""How a shipment stands against its promise at an instant, in a code, a tone and words.

Pure: time is an argument. Provisional, for reading: what counts in a month is judged at its close (R2.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from django.utils.dateformat import format as date_as
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy, pgettext
from django.utils.translation import gettext as _

from portal.lib.periods import local_date
from tracking import wording


class Standing(StrEnum):
    """Every shipment stands in exactly one of these."""

    LATE = "late"  # the limit has passed and the final milestone is not reached
    AT_RISK = "risk"  # expected beyond the limit
    ON_TRACK = "track"  # expected in time, or nothing speaks against it
    DONE_ON_TIME = "ontime"
    DONE_LATE = "done-late"
    NO_PROMISE = "none"
    CANCELLED = "cancelled"


LABELS: Final[dict[Standing, Promise]] = {
    Standing.LATE: gettext_lazy("Late"),
    Standing.AT_RISK: gettext_lazy("At risk"),
    Standing.ON_TRACK: gettext_lazy("On track"),
    Standing.DONE_ON_TIME: gettext_lazy("Completed on time"),
    Standing.DONE_LATE: gettext_lazy("Completed late"),
    Standing.NO_PROMISE: gettext_lazy("No promise"),
    Standing.CANCELLED: gettext_lazy("Cancelled"),
}
TONES: Final[dict[Standing, str]] = {
    Standing.LATE: "late", Standing.AT_RISK: "warn", Standing.ON_TRACK: "ok", Standing.DONE_ON_TIME: "ok",
    Standing.DONE_LATE: "late", Standing.NO_PROMISE: "neutral", Standing.CANCELLED: "neutral",
}  # fmt: skip


@lru_cache(maxsize=8_192)  # a file of a hundred thousand rows says a few hundred different things
def _said(language: str | None, found: Standing, days: int, hours: int, has_estimate: bool) -> str:
    """The words, in the reader's language."""
    by = wording.days(days) if days else wording.hours(hours) if hours else ""
    if found in (Standing.LATE, Standing.DONE_LATE):
        return _("Late by %(days)s") % {"days": by} if by else _("Late")
    if found == Standing.AT_RISK and by:
        return _("At risk: expected %(days)s late") % {"days": by}
    if found == Standing.ON_TRACK:
        return _("On track") if has_estimate else _("No estimate yet")
    return _("On time") if found == Standing.DONE_ON_TIME else str(LABELS[found])


@lru_cache(maxsize=2_048)
def _status_said(language: str | None, status: str, delivered: bool, day: date | None) -> str:
    if day is None:
        return str(wording.STATUSES.get(status, status))
    text = _("Delivered %(day)s") if delivered else _("Available %(day)s")
    return text % {"day": date_as(day, pgettext("date without year, Django format letters", "j M"))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What standing needs of a shipment. Instants are aware UTC; `zone` is that of the final place."""

    status: str
    punctuality: str
    due_at: datetime | None
    due_date: date | None
    eta_at: datetime | None
    final_at: datetime | None
    final_milestone: str
    zone: ZoneInfo

    def standing(self, now: datetime) -> Standing:
        """Late by the passing of time counts too: an open shipment whose limit is behind us is late."""
        if self.status == "CANCELLED":
            return Standing.CANCELLED
        if self.due_at is None:
            return Standing.NO_PROMISE
        if self.final_at is not None:
            return Standing.DONE_LATE if self.punctuality == "LATE" else Standing.DONE_ON_TIME
        if self.due_at < now or self.punctuality == "LATE":
            return Standing.LATE
        return Standing.AT_RISK if self.punctuality == "AT_RISK" else Standing.ON_TRACK

    def beyond(self, instant: datetime | None) -> tuple[int, int]:
        """How far an instant lies beyond the promise: (local days, 0), or on the day itself (0, hours)."""
        if instant is None or self.due_at is None or instant <= self.due_at:
            return 0, 0
        late = (local_date(instant, self.zone) - self.due_date).days if self.due_date else 0
        return (late, 0) if late > 0 else (0, max(1, int((instant - self.due_at).total_seconds()) // 3600))

    def words(self, now: datetime) -> str:
        """The badge: `On time`, `At risk: expected 2 days late`, `Late by 3 days`."""
        found = self.standing(now)
        days, hours = 0, 0
        if found == Standing.LATE:
            days, hours = self.beyond(self.eta_at if self.eta_at and self.eta_at > now else now)
        elif found == Standing.AT_RISK:
            days, hours = self.beyond(self.eta_at)
        elif found == Standing.DONE_LATE:
            days, hours = self.beyond(self.final_at)
        return _said(get_language(), found, days, hours, self.eta_at is not None)

    def tone(self, now: datetime) -> str:
        """The badge's tone; an open promise without any estimate is neither good nor bad."""
        found = self.standing(now)
        return "neutral" if found == Standing.ON_TRACK and self.eta_at is None else TONES[found]

    def status_words(self) -> str:
        """`Under way`, `Delivered 3 Mar`, `Available 3 Mar`."""
        done = self.status == "DONE" and self.final_at is not None
        day = local_date(self.final_at, self.zone) if done and self.final_at else None
        return _status_said(get_language(), self.status, self.final_milestone == "DOOR", day)
