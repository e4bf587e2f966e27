"""X12 315: the ocean carrier's status.

Declared here, read in x12_messages, which reads every transaction of a mixed file by its own type.
"""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from tracking import x12_messages
from tracking.types import Adapter

TYPE = "315"


def recognises(raw: bytes) -> bool:
    """Whether the first transaction of the file is a 315, or one that nobody reads: it is refused by its name."""
    return x12_messages.recognises(raw, TYPE)


X12_315 = Adapter(
    key="x12_315",
    label=_("X12 315 (ocean carrier status)"),
    parse=x12_messages.parse,
    recognises=recognises,
    content_types=("application/edi-x12",),
)
