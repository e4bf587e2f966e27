"""The readiness of lanes for the desk: what is missing, from whom, since when; the units behind each figure; CSV.

Reads over all accounts, so it stays with the staff (R7.9).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.tenancy.models import Tenant
from portal.tenancy.selectors import operator_zone
from portal.web.exports import csv_lines
from portal.web.pages import CrossingView
from portal.web.policy import Policy, staff
from tracking import crossings, readiness, wording
from tracking.freshness import share_words, span
from tracking.readiness import LATE_HOURS, WHATS, Asked, Lane, Slot

COLUMNS: Final = (
    "lane", "milestone", "required", "captured", "missing", "missing_since_utc", "usually_from", "last_heard_utc",
    "wrong", "late", "late_after_hours", "manual", "latency_median_minutes", "latency_p90_minutes", "lane_units",
    "lane_complete", "lane_grade", "months_of_history", "units_of_history", "enough_to_compute", "enough_to_promise",
)  # fmt: skip


class _ReadinessView(CrossingView):
    policy: ClassVar[Policy] = staff()
    crossing_reason: ClassVar[str] = "readiness: what is missing on each lane, over all accounts"
    accounts: list[Tenant]

    def asked(self, request: HttpRequest) -> tuple[Asked, dict[str, str]]:
        """What the address asks for, and the same for links; anything unknown is left out."""
        self.accounts = crossings.accounts()
        account = next((a for a in self.accounts if a.public_id == request.GET.get("account")), None)
        lane, late = request.GET.get("lane", "")[:40].replace("\0", ""), request.GET.get("late", "")
        late = late if late in LATE_HOURS else "24"
        named = {"account": account.public_id if account else "", "lane": lane, "late": "" if late == "24" else late}
        return Asked(account=account.pk if account else None, lane=lane, late_hours=int(late)), named


def url_of(named: Mapping[str, str], page: str = "readiness", **changes: str) -> str:
    """An address with what is asked."""
    kept = {k: v for k, v in {**named, **changes}.items() if v}
    base = reverse(f"ops:tracking_{page}")
    return f"{base}?{urlencode(kept)}" if kept else base


class Readiness(_ReadinessView):
    """One row a lane; for one lane, one row a milestone."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The lanes of the last 90 days, those with the most missing first."""
        asked, named = self.asked(request)
        found = readiness.lanes(asked, at=self.at)
        elsewhere = readiness.reporters(found)
        shown, zone = found[: readiness.MOST_LANES], operator_zone()
        return self.page("tracking/ops/readiness.html", {
            "title": _("Readiness"),
            "subtitle": _("Critical milestones of what was due in the last 90 days, by lane (R2.4 to R2.6)."),
            "menus": self._menus(named, asked), "lane": asked.lane,
            "rows": [self._row(lane, named, elsewhere, zone) for lane in shown],
            "slots": [_slot(found[0], s, named, elsewhere, zone) for s in found[0].slots]
            if asked.lane and found else [],
            "cut": _("The %(n)d lanes with the most missing are shown; the CSV holds all.") % {"n": len(shown)}
            if len(found) > len(shown) else "",
            "csv_url": url_of(named, "readiness_csv"), "all_url": url_of(named, lane=""),
            "late_words": wording.hours(asked.late_hours),
        })  # fmt: skip

    def _menus(self, named: Mapping[str, str], asked: Asked) -> list[dict[str, Any]]:
        accounts = [
            {"label": a.name, "url": url_of(named, account=a.public_id), "active": a.public_id == named["account"]}
            for a in self.accounts
        ]
        chosen = next((a["label"] for a in accounts if a["active"]), "")
        late = [
            {"label": wording.hours(int(h)), "url": url_of(named, late="" if h == "24" else h),
             "active": int(h) == asked.late_hours}
            for h in LATE_HOURS
        ]  # fmt: skip
        return [
            {"label": _("Account"), "chosen": chosen, "all_url": url_of(named, account=""), "items": accounts},
            {"label": _("Late after"), "chosen": wording.hours(asked.late_hours), "all_url": url_of(named, late=""),
             "items": late},
        ]  # fmt: skip

    def _row(self, lane: Lane, named: Mapping[str, str], elsewhere: Mapping[str, str], zone: Any) -> dict[str, Any]:
        here = {**named, "lane": lane.code}
        return {
            "lane": lane.code, "url": url_of(here), "units": lane.units, "grade": lane.grade,
            "complete": share_words(lane.complete, lane.units),
            "gaps": [_gap(s, here, elsewhere, zone) for s in lane.slots if s.missing],
            "wrong": _cell(lane.total("wrong"), here, "wrong"), "late": _cell(lane.total("late"), here, "late"),
            "manual": _cell(lane.total("manual"), here, "manual"),
            "compute": _compute(lane), "promise": _promise(lane),
        }  # fmt: skip


def _cell(count: int, named: Mapping[str, str], what: str, milestone: str = "") -> dict[str, Any]:
    """A count that leads to its units; 0 leads nowhere."""
    url = url_of({**named, "what": what, "milestone": milestone}, "readiness_units") if count else ""
    return {"value": count, "url": url}


def _gap(slot: Slot, named: Mapping[str, str], elsewhere: Mapping[str, str], zone: Any) -> dict[str, Any]:
    told = _("%(name)s: %(part)d of %(of)d") % {
        "name": wording.milestone(slot.milestone), "part": slot.missing, "of": slot.required,
    }  # fmt: skip
    return {
        "label": told, "url": _cell(slot.missing, named, "missing", slot.milestone)["url"],
        "from": _from(slot, elsewhere), "since": slot.oldest, "zone": zone,
    }  # fmt: skip


