"""What the home pages say about shipments and sources: figures that link to their lists, and what is worst.

Customers see their own account; the desk asks over all accounts by one crossing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from portal.tenancy.context import across_tenants
from portal.tenancy.models import Member, Role, Tenant
from portal.tenancy.selectors import operator_zone
from portal.web.policy import entitled
from portal.web.tables import capped
from portal.web.templatetags.ui import time_at
from tracking import crossings, wording
from tracking.filters import ShipmentFilter
from tracking.freshness import feeds, state_of
from tracking.news import Missing, codes_to_review, has_shipments, missing_now, moved_since, reached_since
from tracking.place_views import codes_url
from tracking.quarantine_pages import quarantine_url
from tracking.reasons import sentence
from tracking.selectors import MOST_COUNTED, home_counts, home_latest, home_worst
from tracking.services import news_opened
from tracking.shipment_pages import shift
from tracking.source_views import since_midnight
from tracking.standing import Standing
from tracking.tables import latest_zone, prospect, zone_of
from tracking.types import Precision

_MOST: Final = 6
_MOST_NEWS: Final = 10
_TENDING: Final = frozenset({Role.OPS.value, Role.ADMIN.value})  # who mends data
DESK_REASON: Final = "home of the desk: late shipments, quarantine and silent sources over all accounts"


def customer(member: Member, at: datetime) -> dict[str, Any]:
    """Tiles, what needs attention, what is missing, what is new since the last visit; nothing without the portal."""
    base = reverse("tracking:shipments")
    if not entitled("portal_core", at):
        return {"shipments_url": base}
    since = news_opened(member=member, at=at)
    every_event = entitled("live_tracking", at)
    counts = home_counts(now=at, every_event=every_event)
    if since is not None:
        recent = _news(since, at, every_event=every_event)
    else:
        recent = [_recent(row) for row in home_latest(most=_MOST, every_event=every_event)]
    if not recent and not any(counts.values()) and not has_shipments():
        return {"shipments_url": base, "welcome": _welcome(member)}
    missing_url = ShipmentFilter(unheard=True).url(base)
    return {
        "shipments_url": base,
        "tiles": _tiles(counts, base),
        "attention": [_worst(row, at) for row in home_worst(now=at, most=_MOST, every_event=every_event)],
        "missing": [_missing(one) for one in missing_now(at=at, most=_MOST, every_event=every_event)],
        "missing_url": missing_url,
        "recent": recent,
        "since": time_at(since, _zone_of(member), "short") if since else "",
        "heard_from": [{"text": f.words(), "silent": f.is_silent} for f in feeds(at=at, most=_MOST)],
    }


def _tiles(counts: Mapping[str, int], base: str) -> list[dict[str, Any]]:
    """Each a figure that opens its list."""

    def tile(label: str, key: str, tone: str, note: str, **asked: Any) -> dict[str, Any]:
        number = counts[key]
        return {
            "label": label, "value": capped(number, MOST_COUNTED), "tone": tone if number else "",
            "note": note, "href": ShipmentFilter(**asked).url(base), "proof": _("Shipments"),
        }  # fmt: skip

    return [
        tile(_("Late"), "late", "late", _("promise has passed"), standing=Standing.LATE.value),
        tile(_("At risk"), "risk", "warn", _("expected after the promise"), standing=Standing.AT_RISK.value),
        tile(_("Arriving in 7 days"), "arriving", "", _("by the last estimate"), arriving="7"),
        tile(_("Milestone overdue"), "unheard", "warn", _("expected, not heard"), unheard=True),
    ]


def _welcome(member: Member) -> list[dict[str, str]]:
    """What a new account can do until its first shipment is there."""
    steps = [{"label": _("Choose what you are mailed about"), "url": reverse("notices:settings")}]
    if member.role == Role.MANAGER:
        steps += [
            {"label": _("Invite colleagues"), "url": reverse("people:invite")},
            {"label": _("Give one of your systems a key"), "url": reverse("people:keys")},
        ]
    return steps


def _zone_of(member: Member) -> ZoneInfo:
    own = member.zone or member.tenant.zone
    return ZoneInfo(own) if own else operator_zone()


def _news(since: datetime, at: datetime, *, every_event: bool) -> list[dict[str, Any]]:
    """What was heard since the last visit, newest first: milestones reached, and estimates that moved."""
    told: list[tuple[datetime, dict[str, Any]]] = [
        (one.heard_at, {
            "label": wording.milestone(one.milestone), "url": reverse("tracking:shipment", args=[one.shipment]),
            "ref": one.ref, "place": one.place, "at": one.at, "zone": one.zone, "icon": "check-circle",
            "precision": "day" if one.precision == Precision.DAY else "short",
        })
        for one in reached_since(since, at=at, most=_MOST_NEWS, every_event=every_event)
    ]  # fmt: skip
    moved = moved_since(since, at=at, most=_MOST_NEWS) if every_event else []
    told += [
        (one.heard_at, {
            "label": _("Expected %(shift)s") % {"shift": shift(one.before, one.after)},
            "url": reverse("tracking:shipment", args=[one.shipment]), "ref": one.ref, "icon": "clock",
            "place": format_html(_("instead of {}"), time_at(one.before, one.zone, "short")),
            "at": one.after, "zone": one.zone, "precision": "short",
        })
        for one in moved
    ]  # fmt: skip
    return [entry for _heard, entry in sorted(told, key=lambda pair: pair[0], reverse=True)[:_MOST_NEWS]]


def _missing(one: Missing) -> dict[str, Any]:
    return {
        "tone": "warn", "label": wording.missing(one.milestone), "why": one.ref,
        "url": reverse("tracking:shipment", args=[one.shipment]),
        "when": format_html(_("expected {}"), time_at(one.expected_at, one.zone, "short")),
    }  # fmt: skip


def _shipment_url(row: dict[str, Any]) -> str:
    return reverse("tracking:shipment", kwargs={"public_id": row["public_id"]})


def _worst(row: dict[str, Any], at: datetime) -> dict[str, Any]:
    seen = prospect(row)
    promised = time_at(row["due_date"]) if row["due_date"] else time_at(row["due_at"], zone_of(row), "day")
    return {
        "tone": seen.tone(at), "label": f"{row['ref']} · {seen.words(at)}", "url": _shipment_url(row),
        "why": _why(row), "when": format_html("{} {}", _("promised"), promised),
    }  # fmt: skip


def _why(row: dict[str, Any]) -> str:
    """The last that was heard and, while it is open, what is expected: lateness lies between that and the promise."""
    last = wording.milestone(row["latest"]) if row["latest"] else _("nothing heard yet")
    said = _("last: %(event)s") % {"event": last}
    if row["eta_at"] is None or row["final_at"] is not None:
        return said
    return format_html("{} · {}", said, format_html(_("expected {}"), time_at(row["eta_at"], zone_of(row), "short")))


def _recent(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "label": wording.milestone(row["latest"]), "url": _shipment_url(row), "ref": row["ref"],
        "at": row["latest_at"], "zone": latest_zone(row),
    }  # fmt: skip


def desk(member: Member, at: datetime) -> dict[str, Any]:
    """The operator's figures over all accounts, each with its list; finance has others (tiers.credits.home)."""
    if member.role == Role.FINANCE:
        return {}
    with across_tenants(reason=DESK_REASON, actor=member.label, at=at):
        found = crossings.desk(now=at, since=since_midnight(at))
    late = sum(late for _account, late, _risk in found.accounts)
    risk = sum(risk for _account, _late, risk in found.accounts)
    here = {"href": "#attention-h", "proof": _("By account")}
    tiles = [
        {"label": _("Late shipments"), "value": str(late), "tone": "late" if late else "",
         "note": _("promise has passed"), **(here if late else {})},
        {"label": _("At risk"), "value": str(risk), "tone": "warn" if risk else "",
         "note": _("expected after the promise"), **(here if risk else {})},
    ]  # fmt: skip
    accounts = [_account(*one) for one in found.accounts[:_MOST]]
    if member.role not in _TENDING:
        return {"tiles": tiles, "attention": accounts}
    return {
        "tiles": [*tiles, *_data_tiles(found)],
        "attention": accounts,
        "quarantine": [
            {"label": str(sentence(reason)).rstrip("."), "value": str(number), "url": quarantine_url(reason=reason)}
            for reason, number in list(found.reasons.items())[:_MOST]
        ],
        "quarantine_url": quarantine_url(),
        "feeds": _feeds(found.lines),
    }  # fmt: skip


