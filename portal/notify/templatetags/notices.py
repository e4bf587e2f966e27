"""Words that mails need: what a milestone is called, how a month is written.

Neither escapes: subject and text are not HTML, and HTML blocks escape by themselves.
"""

from __future__ import annotations

from django import template
from django.utils.dates import MONTHS
from django.utils.translation import gettext as _

from portal.lib.periods import Month
from tracking.wording import MILESTONES

register = template.Library()


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
    return _("%(month)s %(year)d") % {"month": MONTHS[month.month], "year": month.year}
