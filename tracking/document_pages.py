"""Documents of a shipment in words: what is there, what is missing and by when it is needed, each version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from portal.web.templatetags.ui import time_at
from tracking import papers, wording
from tracking.document_reads import current
from tracking.dossier import Dossier
from tracking.effective import Heard
from tracking.filekinds import BY_CONTENT_TYPE
from tracking.milestones import chain
from tracking.models import Document
from tracking.papers import LABELS, PaperKind
from tracking.types import Milestone, Precision

FileUrl = Callable[[Document], str]


def kind_words(kind: str) -> str:
    """What a document is."""
    return str(LABELS.get(PaperKind(kind), kind))


def version_words(document: Document) -> str:
    """`Version 2`, or which internal one."""
    if document.is_internal:
        return _("Internal version %(n)d") % {"n": document.version}
    return _("Version %(n)d") % {"n": document.version}


def card(found: Dossier, documents: Sequence[Document], now: datetime, url: FileUrl) -> dict[str, Any]:
    """The part of the shipment's page: the newest of each kind, and what is missing while it is under way."""
    here = current(documents)
    return {
        "rows": [_row(d, found.zone, url) for d in here],
        "missing": [] if found.shipment.status in ("DONE", "CANCELLED") else missing_words(found, here, now),
        "older": len([d for d in documents if d.withdrawn_at is None]) - len(here),
    }


def listed(found: Dossier, documents: Sequence[Document], url: FileUrl, act: Callable[[Document], dict[str, Any]]) -> (
    list[dict[str, Any]]
):  # fmt: skip
    """Every version, newest first."""
    several = Counter((d.kind, d.is_internal) for d in documents)
    newest = {d.pk for d in current(documents) if several[d.kind, d.is_internal] > 1}
    return [
        {**_row(d, found.zone, url), "is_newest": d.pk in newest, **(act(d) if d.withdrawn_at is None else {})}
        for d in documents
    ]


def _row(document: Document, zone: ZoneInfo, url: FileUrl) -> dict[str, Any]:
    file = BY_CONTENT_TYPE.get(document.content_type)
    gone = document.withdrawn_at is not None
    return {
        "label": kind_words(document.kind), "version": version_words(document), "name": document.name,
        "url": "" if gone else url(document), "form": file.label if file else document.content_type,
        "size": filesizeformat(document.size), "at": document.added_at, "zone": zone, "by": document.added_by,
        "note": document.note, "internal": document.is_internal, "from_staff": document.is_from_staff,
        "withdrawn": {"at": document.withdrawn_at, "by": document.withdrawn_by, "why": document.withdrawn_why}
        if gone else None,
    }  # fmt: skip


# --- what is missing ---


def missing_words(found: Dossier, here: Sequence[Document], now: datetime) -> list[dict[str, Any]]:
    """Each needed document that is not here, late ones first; `late` where its milestone has come or passed."""
    kinds = {d.kind for d in here}
    gaps = papers.missing(found.journey, kinds, final=found.final, when=lambda m: _when(found, m), now=now)
    return [
        {"text": _missing(found, gap), "late": gap.is_late, "kind": gap.one_of[0].value,
         "name": str(LABELS[gap.one_of[0]])}
        for gap in sorted(gaps, key=lambda g: not g.is_late)
    ]  # fmt: skip


def _seen(found: Dossier, milestone: Milestone) -> Heard | None:
    """The best known time of a milestone, as far as the reader may know (5.1)."""
    if found.core is not None and milestone not in found.core and milestone != found.final:
        return None
    return found.facts.best(milestone)


def _when(found: Dossier, milestone: Milestone) -> tuple[datetime | None, bool]:
    """Its time, and whether it has come: also when only what comes after it was heard."""
    best = _seen(found, milestone)
    order = chain(found.journey.final, found.journey.mode, found.journey.load)
    later = order[order.index(milestone) :] if milestone in order else (milestone,)
    seen = [m for m in later if found.core is None or m in found.core]
    return (best.time if best else None), any(found.facts.reached(m) for m in seen)


def _missing(found: Dossier, gap: papers.Missing) -> SafeString:
    names = _(" or ").join(str(LABELS[k]) for k in gap.one_of)
    by = wording.milestone(gap.by)
    best = _seen(found, gap.by)
    if best is None:
        return format_html(_("{document}: needed by “{milestone}”"), document=names, milestone=by)
    node = found.shipment.pod if gap.by == Milestone.VESSEL_ARRIVED else found.shipment.final_place
    zone = found.zone_of(node) or found.zone.key
    at = time_at(best.time, zone, "day" if best.precision == Precision.DAY else "short")
    return format_html(_("{document}: needed by “{milestone}”, {time}"), document=names, milestone=by, time=at)