def _data_tiles(found: crossings.Desk) -> list[dict[str, Any]]:
    """What keeps the data whole: quarantine, silent sources, codes that nobody has looked at."""
    silent = sum(line.is_silent for line in found.lines)
    unknown = codes_to_review()
    kind = next(iter(unknown), "places")
    return [
        {"label": _("In quarantine"), "value": str(found.quarantined), "tone": "warn" if found.quarantined else "",
         "href": quarantine_url(), "proof": _("Quarantine"), "note": _("events waiting")},
        {"label": _("Silent sources"), "value": str(silent), "tone": "late" if silent else "",
         "href": reverse("ops:tracking_sources"), "proof": _("Sources"), "note": _("longer than usual")},
        {"label": _("Codes to look at"), "value": str(sum(unknown.values())), "tone": "warn" if unknown else "",
         "href": codes_url(kind, review="1"), "proof": _("Places and carriers"), "note": _("new on events")},
    ]  # fmt: skip


def _feeds(lines: Sequence[crossings.SourceLine]) -> list[dict[str, Any]]:
    """The sources, silent ones first."""
    zone = operator_zone()
    return [
        {"name": line.source.name, "url": reverse("ops:tracking_source", args=[line.source.key]),
         "status": state_of(line.fresh), "at": line.source.last_heard_at, "zone": zone, "note": _("nothing yet")}
        for line in sorted(lines, key=lambda one: not one.is_silent)[:8]
    ]  # fmt: skip


def _account(account: Tenant, late: int, risk: int) -> dict[str, Any]:
    said = [_("%(n)d late") % {"n": late}] if late else []
    said += [_("%(n)d at risk") % {"n": risk}] if risk else []
    standing = Standing.LATE if late else Standing.AT_RISK
    base = reverse("ops:tracking_shipments", kwargs={"account": account.public_id})
    return {
        "tone": "late" if late else "warn", "label": account.name, "why": ", ".join(said),
        "url": ShipmentFilter(standing=standing.value).url(base),
    }  # fmt: skip
