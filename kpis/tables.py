"""Closed months in the form that pages take: figures with grade and bounds, rows, units, how it is made.

Reads through selectors; decides nothing. Thresholds and rounding are the rules' (R0.5, R0.6, R3.1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.utils.dateformat import format as date_as
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from kpis import wording
from kpis.figures import bounds, display_pct, stands
from kpis.models import Snapshot, SnapshotRow, SnapshotUnit
from kpis.registry import KPIS
from kpis.running import Running
from kpis.types import Counts
from portal.lib.money import half_up
from portal.lib.periods import Month
from portal.web.retelling import decimal_mark


def month_name(period: str) -> str:
    """`March 2026`."""
    return date_as(Month.parse(period).first_day, pgettext("month and year, Django format letters", "F Y"))


def _percent(num: int, den: int) -> Decimal:
    """For drawing only."""
    return half_up(Fraction(100 * num, den), 4)


def figure(row: SnapshotRow, *, staff: bool, min_n: int, target: Decimal | None = None) -> dict[str, Any]:
    """A cell as {label, value, grade, bounds, reason, counted, loadline, void}; value None where nothing may be shown.

    Customers never see a figure of grade C, staff do (R3.1); few units are counted, not rated (R0.6).
    """
    shown: dict[str, Any] = {
        "label": wording.KPIS[row.kpi],
        "value": None,
        "grade": row.grade if row.den else "",
        "bounds": "",
        "reason": "",
        "loadline": None,
        "counted": _("%(num)s of %(den)s") % {"num": row.num, "den": row.den},
    }
    if not row.den:
        shown["void"] = _("no data")
        return shown
    if row.grade == "C" and not staff:
        units = ngettext("%(n)s unit", "%(n)s units", row.den) % {"n": row.den}
        shown.update(reason=wording.not_published(row.grade_reasons), counted=units)
        shown["void"] = _("not published")
        return shown
    if not stands(row.den, min_n=min_n):
        shown.update(value=shown["counted"], small=True)
        return shown
    marks = [target] if target is not None else []
    shown["value"] = decimal_mark(display_pct(row.num, row.den, marks) or "")
    if row.low != row.high:
        high = decimal_mark(display_pct(row.num + row.unknown, row.den, marks) or "")
        shown["bounds"] = _("%(low)s to %(high)s %%") % {"low": shown["value"], "high": high}
    shown["loadline"] = {
        "value": _percent(row.num, row.den),
        "target": target,
        "low": _percent(row.num, row.den),
        "high": _percent(row.num + row.unknown, row.den),
    }
    if row.grade_reasons:
        shown["reason"] = wording.gate_reasons(row.grade_reasons)
    return shown


def tile(shown: Mapping[str, Any], *, href: str, target: Decimal | None = None) -> dict[str, Any]:
    """A figure as a tile that links to its units."""
    notes = [shown["counted"]] if shown["value"] and not shown.get("small") else []
    notes += [str(n) for n in (shown["bounds"], shown["reason"]) if n]
    if target is not None and shown["value"]:
        notes.append(_("target %(target)s %%") % {"target": decimal_mark(f"{target.normalize():f}")})
    return {
        "label": shown["label"],
        "value": shown["value"],
        "unit": "" if shown.get("small") else "%",
        "note": " · ".join(notes),
        "href": href,
        "proof": _("Every unit"),
        "grade": shown["grade"],
        "loadline": shown["loadline"],
        "void": shown.get("void", ""),
    }


def running_tile(found: Running, *, min_n: int, href: str) -> dict[str, Any]:
    """The running month: never 0 for nothing, counts for few, nothing of grade C (R0.3, R0.6, R3.1)."""
    low, high = bounds(Counts(num=found.num, den=found.den, unknown=found.unknown))
    row = SnapshotRow(
        kpi="OTD", num=found.num, den=found.den, unknown=found.unknown, grade=found.graded.grade.value,
        grade_reasons=list(found.graded.reasons), low=low, high=high,
    )  # fmt: skip
    shown = figure(row, staff=False, min_n=min_n)
    made = tile(shown, href=href)
    due = _("%(den)d of the month's %(due)d due so far") % {"den": found.den, "due": found.due}
    if made["value"] and not shown.get("small"):
        words = {"num": found.num, "den": found.den, "due": found.due}
        due = _("%(num)d of %(den)d due so far, %(due)d in the month") % words
    notes = [month_name(str(found.month)), _("provisional"), due, str(shown["reason"])]
    return {
        **made, "label": _("On time so far"), "note": " · ".join(note for note in notes if note),
        "proof": _("Shipments"), "void": shown.get("void", "") if found.den else _("no data: nothing due yet"),
    }  # fmt: skip


def snapshot_rows(
    snapshots: Sequence[Snapshot], rows: Mapping[int, Sequence[SnapshotRow]], *, staff: bool, at: datetime,
    url: Callable[[str], str],
) -> list[dict[str, Any]]:  # fmt: skip
    """The list of closed months, with the figures of the whole account."""
    listed = []
    for snapshot in snapshots:
        whole = {r.kpi: r for r in rows[snapshot.pk] if not r.lane}
        state = (
            {"tone": "ok", "label": _("Published")}
            if snapshot.is_published(at)
            else {"tone": "info", "label": _("Closed, not published yet")}
        )
        min_n = int(snapshot.config["min_n_percent"])
        figures = [figure(whole[kpi], staff=staff, min_n=min_n) for kpi in ("OTD", "COMPLETENESS")]
        for shown in figures:
            shown["value"] = shown["value"] or shown.get("void")
        listed.append(
            {
                "url": url(snapshot.public_id),
                "period": month_name(snapshot.period),
                "version": snapshot.version,
                "restated": snapshot.version > 1,
                "state": state,
                "figures": figures,
                "as_of": {"at": snapshot.as_of, "zone": None},
                "units": snapshot.units,
            }
        )
    return listed


def lane_rows(
    rows: Iterable[SnapshotRow], *, staff: bool, min_n: int, targets: Mapping[str, Decimal], url: str
) -> list[dict[str, Any]]:
    """One row a lane: units and both figures, each linking to the lane's units."""
    lanes: dict[str, dict[str, SnapshotRow]] = {}
    for row in rows:
        if row.lane:
            lanes.setdefault(row.lane, {})[row.kpi] = row
    listed = []
    for lane, own in sorted(lanes.items()):
        target = targets.get(lane)
        link = f"{url}?lane={lane}#units"
        figures = [figure(own["OTD"], staff=staff, min_n=min_n, target=target)]
        figures.append(figure(own["COMPLETENESS"], staff=staff, min_n=min_n))
        sub = (
            _("target %(target)s %%") % {"target": decimal_mark(f"{target.normalize():f}")}
            if target is not None
            else ""
        )
        units = own["OTD"].den + own["OTD"].excluded
        listed.append({
            "name": lane, "sub": sub, "units": units, "url": link,
            "figures": [{**shown, "url": link} for shown in figures],
        })  # fmt: skip
    return listed


