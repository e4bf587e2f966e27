"""What codes are called on pages: milestones, events, states, kinds of sources and references.

Pure: no models, no clock. Codes themselves stand in types.py.
"""

from __future__ import annotations

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, pgettext_lazy

from tracking.types import Milestone

_M = Milestone

MILESTONES: Final[dict[str, Promise]] = {
    _M.GATE_IN_FULL: _("Gate in, full"),
    _M.CFS_RECEIVED: _("Received at the warehouse"),
    _M.LOADED: _("Loaded on the vessel"),
    _M.VESSEL_DEPARTED: _("Vessel departed"),
    _M.TS_DISCHARGED: _("Discharged for transhipment"),
    _M.TS_LOADED: _("Loaded after transhipment"),
    _M.VESSEL_ARRIVED: _("Vessel arrived"),
    _M.AT_ANCHOR: _("Vessel at anchor"),
    _M.DISCHARGED: _("Discharged"),
    _M.CY_AVAILABLE: _("Available for collection"),
    _M.GATE_OUT_FULL: _("Gate out, full"),
    _M.CFS_AVAILABLE: _("Available at the warehouse"),
    _M.DELIVERED: _("Delivered"),
    _M.EMPTY_RETURN: _("Empty returned"),
    _M.CUSTOMS_HOLD: _("Customs hold"),
    _M.CUSTOMS_RELEASED: _("Customs released"),
    _M.DELIVERY_FAILED: _("Delivery failed"),
}

# In a sentence such as "No gate-out heard, expected 12 Mar".
MISSING: Final[dict[str, Promise]] = {
    _M.GATE_IN_FULL: _("No gate-in heard"),
    _M.CFS_RECEIVED: _("No warehouse receipt heard"),
    _M.LOADED: _("No loading heard"),
    _M.VESSEL_DEPARTED: _("No departure heard"),
    _M.VESSEL_ARRIVED: _("No arrival heard"),
    _M.DISCHARGED: _("No discharge heard"),
    _M.CY_AVAILABLE: _("No availability heard"),
    _M.GATE_OUT_FULL: _("No gate-out heard"),
    _M.CFS_AVAILABLE: _("No availability at the warehouse heard"),
    _M.DELIVERED: _("No delivery heard"),
    _M.EMPTY_RETURN: _("No empty return heard"),
}

EVENTS: Final[dict[str, Promise]] = {
    "GTIN": _("Gate in"),
    "GTOT": _("Gate out"),
    "LOAD": _("Loaded"),
    "DISC": _("Discharged"),
    "DEPA": _("Departed"),
    "ARRI": _("Arrived"),
    "STUF": _("Stuffed"),
    "STRP": _("Stripped"),
    "PICK": _("Picked up"),
    "DROP": _("Dropped off"),
    "INSP": _("Inspected"),
    "RSEA": _("Resealed"),
    "RMVD": _("Removed"),
    "AVPU": _("Available for pick-up"),
    "AVDO": _("Available for drop-off"),
    "CUSS": _("Customs selected for scan"),
    "CUSI": _("Customs selected for inspection"),
    "CUSR": _("Customs released"),
    "WAYP": _("Passed a waypoint"),
    "CROS": _("Crossed a border"),
    "RECE": _("Received"),
    "DRFT": _("Drafted"),
    "PENA": _("Pending approval"),
    "PENU": _("Pending update"),
    "PENC": _("Pending confirmation"),
    "REJE": _("Rejected"),
    "APPR": _("Approved"),
    "ISSU": _("Issued"),
    "SURR": _("Surrendered"),
    "SUBM": _("Submitted"),
    "VOID": _("Void"),
    "CONF": _("Confirmed"),
    "REQS": _("Requested"),
    "CMPL": _("Completed"),
    "HOLD": _("Put on hold"),
    "RELS": _("Released"),
    "CANC": _("Cancelled"),
}

PAPERS: Final[dict[str, Promise]] = {
    "CBR": _("booking request"),
    "BKG": _("booking"),
    "SHI": _("shipping instruction"),
    "SRM": _("shipment release"),
    "TRD": _("transport document"),
    "ARN": _("arrival notice"),
    "VGM": _("verified gross mass"),
    "CAS": _("cargo survey"),
    "CUS": _("customs inspection"),
    "CUC": _("customs clearance"),
    "DGD": _("dangerous goods declaration"),
    "OOG": _("out of gauge"),
    "HBL": _("house bill"),
    "MBL": _("master bill"),
}

CLASSIFIERS: Final[dict[str, Promise]] = {
    "ACT": pgettext_lazy("an event", "actual"),
    "EST": pgettext_lazy("an event", "estimated"),
    "PLN": pgettext_lazy("an event", "planned"),
}

STATUSES: Final[dict[str, Promise]] = {
    "BOOKED": _("Booked"),
    "UNDER_WAY": _("Under way"),
    "ARRIVED": _("Arrived"),
    "DONE": _("Completed"),
    "CANCELLED": _("Cancelled"),
}
STATUS_TONES: Final = {
    "BOOKED": "neutral", "UNDER_WAY": "info", "ARRIVED": "info", "DONE": "ok", "CANCELLED": "neutral",
}  # fmt: skip