def _from(slot: Slot, elsewhere: Mapping[str, str]) -> str:
    """Who would have to report it."""
    if slot.reporter:
        return _("usually from %(source)s") % {"source": slot.reporter}
    other = elsewhere.get(slot.milestone)
    if other:
        return _("nobody reports it here; %(source)s does elsewhere") % {"source": other}
    return _("nobody reports it")


def _compute(lane: Lane) -> dict[str, str]:
    if lane.can_compute:
        return {"tone": "ok", "label": _("Yes"), "why": ""}
    if lane.units < lane.least:
        why = _("%(n)d of %(least)d units: counts only (R0.6, R3.2)") % {"n": lane.units, "least": lane.least}
        return {"tone": "warn", "label": _("Counts only"), "why": why}
    return {"tone": "late", "label": _("No"), "why": _("completeness below 85 %: grade C (R3.1)")}


def _promise(lane: Lane) -> dict[str, str]:
    told = ngettext("%(units)d units in %(months)d month", "%(units)d units in %(months)d months", lane.months) % {
        "units": lane.history, "months": lane.months,
    }  # fmt: skip
    if lane.can_promise:
        return {"tone": "ok", "label": _("Yes"), "why": told}
    wanted = _("100 in at least 6 are needed (R7.1)")
    return {"tone": "warn", "label": _("Not enough history"), "why": f"{told}; {wanted}"}


def _slot(
    lane: Lane, slot: Slot, named: Mapping[str, str], elsewhere: Mapping[str, str], zone: Any
) -> dict[str, Any]:  # fmt: skip
    return {
        "label": wording.milestone(slot.milestone), "required": slot.required,
        "captured": share_words(slot.captured, slot.required), "from": _from(slot, elsewhere),
        "missing": _cell(slot.missing, named, "missing", slot.milestone), "since": slot.oldest, "zone": zone,
        "last_heard": slot.last_heard, "wrong": _cell(slot.wrong, named, "wrong", slot.milestone),
        "late": _cell(slot.late, named, "late", slot.milestone),
        "manual": _cell(slot.manual, named, "manual", slot.milestone),
        "manual_share": share_words(slot.manual, slot.captured),
        "median": span(slot.median) if slot.median is not None else "",
        "p90": span(slot.p90) if slot.p90 is not None else "",
    }  # fmt: skip


class ReadinessUnits(_ReadinessView):
    """The units behind one cell, each leading to its shipment."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The longest missing first."""
        asked, named = self.asked(request)
        what = request.GET.get("what", "")
        what = what if what in WHATS else "missing"
        milestone = request.GET.get("milestone", "")
        milestone = milestone if milestone in wording.MILESTONES else ""
        found = readiness.behind(asked, milestone=milestone, what=what, at=self.at)
        by_id, zone = {a.pk: a for a in self.accounts}, operator_zone()
        titles = {"missing": _("Missing milestones"), "wrong": _("Sources in conflict"), "late": _("Heard late"),
                  "manual": _("Entered by hand")}  # fmt: skip
        narrowed = [asked.lane, wording.milestone(milestone) if milestone else ""]
        return self.page("tracking/ops/readiness_units.html", {
            "title": titles[what], "subtitle": " · ".join(p for p in narrowed if p),
            "crumbs": [{"label": _("Readiness"), "url": url_of({**named, "lane": ""})},
                       *([{"label": asked.lane, "url": url_of(named)}] if asked.lane else [])],
            "rows": [
                {"ref": one.ref, "url": _shipment_url(by_id.get(one.tenant_id), one.shipment),
                 "account": by_id[one.tenant_id].name if one.tenant_id in by_id else "", "lane": one.lane,
                 "milestone": wording.milestone(one.milestone), "since": one.since, "happened": one.happened,
                 "heard": one.heard, "source": one.source, "zone": zone}
                for one in found
            ],
            "cut": _("The first %(n)d are shown.") % {"n": len(found)} if len(found) == readiness.MOST_UNITS else "",
        })  # fmt: skip


def _shipment_url(account: Tenant | None, shipment: str) -> str:
    if account is None:
        return ""
    return reverse("ops:tracking_shipment", kwargs={"account": account.public_id, "public_id": shipment})


class ReadinessCsv(_ReadinessView):
    """The same as CSV, one line a lane and milestone, of all lanes."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Small enough to be written at once: lanes times five."""
        asked, _named = self.asked(request)
        found = readiness.lanes(asked, at=self.at)
        text = "".join(csv_lines(COLUMNS, _lines(found, asked)))
        response = HttpResponse(text, content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="readiness-{self.at:%Y-%m-%d}.csv"'
        return response


def _lines(found: list[Lane], asked: Asked) -> Iterator[list[Any]]:
    for lane in found:
        for s in lane.slots:
            yield [
                lane.code, s.milestone, s.required, s.captured, s.missing, _utc(s.oldest), s.reporter,
                _utc(s.last_heard), s.wrong, s.late, asked.late_hours, s.manual,
                "" if s.median is None else int(s.median.total_seconds()) // 60,
                "" if s.p90 is None else int(s.p90.total_seconds()) // 60, lane.units, lane.complete, lane.grade,
                lane.months, lane.history, "yes" if lane.can_compute else "no", "yes" if lane.can_promise else "no",
            ]  # fmt: skip


def _utc(at: datetime | None) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}" if at else ""
