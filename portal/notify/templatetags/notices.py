"""Words that mails need: what milestones and exceptions are called, how a month is written.

Neither escapes: subject and text are not HTML, and HTML blocks escape by themselves.
"""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.dateformat import format as date_as
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from portal.lib.periods import Month
from portal.web import retelling
from tracking import wording
from tracking.papers import LABELS, PaperKind
from tracking.wording import MILESTONES

register = template.Library()
register.filter("retold", retelling.retold)
register.filter("amount_word", retelling.amount_word)


@register.filter
def milestone_word(code: str) -> str:
    """`VESSEL_ARRIVED` as `Vessel arrived`; an unknown code stays itself."""
    return str(MILESTONES.get(code, code))


@register.filter
def month_word(period: str) -> str:
    """`2026-03` as `March 2026`; anything else stays itself."""
    try:
        month = Month.parse(period)
    except ValueError:
        return period
    return date_as(month.first_day, pgettext("month and year, Django format letters", "F Y"))


@register.filter
def exception_word(code: str) -> str:
    """`ETA_SLIP` as `Arrival expected later`; an unknown code stays itself."""
    return wording.exception(code)


@register.filter
def exception_says(code: str) -> str:
    """What an exception means, in a sentence."""
    return wording.exception_says(code)


@register.filter
def severity_word(name: str) -> str:
    """`HIGH` as `High`."""
    return wording.severity(name)


@register.filter
def paper_word(kind: str) -> str:
    """`BILL_OF_LADING` as `Bill of lading`; an unknown kind stays itself."""
    return str(LABELS[PaperKind(kind)]) if kind in set(PaperKind) else kind


@register.filter
def exception_lines(fact: Any) -> list[dict[str, str]]:
    """The changes of a group, a line each: which shipment, what, and how when it is not new."""
    how = {"raised": "", "worsened": _("later still"), "cleared": _("over")}
    return [
        {"reference": reference, "what": wording.exception(code), "how": how.get(kind, "")}
        for reference, code, kind in zip(fact.references, fact.codes, fact.kinds, strict=False)
    ]
