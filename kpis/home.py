"""What kpis puts on the home page: the running month, marked provisional, and the last closed one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from kpis import selectors, tables
from kpis.figures import display_pct, stands
from portal.lib.periods import Month, local_date
from portal.tenancy.models import Member
from portal.tenancy.selectors import tenant_zone
from portal.web.policy import entitled
from portal.web.templatetags.ui import time_at


def customer(member: Member, at: datetime) -> dict[str, Any]:
    """Two tiles and the last closed month, for accounts whose tier includes snapshots."""
    if not entitled("kpi_snapshots", at):
        return {}
    month = Month.of(local_date(at, tenant_zone()))
    found: dict[str, Any] = {"tiles": [_running(month)]}
    closed = selectors.snapshot_list(at=at)
    if closed:
        newest = closed[0]
        rows = selectors.rows_of([newest])[newest.pk]
        url = reverse("kpis:snapshot", kwargs={"public_id": newest.public_id})
        min_n = int(newest.config["min_n_percent"])
        whole = {r.kpi: tables.figure(r, staff=False, min_n=min_n) for r in rows if not r.lane}
        tile = tables.tile(whole["OTD"], href=url)
        name = tables.month_name(newest.period)
        found["tiles"].append({**tile, "label": _("On time"), "note": f"{name}: {tile['note']}"})
        found["snapshot"] = {
            "title": name,
            "url": url,
            "note": format_html(_("Closed as of {}"), time_at(newest.as_of, tenant_zone())),
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
    hits, judged, due = selectors.provisional(month)
    name = tables.month_name(str(month))
    counted = ngettext("%(n)s unit due, provisional", "%(n)s units due, provisional", due) % {"n": due}
    few = not stands(judged, min_n=selectors.config_now().min_n_percent)
    value: str | None = None
    if judged:
        value = _("%(num)s of %(den)s") % {"num": hits, "den": judged} if few else display_pct(hits, judged)
    return {
        "label": _("On time so far"),
        "value": value,
        "unit": "%" if value and not few else "",
        "note": f"{name}: {counted}",
        "void": _("nothing due yet") if not due else _("none arrived yet"),
        "href": f"{reverse('tracking:shipments')}?month={month}",
        "proof": _("Shipments"),
    }
