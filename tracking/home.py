"""What the home pages say about shipments and sources: figures that link to their lists, and what is worst.

Customers see their own account; the desk asks over all accounts by one crossing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from portal.tenancy.context import across_tenants
from portal.tenancy.models import Member, Tenant
from portal.tenancy.selectors import operator_zone
from portal.web.policy import entitled
from portal.web.tables import capped
from portal.web.templatetags.ui import time_at
from tracking import crossings, wording
from tracking.filters import ShipmentFilter
from tracking.freshness import feeds, state_of
from tracking.quarantine_pages import quarantine_url
from tracking.selectors import MOST_COUNTED, home_counts, home_latest, home_worst
from tracking.source_views import since_midnight
from tracking.standing import Standing
from tracking.tables import latest_zone, prospect, zone_of

_MOST: Final = 6
DESK_REASON: Final = "home of the desk: late shipments, quarantine and silent sources over all accounts"


def customer(member: Member, at: datetime) -> dict[str, Any]:
    """Tiles, what needs attention and what was heard last; nothing without access to the portal."""
    base = reverse("tracking:shipments")
    if not entitled("portal_core", at):
        return {"shipments_url": base}
    every_event = entitled("live_tracking", at)
    counts = home_counts(now=at, every_event=every_event)

    def tile(label: str, key: str, tone: str, note: str, **asked: Any) -> dict[str, Any]:
        number = counts[key]
        return {
            "label": label, "value": capped(number, MOST_COUNTED), "tone": tone if number else "",
            "note": note, "href": ShipmentFilter(**asked).url(base), "proof": _("Shipments"),
        }  # fmt: skip

    return {
        "shipments_url": base,
        "tiles": [
            tile(_("Late"), "late", "late", _("promise has passed"), standing=Standing.LATE.value),
            tile(_("At risk"), "risk", "warn", _("expected after the promise"), standing=Standing.AT_RISK.value),
            tile(_("Arriving in 7 days"), "arriving", "", _("by the last estimate"), arriving="7"),
            tile(_("Milestone overdue"), "unheard", "warn", _("expected, not heard"), unheard=True),
        ],
        "attention": [_worst(row, at) for row in home_worst(now=at, most=_MOST, every_event=every_event)],
        "recent": [_recent(row) for row in home_latest(most=_MOST, every_event=every_event)],
        "heard_from": [{"text": f.words(), "silent": f.is_silent} for f in feeds(at=at, most=_MOST)],
    }  # fmt: skip


def _shipment_url(row: dict[str, Any]) -> str:
    return reverse("tracking:shipment", kwargs={"public_id": row["public_id"]})


def _worst(row: dict[str, Any], at: datetime) -> dict[str, Any]:
    seen = prospect(row)
    last = wording.milestone(row["latest"]) if row["latest"] else _("nothing heard yet")
    promised = time_at(row["due_date"]) if row["due_date"] else time_at(row["due_at"], zone_of(row), "day")
    return {
        "tone": seen.tone(at), "label": f"{row['ref']} · {seen.words(at)}", "url": _shipment_url(row),
        "why": _("last: %(event)s") % {"event": last}, "when": format_html("{} {}", _("promised"), promised),
    }  # fmt: skip


def _recent(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "label": wording.milestone(row["latest"]), "url": _shipment_url(row), "ref": row["ref"],
        "at": row["latest_at"], "zone": latest_zone(row),
    }  # fmt: skip


def desk(member: Member, at: datetime) -> dict[str, Any]:
    """The operator's figures over all accounts, each with its list."""
    zone = operator_zone()
    with across_tenants(reason=DESK_REASON, actor=member.label, at=at):
        found = crossings.desk(now=at, since=since_midnight(at))
    silent = [line for line in found.lines if line.is_silent]
    late = sum(late for _account, late, _risk in found.accounts)
    risk = sum(risk for _account, _late, risk in found.accounts)
    here = {"href": "#attention-h", "proof": _("By account")}
    return {
        "tiles": [
            {"label": _("Late shipments"), "value": str(late), "tone": "late" if late else "",
             "note": _("promise has passed"), **(here if late else {})},
            {"label": _("At risk"), "value": str(risk), "tone": "warn" if risk else "",
             "note": _("expected after the promise"), **(here if risk else {})},
            {"label": _("In quarantine"), "value": str(found.quarantined), "tone": "warn" if found.quarantined else "",
             "href": quarantine_url(), "proof": _("Quarantine"), "note": _("events waiting")},
            {"label": _("Silent sources"), "value": str(len(silent)), "tone": "late" if silent else "",
             "href": reverse("ops:tracking_sources"), "proof": _("Sources"), "note": _("longer than usual")},
        ],
        "attention": [_account(*one) for one in found.accounts[:_MOST]],
        "feeds": [
            {"name": line.source.name, "url": reverse("ops:tracking_sources"), "status": state_of(line.fresh),
             "at": line.source.last_heard_at, "zone": zone, "note": _("nothing yet")}
            for line in sorted(found.lines, key=lambda one: not one.is_silent)[:8]
        ],
    }  # fmt: skip


def _account(account: Tenant, late: int, risk: int) -> dict[str, Any]:
    said = [_("%(n)d late") % {"n": late}] if late else []
    said += [_("%(n)d at risk") % {"n": risk}] if risk else []
    standing = Standing.LATE if late else Standing.AT_RISK
    base = reverse("ops:tracking_shipments", kwargs={"account": account.public_id})
    return {
        "tone": "late" if late else "warn", "label": account.name, "why": ", ".join(said),
        "url": ShipmentFilter(standing=standing.value).url(base),
    }  # fmt: skip
