"""What kpis puts on the home page: the running month, marked provisional, and the last closed one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from kpis import selectors, tables
from portal.lib.periods import Month, local_date
from portal.tenancy.models import Member, Role
from portal.tenancy.selectors import tenant_zone
from portal.web.policy import entitled
from portal.web.templatetags.ui import time_at

FRESH: Final = timedelta(days=7)  # for so long a closed month is news to a manager


def customer(member: Member, at: datetime) -> dict[str, Any]:
    """Two tiles and the last closed month, for accounts whose tier includes snapshots."""
    if not entitled("kpi_snapshots", at):
        return {}
    zone = tenant_zone()
    month = Month.of(local_date(at, zone))
    found: dict[str, Any] = {"tiles": [_running(month)], "managing": []}
    closed = selectors.snapshot_list(at=at)
    if closed:
        newest = closed[0]
        rows = selectors.rows_of([newest])[newest.pk]
        url = reverse("kpis:snapshot", kwargs={"public_id": newest.public_id})
        min_n = int(newest.config["min_n_percent"])
        whole = {r.kpi: tables.figure(r, staff=False, min_n=min_n) for r in rows if not r.lane}
        tile = tables.tile(whole["OTD"], href=url)
        name = tables.month_name(newest.period)
        if member.role == Role.MANAGER and at - newest.published_at < FRESH:
            found["managing"].append({
                "tone": "ok", "label": _("%(month)s is closed and ready") % {"month": name}, "url": url,
                "why": _("On time: %(value)s") % {
                    "value": f"{tile['value']}{tile['unit']}" if tile["value"] else tile["void"],
                },
                "when": time_at(newest.published_at, zone, "short"),
            })  # fmt: skip
        found["tiles"].append({**tile, "label": _("On time"), "note": f"{name}: {tile['note']}"})
        found["snapshot"] = {
            "title": name,
            "url": url,
            "note": format_html(_("Closed as of {}"), time_at(newest.as_of, zone)),
            "stats": [
                {
                    "label": shown["label"],
                    "value": shown["value"] or shown.get("void"),
                    "unit": "%" if shown["value"] and not shown.get("small") else "",
                    "url": url,
                    "note": shown["counted"],
                }
                for shown in whole.values()
            ],
        }
    return found


def _running(month: Month) -> dict[str, Any]:
    """The running month as a tile that is counted once the page is there: it takes longest where most is due."""
    url = reverse("kpis:so_far")
    return {
        "label": _("On time so far"), "value": None, "void": _("counting"), "load": url, "href": url,
        "note": f"{tables.month_name(str(month))} · {_('provisional')}", "proof": pgettext("to open", "Open"),
    }  # fmt: skip
