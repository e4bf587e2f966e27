"""Small pieces of page: icons, badges, times, money, percentages, references, load lines.

Stays out: anything that asks the database or the clock; a tag only shapes what it is given. Load with {% load ui %}.
"""

from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from django import template
from django.templatetags.static import static
from django.utils.dateformat import format as date_as
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from portal.web import retelling

register = template.Library()
register.filter("retold", retelling.retold)

ICON_OF_TONE = {
    "ok": "check-circle",
    "warn": "warning",
    "late": "diamond",
    "info": "half",
    "neutral": "ring",
    "money": "coin",
}


@register.simple_tag
def icon(name: str, size: str = "") -> SafeString:
    """An icon of portal/icons.svg, hidden from screen readers: the word beside it speaks. `size` "s" is smaller."""
    css = "icon icon-s" if size == "s" else "icon"
    source = static("portal/icons.svg")
    return format_html('<svg class="{}" aria-hidden="true"><use href="{}#{}"/></svg>', css, source, name)


@register.simple_tag
def badge(tone: str, label: object, url: str = "", shape: str = "") -> SafeString:
    """A status: a word and a shape. Tones: ok warn late info neutral money; `shape` replaces the tone's own icon."""
    tone = tone if tone in ICON_OF_TONE else "neutral"
    drawn = icon(shape or ICON_OF_TONE[tone])
    if url:
        return format_html('<a class="badge tone-{}" href="{}">{}{}</a>', tone, url, drawn, label)
    return format_html('<span class="badge tone-{}">{}{}</span>', tone, drawn, label)


@register.simple_tag
def grade(letter: str, url: str = "", word: bool = True) -> SafeString:
    """The trust grade of a figure (R3.1). With `word` False the word is kept for screen readers only."""
    if letter not in ("A", "B", "C"):
        return SafeString("")
    says = {"A": _("Data grade A"), "B": _("Data grade B"), "C": _("Data grade C")}[letter]
    tone = {"A": "ok", "B": "info", "C": "warn"}[letter]
    ring = format_html('<b aria-hidden="true">{}</b><span class="{}">{}</span>', letter, "" if word else "sr", says)
    if url:
        return format_html('<a class="grade grade-{} tone-{}" href="{}">{}</a>', letter, tone, url, ring)
    return format_html('<span class="grade grade-{} tone-{}">{}</span>', letter, tone, ring)


@register.simple_tag
def void(label: str = "") -> SafeString:
    """Says that there is nothing, in words: "no data" is never shown as 0 (R0.3)."""
    return format_html('<span class="void">{}</span>', label or _("no data"))


def _zone(zone: "str | tzinfo | None") -> tzinfo:
    if isinstance(zone, str) and zone:
        return ZoneInfo(zone)
    return zone if isinstance(zone, tzinfo) else UTC


def _zone_word(at: datetime) -> str:
    word = at.tzname() or "UTC"
    return f"UTC{word}" if word[0] in "+-" else word


def _moment(value: object) -> "datetime | date | None":
    if isinstance(value, str) and value:
        parsed = datetime.fromisoformat(value)
        return parsed.date() if len(value) == 10 else parsed
    return value if isinstance(value, (datetime, date)) else None


@register.simple_tag
def time_at(value: Any, zone: Any = None, precision: str = "minute") -> SafeString:
    """A moment at a place: `12 Mar 2026 14:05 CET`, with the UTC instant in `datetime` and in the title.

    value: aware datetime, date, ISO text or None. zone: ZoneInfo or its name, UTC when absent.
    precision: "minute", "day" (the local day alone) or "short" (no year). The reader's own time is added by portal.js.
    """
    at = _moment(value)
    if at is None:
        return void(_("no time"))
    day = pgettext("date, Django format letters", "j M Y")
    if not isinstance(at, datetime):
        return format_html('<time datetime="{}">{}</time>', at.isoformat(), date_as(at, day))
    if at.tzinfo is None:
        raise ValueError("a time on a page needs its zone")
    there, utc = at.astimezone(_zone(zone)), at.astimezone(UTC)
    if precision == "day":
        return format_html('<time datetime="{}">{}</time>', there.date().isoformat(), date_as(there, day))
    short = pgettext("date without year, Django format letters", "j M")
    shown = date_as(there, f"{short if precision == 'short' else day} H:i")
    return format_html(
        '<time datetime="{}" title="{} UTC">{} {}</time>',
        utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        date_as(utc, f"{day} H:i"),
        shown,
        _zone_word(there),
    )


