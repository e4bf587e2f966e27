"""EDIFACT IFTSTA: statuses of consignments and their containers.

Declares only. All EDIFACT adapters share one reader (tracking/edifact/events.py), so each reads whatever event
messages an interchange holds; a source is named after what it mostly sends.
"""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from tracking import edifact
from tracking.types import Adapter


def recognises(raw: bytes) -> bool:
    """Whether the first event message in it is a IFTSTA."""
    return edifact.speaks(raw, "IFTSTA")


IFTSTA = Adapter(
    key="iftsta",
    label=_("EDIFACT IFTSTA, status reports"),
    parse=edifact.parse,
    recognises=recognises,
    content_types=("application/edifact",),
)