OUTCOMES: Final[dict[str, Promise]] = {
    "made": _("New"),
    "changed": _("Changed"),
    "unchanged": _("As it was"),
    "refused": _("Refused"),
}

SOURCE_KINDS: Final[dict[str, Promise]] = {
    "terminal": _("terminal"),
    "carrier": _("carrier"),
    "rail": _("rail operator"),
    "ais": _("vessel position"),
    "aggregator": _("aggregator"),
    "manual": _("entered by hand"),
}

TERMS: Final[dict[str, Promise]] = {
    "CY": _("Available at the container yard"),
    "CFS": _("Available at the warehouse"),
    "DOOR": _("Delivered to the door"),
}

MODES: Final[dict[str, Promise]] = {"SEA": _("Sea"), "AIR": _("Air"), "ROAD": _("Road"), "RAIL": _("Rail")}
MODE_ICONS: Final = {"SEA": "ship", "AIR": "plane", "ROAD": "truck", "RAIL": "train"}


def milestone(code: str) -> str:
    """The milestone's name; a code that we do not know stays a code."""
    return str(MILESTONES.get(code, code))


def missing(code: str) -> str:
    """`No gate-out heard`."""
    return str(MISSING.get(code, _("Not heard")))


def event(code: str, *, laden: bool | None = None, document_type: str = "") -> str:
    """An event in words: `Gate out, empty`, `Confirmed: booking`."""
    name = str(MILESTONES.get(code) or EVENTS.get(code) or code)
    if document_type:
        return f"{name}: {PAPERS.get(document_type, document_type)}"
    if laden is None:
        return name
    return str(_("%(event)s, full") if laden else _("%(event)s, empty")) % {"event": name}


def source(key: str, kind: str) -> str:
    """`maersk (carrier)`."""
    return f"{key} ({SOURCE_KINDS.get(kind, kind)})" if kind else key


def days(count: int) -> str:
    """`2 days`."""
    return ngettext("%(count)d day", "%(count)d days", count) % {"count": count}


def hours(count: int) -> str:
    """`3 hours`."""
    return ngettext("%(count)d hour", "%(count)d hours", count) % {"count": count}


# --- exceptions (8.1) ---

EXCEPTIONS: Final[dict[str, Promise]] = {
    "CUTOFF_RISK": _("Cut-off at risk"),
    "LATE_GATE_IN": _("Too late for the cut-off"),
    "ROLLOVER": _("Rolled to another sailing"),
    "MISSED_CONNECTION": _("Missed connection"),
    "CUSTOMS_HOLD_LONG": _("Held by customs for long"),
    "ETA_SLIP": _("Arrival expected later"),
    "AT_RISK": _("Promise at risk"),
    "STALE": _("Nothing heard for long"),
    "DELIVERY_FAILED": _("Delivery failed"),
    "LONG_DWELL": _("Standing for unusually long"),
    "PORT_CHANGE": _("Another port of discharge"),
    "DATA_CONFLICT": _("Sources disagree"),
}
EXCEPTION_SAYS: Final[dict[str, Promise]] = {
    "CUTOFF_RISK": _("The terminal closes within hours and no full container has passed its gate."),
    "LATE_GATE_IN": _("The terminal's closing time has passed without the container, or it came after it."),
    "ROLLOVER": _("The ship that was booked left, and the container was not on it."),
    "MISSED_CONNECTION": _("The onward ship left the port of transhipment without the container."),
    "CUSTOMS_HOLD_LONG": _("Customs have held the container for longer than usual there."),
    "ETA_SLIP": _("The estimate moved by more than a day."),
    "AT_RISK": _("By the latest estimate the promise will not be kept."),
    "STALE": _("No source has reported anything for longer than this part of the journey allows."),
    "DELIVERY_FAILED": _("The delivery was attempted without success."),
    "LONG_DWELL": _("The container stands at the terminal for longer than nine of ten of yours did there."),
    "PORT_CHANGE": _("The carrier names another port of discharge than was booked."),
    "DATA_CONFLICT": _("Two sources report times of one milestone that lie more than six hours apart."),
}
SEVERITIES: Final[dict[str, Promise]] = {
    "LOW": pgettext_lazy("severity", "Low"),
    "MEDIUM": pgettext_lazy("severity", "Medium"),
    "HIGH": pgettext_lazy("severity", "High"),
    "CRITICAL": pgettext_lazy("severity", "Critical"),
}
SEVERITY_TONES: Final = {"LOW": "neutral", "MEDIUM": "warn", "HIGH": "late", "CRITICAL": "late"}
SEVERITY_SHAPES: Final = {"LOW": "ring", "MEDIUM": "warning", "HIGH": "diamond", "CRITICAL": "x-circle"}


def exception(code: str) -> str:
    """The exception's name; a code that we do not know stays a code."""
    return str(EXCEPTIONS.get(code, code))


def exception_says(code: str) -> str:
    """What it means, in a sentence."""
    return str(EXCEPTION_SAYS.get(code, ""))


def severity(name: str) -> str:
    """`High`."""
    return str(SEVERITIES.get(name, name))