def unit_rows(units: Iterable[SnapshotUnit], *, url: Callable[[str], str]) -> list[dict[str, Any]]:
    """Units with their verdicts, each linking to its shipment."""
    return [
        {
            "url": url(u.shipment.public_id),
            "ref": u.unit_id,
            "lane": u.lane,
            "due": {"at": u.due_date, "zone": u.zone, "precision": "day"}
            if u.limit_op == "LT"
            else {"at": u.limit_utc, "zone": u.zone, "precision": "minute"},
            "final": {"at": u.final_utc, "zone": u.zone, "precision": "minute"} if u.final_utc else None,
            "outcome": (found := wording.verdict(u.outcome, u.reason)),
            "why": found["why"] if u.outcome != "ON_TIME" else "",
        }
        for u in units
    ]


def made_of(snapshot: Snapshot) -> list[dict[str, Any]]:
    """How the figures are made, in words (R4.3)."""
    otd, complete = KPIS["OTD"], KPIS["COMPLETENESS"]
    days = snapshot.config["grace_days"]
    cut = _("Only what was recorded by the cut counts, %(days)s days after the month had ended in every zone.")
    return [
        {"term": otd.label, "text": otd.says, "rule": f"OTD {otd.version}"},
        {"term": complete.label, "text": complete.says, "rule": f"COMPLETENESS {complete.version}"},
        {"term": _("Which month"), "text": capfirst(str(otd.month_of)), "rule": "R2.0"},
        {"term": _("Missing data"), "text": capfirst(str(otd.missing)), "rule": "R2.3"},
        {"term": _("The cut"), "text": cut % {"days": days}, "rule": "R4.1"},
        {
            "term": _("Data grade"),
            "text": _(
                "A and B are published, B with its reason. At C the data are not complete enough to speak of a "
                "percentage; the units are listed all the same."
            ),
            "rule": "R3.1",
        },
    ]
