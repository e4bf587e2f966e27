"""What codes are called on pages: verdicts, reasons, grades. Pure: no models, no clock."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kpis.types import Outcome, Reason

_O = Outcome

# outcome -> (tone, word, why), R2.2
OUTCOMES: Final[dict[str, tuple[str, Promise, Promise]]] = {
    _O.ON_TIME: ("ok", gettext_lazy("On time"), gettext_lazy("every container arrived within the limit")),
    _O.ON_TIME_INFERRED: (
        "ok",
        gettext_lazy("On time, inferred"),
        gettext_lazy("a later milestone within the limit proves the arrival"),
    ),
    _O.LATE: ("late", gettext_lazy("Late"), gettext_lazy("a container arrived after the limit")),
    _O.EARLY: ("warn", gettext_lazy("Too early"), gettext_lazy("a container arrived before the agreed window")),
    _O.LATE_OPEN: ("late", gettext_lazy("Late, under way"), gettext_lazy("not arrived at the close, but heard of")),
    _O.SILENT: ("warn", gettext_lazy("Silent"), gettext_lazy("not arrived and nothing heard for a week")),
    _O.UNPROVEN: ("warn", gettext_lazy("Unproven"), gettext_lazy("finished, but nothing proves the time")),
    _O.CARRIER_CANCELLED: (
        "late",
        gettext_lazy("Cancelled by us"),
        gettext_lazy("the carrier or we cancelled after confirmation; counts as not on time"),
    ),
    _O.EXCLUDED: ("neutral", gettext_lazy("Excluded"), gettext_lazy("left out of the figure, with a reason")),
    _O.PENDING: ("info", gettext_lazy("Within its limit"), gettext_lazy("the limit lies ahead")),
}

REASONS: Final[dict[str, Promise]] = {
    Reason.TEST_DATA: gettext_lazy("test data"),
    Reason.DUPLICATE: gettext_lazy("duplicate"),
    Reason.CUSTOMER_CANCELLED: gettext_lazy("cancelled by the customer before departure"),
    Reason.FORCE_MAJEURE: gettext_lazy("force majeure"),
    Reason.CUSTOMER_CAUSED: gettext_lazy("caused by the customer"),
}

KPIS: Final[dict[str, Promise]] = {
    "OTD": gettext_lazy("On-time delivery"),
    "COMPLETENESS": gettext_lazy("Milestone completeness"),
    "EXCEPTION": gettext_lazy("Exception rate"),
    "ETA": gettext_lazy("ETA accuracy"),
    "DWELL": gettext_lazy("Dwell time"),
}

_GATE: Final[dict[str, Promise]] = {
    "COMPLETENESS": gettext_lazy("too many milestones are missing"),
    "SPREAD": gettext_lazy("too many arrivals are unproven"),
    "CONFLICTS": gettext_lazy("sources contradict each other"),
}


def gate_reasons(codes: Iterable[str]) -> str:
    """Why a figure has not the best grade, as part of a sentence."""
    return ", ".join(str(_GATE.get(code, code)) for code in codes)


def not_published(codes: Iterable[str]) -> str:
    """What customers read in place of a figure of grade C (R3.1)."""
    return _("not published: %(why)s") % {"why": gate_reasons(codes)}


def verdict(outcome: str, reason: str = "") -> dict[str, object]:
    """Tone, word and why of a unit, as the pages take it."""
    tone, word, why = OUTCOMES[Outcome(outcome)]
    return {"tone": tone, "label": word, "code": outcome, "why": REASONS[Reason(reason)] if reason else why}
