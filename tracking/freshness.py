"""How fresh each source is: last heard, its usual rhythm, how late and how clean its events come (event standards 6).

Reads only. Everything is worked out from the days of the sources (`SourceDay`), as they were counted when messages
came; one statement for any number of sources. Silence is judged here and told by services/silence.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.tenancy.selectors import operator_zone
from portal.web.retelling import decimal_mark
from tracking import rhythm, wording
from tracking.models import HeardFrom, Source, SourceDay
from tracking.rhythm import Bound, Rhythm
from tracking.types import SourceKind

_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """What is known of one source as of `at`."""

    source: Source
    at: datetime
    days: Sequence[SourceDay]  # of the last 28, oldest first; a day without messages has none
    rhythm: Rhythm

    @property
    def heard_at(self) -> datetime | None:
        """When its last message came."""
        return self.source.last_heard_at

    @property
    def limit(self) -> timedelta:
        """How long it may be silent: as set for the source, else as learned."""
        fixed = self.source.silent_after_minutes
        return timedelta(minutes=fixed) if fixed is not None else self.rhythm.limit

    @property
    def can_be_silent(self) -> bool:
        """Closed sources are not waited for, nor are people who enter what they were told."""
        return self.source.is_active and self.source.kind != SourceKind.MANUAL

    @property
    def silence(self) -> timedelta:
        """For how long nothing came; for a new source, since it was made."""
        return self.at - (self.heard_at or self.source.created_at)

    @property
    def is_silent(self) -> bool:
        """Silent for longer than it may be."""
        return self.can_be_silent and self.silence > self.limit

    @property
    def latency(self) -> tuple[Bound | None, Bound | None]:
        """Median and P90 of event time to recorded, as buckets; None where no actual came."""
        counts = rhythm.added(d.latency for d in self.days)
        return rhythm.rank(counts, 50), rhythm.rank(counts, 90)

    def total(self, name: str) -> int:
        """The sum of a count over the days."""
        return sum(getattr(d, name) for d in self.days)


def freshness_of(sources: Iterable[Source], *, at: datetime) -> dict[int, Freshness]:
    """By source id, for sources of the entered scope or of the crossing; one statement."""
    listed = list(sources)
    since = at.astimezone(UTC).date() - timedelta(days=rhythm.DAYS - 1)
    days: dict[int, list[SourceDay]] = defaultdict(list)
    for day in SourceDay.objects.filter(source__in=[s.pk for s in listed], day__gte=since).order_by("day"):
        days[day.source_id].append(day)
    return {
        s.pk: Freshness(
            source=s, at=at, days=days[s.pk],
            rhythm=rhythm.rhythm(rhythm.slot_of_day(d.day, q) for d in days[s.pk] for q in d.quarters),
        )
        for s in listed
    }  # fmt: skip


# --- in words ---


def span(length: timedelta) -> str:
    """`14 min`, `3 h`, `2 days`: whole, rounded down."""
    minutes = max(0, length // _MINUTE)
    if not minutes:
        return _("under a minute")
    if minutes < 120:
        return _("%(n)d min") % {"n": minutes}
    if minutes < 48 * 60:
        return _("%(n)d h") % {"n": minutes // 60}
    return wording.days(minutes // 1440)


def bound_words(bound: Bound | None) -> str:
    """`up to 4 h`: as exact as it is known; empty when nothing was counted."""
    if bound is None:
        return ""
    if bound.minutes is None:
        return _("more than %(span)s") % {"span": span(rhythm.BOUNDS[-1] * _MINUTE)}
    return _("up to %(span)s") % {"span": span(bound.minutes * _MINUTE)}


def share_words(part: int, of: int) -> str | None:
    """`3 of 40` in few, else a percentage with one decimal; None, never 0 %, of nothing (R0.3, R0.6)."""
    if of == 0:
        return None
    if of < 10:
        return _("%(part)d of %(of)d") % {"part": part, "of": of}
    tenths = (part * 2000 + of) // (2 * of)
    return decimal_mark(f"{tenths // 10}.{tenths % 10} %")


def silence_words(fresh: Freshness) -> str:
    """What is expected of the source, in a sentence."""
    limit = span(fresh.limit)
    if fresh.source.silent_after_minutes is not None:
        return _("Called silent after %(limit)s, as set for it.") % {"limit": limit}
    if fresh.rhythm.p90 is None:
        return _("Called silent after %(limit)s, until its rhythm is known.") % {"limit": limit}
    said = _("Comes every %(median)s, nine times in ten within %(p90)s; called silent after %(limit)s.")
    return said % {"median": span(fresh.rhythm.median or _MINUTE), "p90": span(fresh.rhythm.p90), "limit": limit}


def freshness_panel(source: Source, at: datetime) -> dict[str, Any]:
    """The context of tracking/ops/_freshness.html for one source; in its scope or in a crossing."""
    fresh = freshness_of([source], at=at)[source.pk]
    median, p90 = fresh.latency
    kept = fresh.total("received") - fresh.total("quarantined")
    stats = [
        {"label": _("Messages, 28 days"), "value": str(fresh.total("messages"))},
        {"label": _("Events"), "value": str(fresh.total("received"))},
        {"label": _("Accepted"), "value": str(fresh.total("accepted"))},
        {"label": _("Known before"), "value": str(fresh.total("duplicate"))},
        {"label": _("Heard after it happened, half of the actuals"), "value": bound_words(median)},
        {"label": _("Heard after it happened, nine in ten"), "value": bound_words(p90)},
        {"label": _("With a warning"), "value": share_words(fresh.total("warned"), kept)},
        {"label": _("To quarantine"), "value": share_words(fresh.total("quarantined"), fresh.total("received"))},
    ]
    return {
        "fresh_state": state_of(fresh), "fresh_words": silence_words(fresh), "fresh_at": fresh.heard_at,
        "fresh_ago": span(fresh.silence) if fresh.heard_at else "", "fresh_zone": operator_zone(),
        "fresh_stats": stats, "fresh_plot": plot(fresh), "fresh_plot_says": plot_words(fresh),
    }  # fmt: skip


def state_of(fresh: Freshness) -> dict[str, Any]:
    """Tone and word: silent, heard, never heard, closed."""
    if not fresh.source.is_active:
        return {"tone": "neutral", "label": _("Closed")}
    if fresh.heard_at is None:
        return {"tone": "late" if fresh.is_silent else "neutral", "label": _("Never heard")}
    return {"tone": "late", "label": _("Silent")} if fresh.is_silent else {"tone": "ok", "label": _("Heard")}


# --- by day ---

_WIDE, _HIGH, _STEP = 280, 40, 10


def _by_day(fresh: Freshness) -> list[tuple[int, int]]:
    """(events, of these quarantined) of each of the last 28 days, oldest first."""
    known: Mapping[Any, SourceDay] = {d.day: d for d in fresh.days}
    today = fresh.at.astimezone(UTC).date()
    days = (today - timedelta(days=n) for n in reversed(range(rhythm.DAYS)))
    return [(d.received, d.quarantined) if (d := known.get(day)) else (0, 0) for day in days]


def plot(fresh: Freshness) -> SafeString | str:
    """Events by day as bars, what went to quarantine at their foot; empty when there was nothing to draw."""
    counts = _by_day(fresh)
    most = max(received for received, _held in counts)
    if not most:
        return ""
    bars = [
        (css, n * _STEP, _HIGH - tall, tall)
        for n, day in enumerate(counts)
        for css, count in zip(("spark-all", "spark-held"), day, strict=True)
        if (tall := -(-count * (_HIGH - 2) // most))
    ]
    return format_html(
        '<svg class="spark" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<path class="spark-base" d="M0 {}h{}"/>{}</svg>',
        _WIDE, _HIGH, plot_words(fresh), _HIGH, _WIDE,
        format_html_join("", '<rect class="{}" x="{}" y="{}" width="7" height="{}"/>', bars),
    )  # fmt: skip


def plot_words(fresh: Freshness) -> str:
    """The same in a sentence, for whoever does not see it."""
    counts = [received for received, _held in _by_day(fresh)]
    spoken = sum(1 for c in counts if c)
    days = ngettext("%(n)d of the last 28 days", "%(n)d of the last 28 days", spoken) % {"n": spoken}
    if not spoken:
        return _("Nothing came in the last 28 days.")
    said = _("Events came on %(days)s, %(most)d on the fullest; %(today)d today (UTC).")
    return said % {"days": days, "most": max(counts), "today": counts[-1]}


# --- what an account may know ---


@dataclass(frozen=True, slots=True)
class Feed:
    """When the entered account last heard from a source: from its own shipments' events alone (R0.8)."""

    key: str
    name: str
    heard_at: datetime
    rhythm: Rhythm
    at: datetime

    @property
    def is_silent(self) -> bool:
        """Silent by what this account is used to; never said before its rhythm is known."""
        return self.rhythm.p90 is not None and self.at - self.heard_at > self.rhythm.limit

    def words(self) -> str:
        """`Last heard from Maersk 14 min ago.`, and for a silent one what that means."""
        ago = span(self.at - self.heard_at)
        if not self.is_silent:
            return _("Last heard from %(name)s %(ago)s ago.") % {"name": self.name, "ago": ago}
        said = _(
            "Nothing from %(name)s for %(ago)s, which usually reports every %(usual)s: what is shown may be behind."
        )
        return said % {"name": self.name, "ago": ago, "usual": span(self.rhythm.median or _MINUTE)}


def feeds(*, at: datetime, keys: Iterable[str] | None = None, most: int = 12) -> list[Feed]:
    """The entered account's sources, last heard first; all of them, or those of these keys."""
    rows = HeardFrom.objects.exclude(kind=SourceKind.MANUAL).order_by("-heard_at", "source_key")
    if keys is not None:
        rows = rows.filter(source_key__in=list(keys))
    return [Feed(r.source_key, r.name, r.heard_at, rhythm.rhythm(r.slots), at) for r in rows[:most]]