@register.simple_tag
def money(amount: Any, currency: Any) -> SafeString:
    """An amount with its currency: `4,217.50 EUR`. Keeps the decimals that the Decimal carries; never rounds."""
    if amount is None or amount == "":
        return void()
    exact = Decimal(str(amount))
    exponent = exact.as_tuple().exponent
    places = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    shown = number_format(abs(exact), decimal_pos=places, use_l10n=True, force_grouping=True)
    sign = "\u2212" if exact < 0 else ""
    return format_html('<span class="money">{}{}\u00a0{}</span>', sign, shown, currency)


@register.simple_tag
def percent(display: Any) -> SafeString:
    """A percentage as the rules worded it (R0.5, R0.6): "96.96" gets its sign, "7 of 8" stays, None is no data."""
    if display is None or display == "":
        return void()
    text = str(display)
    if not text.replace(".", "", 1).replace(",", "", 1).lstrip("-").isdigit():
        return format_html('<span class="pct">{}</span>', text)
    return format_html('<span class="pct">{}\u202f%</span>', retelling.decimal_mark(text))


@register.simple_tag
def ref(value: Any, url: str = "", copy: bool = True) -> SafeString:
    """A reference in monospace, linked when `url` is given, with a copy button unless copy=False."""
    if not value:
        return void(_("none"))
    text = format_html('<span class="ref">{}</span>', value)
    if url:
        text = format_html('<a class="rowlink ref" href="{}">{}</a>', url, value)
    if not copy:
        return text
    return format_html(
        '<span class="ref-wrap">{}<button type="button" class="copy" data-copy="{}" aria-label="{}" hidden>{}</button>'
        "</span>",
        text,
        value,
        _("Copy %(value)s") % {"value": value},
        icon("copy"),
    )


def _number(value: Any) -> "Decimal | None":
    try:
        return None if value is None or value == "" else Decimal(str(value))
    except InvalidOperation:
        return None


@register.simple_tag
def loadline(value: Any, target: Any = None, low: Any = None, high: Any = None) -> SafeString:
    """A percentage on a scale with the target as the load line's ring, its bounds as a band. Empty without a value.

    All in percent, as numbers or text. The scale is cut at the left (its ends are written out), so nothing is drawn
    as a bar from zero. For looking only: the figures stand beside it in words.
    """
    known = [n for n in (_number(value), _number(target), _number(low), _number(high)) if n is not None]
    at = _number(value)
    if at is None:
        return SafeString("")
    floor = max(Decimal(0), (min(known) - 4) // 10 * 10)
    span = max(Decimal(100), max(known)) - floor

    def x(number: Decimal) -> str:
        return f"{(number - floor) * 100 / span:.2f}%"

    lo, hi, aim = _number(low), _number(high), _number(target)
    parts = [format_html('<rect class="hull" x="0" y="10" width="{}" height="2" rx="1"/>', "100%")]
    if lo is not None and hi is not None and hi > lo:
        wide = f"{(hi - lo) * 100 / span:.2f}%"
        parts.append(format_html('<rect class="band" x="{}" y="8" width="{}" height="6" rx="2"/>', x(lo), wide))
    if aim is not None:
        ring = '<circle class="ring" cy="11" r="4.5"/><path class="line" d="M-8.5 11h17"/>'
        parts.append(format_html('<svg x="{}" overflow="visible">' + ring + "</svg>", x(aim)))
    parts.append(format_html('<svg x="{}" overflow="visible"><path class="water" d="M-4.5 0h9L0 7.5z"/></svg>', x(at)))
    parts.append(format_html('<text x="0" y="27">{}</text>', f"{floor:f}"))
    parts.append(format_html('<text x="{}" y="27" text-anchor="end">{}</text>', "100%", f"{floor + span:f}"))
    return format_html(
        '<svg class="loadline" aria-hidden="true"><title>{}</title>{}</svg>',
        _("Arrow: reached. Ring: promised. Band: what the unknown could make of it."),
        format_html_join("", "{}", ((part,) for part in parts)),
    )


@register.filter
def anchor(value: object) -> str:
    """A word as an id of the page."""
    return slugify(str(value)) or "part"


@register.filter
def initials(name: object) -> str:
    """Up to two first letters of a person's name, for the round picture."""
    words = [word for word in str(name).replace("@", " ").replace(".", " ").split() if word[:1].isalnum()]
    return "".join(word[0] for word in words[:2]) or "?"
